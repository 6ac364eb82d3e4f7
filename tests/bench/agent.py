#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the load's programs where it stands: in a sandbox, or outside. One JSON line in, one out; ends with its input.

{"argv": [...], "timeout": s}  runs to the end: {"code", "out", "err"}
{"argv": [...], "hold": true}  until its first line: {"out"}; {"release": true} ends its input: {"code", "out"}
"""
import json
import os
import subprocess
import sys

LOAD_CORE = 0


def main():
    os.sched_setaffinity(0, {LOAD_CORE})
    held = None
    for line in sys.stdin:
        order = json.loads(line)
        if order.get("release"):
            rest, _ = held.communicate(timeout=60)
            answer = {"code": held.returncode, "out": rest}
        elif order.get("hold"):
            held = subprocess.Popen(order["argv"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            answer = {"out": held.stdout.readline()}
        else:
            try:
                done = subprocess.run(order["argv"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                      timeout=order["timeout"], check=False)
                answer = {"code": done.returncode, "out": done.stdout, "err": done.stderr}
            except subprocess.TimeoutExpired:
                answer = {"code": -1, "out": "", "err": "timeout"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
