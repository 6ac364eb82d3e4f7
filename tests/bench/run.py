#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: every subject in turn, round after round, on the same machine in the same minutes; see docs/performance.md.

Run as root inside `unshare --net --mount`. BENCH_QUICK=1: two short rounds, to see that everything works. Writes
build/bench/results.json; page.py makes the page and the plot of it.
"""
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time

import account
from rig import CORE_LOAD, Rig, st
import startup
from subjects import KINDS, make

QUICK = bool(os.environ.get("BENCH_QUICK"))
ROUNDS = 2 if QUICK else 6
IDLE_ROUNDS = 1 if QUICK else 3
SECONDS = 0.5 if QUICK else 1.2
HELD = 200 if QUICK else 1000
CONNECTS = 300 if QUICK else 2000
WRK_CONNECTIONS = 16
OUT = os.path.join(st.ROOT, "build", "bench", "results.json")


def say(text):
    print(f"[{time.monotonic() - BEGIN:5.0f} s] {text}", flush=True)


def keep_alive(subject):
    out = subject.agent.run("wrk", "-t1", f"-c{WRK_CONNECTIONS}", f"-d{max(1, round(SECONDS))}s",
                            f"https://{subject.host}:{subject.where[1]}/1k", timeout=60)
    if "Non-2xx" in out or "Socket errors" in out:
        raise RuntimeError(f"{subject.name}: wrk saw errors: {out}")
    return int(re.search(r"(\d+) requests in", out).group(1))


def full(subject):
    return subject.client("full", SECONDS)["count"]


def resumed(subject):
    """0: the subject resumes nothing, so that there is nothing to measure."""
    done = subject.client("resumed", SECONDS)
    return done["count"] if done["resumed"] * 10 > done["count"] * 8 else 0


def bulk(mode):
    return lambda subject: subject.client(mode, SECONDS)["bytes"]


# what is done, and what its figure is called; `per_core`: bytes by CPU second instead of CPU by event
LOADS = (
    ("keep_alive", keep_alive, "us"),
    ("resumed", resumed, "us"),
    ("full", full, "us"),
    ("down", bulk("down"), "GB/s"),
    ("up", bulk("up"), "GB/s"),
)


def measure(subject, load):
    """CPU of the subject's processes over the load's window, by what was done in it."""
    pids = subject.pids()
    before, start = account.cpu_ns(pids), time.monotonic()
    done = load[1](subject)
    cpu, wall = account.cpu_ns(pids) - before, time.monotonic() - start
    if done == 0:
        return {"figure": None, "done": 0, "cpu_s": cpu / 1e9, "wall_s": wall}
    figure = cpu / done / 1000 if load[2] == "us" else done / cpu
    return {"figure": figure, "done": done, "cpu_s": cpu / 1e9, "wall_s": wall}


def rotate(rig, results):
    """A B C A B C: neighbours in time see the same noise, so ratios are made within a round."""
    subjects = {name: make(rig, name).start() for name in KINDS}
    try:
        for subject in subjects.values():
            subject.client("full", 0.2)  # pools, caches and leaves are there
        for n in range(ROUNDS):
            say(f"round {n + 1} of {ROUNDS}")
            for load in LOADS:
                for name, subject in subjects.items():
                    results.setdefault(load[0], {}).setdefault(name, []).append(measure(subject, load))
        leaf(subjects["bridle"], results)
        connects(rig, subjects["bridle"], results)
    finally:
        for subject in subjects.values():
            subject.stop()


def leaf(bridle, results):
    """A handshake under a name never seen, less one under a name that is known: what a leaf costs, key and keeper included."""
    for _ in range(ROUNDS):
        pids = bridle.pids()
        row = {}
        for mode in ("same", "fresh"):
            before = account.cpu_ns(pids)
            done = bridle.client(mode, SECONDS / 2, host="host.leaf.test")
            row[mode] = {"cpu_us": (account.cpu_ns(pids) - before) / done["count"] / 1000,
                         "wall_us": 4e6 * done["seconds"] / done["count"]}
        results.setdefault("leaf", []).append({k: row["fresh"][k] - row["same"][k] for k in ("cpu_us", "wall_us")})


def connects(rig, bridle, results):
    for _ in range(ROUNDS):
        program = rig.inside + "/connect"
        plain = json.loads(st.sh("taskset", "-c", str(CORE_LOAD), program, str(CONNECTS)))
        hooks = json.loads(bridle.agent.run(program, str(CONNECTS), *map(str, bridle.where)))

        results.setdefault("connect", []).append({"plain": plain, "hooks": hooks})


def idle(rig, results):
    """A fresh process holds connections that had one exchange each; what its memory grew by, for each of them."""
    for n in range(IDLE_ROUNDS):
        say(f"idle connections, round {n + 1} of {IDLE_ROUNDS}")
        for name in KINDS:
            if name == "mitmproxy" and n > 0 and not QUICK:
                continue  # ten seconds each, and far from everybody else
            subject = make(rig, name).start()
            subject.client("full", 0.2)
            before = account.pss_kib(subject.pids())
            held = json.loads(subject.agent.ask(argv=[subject.rig.inside + "/client", "hold", subject.where[0],
                                                      str(subject.where[1]), subject.host, str(HELD)], hold=True)["out"])
            if held["errors"]:
                raise RuntimeError(f"{name}: {held}")
            time.sleep(0.3)
            grown = account.pss_kib(subject.pids()) - before
            subject.agent.ask(release=True)
            subject.stop()
            results.setdefault("idle", {}).setdefault(name, []).append({"figure": grown / HELD, "held": HELD})


def policy(results):
    done = st.sh("make", "--no-print-directory", "-C", st.ROOT, "bench-policy")
    results["policy"] = [{"what": m.group(1).strip(), "ns": int(m.group(2))}
                         for m in re.finditer(r"^(.*?)\s+(\d+) ns a decision", done, re.MULTILINE)]


def version(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().split("\n")[0]


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = re.search(r"model name\s*: (.*)", f.read())
    commit = subprocess.run(["git", "-C", st.ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True,
                            check=False).stdout.strip()
    return {"cpu": model.group(1) if model else "unknown", "cores": os.cpu_count(), "kernel": os.uname().release,
            "openssl": version("openssl", "version"), "nginx": version("nginx", "-v"), "haproxy": version("haproxy", "-v"),
            "mitmproxy": version("mitmdump", "--version"), "commit": commit, "load": os.getloadavg()[0],
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}


def main():
    if os.cpu_count() < 2:
        raise SystemExit("bench: needs two cores: one for the subject, one for load and origin")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(16384, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    results = {"machine": machine(), "quick": QUICK, "rounds": ROUNDS, "seconds": SECONDS}
    rig = Rig()
    try:
        say("starting")
        rotate(rig, results)
        idle(rig, results)
        say("start-up")
        startup.measure(rig, results, runs=5 if QUICK else 20)
        say("policy decisions")
        policy(results)
    finally:
        rig.close()
    results["machine"]["load_end"] = os.getloadavg()[0]
    results["took_s"] = time.monotonic() - BEGIN
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    say(f"written: {os.path.relpath(OUT, st.ROOT)}")


BEGIN = time.monotonic()
if __name__ == "__main__":
    sys.exit(main())
