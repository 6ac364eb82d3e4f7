# SPDX-License-Identifier: Apache-2.0
"""Medians and ratios of the results. A ratio is made within a round, where both sides saw the same noise."""
import statistics

NAMES = {"direct": "direct", "relay": "raw relay", "nginx": "nginx", "haproxy": "HAProxy", "mitmproxy": "mitmproxy",
         "bridle": "bridle"}
LOADS = (("keep_alive", "keep-alive exchange, 1 KiB", "µs of CPU"), ("resumed", "new connection, resumed", "µs of CPU"),
         ("full", "new connection, full handshake", "µs of CPU"), ("down", "bulk down", "GB/s a core"),
         ("up", "bulk up", "GB/s a core"), ("idle", "idle connection", "KiB"))
MORE_IS_BETTER = ("down", "up")


def figures(results, load, subject):
    return [r["figure"] for r in results[load].get(subject, []) if r["figure"] is not None]


def median(values):
    return statistics.median(values)


def span(values, digits):
    if not values:
        return "–"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def cell(results, load, subject):
    return span(figures(results, load, subject), 2 if load in MORE_IS_BETTER else 1)


def ratio(results, load, other):
    """bridle's figure by the other's, for each round that has both."""
    pairs = zip(results[load]["bridle"], results[load].get(other, []))
    return [a["figure"] / b["figure"] for a, b in pairs if a["figure"] and b["figure"]]


def ratio_to_better(results, load):
    """Against the better of nginx and HAProxy, which is chosen by its median, once."""
    medians = {s: median(figures(results, load, s)) for s in ("nginx", "haproxy")}
    better = (max if load in MORE_IS_BETTER else min)(medians, key=medians.get)
    return ratio(results, load, better)
