# SPDX-License-Identifier: Apache-2.0
"""Reads messages as Python's h11 and urllib do; the same in and out as ours.c."""
import json
import posixpath
import struct
import sys
import urllib.parse

import h11


def fields(event):
    return [[bytes(n).hex(), bytes(v).hex()] for n, v in event.headers.raw_items()]


def read_message(data, is_request):
    c = h11.Connection(h11.SERVER if is_request else h11.CLIENT, max_incomplete_event_size=1 << 20)
    m = {"r": "more", "body": "", "end": "more", "used": 0}
    try:
        if not is_request:
            c.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
            c.send(h11.EndOfMessage())
        c.receive_data(data)
        c.receive_data(b"")
        while True:
            event = c.next_event()
            if isinstance(event, h11.Request):
                m.update(r="ok", method=bytes(event.method).hex(), target=bytes(event.target).hex(), fields=fields(event))
            elif isinstance(event, (h11.Response, h11.InformationalResponse)):
                m.update(r="ok", status=event.status_code, fields=fields(event))
                if isinstance(event, h11.InformationalResponse):
                    m.update(end="done", used=len(data) - len(c._receive_buffer))
                    return m
            elif isinstance(event, h11.Data):
                m["body"] += bytes(event.data).hex()
            elif isinstance(event, h11.EndOfMessage):
                m.update(end="done", used=len(data) - len(c.trailing_data[0]))
                return m
            else:
                return m
    except h11.RemoteProtocolError as e:
        incomplete = "without sending complete message body" in str(e) or "closed connection" in str(e)
        m["r" if m["r"] == "more" else "end"] = "more" if incomplete else "bad"
        return m


def read_path(data):
    decoded = urllib.parse.unquote_to_bytes(urllib.parse.urlsplit("http://a" + data.decode("latin1")).path)
    return {"r": "ok", "decoded": decoded.hex(), "cleaned": posixpath.normpath(decoded).hex()}


def main():
    data, at, out = sys.stdin.buffer.read(), 0, []
    while at < len(data):
        (n,) = struct.unpack(">I", data[at + 1:at + 5])
        kind, text = data[at:at + 1], data[at + 5:at + 5 + n]
        at += 5 + n
        out.append(json.dumps(read_path(text) if kind == b"p" else read_message(text, kind == b"q")))
    print("\n".join(out))


if __name__ == "__main__":
    main()
