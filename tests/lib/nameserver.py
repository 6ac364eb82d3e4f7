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
# One look-up is one datagram for each type; what is wrong with the answer is the first label.
for label in ("ttl0", "half", "halfsilent", "stranger", "question", "query", "chain", "refused"):
    ZONE[label + ".example.com"] = {A: ["10.77.0.2"], AAAA: []}
for label in ("loop", "self", "dangling", "nothing", "length", "junk", "cut", "hushed", "slammed", "notauth"):
    ZONE[label + ".example.com"] = {A: [], AAAA: []}
RCODES = {"broken": 2, "refused": 5, "notimp": 4, "formerr": 1, "notauth": 9}
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


def record(owner, kind, value, ttl=30):
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(value)) + value


def odd_records(label, kind, asked):
    """The answers of names whose answers are odd; None: an ordinary name. asked: how often it was asked for before."""
    address = [socket.inet_aton("10.77.0.2")] if kind == A else []
    here, last = b"\xc0\x0c", write_name("last.example.net")
    if label == "ttl0":
        return [record(here, A, a, 0) for a in address]
    if label == "rebind":  # to a server at first, then to the machine itself
        return [record(here, A, socket.inet_aton("127.0.0.1") if asked else a, 0) for a in address]
    if label == "stranger":  # an answer for a name that nobody asked for
        return [record(write_name("other.example.net"), A, a) for a in address]
    if label == "chain":  # eight names on the way
        names = [here] + [write_name(f"hop{i}.example.net") for i in range(8)] + [last]
        return [record(a, CNAME, b) for a, b in zip(names, names[1:])] + [record(last, A, a) for a in address]
    if label == "chain-inside":  # the chain is fine, where it ends is not
        return [record(here, CNAME, last)] + ([record(last, A, socket.inet_aton("127.0.0.1"))] if kind == A else [])
    if label == "loop":
        return [record(here, CNAME, last), record(last, CNAME, write_name("loop.example.com"))]
    if label == "self":
        return [record(here, CNAME, here)]
    if label == "dangling":  # an alias of something that is not there
        return [record(here, CNAME, last)]
    if label == "length":  # an address of five bytes
        return [record(here, A, a + b"\0") for a in address]
    return None


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


ASKED = {}


def damaged(label, message, kind, over_tcp):
    """The bytes that really go out; None: silence."""
    if label in ("silent", "hushed" if over_tcp else "") or (label == "halfsilent" and kind == AAAA):
        return None
    if label == "junk":
        return message[:2] + b"\xff" * 40
    if label == "cut":  # the head promises an answer, the datagram ends in its middle
        return message[:6] + b"\0\1" + message[8:] + b"\xc0\x0c\0\1\0\1"
    if label == "query":  # the answer says that it is a question
        return message[:2] + bytes([message[2] & 0x7f]) + message[3:]
    if label == "question":  # the same id, another question
        return message.replace(b"\x08question", b"\x08somebody")
    return message


def answer(data, over_tcp):
    """The answer's bytes; None: silence; b"": close."""
    ident, = struct.unpack_from("!H", data)
    name, at = read_name(data, 12)
    kind, = struct.unpack_from("!H", data, at)
    question = data[12:at + 4]
    lower = name.lower()
    label = lower.split(".")[0]
    rcode, flags, rrs = 0, 0x8180, odd_records(label, kind, ASKED.get((label, kind), 0))
    ASKED[label, kind] = ASKED.get((label, kind), 0) + 1
    if label in RCODES or (label == "half" and kind == AAAA):
        rcode, rrs = RCODES.get(label, 2), []
    elif rrs is not None:
        pass
    elif lower not in ZONE and not lower.startswith("liar."):
        rcode, rrs = 3, []
    elif lower.startswith("liar."):
        ident ^= 0x5555
        rrs = [b"\xc0\x0c" + struct.pack("!HHIH", A, 1, 30, 4) + socket.inet_aton("10.77.0.4")]
    else:
        rrs = records(lower, kind)
    if label in ("truncated", "hushed", "slammed") and not over_tcp:
        flags |= 0x0200
        rrs = []
    message = struct.pack("!HHHHHH", ident, flags | rcode, 1, len(rrs), 0, 0) + question + b"".join(rrs)
    return b"" if label == "slammed" and over_tcp else damaged(label, message, kind, over_tcp), name, kind


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
                if out == b"":
                    return
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
