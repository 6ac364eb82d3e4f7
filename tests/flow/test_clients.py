# SPDX-License-Identifier: Apache-2.0
"""Real clients, unchanged and without settings: curl and Python inside the sandbox."""
import json

import stage as st

MRS = "https://gitlab.example.com/api/v4/projects/7/merge_requests"


def test_curl_gets_with_our_token(stage):
    result = stage.run(stage.policy(), "curl", "-sS", "-w", "%{http_code}", MRS)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("200")
    tokens = [v for k, v in stage.requests()[0]["headers"] if k.lower() == "private-token"]
    assert tokens == [stage.secret]
    assert stage.secret not in result.stdout + result.stderr


def test_curl_reads_why(stage):
    result = stage.run(stage.policy(), "curl", "-sS", "-X", "DELETE", "https://gitlab.example.com/api/v4/projects/7")
    body = json.loads(result.stdout)
    assert body["status"] == 403
    assert body["code"] in ("method_not_allowed", "path_not_allowed")
    assert "DELETE" in body["fix"] and "/api/v4/projects/7" in body["fix"]
    assert stage.requests() == []


def test_python_urllib(stage):
    program = f"import urllib.request as u; print(u.urlopen('{MRS}').status)"
    result = stage.run(stage.policy(), st.PYTHON, "-c", program)
    assert result.stdout.strip() == "200", result.stderr


def test_keep_alive_both_legs(stage):
    result = stage.run(stage.policy(), "curl", "-sS", "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", "-w",
                       "%{num_connects} ", MRS, MRS, MRS)
    assert result.stdout.split() == ["1", "0", "0"], result.stderr
    assert len({r["peer"] for r in stage.requests()}) == 1


def test_without_policy_everything_is_refused_and_learned(stage):
    result = stage.run(None, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", MRS)
    assert result.stdout == "403", result.stderr
    learned = result.stderr[result.stderr.index("{"):result.stderr.rindex("}") + 1]
    entry = json.loads(learned)["network"]["allow_domain"][0]
    assert entry["host"].startswith("gitlab.example.com")
    assert entry["paths"][0]["method"] == "GET"
    assert stage.requests() == []


def test_explicit_proxy_is_decided_as_the_request_inside(stage):
    for proxy in ("http://127.0.0.1:3128", "http://192.0.2.7:8080"):
        result = stage.run(stage.policy(), "curl", "-sS", "--proxy", proxy, "-w", "%{http_code}", "-o", "/dev/null", MRS)
        assert result.stdout == "200", result.stderr
        result = stage.run(stage.policy(), "curl", "-sS", "--proxy", proxy, "-w", "%{http_code}", "-o", "/dev/null",
                           "https://evil.example.com/x")
        assert result.stdout == "403", result.stderr
