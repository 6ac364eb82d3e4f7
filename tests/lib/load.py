#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bodies of any size and crowds of connections: the server outside and the client inside of tests/flow/test_load.py.

usage: load.py serve CERTIFICATE KEY LOG ADDRESS     prints "ready"
       load.py up|down HOST BYTES length|chunked     what is sent is made on the fly; a JSON line says what passed
       load.py up-deaf|down-deaf HOST BYTES FRAMING  the same against a reader that reads nothing until it is told to
       load.py crowd HOST N                          N connections with a request each at once, then the line "more K"
The server keeps a JSON line for each body in LOG, and in LOG.sent how much of the last one it could send.
"""
import hashlib
import itertools
import json
import os
import resource
import selectors
import socket
import ssl
import sys
import threading
import time

# Borders of chunks wander over those of TLS records and buffers.
PIECES = (1 << 20, 1, 65536, 65535, 7, 16384, 300001, (1 << 20) - 3)
BUFFER = 1 << 18


def blocks(size):
    """Pieces of `size` bytes in all, each with its number in front, so that none can be lost, doubled or moved."""
    filler = hashlib.sha256(b"bridle").digest() * ((1 << 20) // 32)
    for i, n in enumerate(itertools.cycle(PIECES)):
        n = min(n, size)
        yield (b"%016x" % i)[:n] + filler[min(n, 16):n]
        size -= n
        if size == 0:
            return


def send_body(sock, size, framing, tell=None):
    digest, sent = hashlib.sha256(), 0
    for block in blocks(size):
        digest.update(block)
        sock.sendall(b"%x\r\n%s\r\n" % (len(block), block) if framing == "chunked" else block)
        sent += len(block)
        if tell:
            tell(sent)
    if framing == "chunked":
        sock.sendall(b"0\r\n\r\n")
    return {"sha256": digest.hexdigest(), "bytes": sent}


def read_head(stream):
    first, fields = stream.readline(), {}
    while True:
        line = stream.readline()
        if not line.strip():
            return first, fields
        key, _, value = line.decode("latin-1").partition(":")
        fields[key.lower()] = value.strip()


def read_body(stream, fields):
    digest, total, buffer = hashlib.sha256(), 0, bytearray(BUFFER)

    def take(n):
        nonlocal total
        while n > 0:
            got = stream.readinto(memoryview(buffer)[:min(n, BUFFER)])
            if not got:
                raise EOFError(f"the body ended after {total} bytes")
            digest.update(memoryview(buffer)[:got])
            n -= got
            total += got

    if fields.get("transfer-encoding") == "chunked":
        while True:
            n = int(stream.readline(), 16)
            if n == 0:
                break
            take(n)
            stream.readline()
        stream.readline()
    else:
        take(int(fields.get("content-length", 0)))
    return {"sha256": digest.hexdigest(), "bytes": total}


def framing_field(size, framing):
    return b"Transfer-Encoding: chunked\r\n" if framing == "chunked" else b"Content-Length: %d\r\n" % size


def answer(sock, text):
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text.encode()))


class Server:
    def __init__(self, log):
        self.log = log
        self.met = threading.Condition()
        self.meeting = 0

    def note(self, what):
        with self.met, open(self.log, "a", encoding="utf-8") as f:
            f.write(json.dumps(what) + "\n")

    def tell_sent(self, n):
        with open(self.log + ".sent", "w", encoding="ascii") as f:
            f.write(str(n))

    def wait_for_leave(self):
        while not os.path.exists(self.log + ".go"):
            time.sleep(0.02)

    def meet(self, sock, n, i):
        """Nobody is answered before all n are here."""
        with self.met:
            self.meeting += 1
            self.met.notify_all()
            together = self.met.wait_for(lambda: self.meeting >= n, timeout=60)
        answer(sock, i if together else f"only {self.meeting} came")

    def serve_one(self, sock, stream):
        first, fields = read_head(stream)
        if not first:
            return False
        what, *rest = first.split(b" ")[1].decode().strip("/").split("/")
        if what == "down":
            size = int(rest[0])
            sock.sendall(b"HTTP/1.1 200 OK\r\n" + framing_field(size, rest[1]) + b"\r\n")
            self.note({"what": what, **send_body(sock, size, rest[1], self.tell_sent)})
        elif what == "meet":
            self.meet(sock, int(rest[0]), rest[1])
        else:
            if what == "up-deaf":
                self.wait_for_leave()
            got = read_body(stream, fields)
            self.note({"what": what, **got})
            answer(sock, json.dumps(got))
        return True

    def serve(self, context, sock):
        try:
            sock = context.wrap_socket(sock, server_side=True)
            stream = sock.makefile("rb", BUFFER)
            while self.serve_one(sock, stream):
                pass
        except (OSError, EOFError) as e:
            self.note({"what": "broken", "error": str(e)})
        sock.close()


def serve(certificate, key, log, address):
    raise_limit()
    threading.stack_size(1 << 18)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server, listener = Server(log), socket.create_server((address, 443), backlog=1024)
    print("ready", flush=True)
    while True:
        threading.Thread(target=server.serve, args=(context, listener.accept()[0]), daemon=True).start()


# --- inside ------------------------------------------------------------------------------------------------------


def raise_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connect(host):
    sock = socket.create_connection((host, 443), timeout=120)
    return ssl.create_default_context().wrap_socket(sock, server_hostname=host)


def say(what):
    print(json.dumps(what), flush=True)


def up(host, size, framing, path="up"):
    begun, sock = time.monotonic(), connect(host)
    sock.sendall(b"POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\n%s\r\n"
                 % (path.encode(), host.encode(), framing_field(size, framing)))
    sent = send_body(sock, size, framing, lambda n: Told.at(n) if path == "up-deaf" else None)
    stream = sock.makefile("rb")
    _, fields = read_head(stream)
    say({"sent": sent, "got": json.loads(stream.read(int(fields["content-length"]))), "seconds": time.monotonic() - begun})


class Told:
    """How much went out, said by a thread of its own, since the sender itself stands still."""
    n = 0

    @classmethod
    def at(cls, n):
        if cls.n == 0:
            threading.Thread(target=cls.talk, daemon=True).start()
        cls.n = n

    @classmethod
    def talk(cls):
        while True:
            say({"so far": cls.n})
            time.sleep(0.2)


def down(host, size, framing, wait=False):
    begun, sock = time.monotonic(), connect(host)
    sock.sendall(b"GET /down/%d/%s HTTP/1.1\r\nHost: %s\r\n\r\n" % (size, framing.encode(), host.encode()))
    if wait:
        sys.stdin.readline()
    stream = sock.makefile("rb", BUFFER)
    first, fields = read_head(stream)
    assert b" 200 " in first, first
    say({"got": read_body(stream, fields), "seconds": time.monotonic() - begun})


def crowd(host, n):
    """All at once: everybody's connect, handshake and request go on together in one selector."""
    raise_limit()
    context = ssl.create_default_context()
    address = (socket.gethostbyname(host), 443)
    waiting, answers, begun = selectors.DefaultSelector(), {}, time.monotonic()

    def member(i):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(address)
        yield selectors.EVENT_WRITE, sock
        tls = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        request, got = b"GET /meet/%d/%d HTTP/1.1\r\nHost: %s\r\n\r\n" % (n, i, host.encode()), b""
        for act in (tls.do_handshake, lambda: tls.send(request)):
            while True:
                try:
                    act()
                    break
                except ssl.SSLWantReadError:
                    yield selectors.EVENT_READ, tls
                except ssl.SSLWantWriteError:
                    yield selectors.EVENT_WRITE, tls
        while b"\r\n\r\n" not in got or got.endswith(b"\r\n\r\n"):
            try:
                piece = tls.recv(4096)
                if not piece:
                    break
                got += piece
            except ssl.SSLWantReadError:
                yield selectors.EVENT_READ, tls
        answers[i] = (got.split(b"\r\n")[0].decode(), got.split(b"\r\n\r\n", 1)[-1].decode(), tls)

    def step(m, old=None):
        try:
            event, sock = next(m)
        except StopIteration:
            event = sock = None
        except OSError as e:
            event = sock = None
            answers[id(m)] = (f"{type(e).__name__}: {e}", "", None)
        if old is not None:
            waiting.unregister(old)
        if sock is not None:
            waiting.register(sock, event, m)

    for i in range(n):
        step(member(i))
    while waiting.get_map():
        ready = waiting.select(60)
        if not ready:
            break
        for key, _ in ready:
            step(key.data, key.fileobj)
    right = sum(1 for i in range(n) if answers.get(i, ("", "", None))[:2] == ("HTTP/1.1 200 OK", str(i)))
    wrong = sorted({a[:2] for i, a in answers.items() if a[:2] != ("HTTP/1.1 200 OK", str(i))})
    say({"right": right, "wrong": wrong[:5], "seconds": time.monotonic() - begun})
    crowd_more(address, int(sys.stdin.readline().split()[1]))
    sys.stdin.readline()
    return answers  # held until here


def crowd_more(address, n):
    """n more, silent, while the first stay: who is let in, and who is shown the door."""
    more = [socket.create_connection(address, 10) for _ in range(n)]
    time.sleep(1)
    ended = 0
    for s in more:
        s.setblocking(False)
        try:
            s.recv(1)
            ended += 1
        except BlockingIOError:
            pass
        except OSError:
            ended += 1
    say({"stay": n - ended, "ended": ended})


def main():
    what, *rest = sys.argv[1:]
    if what == "serve":
        serve(*rest)
    elif what == "crowd":
        crowd(rest[0], int(rest[1]))
    elif what.startswith("up"):
        up(rest[0], int(rest[1]), rest[2], what)
    else:
        down(rest[0], int(rest[1]), rest[2], what == "down-deaf")


if __name__ == "__main__":
    main()
