#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A server that keeps every byte and answers with bytes that a script names; it understands no more than where a request ends.

usage: rawserver.py CERT KEY LOG SCRIPTS ADDRESS ; TLS on 443, clear on 80; prints "ready" when it listens.
SCRIPTS is JSON: {path: [step, ...]}. A step is text to send (latin-1), a number of seconds to wait, or {"do": ...}: "body" (read
the request's body; before the first step unless "early" stands first), "close" (with close_notify), "drop" (without), "hang" (until
the peer goes), "big" ("size" bytes), "count" (what the body was, as the answer). Other paths get a 200. The log has one JSON line for each
event: open, head, request (complete, raw), cut (raw so far), close.
"""
import json
import os
import socket
import ssl
import sys
import threading
import time

PLAIN_ANSWER = ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
KEEP = 1 << 16  # bytes of one message that the log shows


class Gone(Exception):
    """The peer ended in the middle."""


class Connection:
    counter = 0
    lock = threading.Lock()

    def __init__(self, sock, log, scripts):
        with Connection.lock:
            Connection.counter += 1
            self.number = Connection.counter
        self.sock, self.log_path, self.scripts = sock, log, scripts
        self.held, self.raw, self.size = b"", b"", 0

    def log(self, event, **more):
        line = json.dumps({"conn": self.number, "event": event, **more})
        with Connection.lock, open(self.log_path, "a", encoding="utf-8") as f:
            f.write(line + "\n")

    def more(self):
        piece = self.sock.recv(65536)
        if not piece:
            raise Gone
        self.held += piece

    def take(self, n, keep=True):
        piece, self.held = self.held[:n], self.held[n:]
        if keep and len(self.raw) < KEEP:
            self.raw += piece
        return piece

    def until(self, end):
        while end not in self.held:
            self.more()
        return self.take(self.held.index(end) + len(end))

    def skip(self, n):
        self.size += n
        while n > 0:
            if not self.held:
                self.more()
            n -= len(self.take(n))

    def body(self, head):
        fields = [line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:] if b":" in line]
        fields = {k: v.strip() for k, v in fields}
        if fields.get(b"transfer-encoding") == b"chunked":
            while True:
                n = int(self.until(b"\r\n"), 16)
                if n == 0:
                    break
                self.skip(n)
                self.until(b"\r\n")
            self.until(b"\r\n")
        else:
            self.skip(int(fields.get(b"content-length", b"0")))

    def step(self, step):
        if isinstance(step, str):
            self.sock.sendall(step.encode("latin-1"))
        elif isinstance(step, (int, float)):
            time.sleep(step)
        elif step["do"] == "big":
            block = bytes(range(256)) * 256
            for _ in range(step["size"] // len(block)):
                self.sock.sendall(block)
        elif step["do"] == "count":
            text = b"%d" % self.size
            self.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        elif step["do"] == "hang":
            while True:
                self.more()
        elif step["do"] in ("close", "drop"):
            if step["do"] == "close" and isinstance(self.sock, ssl.SSLSocket):
                self.sock.settimeout(5)
                self.sock = self.sock.unwrap()
            raise Gone

    def serve_one(self):
        head = self.until(b"\r\n\r\n")
        target = head.split(b" ", 2)[1].decode("latin-1")
        script = self.scripts.get(target.split("?", 1)[0], PLAIN_ANSWER)
        self.log("head", raw=head.decode("latin-1"))
        if script[:1] == ["early"]:
            script = script[1:]
        else:
            script = [{"do": "body"}] + script
        for step in script:
            if isinstance(step, dict) and step["do"] == "body":
                self.body(head)
                self.log("request", raw=self.raw.decode("latin-1"), size=self.size)
                self.raw = b""
            else:
                self.step(step)
        self.raw, self.size = b"", 0

    def run(self):
        self.log("open")
        try:
            while True:
                self.serve_one()
        except (Gone, OSError, ValueError):
            pass
        if self.raw or self.held:
            self.log("cut", raw=(self.raw + self.held).decode("latin-1")[:KEEP])
        self.log("close")
        self.sock.close()


def serve(listener, context, log, scripts):
    def one(sock):
        try:
            if context:
                sock = context.wrap_socket(sock, server_side=True)
        except OSError:
            sock.close()
            return
        Connection(sock, log, scripts).run()

    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def main():
    cert, key, log, scripts, address = sys.argv[1:6]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with open(scripts, encoding="utf-8") as f:
        scripts = json.load(f)
    for port in (443, 80):
        listener = socket.create_server((address, port), backlog=128)
        threading.Thread(target=serve, args=(listener, context if port == 443 else None, log, scripts), daemon=True).start()
    print("ready", flush=True)
    while os.getppid() != 1:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
