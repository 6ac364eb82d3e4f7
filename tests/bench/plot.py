# SPDX-License-Identifier: Apache-2.0
"""The plot: for each load one bar a subject, median with a line from least to most, on a scale of its own."""
from figures import LOADS, MORE_IS_BETTER, NAMES, figures, median

WIDTH, LEFT, BAR, GAP, TITLE = 760, 110, 14, 5, 34
COLORS = {"direct": "#b8b8b8", "relay": "#8f9bb3", "nginx": "#5b8c5a", "haproxy": "#4f7cac", "mitmproxy": "#c0845a",
          "bridle": "#b03a48"}
CUT = 3.0  # a bar longer than this many times bridle's is cut and says so


def bars(results, load, top):
    rows = {s: figures(results, load, s) for s in NAMES}
    rows = {s: f for s, f in rows.items() if f}
    limit = min(max(max(f) for f in rows.values()), CUT * max(max(rows[s]) for s in ("bridle", "nginx", "haproxy")))
    scale = (WIDTH - LEFT - 130) / limit
    out = []
    for i, (subject, values) in enumerate(rows.items()):
        y, value = top + i * (BAR + GAP), median(values)
        width, cut = min(value, limit) * scale, value > limit
        low, high = (min(v, limit) * scale + LEFT for v in (min(values), max(values)))
        middle = y + BAR / 2
        text = f"{value:.2f}" if load in MORE_IS_BETTER else f"{value:.0f}"
        out.append(f'<text x="{LEFT - 8}" y="{y + BAR - 3}" text-anchor="end">{NAMES[subject]}</text>')
        out.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLORS[subject]}"/>')
        if not cut:
            out.append(f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#222" stroke-width="1.5"/>')
        out.append(f'<text x="{LEFT + max(width, high - LEFT) + 6:.1f}" y="{y + BAR - 3}">{text}{" (cut)" if cut else ""}</text>')
    return out, top + len(rows) * (BAR + GAP)


def svg(results):
    body, y = [], 10
    for load, title, unit in LOADS:
        better = "more is better" if load in MORE_IS_BETTER else "less is better"
        body.append(f'<text x="10" y="{y + 18}" font-weight="bold">{title}: {unit}, {better}</text>')
        lines, y = bars(results, load, y + TITLE - 6)
        body += lines
        y += 8
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 10}" viewBox="0 0 {WIDTH} {y + 10}" '
            'font-family="sans-serif" font-size="12">')
    return "\n".join([head, '<rect width="100%" height="100%" fill="#fff"/>', *body, "</svg>", ""])
