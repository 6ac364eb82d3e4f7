# SPDX-License-Identifier: Apache-2.0
"""The self-test of a new sandbox: it leaves no trace, nobody else gets its answer, and without it nothing runs."""
import json
import os
import subprocess

import stage as st

HOST = "self-test.bridle.invalid"


def test_leaves_no_record_and_no_count(stage):
    name = "untouched"
    audit = os.path.join(stage.dir, name + ".jsonl")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--name", name, "--policy", stage.policy(), "--audit", audit, "--",
            "sh", "-c", "echo up; read x"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout.readline() == "up\n"
        maps = f"/sys/fs/bpf/bridle/v1/run/{name}/maps/"
        counters = json.loads(st.sh("bpftool", "-j", "map", "dump", "pinned", maps + "counters"))[0]["formatted"]["value"]
        assert set(counters.values()) == {0}, counters
        for which in ("denials", "denials_kernel"):
            rows = json.loads(st.sh("bpftool", "-j", "map", "dump", "pinned", maps + which))
            assert not [r for r in rows if r["formatted"]["value"]["sequence"]], which
        run.communicate("\n", timeout=60)
    with open(audit, encoding="utf-8") as f:
        kinds = {json.loads(line)["kind"] for line in f}
    assert kinds == {"chain"}
    assert stage.requests() == []


def test_the_command_gets_another_answer(stage):
    result = stage.run(stage.policy(), "curl", "-sS", "--resolve", f"{HOST}:443:192.0.2.1", f"https://{HOST}/" + "0" * 32)
    assert json.loads(result.stdout)["code"] == "host_not_allowed"
    assert [r["code"] for r in stage.audit() if r["kind"] == "exchange" and r.get("host") == HOST] == ["host_not_allowed"]


def test_nothing_runs_where_the_programs_do_not_hold(stage):
    argv = [os.path.join(st.ROOT, "build", "release", "launch"), "--policy", stage.policy(), "--audit",
            stage.dir + "/early.jsonl", "--name", "early", "--user", st.USER, "--detached-early", "--", "echo", "ran"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 125 and result.stdout == ""
    assert "self-test failed, so the command was not started: a datagram to 192.0.2.1" in result.stderr
