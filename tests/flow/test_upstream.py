# SPDX-License-Identifier: Apache-2.0
"""Answers of every shape, and servers that are not what they should be."""
import json

import pytest

import stage as st

ALLOW_ALL = {"network": {"allow_domain": ["gitlab.example.com", "api.example.com"]}}


def curl(stage, path, *options, host="gitlab.example.com", policy=None):
    return stage.run(policy or stage.policy(base=ALLOW_ALL), "curl", "-sS", *options, f"https://{host}/test/{path}")


def test_chunked_and_eof_and_empty(stage):
    assert curl(stage, "chunked").stdout == "".join(f"{i:04d}" * 100 for i in range(50))
    assert curl(stage, "eof").stdout == "until the end"
    assert curl(stage, "204", "-w", "%{http_code}").stdout == "204"


def test_head_has_no_body(stage):
    result = curl(stage, "chunked", "-I", "-m", "10")
    assert result.returncode == 0 and result.stdout.startswith("HTTP/1.1 200")


def test_upload_is_the_same_at_the_other_end(stage):
    program = ("import urllib.request as u, hashlib, os; d = os.urandom(3 << 20);"
               "r = u.urlopen(u.Request('https://gitlab.example.com/test/echo', data=d, method='POST'));"
               "print(hashlib.sha256(r.read()).digest() == hashlib.sha256(d).digest())")
    assert stage.run(stage.policy(base=ALLOW_ALL), st.PYTHON, "-c", program).stdout.strip() == "True"


def test_download_is_whole(stage):
    assert curl(stage, "big", "-o", "/dev/null", "-w", "%{size_download}").stdout == str(8 << 20)


def test_alt_svc_is_removed(stage):
    head = curl(stage, "alt-svc", "-i").stdout.lower()
    assert "x-kept: yes" in head and "alt-svc" not in head


@pytest.mark.parametrize("path,code", [("duplicate-length", "upstream_malformed")])
def test_malformed_answers_become_502(stage, path, code):
    body = json.loads(curl(stage, path).stdout)
    assert (body["status"], body["code"]) == (502, code)


def test_cut_answer_is_never_whole(stage):
    assert curl(stage, "cut").returncode != 0


def failing(stage, pins, trust=True, host="gitlab.example.com"):
    policy = {"network": {"allow_domain": [host]}}
    path = stage.policy(base=policy, extra={"network": {"resolve": {host: pins}}})
    if not trust:
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
        del document["tls"]
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f)
    return json.loads(stage.run(path, "curl", "-sS", f"https://{host}/").stdout)["code"]


def test_unknown_ca(stage):
    assert failing(stage, ["10.77.0.2"], trust=False) == "upstream_cert_unknown_ca"


def test_refused_connection(stage):
    assert failing(stage, ["10.77.0.1"]) == "upstream_refused"


def test_wrong_name(stage):
    assert failing(stage, ["10.77.0.2"], host="other.example.com") == "upstream_cert_name"


def test_underscore_in_a_response_header_passes(stage):
    head = curl(stage, "underscore", "-i").stdout.lower()
    assert head.startswith("http/1.1 200") and "x_rate_limit: 7" in head


def test_http10_client_sees_a_cut_answer_as_cut(stage):
    """Without a length only the end tells: a cut answer must end with a reset."""
    program = ("import socket, ssl;"
               "s = ssl.create_default_context().wrap_socket(socket.create_connection(('gitlab.example.com', 443)),"
               " server_hostname='gitlab.example.com', suppress_ragged_eofs=False);"
               "s.sendall(b'GET /test/cut-chunked HTTP/1.0\\r\\nHost: gitlab.example.com\\r\\n\\r\\n')\n"
               "try:\n"
               "    while s.recv(65536): pass\n"
               "    print('whole')\n"
               "except OSError: print('cut')\n")
    assert stage.run(stage.policy(base=ALLOW_ALL), st.PYTHON, "-c", program).stdout.strip() == "cut"
