#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes docs/performance.md and docs/performance.svg of build/bench/results.json, and prints the table."""
import json
import os
import sys

import plot
from figures import LOADS, NAMES, cell, figures, median, ratio, ratio_to_better, span

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def table(results):
    lines = ["| | " + " | ".join(NAMES.values()) + " |", "|---" * (len(NAMES) + 1) + "|"]
    for load, title, unit in LOADS:
        lines.append(f"| {title}, {unit} | " + " | ".join(cell(results, load, s) for s in NAMES) + " |")
    return lines


def ratios(results):
    lines = ["| bridle against | the better of nginx and HAProxy | nginx | HAProxy | raw relay | mitmproxy |", "|---|---|---|---|---|---|"]
    for load, title, _unit in LOADS:
        better = ratio_to_better(results, load)
        lines.append(f"| {title} | {span(better, 2)} | " + " | ".join(
            span(ratio(results, load, other), 2) for other in ("nginx", "haproxy", "relay", "mitmproxy")) + " |")
    return lines


def verdict(value, limit, unit, digits=2):
    """Met or missed, and by how much."""
    if value <= limit:
        return f"{value:.{digits}f}{unit} | met"
    return f"{value:.{digits}f}{unit} | missed by {100 * (value / limit - 1):.0f} %"


def conditions(results):
    keep = median(ratio_to_better(results, "keep_alive"))
    idle = median(figures(results, "idle", "bridle"))
    return ["| condition | limit | measured | |", "|---|---|---|---|",
            f"| CPU of a keep-alive exchange, to the better of nginx and HAProxy | 1.25 × | {verdict(keep, 1.25, ' ×')} |",
            f"| memory of an idle intercepted connection | 64 KiB | {verdict(idle, 64, ' KiB', 1)} |",
            "| no unbounded buffer | | each leg 64 KiB each way, shown by the tests of slow readers and writers | met |"]


def hooks_us(results):
    return [(r["hooks"]["median_ns"] - r["plain"]["median_ns"]) / 1000 for r in results["connect"]]


def startup_ms(results, key):
    s = results["startup"]
    return median(s[key]) - median(s["bare_ms"])


def goals(results):
    full, resumed = (median(ratio_to_better(results, x)) for x in ("full", "resumed"))
    rows = [
        ("CPU of a keep-alive exchange, to the better one", "1.0 ×",
         verdict(median(ratio_to_better(results, "keep_alive")), 1.0, " ×")),
        ("an idle connection of a client", "16 KiB", verdict(median(figures(results, "idle", "bridle")), 16, " KiB", 1)),
        ("a new connection, full handshake, to the better one", "1.0 ×", verdict(full, 1.0, " ×")),
        ("a new connection, resumed, to the better one", "1.0 ×", verdict(resumed, 1.0, " ×")),
        ("a leaf for a new name, CPU of all processes", "1 ms",
         verdict(median([r["cpu_us"] for r in results["leaf"]]) / 1000, 1.0, " ms")),
        ("connect() through the hooks, added", "6 µs", verdict(median(hooks_us(results)), 6.0, " µs", 1)),
        ("start-up, `/run/bridle` on tmpfs", "150 ms", verdict(startup_ms(results, "tmpfs_ms"), 150, " ms", 0)),
        (f"start-up, `/run` of this machine ({results['startup']['here']})", "150 ms",
         verdict(startup_ms(results, "here_ms"), 150, " ms", 0))]
    rows += [(f"a decision: {p['what']}", "1 µs", verdict(p["ns"] / 1000, 1.0, " µs")) for p in results["policy"]]
    return ["| goal | limit | measured | |", "|---|---|---|---|"] + [f"| {a} | {b} | {c} |" for a, b, c in rows]


def others(results):
    connect, leaf = results["connect"], results["leaf"]
    plain = span([r["plain"]["median_ns"] / 1000 for r in connect], 1)
    hooks = span([r["hooks"]["median_ns"] / 1000 for r in connect], 1)
    s = results["startup"]
    return [f"- connect(), medians: {plain} µs without the hooks, {hooks} µs through them; added: {span(hooks_us(results), 1)} µs. "
            "Across two virtual cores the wake-up of whoever accepts is most of both, so the difference is mostly noise.",
            f"- A leaf: {span([r['cpu_us'] for r in leaf], 0)} µs of CPU, {span([r['wall_us'] for r in leaf], 0)} µs of wall clock, "
            "worker and keeper together, beside the handshake itself.",
            f"- Start-up: `true` alone {span(s['bare_ms'], 1)} ms; `bridle run -- true` {span(s['tmpfs_ms'], 0)} ms with a tmpfs on "
            f"`/run/bridle`, as on a usual system, and {span(s['here_ms'], 0)} ms on this machine's `/run` ({s['here']}). The staged "
            "trust store is some 280 links; a disk's file system looks for free inodes for each of them. The self-test is in it."]


def noise(results):
    """What of the spread is the machine: how far the same figure went between rounds."""
    lines = []
    for load, title, _unit in LOADS:
        spreads = []
        for s in ("direct", "nginx", "haproxy", "bridle"):
            f = figures(results, load, s)
            if f:
                spreads.append((max(f) / max(min(f), 1e-9) - 1) * 100)
        lines.append(f"{title} {max(spreads):.0f} %")
    return ("Largest spread of one subject between rounds (of direct, nginx, HAProxy, bridle): " + ", ".join(lines) +
            ". A difference below that is noise; the ratios are made within a round and spread less.")


def page(results):
    m = results["machine"]
    load = f"load average {m['load']:.2f} before and {m['load_end']:.2f} after"
    parts = [
        "<!-- Written by tests/bench/page.py; `make bench` makes it anew. -->", "# Performance", "",
        "`make bench` measures bridle beside what does less, in one run on one machine. nginx and HAProxy end TLS, set a header and "
        "encrypt again to a verified server; bridle does that too, makes the certificates, judges method and path by a policy of "
        "1,000 rules, injects a credential and writes an audit record of each request. The raw relay copies bytes between two TLS legs and "
        "knows no HTTP. `direct` is the origin's own CPU: what a proxy's is added to.", "",
        f"Machine: {m['cpu']}, {m['cores']} cores, Linux {m['kernel']}, {m['openssl']}, {m['nginx']}, {m['haproxy']}, {m['mitmproxy']}; "
        f"commit {m['commit']}, {m['date']}, {load}, {results['took_s']:.0f} s.", "",
        *(["**A quick run of two short rounds: it shows that everything works, and no figure in it counts.**", ""] if results["quick"] else []),
        "![bridle against the others](performance.svg)", "", "## Conditions", "", *conditions(results), "",
        "## Figures", "", "Median (least–most) of the rounds. CPU is that of the subject's processes, all of them, by the scheduler's "
        "account. GB/s are of one core: bytes by CPU seconds.", "", *table(results), "",
        "## Ratios", "", "Median (least–most) of the ratios within a round. CPU and memory: below 1 is better than the other; "
        "bulk: above 1 is better, and the better one is the one with more.", "", *ratios(results), "", *others(results), "",
        "## Goals", "", *goals(results), "", "Why a goal is missed:", "", *reasons(), "",
        "## How it is measured", "", *method(results), "", "## What is noise", "", noise(results), ""]
    return "\n".join(parts)


def reasons():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reasons.md")
    with open(path, encoding="utf-8") as f:
        return f.read().strip().split("\n")


def method(results):
    return [
        f"- {results['rounds']} rounds; in each every subject has its turn at every load, {results['seconds']} s each, in rotation. Idle "
        "memory and start-up have rounds of their own with fresh processes.",
        "- Network and mount namespaces of its own; the origin (nginx, one worker) stands in another one behind a veth pair. Load and "
        "origin have one core, the subject the other, with one worker.",
        "- TLS 1.3 on every leg, TLS_AES_128_GCM_SHA256, X25519, P-256 certificates; servers are verified; keep-alive without limits, "
        "access logs off. nginx has 64 KiB buffers and no request buffering, HAProxy its defaults.",
        "- Keep-alive: wrk, 16 connections, 1 KiB bodies. bridle's load runs inside its sandbox, so that the hooks turn its connections "
        "round. New connections and bulk: tests/bench/client.c; uploads have a type (a body without one is walked for a "
        "hidden `_method`, about 0.2 GB/s). mitmproxy resumes no session. The relay has a new upstream leg for each connection; the "
        "others keep theirs.",
        f"- Idle: a fresh process holds {results['idle']['bridle'][0]['held']} connections that had one exchange each; growth of its "
        "proportional set size for each. Memory of the kernel's sockets is not in it.",
        "- A leaf: handshakes under names never seen less handshakes under one name. connect(): the call alone, to a listener in the "
        "same namespace, against the same call in the sandbox."]


def main():
    path = os.path.join(ROOT, "build", "bench", "results.json")
    with open(path, encoding="utf-8") as f:
        results = json.load(f)
    with open(os.path.join(ROOT, "docs", "performance.md"), "w", encoding="utf-8") as f:
        f.write(page(results))
    with open(os.path.join(ROOT, "docs", "performance.svg"), "w", encoding="utf-8") as f:
        f.write(plot.svg(results))
    print("\n".join([*table(results), "", *ratios(results), "", *conditions(results), "", *goals(results)]))


if __name__ == "__main__":
    sys.exit(main())
