# SPDX-License-Identifier: Apache-2.0
"""tests/http/response.json, live: a server that answers with exact bytes, and what the client in the sandbox gets.

"client" is the whole answer byte for byte, or its status with code or body, or "broken": an answer that was begun and does not look
whole. "kept": the client's connection serves another request. "leg": whether the connection to the server does. "tries": how often the request was sent.
"""
import json

import pytest

import raw as rawlib

ROWS = rawlib.rows("response.json")


def request(i, row):
    fields = f"Host: raw.example.com\r\n" + (f"Content-Type: a/b\r\nContent-Length: {row['length']}\r\n" if "length" in row else "")
    return f"{row.get('method', 'GET')} /r/{i} HTTP/{row.get('version', '1.1')}\r\n{fields}\r\n{row.get('body', '')}"


@pytest.fixture(scope="module")
def results(stage):
    raw = rawlib.Raw(stage, {f"/r/{i}": row["answer"] for i, row in enumerate(ROWS)})
    raw.forget()
    jobs = [{"id": i, "host": "raw.example.com", "send": [request(i, row)], "pause": row.get("pause", 0),
             "probe": "GET /probe HTTP/1.1\r\nHost: raw.example.com\r\n\r\n",
             "mark": {"host": "raw.example.com",
                      "send": f"GET /mark/{i} HTTP/1.1\r\nHost: raw.example.com\r\nConnection: close\r\n\r\n"}}
            for i, row in enumerate(ROWS)]
    seen = raw.client(jobs)
    yield seen, raw.events()
    raw.close()


def decode(answer):
    head, _, body = answer.partition("\r\n\r\n")
    if "transfer-encoding: chunked" not in head:
        return body
    out = ""
    while body:
        size, _, body = body.partition("\r\n")
        out, body = out + body[:int(size, 16)], body[int(size, 16) + 2:]
    return out


def number_of(events, start):
    return [e["conn"] for e in events if e["event"] == "head" and e["raw"].split(" ")[1] == start]


@pytest.mark.parametrize("i", range(len(ROWS)), ids=[f"{r['covers']}: {r['name']}" for r in ROWS])
def test_row(results, i):
    row, (seen, events) = ROWS[i], results
    got, want = seen[i], row["client"]
    if want == "broken":
        assert got["answers"] == [] and got["ended"] == "reset", got
    elif isinstance(want, str):
        assert got["answers"] == [want]
    else:
        status = int(got["answers"][0].split(" ")[1])
        assert status == want.get("status", 200), got
        if "code" in want:
            assert f"bridle-decision: {want['code']}\r\n" in got["answers"][0]
            body = decode(got["answers"][0])
            assert json.loads(body)["code"] == want["code"] if row.get("method") != "HEAD" else body == ""
        else:
            assert decode(got["answers"][0]) == want["body"]
    assert got["kept"] == row["kept"], got
    assert "evil" not in json.dumps(got)
    mine, mark = number_of(events, f"/r/{i}"), number_of(events, f"/mark/{i}")
    assert len(mark) == 1 and len(mine) == row.get("tries", 1), (mine, mark)
    assert (mine[-1:] == mark) == (row["leg"] == "kept"), (mine, mark)
