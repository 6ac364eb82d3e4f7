# SPDX-License-Identifier: Apache-2.0
"""Each row of the table of clients, run unchanged inside a sandbox; the committed page must say what was seen."""
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest

import clients
import client_files
import compat
import stage as st

RESULTS = os.environ.get("COMPAT_RESULTS")
HEAVY = {row.name for row in compat.ROWS if row not in clients.CHEAP}


@pytest.fixture(scope="module")
def tools(stage):
    """What the servers serve, and TOOLS: what was built outside for the clients."""
    client_files.make(stage.dir)
    path = os.path.join(stage.inside, "tools")
    os.makedirs(path)
    cache = os.path.join(st.ROOT, "build", "cache", "clients")
    if os.path.isdir(cache):
        # the checkout may be where the command's user may not look
        st.sh("mount", "--bind", cache, path)
    yield path
    client_files.remove(stage.dir)
    subprocess.run(["umount", path], check=False, capture_output=True)


def server_pin(stage):
    der = subprocess.run(f"openssl x509 -in {stage.dir}/{clients.HOST}.pem -pubkey -noout | openssl pkey -pubin -outform DER", shell=True,
                         check=True, stdout=subprocess.PIPE).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@pytest.fixture
def place(stage):
    """An empty directory that belongs to the command's user."""
    path = os.path.join(stage.inside, "place")
    os.makedirs(path)
    shutil.chown(path, st.USER)
    yield path
    shutil.rmtree(path)


def run(stage, row, place, tools, first=""):
    script = row.script.replace("PIN", server_pin(stage)).replace("TOOLS", tools)
    return stage.run(clients.policy(stage, row), "sh", "-c", f"{first} HOME=$PWD; export HOME; {script}", cwd=place)


def version_of(row, place, tools):
    """Asked outside: it is the same program."""
    out = subprocess.run(["sh", "-c", row.version.replace("TOOLS", tools)], cwd=place, capture_output=True, text=True, check=True)
    return re.search(r"\d+(\.\d+)+", out.stdout + out.stderr).group()


def assert_opened(stage, row, result, place):
    assert result.returncode == 0 and row.want in result.stdout, result.stdout + result.stderr
    requests = stage.requests()
    assert requests
    for request in requests:
        assert json.dumps(request).count(stage.secret) == 1, request
    assert stage.secret not in result.stdout + result.stderr
    found = subprocess.run(["grep", "-rlF", stage.secret, place], capture_output=True, text=True, check=False)
    assert found.returncode == 1, found.stdout + found.stderr


def assert_cannot_be_opened(stage, row, result):
    assert result.returncode != 0 and row.want in result.stdout + result.stderr, result.stdout + result.stderr
    assert stage.requests() == []


@pytest.mark.parametrize("row", [pytest.param(r, id=r.name, marks=[pytest.mark.heavy] if r.name in HEAVY else []) for r in compat.ROWS])
def test_client(stage, tools, place, row):
    version = version_of(row, place, tools)
    result = run(stage, row, place, tools)
    if row.refused:
        assert_cannot_be_opened(stage, row, result)
    else:
        assert_opened(stage, row, result, place)
        # the one way that the row names is enough
        st.sh("sh", "-c", "rm -rf ./* ./.[!.]*", cwd=place)
        stage.forget_requests()
        names = [x for x in clients.ca_variables() if x != row.finds]
        result = run(stage, row, place, tools, f"unset {' '.join(names)};")
        assert_opened(stage, row, result, place)
    if RESULTS:
        with open(RESULTS, "a", encoding="utf-8") as f:
            f.write(json.dumps({"name": row.name, "version": version}) + "\n")
    else:
        line = compat.lines(compat.committed()).get(row.name)
        assert line and compat.same(line, row.line(version)), f"make compat: the page has {line!r}, seen was {row.line(version)!r}"


def test_the_page_has_these_rows_and_no_others():
    text = compat.committed()
    versions = {name: line.split("|")[2].strip() for name, line in compat.lines(text).items()}
    assert list(versions) == [row.name for row in compat.ROWS]
    assert text == compat.page(versions), "docs/compatibility.md is not what `make compat` prints"
    assert all(re.fullmatch(r"\d+(\.\d+)+", v) for v in versions.values())
