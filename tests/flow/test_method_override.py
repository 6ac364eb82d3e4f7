# SPDX-License-Identifier: Apache-2.0
"""Ways to make the server use another method than the one that was decided on. Judged by what the server saw."""
import gzip

import pytest

import stage as st

PROGRAM = """
import ssl, socket, sys
s = ssl.create_default_context().wrap_socket(socket.create_connection(("gitlab.example.com", 443)), server_hostname="gitlab.example.com")
s.sendall(bytes.fromhex(sys.argv[1]))
s.settimeout(10)
answer = b""
try:
    while b"\\r\\n\\r\\n" not in answer:
        piece = s.recv(65536)
        if not piece:
            break
        answer += piece
except OSError:
    pass
print(answer.split(b"\\r\\n")[0].decode() or "nothing")
print([l.decode() for l in answer.split(b"\\r\\n") if l.lower().startswith(b"bridle-decision")])
"""

HEAD = b"POST /api/v4/projects/7/merge_requests/1/notes HTTP/1.1\r\nHost: gitlab.example.com\r\n"
FORM = b"body=x&_method=delete"


def post(stage, fields, body):
    request = HEAD + b"".join(f + b"\r\n" for f in fields) + b"Content-Length: %d\r\n\r\n" % len(body) + body
    return stage.run(stage.policy(), st.PYTHON, "-c", PROGRAM, request.hex()).stdout


@pytest.mark.parametrize("fields,body", [
    ([b"Content-Type: application/x-www-form-urlencoded"], FORM),
    ([], FORM),
    ([b"Content-Type:"], FORM),
    ([b"Content-Type: application/x-www-form-urlencoded, text/plain"], FORM),
    ([b"Content-Type: text/plain", b"Content-Type: application/x-www-form-urlencoded"], FORM),
    ([b"Content-Type: application/x-www-form-urlencoded", b"Content-Encoding: gzip"], gzip.compress(FORM)),
    ([b"Content-Type: multipart/form-data; boundary=b"],
     b'--b\r\nContent-Disposition: form-data; name="_method"\r\n\r\ndelete\r\n--b--\r\n'),
])
def test_refused_and_never_whole_at_the_server(stage, fields, body):
    out = post(stage, fields, body)
    assert out.startswith("HTTP/1.1 40"), out
    assert stage.requests() == []


def test_plain_bodies_pass(stage):
    out = post(stage, [b"Content-Type: application/json"], b'{"_method": "x"}')
    assert out.startswith("HTTP/1.1 201"), out
    out = post(stage, [], b'{"body": "no type"}')
    assert out.startswith("HTTP/1.1 201"), out
