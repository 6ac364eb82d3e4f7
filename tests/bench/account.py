# SPDX-License-Identifier: Apache-2.0
"""What processes used, asked of the kernel: CPU time by its scheduler (ns), memory as proportional set size."""
import os


def tree(pid):
    """The process and all that descend from it."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for task in listing(f"/proc/{one}/task"):
            try:
                with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as f:
                    todo += [int(x) for x in f.read().split()]
            except OSError:
                pass
    return found


def listing(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def cgroup(pid):
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as f:
            return f.read()
    except OSError:
        return ""


def outside_sandbox(pids):
    """Without the load itself, where it descends from the subject: what runs in the sandbox's own cgroup."""
    return [p for p in pids if not cgroup(p).rstrip("\n").endswith("/sandbox")
            and "/sandbox\n" not in cgroup(p)]


def cpu_ns(pids):
    total = 0
    for pid in pids:
        for task in listing(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                    total += int(f.read().split()[0])
            except OSError:
                pass
    return total


def pss_kib(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
        except OSError:
            pass
    return total
