#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTPS servers of the tests: real TLS, one certificate for each name, every request written to a log as one JSON line.

usage: server.py CERT_DIR LOG [--certificate NAME] [--ports https:443,http:80,...] ADDRESS...
Serves 443 (by SNI) and 80 on each address unless told otherwise; prints "ready" when it listens.
Paths below /test/ behave on purpose, /git/*.git/ and /files/ are in backends.py; everything else answers as GitLab's API
would, in JSON.
"""
import argparse
import json
import os
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import backends

NAMES = ("gitlab.example.com", "api.example.com", "evil.example.com")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_path = None
    directory = None
    lock = threading.Lock()

    def log_message(self, *args):
        pass

    def record(self, body):
        sni = getattr(self.connection, "sni", None)
        line = json.dumps({
            "server": self.server.server_address[0], "port": self.server.server_address[1], "sni": sni,
            "peer": self.client_address[1], "method": self.command,
            "target": self.requestline.split(" ")[1],
            "headers": [[k, v] for k, v in self.headers.items()], "body": body.decode("latin-1")[:4096],
            "body_size": len(body), "resumed": getattr(self.connection, "session_reused", None)})
        with self.lock, open(self.log_path, "a", encoding="utf-8") as log:
            log.write(line + "\n")

    def read_chunked(self):
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            if size == 0:
                while self.rfile.readline().strip():
                    pass
                return body
            body += self.rfile.read(size)
            self.rfile.readline()

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self.read_chunked()
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def behave(self, what, body):
        """Paths that misbehave or show one thing."""
        if what == "echo":
            self.answer(200, body, [("Content-Type", "application/octet-stream")])
        elif what == "headers":
            names = [k for k, _ in self.headers.items()]
            self.answer(200, json.dumps(names).encode(), [("Content-Type", "application/json")])
        elif what == "chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i in range(50):
                piece = b"%04d" % i * 100
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif what == "eof":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end")
            self.close_connection = True
        elif what == "204":
            self.send_response(204)
            self.end_headers()
        elif what == "big":
            size = 8 << 20
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            block = bytes(range(256)) * 256
            for _ in range(size // len(block)):
                self.wfile.write(block)
        elif what == "duplicate-length":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")
            self.close_connection = True
        elif what == "cut":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
            self.close_connection = True
        elif what == "alt-svc":
            self.answer(200, b"ok", [("Alt-Svc", 'h3=":443"'), ("X-Kept", "yes")])
        elif what == "underscore":
            self.answer(200, b"ok", [("X_Rate_Limit", "7")])
        elif what == "cut-chunked":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
            self.close_connection = True
        elif what == "close":
            self.answer(200, b"ok", [("Connection", "close")])
            self.close_connection = True
        elif what == "slow":
            time.sleep(2)
            self.answer(200, b"late")
        else:
            self.answer(404, b"no such test path")

    def handle_any(self):
        body = self.read_body()
        self.record(body)
        path = self.path.split("?", 1)[0]
        if path.startswith("/test/"):
            self.behave(path[6:].strip("/").split("/")[0], body)
        elif backends.serve(self, self.directory, body):
            pass
        elif self.command == "POST":
            self.answer(201, json.dumps({"id": 1}).encode(), [("Content-Type", "application/json")])
        elif self.command == "DELETE":
            self.answer(202, b"{}", [("Content-Type", "application/json")])
        else:
            self.answer(200, json.dumps([{"iid": 1, "title": "merge me"}]).encode(),
                        [("Content-Type", "application/json")])

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


class Server6(Server):
    address_family = socket.AF_INET6


def tls_context(directory):
    contexts = {}
    for name in NAMES:
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(f"{directory}/{name}.pem", f"{directory}/{name}.key")

    def choose(connection, sni, _context):
        connection.sni = sni
        connection.context = contexts.get(sni, contexts[NAMES[0]])

    contexts[NAMES[0]].sni_callback = choose
    return contexts[NAMES[0]]


def one_certificate(directory, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/{name}.pem", f"{directory}/{name}.key")
    return context


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--certificate")
    parser.add_argument("--ports", default="https:443,http:80,http:9000")
    parser.add_argument("directory")
    parser.add_argument("log")
    parser.add_argument("addresses", nargs="+")
    options = parser.parse_args()
    Handler.log_path, Handler.directory = options.log, options.directory
    for address in options.addresses:
        kind = Server6 if ":" in address else Server
        for scheme, port in (p.split(":") for p in options.ports.split(",")):
            server = kind((address, int(port)), Handler)
            if scheme == "https":
                context = (one_certificate(options.directory, options.certificate) if options.certificate
                           else tls_context(options.directory))
                server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    while os.getppid() != 1:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
