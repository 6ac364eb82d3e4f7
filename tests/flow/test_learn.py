# SPDX-License-Identifier: Apache-2.0
"""The smallest policy for what was tried: it is shown or written, it parses, and it allows that and nothing more."""
import json
import os
import subprocess

import pytest

import stage as st

MRS = "https://gitlab.example.com/api/v4/projects/group%2Fname/merge_requests?state=opened"
NOTE = "https://gitlab.example.com/api/v4/projects/7/merge_requests/1/notes"
TRIED = ["sh", "-c", f"curl -sS -o /dev/null -w '%{{http_code}} ' '{MRS}'; curl -sS -o /dev/null -w '%{{http_code}} ' -d x=y {NOTE}"]
MORE = ["sh", "-c", f"curl -sS -o /dev/null -w '%{{http_code}} ' -X DELETE {NOTE}; curl -sS -o /dev/null -w '%{{http_code}} ' "
                    "https://gitlab.example.com/api/v4/user; curl -sS -o /dev/null -w '%{http_code} ' https://api.example.com/"]


def shown(result):
    return json.loads(result.stderr[result.stderr.index("{"):result.stderr.rindex("}") + 1])


def check(stage, document):
    policy = stage.policy(base=document)
    assert subprocess.run([st.BRIDLE, "policy", "check", policy], capture_output=True, check=False).returncode == 0
    assert stage.run(policy, *TRIED).stdout == "200 201 "
    assert stage.run(policy, *MORE).stdout == "403 403 403 "


def test_what_is_shown_allows_what_was_tried(stage):
    result = stage.run(None, *TRIED)
    assert result.stdout == "403 403 " and stage.requests() == []
    check(stage, shown(result))


def test_learn_writes_it_as_the_user(stage):
    where = os.path.join(stage.inside, "learn")
    os.makedirs(where, exist_ok=True)
    os.chown(where, 1, 1)
    path = where + "/learned.json"
    result = stage.run(None, *TRIED, options=("--learn", path))
    assert path in result.stderr and "{" not in result.stderr and os.stat(path).st_uid == 1
    with open(path, encoding="utf-8") as f:
        check(stage, json.load(f))


def test_nothing_tried(stage):
    result = stage.run(None, "true")
    assert result.returncode == 0 and "no request was tried" in result.stderr and "{" not in result.stderr


@pytest.mark.parametrize("path,word", [("/etc/learned.json", "Permission denied"), ("/no/such/dir/x", "No such file"), ("LINK", "symbolic")])
def test_learn_where_the_user_cannot_write(stage, path, word):
    if path == "LINK":
        path = os.path.join(stage.inside, "link.json")
        os.symlink("/etc/passwd", path)
    result = stage.run(None, "true", options=("--learn", path))
    assert result.returncode == 125 and word in result.stderr and path in result.stderr
    assert not os.path.exists("/etc/learned.json")
