# SPDX-License-Identifier: Apache-2.0
"""What `policy check` and `why` print, and how they end."""
import json
import os
import subprocess

import pytest

import stage as st

A = "https://a.example.com"
TWO = {"x": {"upstream": A + "/x", "credential_key": "file:///s/x"},
       "y": {"upstream": A + "/y", "credential_key": "file:///s/y"}}


def bridle(*argv):
    return subprocess.run([st.BRIDLE, *argv], capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def policy(stage):
    def write(document):
        path = os.path.join(stage.dir, "cli.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(document if isinstance(document, str) else json.dumps(document))
        return path
    return write


def entry(*rows, host="a.example.com"):
    return {"allow_domain": [{"host": host, "paths": [dict(zip(("method", "path", "credential"), r)) for r in rows]}]}


def warnings(text):
    return [x for x in text.splitlines() if x.startswith("warning: ")]


def test_the_table_names_what_is_reachable(policy):
    result = bridle("policy", "check", policy({
        "custom_credentials": {"x": TWO["x"]},
        "network": {"allow_domain": ["b.example.com:8443", "http://c.example.com", "*.d.example.com", {"host": "[fd77::5]", "paths": []},
                                     {"host": "a.example.com", "paths": [
                                         {"method": "GET", "path": "/x/*"},
                                         {"method": "*", "path": "/x/secret/**", "action": "deny"}]}],
                    "allow_tcp": ["db.example.com:5432"]}}))
    assert (result.returncode, result.stderr) == (0, "")
    lines = [x.split() for x in result.stdout.splitlines()]
    for want in (["https://b.example.com:8443"], ["*", "/**", "-"], ["http://c.example.com:80"], ["https://*.d.example.com:443"],
                 ["https://[fd77::5]:443"], ["nothing", "(\"paths\"", "is", "empty)"], ["https://a.example.com:443"],
                 ["GET", "/x/*", "x"], ["*", "/x/secret/**", "DENY"], ["https://db.example.com:5432"]):
        assert want in lines
    assert '"allow_tcp" cannot be done' in result.stdout
    assert warnings(result.stdout) == []


@pytest.mark.parametrize("document, names", [
    ({"custom_credentials": TWO}, ["x", "y"]),
    ({"custom_credentials": {"x": TWO["x"]}}, ["x"]),
    ({"custom_credentials": {"x": TWO["x"]}, "network": {"allow_domain": ["a.example.com"]}}, ["x"]),
    ({"custom_credentials": {"x": TWO["x"]}, "network": entry(("*", "/**"))}, ["x"]),
    ({"custom_credentials": {"x": TWO["x"]}, "network": entry(("*", "/x/**"))}, ["x"]),
    ({"custom_credentials": TWO, "network": entry(("*", "/x/**", "x"), ("GET", "/y/**", "y"))}, ["x"]),
    ({"custom_credentials": {"x": TWO["x"]}, "network": entry(("GET", "/**"))}, []),
    ({"custom_credentials": {"x": TWO["x"]}, "network": entry(("*", "/x/*"))}, []),
])
def test_a_credential_that_no_path_narrows(policy, document, names):
    result = bridle("policy", "check", policy(document))
    assert result.returncode == 0
    assert [w.split('"')[1] for w in warnings(result.stdout)] == names


def test_the_block_that_it_prints_narrows(policy):
    for prefix in ("", "/v1", "/v:1/\u00e9"):
        document = {"custom_credentials": {"x": {"upstream": A + ":8443" + prefix, "credential_key": "file:///s/x"}}}
        printed = bridle("policy", "check", policy(document)).stdout
        block = [x for x in printed.splitlines() if x.startswith('    "network"')]
        assert len(block) == 1
        document.update(json.loads("{" + block[0] + "}"))
        result = bridle("policy", "check", policy(document))
        assert result.returncode == 0 and warnings(result.stdout) == []
        why = bridle("why", "--json", "--policy", policy(document), "GET", A + ":8443" + prefix + "/z")
        assert prefix.isascii() is False or json.loads(why.stdout)["credential"] == "x"


def test_check_ends_with_2_and_says_what(policy, stage):
    for argv, text in ((["/no/such/file"], "No such file"), ([stage.dir], "is a directory"), ([], "FILE"), (["a", "b"], "policy check"),
                       ([policy(" " * (1 << 20) + "{}")], "larger than 1048576")):
        result = bridle("policy", "check", *argv)
        assert (result.returncode, result.stdout) == (2, "") and text in result.stderr


def test_why_says_rule_credential_and_line(policy):
    path = policy({"custom_credentials": {"x": TWO["x"]},
                   "network": {"allow_domain": [{"host": "a.example.com", "paths": [\
                       {"method": "GET", "path": "/x/*"}, {"method": "*", "path": "/x/no", "action": "deny"}]}]}})
    rows = (
        ("GET", A + "/x/1", 0, ["allowed", f"GET /x/* ({path}:1)", "credential x"], []),
        ("GET", A + "/x/no", 1, ["refused: ", "rule_denies, 403", f"deny * /x/no ({path}:1)"], ["credential", "{"]),
        ("PUT", A + "/x/1", 1, ["method_not_allowed", 'this line in the "paths" of this host:',
                                '{"method": "PUT", "path": "/x/1"}'], ["credential"]),
        ("GET", "https://b.example.com:8443/?q", 1, ["host_not_allowed", "this line in network.allow_domain:",
                                                      '{"host": "b.example.com:8443", "paths": [{"method": "GET", "path": "/"}]}'], ["rule"]),
        ("get", A + "/x/1", 1, ["method_not_allowed", "a rule that allows it"], ["{"]),
        ("GET", A + "/x/%2e%2e", 1, ["path_dot_segment, 400"], ["{"]),
    )
    for method, url, status, said, unsaid in rows:
        result = bridle("why", "--policy", path, method, url)
        text = " ".join(result.stdout.split())
        assert (result.returncode, result.stderr) == (status, "")
        assert [s for s in said if s not in text] == []
        assert [s for s in unsaid if s in text.replace("rule_", "").replace("no rule", "")] == []


def test_why_in_json_is_one_object(policy):
    path = policy({"custom_credentials": {"x": TWO["x"]}, "network": entry(("GET", "/x/*"))})
    result = bridle("why", "--json", "--policy", path, "GET", A + "/x/%7e")
    said = json.loads(result.stdout)
    assert result.returncode == 0 and result.stdout.count("\n") == 1
    assert {k: said[k] for k in ("v", "allowed", "status", "code", "method", "host", "port", "path", "route", "rule", "credential", "fix")} == {
        "v": 1, "allowed": True, "status": 200, "code": "allowed", "method": "GET", "host": "a.example.com", "port": 443,
        "path": "/x/~", "route": A + ":443", "rule": f"GET /x/* ({path}:1)", "credential": "x", "fix": None}
    said = json.loads(bridle("why", "--json", "--policy", path, "PUT", A + "/x/%22").stdout)
    assert (said["allowed"], said["credential"]) == (False, None)
    assert json.loads(said["fix"]) == {"method": "PUT", "path": "/x/%22"}


@pytest.mark.parametrize("argv, text", [
    (["GET", A], "--policy FILE"), (["--policy", "POLICY", "GET"], "METHOD URL"), (["--policy", "POLICY", "G T", A], "is no method"),
    (["--policy", "POLICY", A, "GET"], "is no method"), (["--policy", "POLICY", "GET", "a.example.com/"], "expected https://"),
    (["--policy", "POLICY", "GET", "https://0x7f.1/"], "no DNS name"), (["--policy", "POLICY", "GET", "https://u@a.example.com/"], "no DNS name"),
    (["--policy", "/no/such/file", "GET", A], "No such file"), (["--polcy", "POLICY", "GET", A], "--policy"),
])
def test_why_ends_with_2_when_it_cannot_ask(policy, argv, text):
    path = policy({})
    result = bridle("why", *[path if x == "POLICY" else x for x in argv])
    assert (result.returncode, result.stdout) == (2, "") and text in result.stderr


@pytest.mark.parametrize("document, ours", [
    ('{"network": {"custom_credentials": {}}}', '"custom_credentials" at the top level'),
    ('{"network": {"credentials": ["x"]}}', '"custom_credentials" at the top level'),
    ('{"custom_credentials": {"x": {"endpoint_rules": []}}}', '"paths": [{"method": "GET", "path": "/api/**"}]'),
    ('{"custom_credentials": {"x": {"endpoint_policy": {}}}}', '"paths" inside the host\'s entry'),
    ('{"network": {"allow_domain": [{"host": "a", "endpoint_rules": []}]}}', '"paths": [{"method": "GET", "path": "/api/**"}]'),
    ('{"endpoint_policy": {}}', '"paths" inside the host\'s entry'),
])
def test_names_of_another_tool_get_our_spelling(policy, document, ours):
    result = bridle("policy", "check", policy(document))
    assert result.returncode == 2 and ours in result.stderr
