#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A name server of the tests, UDP and TCP 53: a small zone, names that misbehave, every question written to a log.

usage: nameserver.py LOG ADDRESS... ; prints "ready" when it listens.
"""
import json
import os
import socket
import struct
import sys
import threading
import time

A, CNAME, AAAA = 1, 5, 28
ZONE = {
    "gitlab.example.com": {A: ["10.77.0.2"], AAAA: ["fd77::2"]},
    "api.example.com": {CNAME: "gitlab.example.com", A: ["10.77.0.3"], AAAA: []},
    "mixed.example.com": {A: ["10.77.0.2", "127.0.0.1"], AAAA: []},
    "metadata.example.com": {A: ["169.254.169.254"], AAAA: []},
    "mapped.example.com": {A: [], AAAA: ["fd77::2", "::ffff:127.0.0.1"]},
    "translated.example.com": {A: ["10.77.0.2"], AAAA: ["64:ff9b::a9fe:a9fe"]},
    "inside.wild.example.com": {A: ["10.77.0.2"], AAAA: []},
    "inside6.wild.example.com": {A: [], AAAA: ["fd77::2"]},
    "both.wild.example.com": {A: ["93.184.216.34", "10.77.0.2"], AAAA: []},
    "inside.named.example.com": {A: ["10.77.0.2"], AAAA: []},
    "many.example.com": {A: [f"10.77.1.{i}" for i in range(1, 60)], AAAA: []},
    "truncated.example.com": {A: ["10.77.0.2"], AAAA: []},
    "empty.example.com": {A: [], AAAA: []},
}
LONG = ("a" * 60 + ".") * 3 + "example.com"
ZONE[LONG] = {A: [], AAAA: [f"fd77::1:{i:x}" for i in range(1, 40)]}


def read_name(data, at):
    labels = []
    while data[at]:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels), at + 1


def write_name(name):
    return b"".join(bytes([len(x)]) + x.encode("latin-1") for x in name.split(".")) + b"\0"


def records(name, kind):
    zone = ZONE.get(name, {})
    out, owner = [], b"\xc0\x0c"
    if CNAME in zone:
        out.append(owner + struct.pack("!HHIH", CNAME, 1, 30, len(write_name(zone[CNAME]))) + write_name(zone[CNAME]))
        owner = write_name(zone[CNAME])
    for address in zone.get(kind, []):
        packed = socket.inet_pton(socket.AF_INET if kind == A else socket.AF_INET6, address)
        out.append(owner + struct.pack("!HHIH", kind, 1, 30, len(packed)) + packed)
    return out


def answer(data, over_tcp):
    """The answer's bytes; None: silence."""
    ident, = struct.unpack_from("!H", data)
    name, at = read_name(data, 12)
    kind, = struct.unpack_from("!H", data, at)
    question = data[12:at + 4]
    lower = name.lower()
    if lower.startswith("silent."):
        return None, name, kind
    rcode, flags, rrs = 0, 0x8180, []
    if lower.startswith("broken."):
        rcode = 2
    elif lower not in ZONE and not lower.startswith("liar."):
        rcode = 3
    elif lower.startswith("liar."):
        ident ^= 0x5555
        rrs = [b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 30, 4) + socket.inet_aton("10.77.0.4")]
    else:
        rrs = records(lower, kind)
    if lower.startswith("truncated.") and not over_tcp:
        flags |= 0x0200
        rrs = []
    return struct.pack("!HHHHHH", ident, flags | rcode, 1, len(rrs), 0, 0) + question + b"".join(rrs), name, kind


class Log:
    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()

    def write(self, name, kind, proto, data, port):
        """Also what a question could carry besides: its id, its port, and bytes behind it (`rest`)."""
        ident, = struct.unpack_from("!H", data)
        rest = data[read_name(data, 12)[1] + 4:].hex()
        with self.lock, open(self.path, "a", encoding="utf-8") as f:
            f.write(json.dumps({"name": name, "type": kind, "proto": proto, "id": ident, "port": port, "rest": rest,
                                "head": data[2:12].hex()}) + "\n")


def serve_udp(address, log):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((address, 53))
        while True:
            data, peer = s.recvfrom(4096)
            out, name, kind = answer(data, False)
            log.write(name, kind, "udp", data, peer[1])
            if out:
                s.sendto(out, peer)


def read_exactly(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def serve_connection(s, log):
    with s:
        try:
            while True:
                n, = struct.unpack("!H", read_exactly(s, 2))
                data = read_exactly(s, n)
                out, name, kind = answer(data, True)
                log.write(name, kind, "tcp", data, s.getpeername()[1])
                if out:
                    s.sendall(struct.pack("!H", len(out)) + out)
        except (OSError, EOFError):
            pass


def serve_tcp(address, log):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, 53))
        s.listen(16)
        while True:
            c, _ = s.accept()
            threading.Thread(target=serve_connection, args=(c, log), daemon=True).start()


def main():
    log = Log(sys.argv[1])
    for address in sys.argv[2:]:
        for target in (serve_udp, serve_tcp):
            threading.Thread(target=target, args=(address, log), daemon=True).start()
    time.sleep(0.2)
    print("ready", flush=True)
    while os.getppid() != 1:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
