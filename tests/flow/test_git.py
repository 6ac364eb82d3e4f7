# SPDX-License-Identifier: Apache-2.0
"""git against a real `git http-backend`: clone, fetch, push in all its sizes, with a token that git never has."""
import base64
import json
import os
import shutil
import subprocess

import pytest

import client_files
import clients
import stage as st

REPO = f"{clients.URL}/git/a.git"
READ = (("GET", "/git/*/info/refs"), ("POST", "/git/*/git-upload-pack"))
WRITE = (*READ, ("POST", "/git/*/git-receive-pack"))
START = "set -e; HOME=$PWD; export HOME; git config --global user.name t; git config --global user.email t@example.com;"


@pytest.fixture
def place(stage):
    """A fresh repository at the server, and an empty directory of the command's user."""
    client_files.remove(stage.dir)
    client_files.make(stage.dir)
    path = os.path.join(stage.inside, "git-place")
    os.makedirs(path)
    shutil.chown(path, st.USER)
    yield path
    shutil.rmtree(path)
    client_files.remove(stage.dir)


def git(stage, place, allow, script, credential=(("inject_header", "PRIVATE-TOKEN"),), secret=None):
    row = clients.Row("git", "", "", "", allow=allow, credential=credential)
    result = stage.run(clients.policy(stage, row), "sh", "-c", START + script, cwd=place)
    secret = secret or stage.secret
    for request in stage.requests():
        assert json.dumps(request["headers"]).count(secret) == 1, request
    assert secret not in result.stdout + result.stderr
    assert subprocess.run(["grep", "-rqF", secret, place], check=False).returncode == 1
    return result


def head(stage):
    return st.sh("git", "-C", stage.dir + "/git/a.git", "rev-parse", "refs/heads/main").strip()


@pytest.mark.parametrize("version", [0, 1, 2])
def test_clone_change_push_fetch(stage, place, version):
    result = git(stage, place, WRITE, f"git config --global protocol.version {version};"
                 f"git clone -q {REPO} a; git clone -q {REPO} b; cd a; echo more >more; git add more; git commit -q -m more; git push -q;"
                 "git rev-parse HEAD; cd ../b; git fetch -q; git rev-parse origin/main; git merge -q --ff-only; cat more")
    assert result.returncode == 0, result.stderr
    pushed, fetched, more = result.stdout.splitlines()
    assert pushed == fetched == head(stage) and more == "more"


def test_a_push_larger_than_gits_buffer_is_chunked(stage, place):
    result = git(stage, place, WRITE, f"git clone -q {REPO} a; cd a; head -c 5000000 /dev/urandom >big; git add big; git commit -q -m big;"
                 "git push -q; git rev-parse HEAD; cd ..; git clone -q " + REPO + " b; cmp a/big b/big && echo same")
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == [head(stage), "same"]
    sent = [r for r in stage.requests() if r["target"].endswith("/git-receive-pack") and r["method"] == "POST"]
    assert max(r["body_size"] for r in sent) > 5000000
    assert "chunked" in [v for k, v in sent[-1]["headers"] if k.lower() == "transfer-encoding"]


def test_a_branch_and_a_tag_go_and_come(stage, place):
    result = git(stage, place, WRITE, f"git clone -q {REPO} a; cd a; git checkout -q -b topic; git commit -q --allow-empty -m t; git tag v1;"
                 "git push -q origin topic v1; git push -q origin :topic; git ls-remote origin | cut -f2")
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["HEAD", "refs/heads/main", "refs/tags/v1"]


def test_a_policy_that_allows_reading_refuses_the_push(stage, place):
    before = head(stage)
    result = git(stage, place, READ, f"git clone -q {REPO} a; cd a; git commit -q --allow-empty -m t; git push -q")
    # git shows the body of a refused first request alone; of a later one only the status (remote-curl's rpc_service)
    assert result.returncode != 0 and "error: 403" in result.stderr
    refused = [r for r in stage.audit() if r.get("decision") == "refuse" and r.get("path") == "/git/a.git/git-receive-pack"]
    assert refused and refused[-1]["code"] == "path_not_allowed"
    assert head(stage) == before
    assert [r for r in stage.requests() if r["target"].endswith("/git-receive-pack")] == []


def test_basic_from_a_prepared_secret(stage, place):
    """Most git hosts take a token as Basic's password: the file holds base64 of "user:token", the format says Basic."""
    secret = base64.b64encode(f"oauth2:{stage.secret}".encode()).decode()
    stage.write_secret(secret)
    try:
        result = git(stage, place, READ, f"git clone -q {REPO} a; cat a/file", (("credential_format", "Basic {}"),), secret)
    finally:
        stage.write_secret(stage.secret)
    assert result.stdout == "of the first commit\n", result.stderr
    assert {v for r in stage.requests() for k, v in r["headers"] if k.lower() == "authorization"} == {"Basic " + secret}


def test_what_git_brings_itself_is_taken_out(stage, place):
    result = git(stage, place, READ, f"git clone -q {REPO.replace('https://', 'https://me:of-the-client@')} a; cat a/file")
    assert result.stdout == "of the first commit\n", result.stderr
    assert "of-the-client" not in json.dumps(stage.requests())
    assert base64.b64encode(b"me:of-the-client").decode() not in json.dumps(stage.requests())
