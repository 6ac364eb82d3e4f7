# SPDX-License-Identifier: Apache-2.0
"""A refusal is written for the program that reads it: problem+json, git's text, a gRPC status, a JSON-RPC error."""
import json

import pytest

import stage as st

ALLOW = {"network": {"allow_domain": [{"host": "gitlab.example.com", "paths": [{"method": "GET", "path": "/ok"}]}]}}
URL = "https://gitlab.example.com"


def curl(stage, *options):
    result = stage.run(stage.policy(base=ALLOW), "curl", "-sS", "-i", "-m", "20", *options)
    head, _, body = result.stdout.replace("\r\n", "\n").partition("\n\n")
    return head, body


def post(stage, body, kind="application/json", *options):
    return curl(stage, "-X", "POST", "-H", f"Content-Type: {kind}", "--data-binary", body, *options, URL + "/rpc")


def test_problem_and_the_audit_have_one_request_id(stage):
    head, body = curl(stage, "-X", "DELETE", URL + "/x?token=1")
    problem = json.loads(body)
    assert head.startswith("HTTP/1.1 403") and "content-type: application/problem+json" in head
    assert problem["type"] == "urn:bridle:code:" + problem["code"] and problem["status"] == 403
    assert (problem["method"], problem["host"], problem["path"]) == ("DELETE", "gitlab.example.com:443", "/x")
    assert "policy, not an outage" in problem["detail"] and json.loads(problem["fix"]) and problem["retryable"] is False
    assert f"bridle-request-id: {problem['instance']}" in head
    record = [r for r in stage.audit() if r.get("id") == problem["instance"]]
    assert len(record) == 1 and record[0]["code"] == problem["code"] and record[0]["status"] == 403


def test_clients_that_show_the_status_line_alone(stage):
    """Without a body an agent takes a bare "Forbidden" for the server's word."""
    program = ("import urllib.request, urllib.error\ntry:\n urllib.request.urlopen('" + URL + "/x')\n"
               "except urllib.error.HTTPError as e:\n print(e)")
    result = stage.run(stage.policy(base=ALLOW), st.PYTHON, "-c", program)
    assert result.stdout == "HTTP Error 403: Forbidden (bridle: path_not_allowed)\n", result.stderr
    assert stage.requests() == []


def test_git_shows_the_sentence(stage):
    result = stage.run(stage.policy(base=ALLOW), "git", "-c", "credential.helper=", "ls-remote", URL + "/a/b.git")
    assert result.returncode != 0
    assert "bridle refused this request by policy" in result.stderr, result.stderr


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc-web"])
def test_grpc_status(stage, kind):
    head, body = post(stage, "frame", kind)
    assert head.startswith("HTTP/1.1 200") and "\ngrpc-status: 7" in head and "\ngrpc-message: bridle refused" in head
    assert body == "" and stage.requests() == []


@pytest.mark.parametrize("body,want", [
    ('{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"id":8}}', 7), ('{"method":"x","id":"a-b","jsonrpc":"2.0"}', "a-b"),
    ('{"jsonrpc":"2.0","method":"notify"}', None),
    ('{"jsonrpc":"2.0","id":9,"params":"' + "x" * 30000 + '"}', 9)])
@pytest.mark.parametrize("chunked", [False, True])
def test_json_rpc_gets_its_id(stage, body, want, chunked):
    head, answer = post(stage, body, "application/json; charset=utf-8", *(["-H", "Transfer-Encoding: chunked"] if chunked else []),
                        "-H", "Expect:")
    assert head.startswith("HTTP/1.1 200") and "bridle-decision: " in head
    error = json.loads(answer)
    assert error["id"] == want and error["error"]["code"] == -32001
    assert error["error"]["data"]["instance"] in [r.get("id") for r in stage.audit()] and stage.requests() == []


def test_other_json_gets_a_problem(stage):
    head, body = post(stage, '{"id":7}')
    assert head.startswith("HTTP/1.1 403") and json.loads(body)["status"] == 403


def test_a_large_upload_reads_why_it_was_refused(stage):
    """The program sends all of it before it reads: the connection must not be reset under its answer."""
    program = ("import http.client as h; c = h.HTTPSConnection('gitlab.example.com', timeout=20);"
               "c.request('POST', '/upload', bytes(6 << 20)); r = c.getresponse(); print(r.status, r.read()[:9])")
    result = stage.run(stage.policy(base=ALLOW), st.PYTHON, "-c", program)
    assert result.stdout.startswith("403 b'{\"type\":"), result.stderr
