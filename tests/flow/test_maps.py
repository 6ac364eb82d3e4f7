# SPDX-License-Identifier: Apache-2.0
"""What bpftool shows of a sandbox when every process of ours is dead."""
import json
import subprocess
import time

import stage as st
from demo import children_of

MRS = "https://gitlab.example.com/api/v4/projects/7/merge_requests"
PINS = "/sys/fs/bpf/bridle/v1/run/readable"


def dump(name, *options):
    return st.sh("bpftool", *options, "map", "dump", "pinned", f"{PINS}/maps/{name}")


def test_counters_and_denials_are_read_by_bpftool_after_the_death_of_all(stage):
    script = (f"curl -sS -o /dev/null {MRS}; curl -sS -o /dev/null -X DELETE {MRS}; "
              "curl -sS -o /dev/null -m 5 https://evil.example.net/drop; echo up; sleep 60")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--name", "readable", "--policy", stage.policy(), "--audit",
            stage.dir + "/audit.jsonl", "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout.readline() == "up\n"
        dead = [run.pid, *children_of(run.pid)]
        for pid in dead:
            subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)
    time.sleep(0.5)
    try:
        counters = json.loads(dump("counters", "-j"))[0]["formatted"]["value"]
        assert counters["exchanges"] == 3
        assert counters["refusals_worker"] >= 3  # DELETE, the other host, its name
        assert counters["connections"] >= 3
        assert counters["bytes_out"] > 0
        rows = [row["formatted"]["value"] for row in json.loads(dump("denials", "-j"))]
        reasons = [row["why"] for row in rows if row["sequence"]]
        assert "WHY_method_not_allowed" in reasons and "WHY_host_not_allowed" in reasons
        assert "WHY_dns_name_refused" in reasons
        assert "WHY_method_not_allowed" in dump("denials")  # and as plain text
    finally:
        assert subprocess.run([st.BRIDLE, "gc"], check=False, capture_output=True).returncode == 0
