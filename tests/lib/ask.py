#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Asks name servers, from inside a sandbox: a JSON list of questions on stdin, one JSON line for each answer on stdout.

{"proto": "udp"|"tcp", "server": address, "name": name, "type": number, "edns": bool} or {..., "raw": hex} ;
{"tcp_stream": [name, ...]} sends all questions before it reads; {"tcp_bytes": hex} sends bytes and says whether the server closed.
"""
import json
import socket
import struct
import sys


def question(name, kind, ident, edns):
    labels = b"".join(bytes([len(x)]) + x.encode("latin-1") for x in name.split(".") if x) + b"\0"
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0) if edns else b""
    return struct.pack("!HHHHHH", ident, 0x0100, 1, 0, 0, 1 if edns else 0) + labels + struct.pack("!HH", kind, 1) + opt


def skip_name(data, at):
    while data[at] and data[at] < 0xc0:
        at += 1 + data[at]
    return at + (2 if data[at] >= 0xc0 else 1)


def read(data):
    ident, flags, n_questions, n_answers, n_authority, n_more = struct.unpack_from("!HHHHHH", data)
    at, out = 12, {"id": ident, "rcode": flags & 15, "tc": bool(flags & 0x0200), "addresses": [], "ede": None, "ttl": None, "size": len(data)}
    for _ in range(n_questions):
        end = skip_name(data, at)
        out["question"] = data[at:end].decode("latin-1")
        at = end + 4
    for _ in range(n_answers + n_authority + n_more):
        at = skip_name(data, at)
        kind, _class, ttl, n = struct.unpack_from("!HHIH", data, at)
        value = data[at + 10:at + 10 + n]
        at += 10 + n
        if kind in (1, 28):
            out["ttl"] = ttl
            out["addresses"].append(socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, value))
        if kind == 41 and n >= 6:
            option, _length, code = struct.unpack_from("!HHH", value)
            out["ede"] = code if option == 15 else None
    return out


def exactly(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise EOFError("closed")
        data += piece
    return data


def connect(row, kind):
    server = row.get("server", "10.77.0.99")
    s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, kind)
    s.settimeout(row.get("timeout", 10))
    s.connect((server, 53))
    return s


def ask(row, i):
    if "tcp_stream" in row:
        with connect(row, socket.SOCK_STREAM) as s:
            s.sendall(b"".join(struct.pack("!H", len(q)) + q
                               for q in (question(n, 1, k, False) for k, n in enumerate(row["tcp_stream"]))))
            return [read(exactly(s, struct.unpack("!H", exactly(s, 2))[0])) for _ in row["tcp_stream"]]
    if "tcp_bytes" in row:
        with connect(row, socket.SOCK_STREAM) as s:
            s.sendall(bytes.fromhex(row["tcp_bytes"]))
            return {"closed": s.recv(100) == b""}
    message = bytes.fromhex(row["raw"]) if "raw" in row else question(row["name"], row.get("type", 1), 1000 + i,
                                                                      row.get("edns", False))
    if row.get("proto") == "tcp":
        with connect(row, socket.SOCK_STREAM) as s:
            s.sendall(struct.pack("!H", len(message)) + message)
            return read(exactly(s, struct.unpack("!H", exactly(s, 2))[0]))
    with connect(row, socket.SOCK_DGRAM) as s:
        s.send(message)
        return read(s.recv(65535))


def main():
    for i, row in enumerate(json.load(sys.stdin)):
        try:
            answer = ask(row, i)
        except (OSError, EOFError) as e:
            answer = {"error": type(e).__name__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
