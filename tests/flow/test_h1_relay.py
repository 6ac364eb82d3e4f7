# SPDX-License-Identifier: Apache-2.0
"""Connections and bodies: who shares a leg with whom, 100-continue, bodies of any size in bounded memory."""
import json
import os
import subprocess

import pytest

import raw as rawlib
import stage as st
from test_roles import roles, status

HOST = "raw.example.com"
SIZE = 64 << 20
SCRIPTS = {"/count": [{"do": "count"}],
           "/big": [f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n", {"do": "big", "size": SIZE}],
           "/event": ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n: hi\n\n\r\n", {"do": "hang"}],
           "/eof": ["HTTP/1.1 200 OK\r\n\r\n", {"do": "big", "size": SIZE}, {"do": "close"}]}


@pytest.fixture(scope="module")
def raw(stage):
    r = rawlib.Raw(stage, SCRIPTS)
    yield r
    r.close()


@pytest.fixture(autouse=True)
def fresh(raw):
    raw.forget()


def get(path, host=HOST):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"


def opened(raw):
    return len([e for e in raw.events() if e["event"] == "open"])


def requests(raw):
    return [e for e in raw.events() if e["event"] == "request"]


def test_one_leg_for_many_requests_and_connections(raw):
    jobs = [{"id": i, "host": HOST, "send": [get(f"/{i}/{k}") for k in range(5)], "answers": 5} for i in range(3)]
    seen = raw.client(jobs)
    assert all(len(s["answers"]) == 5 for s in seen.values())
    assert len(requests(raw)) == 15 and opened(raw) == 1


def test_a_leg_belongs_to_one_credential(stage, raw):
    """The same origin with two credentials: neither is ever sent on the other's connection."""
    other = os.path.join(st.SECRET_DIR, "other")
    with open(other, "w", encoding="ascii") as f:
        f.write("other-secret\n")
    credential = {"upstream": "https://bound.example.com", "inject_header": "X-Raw-Key"}
    policy = raw.policy({
        "custom_credentials": {"a": {**credential, "credential_key": f"file://{st.SECRET_FILE}"},
                               "b": {**credential, "credential_key": f"file://{other}"}},
        "network": {"allow_domain": [{"host": "bound.example.com", "paths": [
            {"method": "GET", "path": "/a/**", "credential": "a"}, {"method": "GET", "path": "/b/**", "credential": "b"}]}]}})
    try:
        job = {"id": 1, "host": "bound.example.com", "answers": 6,
               "send": [get(p, "bound.example.com") for p in ("/a/1", "/b/1", "/a/2", "/b/2", "/a/3", "/b/3")]}
        assert len(raw.client([job], policy)[1]["answers"]) == 6
    finally:
        os.unlink(other)
    legs = {}
    for e in requests(raw):
        which, value = e["raw"][5], [x for x in e["raw"].split("\r\n") if x.lower().startswith("x-raw-key: ")][0][11:]
        assert value == {"a": stage.secret, "b": "other-secret"}[which]
        legs.setdefault(e["conn"], set()).add(which)
    assert sorted(map(sorted, legs.values())) == [["a"], ["b"]]


def test_different_names_of_one_address_share_nothing(raw):
    raw.client([{"id": i, "host": h, "send": [get(f"/{i}", h)]} for i, h in enumerate([HOST, "bound.example.com", HOST])])
    first, second, third = [e["conn"] for e in requests(raw)]
    assert first == third != second


@pytest.mark.parametrize("framing,body", [("Content-Length: 5", "hello"), ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")])
def test_100_continue(raw, framing, body):
    head = f"POST /e HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: a/b\r\nExpect: 100-Continue\r\n{framing}\r\n\r\n"
    seen = raw.client([{"id": 1, "host": HOST, "send": [head, 1, body], "answers": 2, "probe": get("/probe")}])[1]
    assert seen["answers"][0] == "HTTP/1.1 100 Continue\r\n\r\n" and seen["answers"][1].endswith("ok") and seen["kept"]
    got = requests(raw)[0]["raw"].lower()
    assert "expect" not in got and got.endswith(body)


def test_curl_waits_for_100(raw, stage):
    """A denied upload ends before its body is sent."""
    script = "head -c 3000000 /dev/zero | curl -sS --expect100-timeout 20 -H 'Expect: 100-continue' -H 'Content-Type: a/b' " \
             "-w ' %{http_code} %{size_upload}' -o - --data-binary @- https://raw.example.com"
    assert stage.run(raw.policy(), "sh", "-c", script + "/count").stdout == "3000000 200 3000000"
    assert stage.run(raw.policy(), "sh", "-c", script + "/denied/x").stdout.endswith(" 403 0")


def test_an_event_is_not_held_back(raw, stage):
    """The server says one thing and goes on thinking: it arrives at once, whole."""
    program = f"import urllib.request as u; print(u.urlopen('https://{HOST}/event', timeout=10).read1(99), flush=True)"
    assert stage.run(raw.policy(), st.PYTHON, "-c", program).stdout == repr(b": hi\n\n") + "\n"


PROGRAM = """
import http.client as h, sys, time
def fetch(method, path, body=None, headers={}):
    c = h.HTTPSConnection("raw.example.com", timeout=120)
    c.request(method, path, body, headers, encode_chunked=headers.get("Transfer-Encoding") == "chunked")
    r = c.getresponse()
    n, tail = 0, b""
    if path != "/count":
        time.sleep(1)  # what the server sends meanwhile must wait at the server
    while True:
        piece = r.read(65536)
        if not piece:
            break
        n, tail = n + len(piece), piece[-64:]
    return int(tail) if path == "/count" else n
block, kind = bytes(65536), {"Content-Type": "application/octet-stream"}
fetch("POST", "/count", b"warm", kind)
print("warm", flush=True)
sys.stdin.readline()
size = %d
print(fetch("POST", "/count", (block for _ in range(size // 65536)), {**kind, "Content-Length": str(size)}),
      fetch("POST", "/count", (block for _ in range(size // 65536)), {**kind, "Transfer-Encoding": "chunked"}),
      fetch("GET", "/big"), fetch("GET", "/eof"), flush=True)
sys.stdin.readline()
""" % SIZE


def test_large_bodies_in_bounded_memory(raw, stage):
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", raw.policy(), "--audit", stage.dir + "/audit.jsonl", "--",
            st.PYTHON, "-c", PROGRAM]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "warm\n"
        worker = roles(run)["worker"]
        before = int(status(worker)["VmHWM"].split()[0])
        run.stdin.write("\n")
        run.stdin.flush()
        assert run.stdout.readline().split() == [str(SIZE)] * 4
        after = int(status(worker)["VmHWM"].split()[0])
        run.stdin.write("\n")
        run.stdin.close()
        assert run.wait(60) == 0
    assert after - before < 2048, f"the worker grew by {after - before} KiB"
    exchanges = [r for r in stage.audit() if r["kind"] == "exchange" and r.get("path") in ("/big", "/count", "/eof")]
    assert [json.dumps(r).count(str(SIZE)) for r in exchanges[-4:]] == [1] * 4
