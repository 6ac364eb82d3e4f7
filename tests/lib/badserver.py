#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers that misbehave, each on a port of its own: badserver.py ADDRESS NAME=PORT:CERT:BEHAVIOUR ... ; prints "ready".

CERT: path without .pem/.key, or "-" for a server that speaks no TLS. BEHAVIOUR: a function below.
"""
import os
import socket
import ssl
import struct
import sys
import threading
import time


def abort(s):
    """A reset instead of an end."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def goodbye(s):
    """close_notify, then the end: an end that nobody in between can have made."""
    s.settimeout(5)
    s.unwrap()


def head_of(s):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            return data
        data += piece
    return data


def fine(s):
    head_of(s)
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def reset(s):
    head_of(s)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_in_body(s):
    head_of(s)
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
    time.sleep(0.3)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def close_silently(s):
    head_of(s)


def close_in_head(s):
    head_of(s)
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")


def reset_in_head(s):
    head_of(s)
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    time.sleep(0.3)
    abort(s)


def goodbye_at_once(s):
    head_of(s)
    goodbye(s)


def goodbye_in_head(s):
    head_of(s)
    s.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    goodbye(s)


def says(*pieces, end=None):
    def behaviour(s):
        head_of(s)
        for piece in pieces:
            s.sendall(piece)
        if end:
            time.sleep(0.3)
            end(s)
    return behaviour


LENGTH, CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_END = b"HTTP/1.1 200 OK\r\n\r\n"
close_in_body = says(LENGTH, b"some")
goodbye_in_body = says(LENGTH, b"some", end=goodbye)
close_in_chunk = says(CHUNKED, b"a\r\nsome")
goodbye_in_chunk = says(CHUNKED, b"a\r\nsome", end=goodbye)
reset_in_chunk = says(CHUNKED, b"a\r\nsome", end=abort)
close_in_size = says(CHUNKED, b"4\r\nsome\r\n1")
goodbye_before_last = says(CHUNKED, b"4\r\nsome\r\n", end=goodbye)
goodbye_in_last = says(CHUNKED, b"4\r\nsome\r\n0\r\n", end=goodbye)
close_in_last = says(CHUNKED, b"4\r\nsome\r\n0\r\n")
reset_in_last = says(CHUNKED, b"4\r\nsome\r\n0\r\n", end=abort)
close_until_end = says(UNTIL_END, b"some")
reset_until_end = says(UNTIL_END, b"some", end=abort)
goodbye_until_end = says(UNTIL_END, b"all of it", end=goodbye)
whole_then_close = says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
whole_then_reset = says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", end=abort)
bad_chunk = says(CHUNKED, b"4\r\nsome\r\nzz\r\n", end=goodbye)
long_chunk = says(CHUNKED, b"4\r\nsomeevil\r\n0\r\n\r\n", end=goodbye)


def spoilt(s, *pieces):
    """Bytes of no TLS on a TLS connection."""
    head_of(s)
    for piece in pieces:
        s.sendall(piece)
    time.sleep(0.3)
    os.write(s.fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))
    time.sleep(0.3)


def spoilt_before_head(s):
    spoilt(s)


def spoilt_in_body(s):
    spoilt(s, LENGTH, b"some")


def eager(s):
    """Its answer comes before the question, and it never reads one."""
    s.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbye")
    time.sleep(0.5)


def garbage(s):
    head_of(s)
    s.sendall(bytes(range(1, 200)) * 10)


def endless_head(s):
    head_of(s)
    s.sendall(b"HTTP/1.1 200 OK\r\n")
    try:
        for i in range(5000):
            s.sendall(b"X-Filler: %060d\r\n" % i)
    except OSError:
        pass


def slow(s):
    head_of(s)
    for c in b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nslow":
        s.sendall(bytes([c]))
        time.sleep(0.02)


def early(s):
    """Answers before the request has ended, and reads no more."""
    head_of(s)
    s.sendall(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
    time.sleep(1)


def many_informational(s):
    head_of(s)
    s.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 20 + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    time.sleep(0.5)


def hints_then_answer(s):
    head_of(s)
    s.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    time.sleep(0.5)


def switches(s):
    head_of(s)
    s.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw bytes")
    time.sleep(0.5)


def not_tls(s):
    s.recv(100)
    s.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def closes_at_once(s):
    s.recv(1)


def resets_at_once(s):
    s.recv(1)
    abort(s)


def half_a_record(s):
    """A handshake that is begun and not gone on with."""
    s.recv(65536)
    s.sendall(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76")
    time.sleep(40)


def alerts(s):
    s.recv(65536)
    s.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
    time.sleep(0.2)


def silent(s):
    s.recv(65536)
    time.sleep(40)


def behave(s, certificate, behaviour):
    try:
        if certificate != "-":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            if behaviour == "old":
                context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_1
            context.load_cert_chain(certificate + ".pem", certificate + ".key")
            s = context.wrap_socket(s, server_side=True)
        globals().get(behaviour, fine)(s)
    except OSError:
        pass
    finally:
        s.close()


def serve(address, port, certificate, behaviour):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(64)
        while True:
            s, _ = listener.accept()
            threading.Thread(target=behave, args=(s, certificate, behaviour), daemon=True).start()


def main():
    for argument in sys.argv[2:]:
        port, certificate, behaviour = argument.split("=", 1)[1].split(":")
        threading.Thread(target=serve, args=(sys.argv[1], int(port), certificate, behaviour), daemon=True).start()
    time.sleep(0.3)
    print("ready", flush=True)
    while os.getppid() != 1:
        time.sleep(0.2)


if __name__ == "__main__":
    main()
