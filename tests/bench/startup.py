# SPDX-License-Identifier: Apache-2.0
"""What `bridle run -- true` takes over `true` alone: on /run as it is here, and with /run/bridle on a tmpfs of its own.

Most systems have a tmpfs on /run. On a disk's file system the links of the staged trust store are slow to make.
"""
import os
import subprocess
import time

from rig import st

RUN_DIR = "/run/bridle"


def times(argv, runs):
    took = []
    for _ in range(runs):
        start = time.monotonic()
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took.append((time.monotonic() - start) * 1000)
    return took


def file_system(path):
    return st.sh("stat", "-f", "-c", "%T", path).strip()


def measure(rig, results, runs):
    command = [st.BRIDLE, "run", "--user", st.USER, "--policy", rig.policy_file(1000), "--audit", rig.dir + "/start.jsonl",
               "--", "true"]
    os.makedirs(RUN_DIR, mode=0o755, exist_ok=True)
    times(command, 1)
    out = {"bare_ms": times(["true"], runs), "here": file_system(RUN_DIR), "here_ms": times(command, runs)}
    st.sh("mount", "-t", "tmpfs", "-o", "mode=0755", "bridle-bench", RUN_DIR)
    try:
        times(command, 1)
        out["tmpfs_ms"] = times(command, runs)
    finally:
        st.sh("umount", "-l", RUN_DIR)
    results["startup"] = out
