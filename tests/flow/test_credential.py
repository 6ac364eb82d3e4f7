# SPDX-License-Identifier: Apache-2.0
"""The credential file: late, missing, empty, too large, multi-line, rotated while requests run."""
import json
import os
import subprocess
import time

import pytest

import stage as st

MRS = "https://gitlab.example.com/api/v4/projects/7/merge_requests"


def token_of(stage):
    return [v for k, v in stage.requests()[-1]["headers"] if k.lower() == "private-token"]


@pytest.mark.parametrize("content", [None, "", "x" * 20000, "two\nlines\n"])
def test_unusable_file_means_502_and_nothing_is_sent(stage, content):
    os.unlink(st.SECRET_FILE)
    try:
        if content is not None:
            with open(st.SECRET_FILE, "w", encoding="ascii") as f:
                f.write(content)
        result = stage.run(stage.policy(), "curl", "-sS", MRS)
        body = json.loads(result.stdout)
        assert (body["status"], body["code"]) == (502, "credential_unavailable")
        assert stage.requests() == []
    finally:
        stage.write_secret(stage.secret)


def rotate(stage, change, before, after):
    """A request, the change from outside, then requests until the new token is there."""
    script = f"curl -sS -o /dev/null {MRS}; echo one; read _; for i in 1 2 3 4 5 6 7 8; do curl -sS -o /dev/null {MRS}; sleep 0.5; done"
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(), "--audit", stage.dir + "/audit.jsonl", "--",
            "sh", "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "one\n"
        assert token_of(stage) == [before]
        change()
        run.stdin.write("\n")
        run.stdin.flush()
        assert run.wait(60) == 0
    assert token_of(stage) == [after]
    assert all(len([1 for k, _ in r["headers"] if k.lower() == "private-token"]) == 1 for r in stage.requests())


def test_rotation_by_rename(stage):
    try:
        rotate(stage, lambda: stage.write_secret("glpat-rotated"), stage.secret, "glpat-rotated")
    finally:
        stage.write_secret(stage.secret)


def test_auth_block_is_said_and_refused(stage):
    result = stage.run(stage.policy(base="internal-api.json"), "curl", "-sS", "https://api.example.com/v1/x")
    assert "internal_api" in result.stderr
    assert json.loads(result.stdout)["code"] == "credential_unavailable"
    assert stage.requests() == []


class Kubernetes:
    """A secret volume as the kubelet keeps it: name -> ..data/name, ..data -> a directory that is swapped by rename."""

    def __init__(self, where):
        self.where, self.n = where, 0
        os.makedirs(where, mode=0o755)
        os.symlink("..data/token", where + "/token")

    def write(self, value):
        self.n += 1
        fresh = f"{self.where}/..{self.n}"
        os.mkdir(fresh, 0o755)
        with open(fresh + "/token", "w", encoding="ascii") as f:
            f.write(value)
        os.symlink(f"..{self.n}", self.where + "/..data_tmp")
        os.rename(self.where + "/..data_tmp", self.where + "/..data")
        if self.n > 1:
            old = f"{self.where}/..{self.n - 1}"
            os.unlink(old + "/token")
            os.rmdir(old)


HAMMER = ("import http.client as h, sys, time\n"
          "c = h.HTTPSConnection('gitlab.example.com', timeout=20); end = time.time() + float(sys.argv[1]); n = bad = 0\n"
          "while time.time() < end:\n"
          "    c.request('GET', '/x'); r = c.getresponse(); r.read(); n += 1; bad += r.status != 200\n"
          "    if n == 1: print('one', flush=True)\n"
          "print(n, bad)\n")


def volume_policy(stage, path, **more):
    return stage.policy(base={"custom_credentials": {"gitlab": {"upstream": "https://gitlab.example.com", "credential_key":
                                                                "file://" + path, "inject_header": "PRIVATE-TOKEN", **more}}})


def tokens(stage):
    return [v for r in stage.requests() for k, v in r["headers"] if k.lower() == "private-token"]


def test_rotation_by_data_symlink_under_load(stage):
    """Every request carries a token, none fails, and never an older one after a newer one."""
    volume = Kubernetes("/vault/rotating")
    volume.write("token-000")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, volume.where + "/token"), "--audit",
            stage.dir + "/audit.jsonl", "--", st.PYTHON, "-c", HAMMER, "8"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "one\n"
        for i in range(1, 25):
            time.sleep(0.2)
            volume.write(f"token-{i:03}")
        n, bad = map(int, run.stdout.readline().split())
        assert run.wait(30) == 0
    seen = tokens(stage)
    assert bad == 0 and n == len(seen) > 50
    assert seen == sorted(seen)
    assert seen[0] == "token-000" and seen[-1] == "token-024" and len(set(seen)) > 5


def test_a_late_file_becomes_ready_by_itself(stage):
    os.makedirs("/vault/late", exist_ok=True)
    script = ("curl -sS -o /dev/null -w '%{http_code}\\n' https://gitlab.example.com/x; read _; for i in 1 2 3 4 5 6 7 8 9 10; do "
              "s=$(curl -sS -o /dev/null -w '%{http_code}' https://gitlab.example.com/x); [ $s = 200 ] && break; sleep 0.5; "
              "done; echo $s")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, "/vault/late/token"), "--audit",
            stage.dir + "/audit.jsonl", "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "502\n"
        assert stage.requests() == []
        with open("/vault/late/token", "w", encoding="ascii") as f:
            f.write("token-late\n")
        run.stdin.write("\n")
        run.stdin.flush()
        assert run.stdout.readline() == "200\n"
        assert run.wait(30) == 0
    assert set(tokens(stage)) == {"token-late"}


def test_watch_false_keeps_the_first_good_value(stage):
    volume = Kubernetes("/vault/still")
    volume.write("token-first")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, volume.where + "/token", watch=False),
            "--audit", stage.dir + "/audit.jsonl", "--", st.PYTHON, "-c", HAMMER, "4"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "one\n"
        volume.write("token-second")
        assert run.stdout.readline().split()[1] == "0"
        assert run.wait(30) == 0
    assert set(tokens(stage)) == {"token-first"}


def test_a_bad_file_never_replaces_a_good_value(stage):
    volume = Kubernetes("/vault/bad")
    volume.write("token-good")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, volume.where + "/token"), "--audit",
            stage.dir + "/audit.jsonl", "--", st.PYTHON, "-c", HAMMER, "5"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "one\n"
        for text in ("", "two\nlines\n", "x" * 20000):
            volume.write(text)
            time.sleep(0.7)
        assert run.stdout.readline().split()[1] == "0"
        assert run.wait(30) == 0
        assert "last good value is kept" in run.stderr.read()
    assert set(tokens(stage)) == {"token-good"}
