#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the same messages and paths with bridle's parsers and with three others: llhttp (Node), net/http (Go), h11 (Python).

What bridle accepts, every other parser that accepts it must read as the same: method, target, fields, content, and where the
message ends. A body that is cut for one may not be whole for another. A path must mean the same segments. That another refuses is
fine, and counted. The inputs are the fuzz corpora, the rows of tests/http, and mutations of them from a fixed seed.

    tests/differential/run.py BUILD_DIRECTORY [--inputs N] [--seed N]
"""
import argparse
import collections
import concurrent.futures
import glob
import json
import os
import random
import re
import struct
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SHOWN = 20

# What the mutations put in: what parsers are known to read differently.
BYTES = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff", b":", b";", b",", b"\"", b"\\",
         b"+", b"-", b"0", b"0x", b"_", b"a", b"#", b"?", b"/", b"//", b"/./", b"/../", b"%2e", b"%2F", b"%", b"%00", b"@", b"[", b"]"]
LINES = [b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Content-Length: 5, 5\r\n", b"Content-Length: +5\r\n",
         b"Content-Length: 05\r\n", b"Content-Length : 5\r\n", b"Content-Length:\t5 \r\n", b"content-length: 5\r\n", b"Content_Length: 5\r\n",
         b"Content-Length: 0x5\r\n", b"Content-Length: 18446744073709551621\r\n", b"Content-Length: \r\n",
         b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: Chunked\r\n", b"Transfer-Encoding: chunked, identity\r\n",
         b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n",
         b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding: chunked;a=b\r\n", b"Transfer-Encoding: \"chunked\"\r\n",
         b"Transfer-Encoding: x\r\n", b"Host: b.example.com\r\n", b"Host:\r\n", b" folded\r\n", b"\tfolded\r\n", b"X: a\n", b"X: a\rY: b\r\n",
         b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"Trailer: X\r\n", b"X\r\n",
         b": x\r\n", b"\r\n", b"X: \xc3\xa9\r\n", b"X:\r\n", b"X: a, b\r\nX: c\r\n"]
STARTS = [b"GET / HTTP/1.1", b"POST /a?b=c HTTP/1.1", b"GET http://a.example.com/x HTTP/1.1", b"GET http://a.example.com HTTP/1.1",
          b"OPTIONS * HTTP/1.1", b"GET  / HTTP/1.1", b"GET / HTTP/1.0", b"GET / HTTP/1.2", b"GET / HTTP/2.0", b"GET /", b"get / HTTP/1.1",
          b"PATCH /a%2Fb HTTP/1.1", b"DELETE /a#b HTTP/1.1", b"GET //b/c HTTP/1.1", b"HEAD /x HTTP/1.1", b"\r\nGET / HTTP/1.1",
          b"PUT /x HTTP/1.1", b"QUERY /x HTTP/1.1", b"M-SEARCH /x HTTP/1.1", b"GET https://a.example.com:8443/x?y HTTP/1.1"]
STATUS = [b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified", b"HTTP/1.0 200 OK", b"HTTP/1.1 100 Continue",
          b"HTTP/1.1 200 ", b"HTTP/1.1 200", b"HTTP/1.1 404 \xc3\xa9", b"HTTP/1.1 099 X", b"HTTP/1.1 599 X", b"HTTP/1.1  200 OK",
          b"HTTP/1.1 205 Reset", b"HTTP/1.1 103 Early", b"HTTP/1.1 101 Switching"]
BODIES = [b"", b"hello", b"hellohello", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"05\r\nhello\r\n0\r\n\r\n",
          b"5 \r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"A\r\n0123456789\r\n000\r\n\r\n",
          b"5\r\nhelloXX0\r\n\r\n", b"fffffffffffffffff\r\nhello", b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
          b"5;a=\"x\r\nhello\r\n0\r\n\r\n", b"5;\nhello\r\n0\r\n\r\n", b"0\r\n X: y\r\n\r\n", b"0\r\nX y\r\n\r\n", b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n"]
PIECES = ["a", "b.c", "%61", "%2f", "%2F", "..", ".", "%2e", "%2E%2e", "/", "//", ";", ";a=b", "..;", "%5c", "\\", "%00", "%c3%a9", "%ff", "\xe9",
          "%25", "%252e", "%2", "%", " ", "+", "~", "_", "-", "=", "&", "$", "!", "'", "(", ")", "*", ",", ":", "@", "\"", "<", ">", "^",
          "`", "{", "|", "}", "[", "]", "?", "#", "\t", "\n", "\r", "\x7f", "%7f", "%0d%0a", "%3b", "%3f", "%23", "%20", "%2e%2e%2f"]


def corpus(name, skip):
    for path in sorted(glob.glob(f"tests/fuzz/corpus/{name}/*")):
        with open(path, "rb") as f:
            yield f.read()[skip:]


def rows(name, key):
    with open(f"tests/http/{name}.json") as f:
        for row in json.load(f):
            text = row.get(key)
            if isinstance(text, str):
                yield text.encode("latin1", "replace")


def mutated(rng, message):
    data = bytearray(message)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            data[at:at] = rng.choice(BYTES)
        elif kind == 1:
            data[at:at + 1] = rng.choice(BYTES)
        elif kind == 2:
            del data[at:at + rng.randrange(1, 3)]
        elif kind == 3:
            lines = [m.end() for m in re.finditer(b"\n", data)] or [at]
            data[(at := rng.choice(lines)):at] = rng.choice(LINES)
        elif kind == 4:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                data[end + 4:] = rng.choice(BODIES)
        elif at < len(data):
            data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def fresh(rng, starts, first):
    lines = b"".join(rng.choice(LINES) for _ in range(rng.randrange(3)))
    return rng.choice(starts) + b"\r\n" + first + lines + b"\r\n" + rng.choice(BODIES)


def inputs(rng, total):
    """(kind, bytes) without repetition: half requests, a quarter each responses and paths."""
    chunked = [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b for b in corpus("h1_body", 2)]
    requests = list(corpus("h1_request", 1)) + list(rows("request", "send")) + chunked
    responses = list(corpus("h1_response", 2)) + [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b for b in corpus("h1_body", 2)]
    paths = [b"/" + p for p in corpus("path", 0)]
    seen = {("q", r) for r in requests} | {("s", r) for r in responses} | {("p", p) for p in paths}
    while len(seen) < total:
        which = rng.randrange(4)
        if which == 0:
            seen.add(("p", b"/" + "".join(rng.choice(PIECES[:1] * 30 + ["/"] * 30 + PIECES)
                                          for _ in range(rng.randrange(1, 9))).encode("latin1")))
        elif which == 1:
            seen.add(("s", mutated(rng, rng.choice(responses)) if rng.random() < .5 else fresh(rng, STATUS, b"")))
        else:
            seen.add(("q", mutated(rng, rng.choice(requests)) if rng.random() < .5 else fresh(rng, STARTS, b"Host: a.example.com\r\n")))
    return sorted(i for i in seen if len(i[1]) < 20000)


def read_all(command, frames, count):
    result = subprocess.run(command, input=frames, stdout=subprocess.PIPE, check=True)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    if len(lines) != count:
        sys.exit(f"differential: {command[0]} answered {len(lines)} of {count} inputs")
    return lines


def text(value):
    return bytes.fromhex(value or "")


def field_map(fields, without=()):
    """Names in lower case with their values in order; the order of different names says nothing."""
    result = collections.defaultdict(list)
    for name, value in fields or []:
        name = text(name).lower()
        if name not in without:
            value = text(value).strip(b" \t")
            # codings have no case, and h11 lowers them
            result[name].append(value.lower() if name == b"transfer-encoding" else value)
    return dict(result)


# What net/http keeps elsewhere than among the fields.
ELSEWHERE = {"go": (b"host", b"transfer-encoding", b"trailer")}


def same_target(ours, target):
    rest = text(ours["path"]) + (b"?" + text(ours["query"]) if ours["has_query"] else b"")
    if ours["form"] == 1:
        scheme = b"https://" if ours["https"] else b"http://"
        start = scheme + text(ours["authority"])
        return target[:len(scheme)].lower() == scheme and target[len(scheme):] in (
            start[len(scheme):] + rest, start[len(scheme):] + rest[1:] if text(ours["path"]) == b"/" else None)
    return target == (text(ours["authority"]) if ours["form"] == 2 else rest)


def message_differs(kind, who, ours, theirs):
    """What is read differently, or None. ours was accepted."""
    if theirs["r"] == "more":
        return "wants more of the head"
    without = ELSEWHERE.get(who, ())
    if kind == "q":
        if ours["method"] != theirs["method"]:
            return "method"
        if not same_target(ours, text(theirs["target"])):
            return "target"
        if who == "go" and ours["form"] == 0 and field_map(ours["fields"]).get(b"host", [b""])[0] != text(theirs["host"]):
            return "host"
    elif ours["status"] != theirs["status"]:
        return "status"
    if field_map(ours["fields"], without) != field_map(theirs["fields"], without):
        return "fields"
    if "bad" in (ours["end"], theirs["end"]):
        return None
    if ours["end"] != theirs["end"]:
        return f"end: {ours['end']} and {theirs['end']}"
    if ours["body"] != theirs["body"]:
        return "body"
    if ours["end"] == "done" and ours["used"] != theirs["used"]:
        return f"end: {ours['used']} and {theirs['used']}"
    return None


def squeezed(path):
    path = re.sub(b"/+", b"/", path)
    return path.rstrip(b"/") or b"/"


def path_differs(ours, theirs):
    if ours["decoded"] != theirs["decoded"]:
        return "segments"
    if "cleaned" in theirs and theirs["cleaned"] and squeezed(text(theirs["cleaned"])) != squeezed(text(ours["decoded"])):
        return "what is left when it is cleaned"
    return None


def without_connection(data, ours, theirs):
    without = (b"connection", *ELSEWHERE["go"])
    return field_map(ours["fields"], without) == field_map(theirs["fields"], without)


# Known differences that do no harm: (letters, parsers, what differs, does it apply, why). Counted, and each must occur.
EXPLAINED = [
    ("s", ("go",), "fields", without_connection,
     "net/http takes Connection out of an answer that closes; bridle acts on it, too, and passes it on to nobody"),
]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("build")
    arguments.add_argument("--inputs", type=int, default=60000)
    arguments.add_argument("--seed", type=int, default=1)
    options = arguments.parse_args()
    everything = inputs(random.Random(options.seed), options.inputs)
    frames = b"".join(kind.encode() + struct.pack(">I", len(data)) + data for kind, data in everything)
    readers = {
        "ours": [f"{options.build}/ours"],
        "node": ["node", "--no-deprecation", f"{HERE}/node_http.js"],
        "h11": ["/usr/bin/python3", f"{HERE}/python_h11.py"],
        "go": [f"{options.build}/go_http"],
    }
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = dict(zip(readers, pool.map(lambda c: read_all(c, frames, len(everything)), readers.values())))
    counts, differences, explained = collections.Counter(), [], collections.Counter()
    for n, (kind, data) in enumerate(everything):
        ours = answers["ours"][n]
        counts[kind, "inputs"] += 1
        if ours["r"] != "ok":
            continue
        counts[kind, "accepted"] += 1
        for who in ("node", "h11", "go"):
            theirs = answers[who][n]
            if theirs["r"] == "bad":
                counts[kind, who] += 1
                continue
            what = path_differs(ours, theirs) if kind == "p" else message_differs(kind, who, ours, theirs)
            if what is None:
                continue
            reason = next((e for e in EXPLAINED if kind in e[0] and who in e[1] and what.startswith(e[2]) and e[3](data, ours, theirs)), None)
            if reason:
                explained[reason[4]] += 1
            else:
                differences.append((kind, who, what, data, ours, theirs))
    for kind, name in (("q", "requests"), ("s", "responses"), ("p", "paths")):
        print(f"  {name}: {counts[kind, 'inputs']} inputs, {counts[kind, 'accepted']} accepted by bridle; of these "
              + ", ".join(f"{who} refuses {counts[kind, who]}" for who in ("node", "h11", "go")))
    for reason, n in explained.items():
        print(f"  explained, {n} times: {reason}")
    for kind, who, what, data, ours, theirs in differences[:SHOWN]:
        print(f"DIFFERENT {what}: {who}, {kind}: {data!r}\n\tours   {ours}\n\ttheirs {theirs}")
    idle = [e[4] for e in EXPLAINED if not explained[e[4]]]
    for reason in idle:
        print(f"explained, but it does not occur: {reason}")
    few = [kind for kind in "qsp" if counts[kind, "accepted"] < 100]
    failed = len(differences) + len(idle) + len(few)
    print(f"differential: {sum(counts[k, 'accepted'] for k in 'qsp')} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
