# SPDX-License-Identifier: Apache-2.0
"""tests/http/request.json, live: exact bytes into the sandbox's end, and what the server received, byte for byte.

Each row names what it covers. "upstream" is every byte that reached the server, null for none at all, or {"cut": prefix} for a
message that never became whole. "kept": whether the connection serves another request afterwards.
"""
import json

import pytest

import raw as rawlib

ROWS = rawlib.rows("request.json")


@pytest.fixture(scope="module")
def results(stage):
    raw = rawlib.Raw(stage, {})
    raw.forget()
    jobs = []
    for i, row in enumerate(ROWS):
        host = row.get("host", "raw.example.com")
        jobs.append({"id": i, "host": host, "send": [rawlib.text(row["send"])], "answers": row.get("answers", 1),
                     "probe": f"GET /probe HTTP/1.1\r\nHost: {host}\r\n\r\n",
                     "mark": {"host": "raw.example.com",
                              "send": f"GET /mark/{i} HTTP/1.1\r\nHost: raw.example.com\r\nConnection: close\r\n\r\n"}})
    seen = raw.client(jobs)
    yield seen, raw.events_by_mark(), raw.events()
    raw.close()


def complete(events):
    """What the server got, without our probes."""
    got = [e["raw"] for e in events if e["event"] == "request" and not e["raw"].startswith("GET /probe ")]
    return "".join(got)


@pytest.mark.parametrize("i", range(len(ROWS)), ids=[f"{r['covers']}: {r['name']}" for r in ROWS])
def test_row(stage, results, i):
    row, (seen, parts, _) = ROWS[i], results
    got = seen[i]
    assert got["answers"], got
    assert len(got["answers"]) == row.get("answers", 1), got
    head, _, body = got["answers"][-1].partition("\r\n\r\n")
    assert int(head.split(" ")[1]) == row["status"], got
    if "code" in row:
        assert f"bridle-decision: {row['code']}\r\n" in head + "\r\n"
        assert not body or json.loads(body)["code"] == row["code"]
    else:
        assert "bridle-decision" not in head
    assert got["kept"] == row["kept"], got
    if not row["kept"]:
        assert "connection: close" in head and got["rest"] == "", got
    events = parts[str(i)]
    if isinstance(row["upstream"], str):
        assert complete(events) == row["upstream"].replace("{secret}", stage.secret)
    else:
        assert complete(events) == ""
        heads = [e["raw"] for e in events if e["event"] == "head" and not e["raw"].startswith("GET /probe ")]
        assert not heads if row["upstream"] is None else all(h.startswith(row["upstream"]["cut"]) for h in heads)


def test_no_message_was_ever_cut_without_a_row_that_says_so(results):
    allowed = tuple({r["upstream"]["cut"] for r in ROWS if isinstance(r["upstream"], dict)})
    assert [e for e in results[2] if e["event"] == "cut" and not e["raw"].startswith(allowed)] == []
