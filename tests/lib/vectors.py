# SPDX-License-Identifier: Apache-2.0
"""The decision vectors (tests/policy/*.json) and what a live run of them needs.

A row has a policy ("policy": file, "policy_text": JSON, "policy_source": text), and either "method", "url", "why" and maybe
"credential", or "error" with "line" and "column". "rule" names the rule of the policy's format that it is about.
"""
import glob
import json
import os
import re
from urllib.parse import urlsplit

import stage as st

ADDRESSES = ("10.77.0.5", "fd77::5")
SECRETS = "/vault/vectors"
SPECIAL_PORTS = (80, 443, 3128, 8080)
# Every rule of the format, with at least three refusals and one permission each. Where a rule is about text that cannot be
# loaded, the refusals are errors. "addresses.private" (a wildcard and private space) has its refusals in tests/flow/test_names.py:
# no row knows what a name resolves to.
RULES = ("addresses.special", "credential.auth", "credential.env_var", "credential.mode", "credential.source",
         "credential.upstream", "credential.watch", "deny.default", "entry.alone", "entry.form", "examples", "host.canonical",
         "host.form", "host.specific", "host.twice", "host.wildcard", "json", "keys", "later", "method", "method_override",
         "names.other", "path.ambiguous", "path.decode", "path.doublestar", "path.encoded_slash", "path.signs", "path.slash",
         "path.star", "proxy_ports", "query", "resolve", "rule.credential", "rule.deny", "tls", "upstream.route", "version")


def load():
    rows = []
    for path in sorted(glob.glob(os.path.join(st.ROOT, "tests/policy/*.json"))):
        with open(path, encoding="utf-8") as f:
            for row in json.load(f):
                row["file"] = os.path.basename(path)
                rows.append(row)
    return rows


def text_of(row):
    """The policy's text as the row has it."""
    if "policy" in row:
        with open(os.path.join(st.ROOT, row["policy"]), encoding="utf-8") as f:
            return f.read()
    return row["policy_source"] if "policy_source" in row else json.dumps(row["policy_text"])


def split(url):
    """scheme, host as written, port, target as written."""
    m = re.match(r"(https?)://(\[[^\]]*\]|[^/:?]*)(?::(\d+))?(.*)$", url, re.S)
    scheme, host, port, target = m.groups()
    return scheme, host, int(port or (443 if scheme == "https" else 80)), target or "/"


def is_address(host):
    return host.startswith("[") or re.fullmatch(r"[0-9.]+", host) is not None


def live_policy(stage, text, urls):
    """The row's policy with three changes: every name is pinned to our server, its CA is trusted, and secret files lie where
    they exist. None of them decides anything: a pin allows nothing (tests/flow/test_names.py)."""
    document = json.loads(text.replace('"file:///', f'"file://{SECRETS}/'))
    pins = document.setdefault("network", {}).setdefault("resolve", {})
    for url in urls:
        host = split(url)[1].lower().rstrip(".")
        if not is_address(host):
            pins.setdefault(host, list(ADDRESSES))
    document.setdefault("tls", {}).setdefault("trust", [stage.dir + "/ca.pem"])
    for name, credential in document.get("custom_credentials", {}).items():
        uri = credential.get("credential_key", "")
        if uri.startswith("file://"):
            os.makedirs(os.path.dirname(uri[7:]), exist_ok=True)
            with open(uri[7:], "w", encoding="ascii") as f:
                f.write(secret_of(name) + "\n")
    path = os.path.join(stage.dir, "vector-policy.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(document, f)
    return path


def secret_of(name):
    return f"live-secret-of-{name}-0123456789"


CLIENT = r"""
import json, socket, ssl, sys

def exchange(row):
    address, port, name = row["address"], row["port"], row["sni"]
    raw = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    raw.settimeout(20)
    raw.connect((address, port))
    with raw:
        s = raw
        if row["tls"]:
            context = ssl.create_default_context()
            context.check_hostname = False
            s = context.wrap_socket(raw, server_hostname=name)
        with s:
            s.sendall(row["request"].encode("latin-1"))
            answer = b""
            while True:
                try:
                    piece = s.recv(65536)
                except (ConnectionResetError, ssl.SSLError):
                    break
                if not piece:
                    return answer
                answer += piece
            return answer

for row in json.load(sys.stdin):
    try:
        print(json.dumps({"answer": exchange(row).decode("latin-1")}), flush=True)
    except OSError as e:
        print(json.dumps({"error": type(e).__name__, "text": str(e)}), flush=True)
"""


def request_of(row):
    """What the client in the sandbox does: the URL's bytes, exactly."""
    scheme, host, port, target = split(row["url"])
    bare = host.strip("[]")
    authority = host if port == (443 if scheme == "https" else 80) else f"{host}:{port}"
    if row["method"] == "CONNECT":
        target = authority = f"{host}:{port}"
    head = f"{row['method']} {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n"
    if row["method"] in ("POST", "PUT", "PATCH"):
        head += "Content-Length: 0\r\n"
    return {"address": bare if is_address(host) else ADDRESSES[0], "port": port, "tls": scheme == "https",
            "sni": None if is_address(host) else bare.rstrip("."), "request": head + "\r\n"}


def names_of(rows):
    """Every name and port of the live rows, for the server's certificate and listeners."""
    names, ports = set(), set()
    for row in rows:
        _scheme, host, port, _target = split(row["url"])
        ports.add((urlsplit(row["url"]).scheme, port))
        if not is_address(host):
            names.add(host.lower().rstrip("."))
    return sorted(names), sorted(ports)
