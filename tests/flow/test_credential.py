# SPDX-License-Identifier: Apache-2.0
"""The credential file: late, missing, empty, too large, multi-line, rotated while requests run."""
import json
import os

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
    import subprocess
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
