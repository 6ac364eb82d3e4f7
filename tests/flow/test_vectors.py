# SPDX-License-Identifier: Apache-2.0
"""Every decision vector three ways: `policy check`, `why`, and a live request; invalid ones through check, why and run."""
import collections
import json
import os
import subprocess

import pytest

import stage as st
import vectors as v

ROWS = v.load()
VALID = [r for r in ROWS if "why" in r]
INVALID = [r for r in ROWS if "error" in r]


def bridle(*argv):
    return subprocess.run([st.BRIDLE, *argv], capture_output=True, text=True, check=False, timeout=60)


def write(stage, row):
    path = os.path.join(stage.dir, "vector.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write(v.text_of(row))
    return path


def test_every_rule_has_refusals_and_a_permission():
    refused, allowed = collections.Counter(), collections.Counter()
    for row in ROWS:
        (allowed if row.get("why") == "allowed" else refused)[row.get("rule")] += 1
    lacking = [r for r in v.RULES if refused[r] < 3 or allowed[r] < 1]
    assert lacking == []
    assert [r["name"] for r in ROWS if r.get("rule") not in v.RULES + ("addresses.private",)] == []


@pytest.mark.parametrize("row", INVALID, ids=lambda r: r["name"])
def test_invalid(stage, row):
    path = write(stage, row)
    check, why = bridle("policy", "check", path), bridle("why", "--policy", path, "GET", "https://a.example.com/")
    run = bridle("run", "--user", st.USER, "--policy", path, "--audit", stage.dir + "/audit.jsonl", "--", "true")
    assert (check.returncode, why.returncode, run.returncode) == (2, 2, 125)
    place = f"{path}:{row['line']}:" if "line" in row else f"{path}:"
    if "column" in row:
        place += f"{row['column']}: "
    for result in (check, why, run):
        assert result.stdout == ""
        assert place in result.stderr and row["error"] in result.stderr


def test_check_and_why(stage):
    wrong = []
    for row in VALID:
        path = write(stage, row)
        check = bridle("policy", "check", path)
        why = bridle("why", "--json", "--policy", path, row["method"], row["url"])
        said = json.loads(why.stdout)
        if check.returncode != 0 or not check.stdout:
            wrong.append((row["name"], "check", check.stderr))
        if (said["code"], said["credential"], why.returncode) != (row["why"], row.get("credential"),
                                                                  0 if row["why"] == "allowed" else 1):
            wrong.append((row["name"], "why", said["code"], said["credential"], why.returncode))
        row["said"] = said
    assert wrong == []


def with_fix(text, fix):
    """The policy with the line put where it belongs: an entry into allow_domain, a row into each entry's "paths" in turn."""
    entries = json.loads(text).get("network", {}).get("allow_domain", [])
    for i in range(len(entries)) if "host" not in fix else [None]:
        document = json.loads(text)
        into = document.setdefault("network", {}).setdefault("allow_domain", [])
        if i is not None and not (isinstance(into[i], dict) and "paths" in into[i]):
            continue
        (into if i is None else into[i]["paths"]).append(fix)
        yield json.dumps(document)


def test_the_line_that_would_allow_it_allows_it(stage):
    """Fed back into the policy, every "fix" loads and allows this very request; "why" says in words where it belongs."""
    wrong, count, path = [], 0, os.path.join(stage.dir, "vector.json")
    for row in [r for r in VALID if r["why"] != "allowed"]:
        asked = bridle("why", "--json", "--policy", write(stage, row), row["method"], row["url"])
        fix = json.loads(asked.stdout)["fix"]
        if not fix:
            continue
        count += 1
        words = bridle("why", "--policy", path, row["method"], row["url"]).stdout
        place = "this line in network.allow_domain:" if "host" in json.loads(fix) else 'this line in the "paths" of this host:'
        got = []
        for text in with_fix(v.text_of(row), json.loads(fix)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            check, why = bridle("policy", "check", path), bridle("why", "--json", "--policy", path, row["method"], row["url"])
            got.append("allowed" if (check.returncode, why.returncode) == (0, 0) else check.stderr or why.stdout)
        if "allowed" not in got or place not in words or fix not in words:
            wrong.append((row["name"], fix, got, words))
    assert wrong == []
    assert count > 70


@pytest.mark.parametrize("method,policy", [
    ("get", {"network": {"allow_domain": [{"host": "a.example.com", "paths": [{"method": "GET", "path": "/x"}]}]}}), ("*", {}),
    ("GET", {"custom_credentials": {n: {"upstream": "https://a.example.com/" + n, "credential_key": "file:///s/" + n} for n in "cd"}})])
def test_no_line_is_named_where_none_would_do(stage, method, policy):
    """A row takes no method in lower case, "*" would allow all of them, and no credential of two reaches this path."""
    path = write(stage, {"policy_text": policy})
    said = bridle("why", "--json", "--policy", path, method, "https://a.example.com/x")
    assert said.returncode == 1 and json.loads(said.stdout)["fix"] is None
    assert "next       ask the owner of the policy for a rule that allows it\n" in bridle(
        "why", "--policy", path, method, "https://a.example.com/x").stdout


@pytest.fixture(scope="module")
def server(stage):
    """One more host of the servers' namespace, with a certificate for every name of the vectors, on every port of theirs."""
    names, ports = v.names_of(VALID)
    stage.add_host(v.ADDRESSES, names, ports)
    yield
    st.sh("rm", "-rf", v.SECRETS)


def saw(stage, row):
    """What is wrong with what the server saw of an allowed request; empty when nothing is."""
    seen = stage.requests()
    _scheme, _host, _port, target = v.split(row["url"])
    query = "?" + target.split("?", 1)[1] if "?" in target else ""
    if len(seen) != 1:
        return f"{len(seen)} requests"
    if (seen[0]["method"], seen[0]["target"]) != (row["method"], row["said"]["path"] + query):
        return f"{seen[0]['method']} {seen[0]['target']}"
    values = [value for _name, value in seen[0]["headers"] if "live-secret-of" in value]
    want = [v.secret_of(row["credential"])] if row.get("credential") else []
    if len(values) != len(want) or any(w not in got for w, got in zip(want, values)):
        return f"credentials {values}"
    return ""


def judge(stage, row, result):
    """What is wrong with a live answer; empty when nothing is."""
    scheme, host, port, _target = v.split(row["url"])
    if "error" in result:
        # a port that nothing names is refused by the kernel at once, and loopback is not the proxy's
        port_unknown = row["why"] in ("host_not_allowed", "plain_http") and port not in v.SPECIAL_PORTS
        loopback = row["why"] == "address_refused" and host in ("127.0.0.1", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]")
        multicast = row["why"] == "address_refused" and host in ("224.0.0.1", "[fe80::1]")
        return "" if port_unknown or loopback or multicast else f"{result['error']}: {result['text']}"
    head, _, body = result["answer"].partition("\r\n\r\n")
    status = int(head.split(" ")[1]) if head.startswith("HTTP/1.1 ") else 0
    if row["why"] == "allowed":
        return saw(stage, row) if status in (200, 201, 202) else f"status {status}: {body[:300]}"
    code = json.loads(body)["code"] if body else [x[17:] for x in head.lower().split("\r\n")
                                                  if x.startswith("bridle-decision: ")][0]
    if stage.requests():
        return "the server saw it"
    if body and json.loads(body).get("fix") != row["said"]["fix"]:
        return f"fix {json.loads(body).get('fix')}"
    return "" if code == row["why"] else f"{status} {code}"


def test_live(stage, server):
    """One sandbox for each policy; its rows one after the other, the server's log between them."""
    groups = collections.OrderedDict()
    for row in VALID:
        groups.setdefault(v.text_of(row), []).append(row)
    wrong, count = [], 0
    for text, rows in groups.items():
        policy = v.live_policy(stage, text, [r["url"] for r in rows])
        argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", policy, "--audit", stage.dir + "/audit.jsonl", "--",
                st.PYTHON, "-u", "-c", v.CLIENT.replace("json.load(sys.stdin)", "map(json.loads, sys.stdin)")]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as run:
            for row in rows:
                stage.forget_requests()
                run.stdin.write(json.dumps(v.request_of(row)) + "\n")
                run.stdin.flush()
                line = run.stdout.readline()
                problem = judge(stage, row, json.loads(line)) if line else "no answer: " + run.stderr.read()
                count += 1
                if problem:
                    wrong.append((row["file"], row["name"], row["why"], problem))
            run.stdin.close()
            assert run.wait(60) == 0
    assert wrong == []
    assert count == len(VALID) > 200
