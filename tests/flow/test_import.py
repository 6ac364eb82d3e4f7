# SPDX-License-Identifier: Apache-2.0
"""`bridle policy import`: what it prints, where to, and its exit status. What becomes of each key: tests/import/nono.json."""
import json
import subprocess

import pytest

import stage as st

WHOLE = {"network": {"allow_domain": ["a.example.com"]}}
PART = {"network": {"allow_domain": ["a.example.com", "*"]}}


def run(*argv):
    return subprocess.run([st.BRIDLE, "policy", "import", *argv], capture_output=True, text=True, check=False)


@pytest.fixture
def profile(tmp_path):
    def write(value):
        path = tmp_path / "profile.json"
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return str(path)
    return write


def test_all_carried_over(profile):
    result = run("nono", profile(WHOLE))
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == WHOLE


def test_a_part_left_out(profile):
    path = profile(PART)
    result = run("nono", path)
    assert result.returncode == 1 and json.loads(result.stdout) == WHOLE
    assert result.stderr == f'{path}:1:48: "*" is left out: every host cannot be allowed; name the hosts\n'


@pytest.mark.parametrize("argv,said", [
    (["nono", "{profile}"], "must be an object"), (["nono", "/nowhere/profile.json"], "cannot open"), (["nono", "/tmp"], "is a directory"),
    (["squid", "{profile}"], "the formats are: nono"), (["nono"], "FILE"), (["nono", "{profile}", "--output", "/nowhere/x"], "must be an object")])
def test_unreadable(profile, argv, said):
    path = profile("[1]")
    result = run(*[a.replace("{profile}", path) for a in argv])
    assert result.returncode == 2 and said in result.stderr and result.stdout == "", result.stderr


def test_output(profile, tmp_path):
    to = tmp_path / "policy.json"
    result = run("nono", "-o", str(to), profile(PART))
    assert result.returncode == 1 and result.stdout == "" and json.loads(to.read_text(encoding="utf-8")) == WHOLE
    check = subprocess.run([st.BRIDLE, "policy", "check", str(to)], capture_output=True, text=True, check=False)
    assert check.returncode == 0 and "a.example.com" in check.stdout
    result = run("nono", "-o", "/nowhere/x", profile(WHOLE))
    assert result.returncode == 2 and "cannot write the policy to /nowhere/x" in result.stderr


def test_base_profiles(profile):
    path = profile({"extends": "default", **WHOLE})
    result = run("nono", path)
    assert result.returncode == 1 and json.loads(result.stdout) == {"network": {"allow_domain": []}}
    assert "--alone" in result.stderr
    result = run("nono", "--alone", path)
    assert result.returncode == 1 and json.loads(result.stdout) == WHOLE and "default" in result.stderr
