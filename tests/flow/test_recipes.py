# SPDX-License-Identifier: Apache-2.0
"""The recipes of docs/policy.md: policy/examples/NAME.json, and what becomes of the requests in NAME.requests beside it."""
import glob
import json
import os
import re
import subprocess

import pytest

import stage as st

EXAMPLES = os.path.join(st.ROOT, "policy", "examples")
NAMES = sorted(os.path.basename(p)[:-9] for p in glob.glob(EXAMPLES + "/*.requests"))


def text(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def bridle(*argv):
    return subprocess.run([st.BRIDLE, *argv], capture_output=True, text=True, check=False, timeout=60)


def requests():
    for name in NAMES:
        for line in text(f"{EXAMPLES}/{name}.requests").splitlines():
            code, credential, method, url = line.split()
            yield pytest.param(name, code, credential, method, url, id=f"{name} {method} {url}")


def test_there_are_recipes():
    assert {"gitlab", "gitlab-git", "github", "internal-api", "llm", "packages", "addresses", "tls"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_policy_is_one(name):
    result = bridle("policy", "check", f"{EXAMPLES}/{name}.json")
    assert result.returncode == 0 and result.stderr == "", result.stderr


@pytest.mark.parametrize("name,code,credential,method,url", requests())
def test_request(name, code, credential, method, url):
    result = bridle("why", "--json", "--policy", f"{EXAMPLES}/{name}.json", method, url)
    answer = json.loads(result.stdout)
    assert (answer["code"], answer.get("credential") or "-") == (code, credential), result.stdout
    assert result.returncode == (0 if code == "allowed" else 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_manual_shows_these_files(name):
    """Its blocks are the files, word for word."""
    page = text(st.ROOT + "/docs/policy.md")
    for suffix, language in ((".json", "json"), (".requests", "text")):
        assert f"`policy/examples/{name}{suffix}`\n\n```{language}\n{text(f'{EXAMPLES}/{name}{suffix}')}```\n" in page, suffix


def test_the_manual_shows_no_others():
    shown = re.findall(r"^`policy/examples/([^`]+)\.json`$", text(st.ROOT + "/docs/policy.md"), re.M)
    assert sorted(shown) == NAMES
