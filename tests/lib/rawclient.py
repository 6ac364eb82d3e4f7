#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends exact bytes from inside a sandbox: a JSON list of jobs on stdin, one JSON line for each job on stdout.

A job: {"id", "host" (dialled, also the SNI), "port", "tls" (default true), "send": [text or seconds, ...], "answers": how many to
read (default 1), "until_end": wait for the end after the answers, "probe": what to send afterwards ("pause" seconds later) to learn whether the connection lives, "nap": seconds before anything is read, "mark": a request of its own on a
connection of its own at the end, so that the server's log can be told apart, "via": [proxy host, port] sends "connect" there first}.
A line: {"id", "answers": [text], "kept": bool, "rest": bytes after the last answer, "seconds": until the end}.
"""
import json
import socket
import ssl
import sys
import time

CONTEXT = ssl.create_default_context()


class Reader:
    def __init__(self, sock):
        self.sock, self.held, self.ended = sock, b"", None

    def more(self):
        if self.ended:
            return False
        try:
            piece = self.sock.recv(65536)
        except socket.timeout:
            self.ended = "silence"
            return False
        except OSError:
            self.ended = "reset"
            return False
        if not piece:
            self.ended = "eof"
        self.held += piece
        return bool(piece)

    def until(self, end):
        while end not in self.held:
            if not self.more():
                return None
        at = self.held.index(end) + len(end)
        piece, self.held = self.held[:at], self.held[at:]
        return piece

    def exactly(self, n):
        while len(self.held) < n:
            if not self.more():
                return None
        piece, self.held = self.held[:n], self.held[n:]
        return piece

    def chunked(self):
        out = b""
        while True:
            line = self.until(b"\r\n")
            data = self.exactly(int(line, 16) + 2) if line else None
            if data is None:
                return None
            out += line + data
            if int(line, 16) == 0:
                return out

    def answer(self, to_head):
        head = self.until(b"\r\n\r\n")
        if head is None:
            return None
        status = int(head.split(b" ")[1])
        fields = {k: v.strip() for k, v in (f.split(b":", 1) for f in head.lower().split(b"\r\n")[1:] if f)}
        if to_head or status < 200 or status in (204, 304):
            return head
        if fields.get(b"transfer-encoding") == b"chunked":
            body = self.chunked()
        elif b"content-length" in fields:
            body = self.exactly(int(fields[b"content-length"]))
        else:
            while self.more():
                pass
            body, self.held = (self.held, b"") if self.ended == "eof" else (None, b"")
        return None if body is None else head + body


def connect(job, timeout):
    sock = socket.create_connection(tuple(job.get("via") or (job["host"], job.get("port", 443))), timeout=timeout)
    if "connect" in job:
        sock.sendall(job["connect"].encode("latin-1"))
        got = b""
        while b"\r\n\r\n" not in got:
            piece = sock.recv(1)
            if not piece:
                break
            got += piece
        job["connected"] = got.decode("latin-1")
        if b" 200 " not in got:
            return sock
    if not job.get("tls", True):
        return sock
    return CONTEXT.wrap_socket(sock, server_hostname=job.get("sni", job["host"]), suppress_ragged_eofs=False)


def send(sock, pieces):
    for piece in pieces:
        if isinstance(piece, (int, float)):
            time.sleep(piece)
        elif isinstance(piece, dict):
            block = piece["repeat"].encode("latin-1") * piece["times"]
            sock.sendall(block)
        else:
            sock.sendall(piece.encode("latin-1"))


def run(job):
    out = {"id": job["id"], "answers": [], "kept": False}
    begun = time.monotonic()
    try:
        sock = connect(job, job.get("timeout", 30))
    except OSError as e:
        return {**out, "error": f"{type(e).__name__}: {e}", "connected": job.get("connected")}
    out["connected"] = job.get("connected")
    if out["connected"] and " 200 " not in out["connected"]:
        sock.close()
        return out
    reader = Reader(sock)
    with sock:
        try:
            send(sock, job["send"])
        except OSError:
            pass  # the answer may be there all the same
        if "nap" in job:
            time.sleep(job["nap"])
        for _ in range(job.get("answers", 1)):
            answer = reader.answer(str(job["send"][0]).startswith("HEAD ") if job["send"] else False)
            if answer is None:
                break
            out["answers"].append(answer.decode("latin-1"))
        if "probe" in job:
            time.sleep(job.get("pause", 0))
            try:
                sock.sendall(job["probe"].encode("latin-1"))
            except OSError:
                pass
            probed = reader.answer(False) or b""
            out["kept"], out["probed"] = probed.startswith(b"HTTP/1.1 200"), probed.decode("latin-1")
        elif job.get("until_end"):
            while reader.more():
                pass
        out["seconds"] = time.monotonic() - begun
        out["rest"] = reader.held.decode("latin-1")
        out["ended"] = reader.ended
    return out


def main():
    for job in json.load(sys.stdin):
        out = run(job)
        if "mark" in job:
            run({"id": 0, "host": job["mark"]["host"], "send": [job["mark"]["send"]]})
        print(json.dumps(out), flush=True)


if __name__ == "__main__":
    main()
