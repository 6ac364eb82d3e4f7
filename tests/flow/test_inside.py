# SPDX-License-Identifier: Apache-2.0
"""What an attacker finds inside: tests/lib/inside.py tries it, this says what has to come of it."""
import json
import os
import shutil
import socket
import subprocess
import time

import pytest

import stage as st


@pytest.fixture(scope="module")
def tried(stage):
    for name in ("inside.py",):
        shutil.copy(os.path.join(st.ROOT, "tests", "lib", name), stage.inside)
    program = os.path.join(stage.inside, "setuid-id")
    shutil.copy("/usr/bin/id", program)
    os.chmod(program, 0o4755)
    with socket.socket() as outside, open("/etc/shadow", "rb") as shadow:
        for fd in (outside.fileno(), shadow.fileno()):
            os.set_inheritable(fd, True)
        result = stage.run(stage.policy(), st.PYTHON, stage.inside + "/inside.py", program, close_fds=False)
    os.unlink(program)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_nothing_is_inherited_above_2(tried):
    assert tried["descriptors"] == []


def test_init_is_out_of_reach(tried):
    """And the signals that it was sent did not end it."""
    got = tried["init"]
    assert got.pop("descriptors") == ["EPERM"]
    assert {k: v for k, v in got.items() if v not in ("EPERM", "EACCES")} == {}
    assert tried["alive after all"]


def test_system_calls(tried):
    want = dict.fromkeys(tried["calls"], "EPERM")
    want.update({"io_uring_setup": "ENOSYS", "clone3": "ENOSYS"})
    assert tried["calls"] == want


def test_sockets(tried):
    """TCP, UDP, route netlink, connected pairs."""
    inet = [[2, 1], [2, 2], [10, 1], [10, 2]]
    assert [x for x in tried["sockets"]["families"] if x not in ([16, 2], [16, 3])] == inet
    assert tried["sockets"]["netlink"] == [0]
    assert tried["sockets"]["pairs"] == [[1, 1], [1, 5]]
    assert tried["sockets"]["protocols"] == []


def test_what_steers_the_kernel_is_read_only(tried):
    assert {"/proc/sys", "/sys", "/etc/ssl/certs", "/etc/resolv.conf"} <= set(tried["read only"])
    assert any("cgroup" in x for x in tried["read only"])
    assert [x for x, read_only in tried["read only"].items() if not read_only] == []


def test_mounts_cannot_be_moved_and_what_is_hidden_stays_so(tried):
    assert {k: v for k, v in tried["names"].items() if v not in ("EPERM", "EACCES", "EBUSY", "EROFS", "EXDEV", "ENOENT")} == {}
    assert tried["names"]["list /vault/secrets"] == "EACCES"


def test_setuid_programs_give_nothing(tried):
    assert int(tried["setuid"]) == tried["uid"] != 0


def test_processes_outside_are_not_seen(tried):
    assert tried["processes"] == 2


def test_a_replaced_secret_directory_is_hidden_too(stage):
    """A mask lies on the directory, so the one that is renamed into its place is hidden anew."""
    script = "while :; do cat /vault/secrets/gitlab 2>/dev/null || echo hidden; read _ || exit; done"
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(), "--audit", stage.dir + "/audit.jsonl", "--", "sh", "-c", script]
    second = "glpat-second-" + os.urandom(6).hex()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "hidden\n"
        os.makedirs("/vault/next")
        with open("/vault/next/gitlab", "w", encoding="ascii") as f:
            f.write(second + "\n")
        os.rename("/vault/secrets", "/vault/before")
        os.rename("/vault/next", "/vault/secrets")
        try:
            deadline, answers = time.time() + 20, []
            while time.time() < deadline and answers[-3:] != ["hidden"] * 3:
                time.sleep(0.5)
                run.stdin.write("\n")
                run.stdin.flush()
                answers.append(run.stdout.readline().strip())
            time.sleep(1.5)  # the directories are looked at every second
            run.stdin.write("\n")
            run.stdin.flush()
            assert run.stdout.readline() == "hidden\n", answers
        finally:
            run.stdin.close()
            run.wait(20)
            shutil.rmtree("/vault/secrets")
            os.rename("/vault/before", "/vault/secrets")
        assert "was replaced: the new one is hidden" in run.stderr.read()
