# SPDX-License-Identifier: Apache-2.0
"""`bridle doctor`: passes where a sandbox holds, says what is wrong where one cannot, and every check can fail."""
import glob
import json
import os
import pty
import re
import shutil
import subprocess

import pytest

import stage as st
from test_bad_input import fail_program_loads

ROOT_ENV = {"PATH": os.environ["PATH"]}


def doctor(*options, before=None, **kwargs):
    argv = [st.BRIDLE, "doctor", *options]
    if before:
        argv = ["unshare", "--mount", "sh", "-c", before + ' && exec "$@"', "sh", *argv]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=ROOT_ENV, **kwargs)


def report(result):
    """{section: {id: row}}, and the rest under its own names."""
    got = json.loads(result.stdout)
    for section in ("probes", "not_covered", "self_test"):
        rows = got[section]
        got[section] = {row["id"]: row for row in rows}
        assert len(got[section]) == len(rows)
    return got


def left_behind():
    return (glob.glob("/run/bridle/doctor-*") + glob.glob("/run/bridle/run/doctor-*") + glob.glob("/sys/fs/bpf/bridle/v1/run/doctor-*") +
            glob.glob("/sys/fs/cgroup/**/bridle/doctor-*", recursive=True))


def failed(got, section):
    return {k for k, row in got[section].items() if row["status"] == "fail"}


def test_a_machine_that_holds_sandboxes(stage):
    before = set(left_behind())
    result = doctor("--json")
    got = report(result)
    assert result.returncode == 0, result.stdout
    assert (got["v"], got["tier"], got["ready"], got["failed"]) == (1, "T2", True, 0)
    assert got["warnings"] == sum(row["status"] == "warn" for row in got["probes"].values())
    assert {row["status"] for row in got["self_test"].values()} == {"ok"} and len(got["self_test"]) >= 20
    assert {k for k, row in got["self_test"].items() if row["must"] == "pass"} == {"start", "own_listener", "tls_ipv4", "tls_ipv6"}
    assert {"files", "unix_sockets", "udp", "ping", "io_uring", "python_manager", "same_group_signals"} <= set(got["not_covered"])
    assert all(row["next"] for row in got["probes"].values() if row["status"] != "ok")
    assert all(row["what"] for s in ("probes", "not_covered", "self_test") for row in got[s].values())
    assert set(left_behind()) <= before
    assert stage.requests() == []


def test_the_text_says_the_same():
    result = doctor("--user", st.USER)
    assert result.returncode == 0, result.stdout
    assert "\033" not in result.stdout and "tier T2" in result.stdout and "T1" in result.stdout
    assert f"as uid {subprocess.run(['id', '-u', st.USER], capture_output=True, text=True, check=True).stdout.strip()}\n" in result.stdout
    assert re.search(r"^  ok    https_ipv4 .*403", result.stdout, re.M)
    assert re.search(r"\nready: sandboxes hold on this machine", result.stdout)


def test_colours_on_a_terminal_only():
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        with subprocess.Popen([st.BRIDLE, "doctor"], stdout=theirs, stderr=subprocess.DEVNULL,
                              env={**ROOT_ENV, "TERM": "xterm"}) as child:
            os.close(theirs)
            text = b""
            try:
                while True:
                    text += terminal.read(65536)
            except OSError:
                pass
            assert child.wait(60) == 0
    assert b"\033[32mok" in text


@pytest.mark.parametrize("before,probes,words", [
    ("mount -t tmpfs none /sys/kernel/btf", {"btf", "kernel_programs"}, "CONFIG_DEBUG_INFO_BTF"),
    ("umount -l $(awk '/ - cgroup2 / {print $5}' /proc/self/mountinfo)", {"cgroup_v2"}, "mount -t cgroup2"),
    ("mount -t tmpfs -o ro,mode=0755 none /run", {"run_dir"}, "read-only"),
    ("mount -t tmpfs -o mode=0777 none /var/log", {"audit_dir"}, "only root can write")])
def test_what_is_broken_is_named(before, probes, words):
    result = doctor("--json", before=before)
    got = report(result)
    assert failed(got, "probes") == probes
    assert any(words in got["probes"][p]["what"] + got["probes"][p]["next"] for p in probes)
    assert result.returncode == 1 and not got["ready"]
    if probes != {"audit_dir"}:  # the self-test keeps no audit there
        assert got["self_test"]["start"]["status"] == "fail"
        assert {row["what"] for k, row in got["self_test"].items() if k != "start"} == {"not reached"}
    text = doctor(before=before)
    assert text.returncode == 1 and "\nNOT READY: " in text.stdout


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter has x86-64's number of bpf(2)")
def test_programs_that_do_not_load_are_named():
    result = doctor("--json", preexec_fn=lambda: fail_program_loads(22))
    got = report(result)
    assert failed(got, "probes") == {"kernel_programs"} and result.returncode == 1
    assert "15 of 15 do not load (br_egress, " in got["probes"]["kernel_programs"]["what"]
    assert "cannot load the kernel programs" in got["self_test"]["start"]["what"]


def test_without_root():
    result = subprocess.run(["setpriv", "--reuid", "1", "--regid", "1", "--clear-groups", st.BRIDLE, "doctor", "--json"],
                            capture_output=True, text=True, check=False)
    got = report(result)
    assert result.returncode == 1 and "root" in failed(got, "probes")
    assert got["self_test"]["start"]["what"] == "not tried: it needs root"


def test_users_that_cannot_be():
    for user in ("root", "nobody-of-that-name"):
        result = doctor("--user", user)
        assert (result.returncode, result.stdout) == (2, "") and "--user" in result.stderr


def inside(result):
    return dict(line.split("\t")[:2] for line in result.stdout.splitlines())


def test_inside_of_another_sandbox(stage):
    program = os.path.join(stage.inside, "bridle-copy")
    shutil.copy(st.BRIDLE, program)
    result = stage.run(stage.policy(), program, "doctor", "--inside")
    os.unlink(program)
    assert result.returncode == 0, result.stdout
    assert set(inside(result).values()) == {"ok"}


def test_every_check_can_fail():
    """In a namespace where nothing refuses and nothing serves; what must be refused is allowed, or fails in another way."""
    result = subprocess.run(["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$0" doctor --inside', st.BRIDLE],
                            capture_output=True, text=True, timeout=60, check=False)
    got = inside(result)
    assert result.returncode == 1
    assert {k for k, status in got.items() if status == "ok"} <= {"start", "own_listener"}


def test_nothing_is_tried_outside_of_a_sandbox(stage):
    del stage  # its namespace has a device besides loopback
    result = subprocess.run([st.BRIDLE, "doctor", "--inside"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "") and "more than loopback" in result.stderr
