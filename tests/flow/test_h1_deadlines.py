# SPDX-License-Identifier: Apache-2.0
"""Slow and silent peers are cut, slow and living ones are not. The times are the test launcher's, see user/base/deadline.def."""
import json

import pytest

import raw as rawlib

DEADLINES = {"first": 1500, "head": 2000, "idle": 1500, "body": 2000, "drain": 2000, "upload": 2000, "answer": 2500, "stream": 2000,
             "linger": 1000}
HOST = "raw.example.com"
HEARTBEAT = ["HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"] + \
            [0.7, "6\r\n: hi\n\n\r\n"] * 6 + ["0\r\n\r\n"]
SCRIPTS = {"/hang": [{"do": "hang"}], "/sse": HEARTBEAT,
           "/stop": ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", {"do": "hang"}],
           "/big": ["HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n", {"do": "big", "size": 64 << 20}],
           "/late": [2, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
           "/halfhead": ["HTTP/1.1 200 OK\r\nContent-Le", {"do": "hang"}],
           "/drip": ["HTTP/1.1 200 OK\r\n"] + ["X-A: b\r\n", 0.4] * 20 + ["Content-Length: 0\r\n\r\n"],
           "/deaf": ["early", 8], "/long": ["early", {"do": "body"}, {"do": "count"}]}


def get(path, *more):
    return [f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", *more]


def post(path, framing, *more):
    return [f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: a/b\r\n{framing}\r\n\r\n", *more]


CHUNKED, LENGTH = "Transfer-Encoding: chunked", "Content-Length: 100"
JOBS = {
    "silent before TLS": {"tls": False, "send": [], "until_end": True},
    "silent in the handshake": {"tls": False, "send": ["\x16\x03\x01"], "until_end": True},
    "silent behind TLS": {"send": [], "until_end": True},
    "half a head": {"send": ["GET /x HTTP/1.1\r\nHo"], "until_end": True},
    "a head byte by byte": {"send": [p for c in get("/x")[0] for p in (c, 0.2)], "until_end": True},
    "idle": {"send": get("/x"), "until_end": True},
    "half of the next head": {"send": get("/x", 0.3, "GET /y HT"), "answers": 2, "until_end": True},
    "no body": {"send": post("/long", LENGTH), "until_end": True},
    "a body byte by byte": {"send": post("/long", LENGTH, *["x", 0.3] * 15), "until_end": True},
    "chunks now and then": {"send": post("/long", CHUNKED, *[0.7, "1\r\nx\r\n"] * 6, "0\r\n\r\n")},
    "silent server": {"send": get("/hang"), "until_end": True},
    "half a head of the server": {"send": get("/halfhead"), "until_end": True},
    "a server's head line by line": {"send": get("/drip"), "until_end": True},
    "late server": {"send": get("/late")},
    "server stops": {"send": get("/stop"), "until_end": True},
    "heartbeats": {"send": get("/sse")},
    "nobody reads": {"send": get("/big"), "nap": 6},
    "nobody reads at the server": {"send": post("/deaf", "Content-Length: 67108864", {"repeat": "x" * 65536, "times": 1024})},
}


@pytest.fixture(scope="module")
def seen(stage):
    raw = rawlib.Raw(stage, SCRIPTS)
    raw.forget()
    got = raw.client([{"id": name, "host": HOST, **job} for name, job in JOBS.items()], deadlines=DEADLINES)
    yield {**got, "events": raw.events(), "records": stage.audit()}
    raw.close()


def status(got, i=0):
    return int(got["answers"][i].split(" ")[1])


def code(got, i=0):
    return json.loads(got["answers"][i].partition("\r\n\r\n")[2])["code"]


@pytest.mark.parametrize("name,least", [("silent before TLS", 1.4), ("silent in the handshake", 1.4), ("silent behind TLS", 1.9)])
def test_silence_is_cut_without_an_answer(seen, name, least):
    got = seen[name]
    assert got["answers"] == [] and got["ended"] in ("eof", "reset") and least <= got["seconds"] < 15


@pytest.mark.parametrize("name,i", [("half a head", 0), ("a head byte by byte", 0), ("half of the next head", 1), ("no body", 0),
                                    ("a body byte by byte", 0)])
def test_slow_programs_get_408(seen, name, i):
    got = seen[name]
    assert (status(got, i), code(got, i)) == (408, "client_timeout"), got
    assert "connection: close\r\n" in got["answers"][i] and 1.9 <= got["seconds"] < 20
    assert not [e for e in seen["events"] if e["event"] == "request" and "/long" in e["raw"] and "transfer-" not in e["raw"]]


def test_an_idle_connection_ends_quietly(seen):
    got = seen["idle"]
    assert status(got) == 200 and got["rest"] == "" and got["ended"] == "eof" and 1.4 <= got["seconds"] < 15


def test_chunks_now_and_then_arrive(seen):
    assert seen["chunks now and then"]["answers"][0].endswith("\r\n\r\n6") and seen["chunks now and then"]["seconds"] > 4


@pytest.mark.parametrize("name", ["silent server", "half a head of the server", "a server's head line by line",
                                  "nobody reads at the server"])
def test_silent_servers_are_504(seen, name):
    got = seen[name]
    assert (status(got), code(got)) == (504, "upstream_timeout") and 1.9 <= got["seconds"] < 25


def test_a_late_answer_arrives(seen):
    assert seen["late server"]["answers"][0].endswith("ok")


def test_a_stream_that_stops_is_cut(seen):
    got = seen["server stops"]
    assert got["answers"] == [] and got["ended"] == "reset" and 1.9 <= got["seconds"] < 20


def test_a_stream_with_heartbeats_lives(seen):
    got = seen["heartbeats"]
    assert got["answers"][0].count(": hi") == 6 and got["seconds"] > 4


def test_an_answer_that_nobody_reads_is_cut(seen):
    got = seen["nobody reads"]
    assert got["answers"] == [] and got["ended"] == "reset"


def test_each_has_its_record(seen):
    codes = [r["code"] for r in seen["records"] if r.get("destination", "").startswith("10.77.0.25")]
    assert codes.count("client_timeout") >= 3 + 5 + 1 and codes.count("upstream_timeout") >= 3, codes
