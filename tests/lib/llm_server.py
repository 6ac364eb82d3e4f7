#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The three APIs that agents talk to, as far as one prompt needs them: a request without the right key gets 401.

usage: llm_server.py CERTIFICATE KEY LOG KEYS ADDRESS      KEYS: JSON, {host: [header, value]}
Each request is a JSON line in LOG: host, method, path, its credential headers, and the prompt's text when it was in the body.
"""
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = "PONG-FROM-THE-SERVER"
CREDENTIALS = ("authorization", "x-api-key", "x-goog-api-key", "cookie", "proxy-authorization")


def events(*pairs):
    return "".join((f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n" for name, data in pairs)


def anthropic(_path, body):
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
               "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
    text = {"type": "text", "text": ANSWER}
    if not body.get("stream"):
        return "application/json", json.dumps({**message, "content": [text], "stop_reason": "end_turn"})
    return "text/event-stream", events(*((data["type"], data) for data in (
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ANSWER}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"})))


def openai(_path, _body):
    item = {"id": "m1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": ANSWER, "annotations": []}]}
    usage = {"input_tokens": 1, "input_tokens_details": None, "output_tokens": 1, "output_tokens_details": None, "total_tokens": 2}
    return "text/event-stream", events(*((data["type"], data) for data in (
        {"type": "response.created", "response": {"id": "r1"}}, {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": "r1", "output": [item], "usage": usage}})))


def gemini(path, _body):
    data = {"candidates": [{"content": {"role": "model", "parts": [{"text": ANSWER}]}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}}
    if "stream" in path:
        return "text/event-stream", "data: " + json.dumps(data) + "\r\n\r\n"
    return "application/json", json.dumps(data)


# (host, how the path begins) -> who answers
APIS = {("api.anthropic.com", "/v1/messages"): anthropic, ("api.openai.com", "/v1/responses"): openai,
        ("generativelanguage.googleapis.com", "/v1beta/models/"): gemini}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_path, keys, lock = None, {}, threading.Lock()

    def log_message(self, *args):
        pass

    def reply(self, status, kind, text):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while True:
            n = int(self.rfile.readline(), 16)
            whole += self.rfile.read(n)
            self.rfile.readline()
            if n == 0:
                return whole

    def handle_any(self):
        host, raw = self.headers.get("Host", ""), self.body()
        shown = {k.lower(): v for k, v in self.headers.items() if k.lower() in CREDENTIALS}
        line = {"host": host, "method": self.command, "path": self.path, "agent": self.headers.get("User-Agent"),
                "credentials": shown, "prompt": b"say pong" in raw}
        with self.lock, open(self.log_path, "a", encoding="utf-8") as f:
            f.write(json.dumps(line) + "\n")
        header, value = self.keys.get(host, ("", ""))
        if not header or shown.get(header) != value:
            self.reply(401, "application/json", '{"error":{"type":"authentication_error","message":"invalid x-api-key"}}')
            return
        api = next((a for (h, p), a in APIS.items() if h == host and self.path.startswith(p)), None)
        if not api or self.command != "POST":
            self.reply(404, "application/json", '{"error":{"message":"no such path"}}')
            return
        self.reply(200, *api(self.path, json.loads(raw)))

    do_GET = do_POST = do_HEAD = handle_any


def main():
    certificate, key, Handler.log_path, keys, address = sys.argv[1:]
    Handler.keys = json.loads(keys)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer((address, 443), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
