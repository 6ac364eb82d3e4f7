# SPDX-License-Identifier: Apache-2.0
"""TLS on both legs, live: servers with certificates that no server should have, the leg towards the program, a CA of the user's."""
import json
import os

import pytest

import stage as st
from certs import CLIENT, DAY, SERVER, SIGN, Pair
from cryptography.hazmat.primitives import hashes

ADDRESS, HOST = "10.77.0.6", "tls.example.com"
# name, code (None: fine), what the server says: kept in one table, so that a row is one line
CASES = [("fine", None), ("expired", "upstream_cert_expired"), ("future", "upstream_cert_expired"),
         ("wrong", "upstream_cert_name"), ("nameless", "upstream_cert_name"), ("address", "upstream_cert_name"),
         ("partial", "upstream_cert_name"), ("wildcard", None), ("deep", "upstream_cert_name"),
         ("stranger", "upstream_cert_unknown_ca"), ("itself", "upstream_cert_unknown_ca"),
         ("incomplete", "upstream_cert_unknown_ca"), ("chain", None), ("client", "upstream_cert_invalid"),
         ("sha1", "upstream_cert_invalid"), ("weak", "upstream_cert_invalid"), ("constrained", "upstream_cert_invalid"),
         ("leafca", "upstream_cert_invalid"), ("rsa", None),
         ("old", "upstream_tls"), ("plain", "upstream_tls"), ("hangup", "upstream_tls"), ("mute", "upstream_timeout"),
         ("halfway", "upstream_timeout"), ("alert", "upstream_tls"), ("reset", "upstream_tls")]
BEHAVIOUR = {"old": "old", "plain": "not_tls", "hangup": "closes_at_once", "mute": "silent", "halfway": "half_a_record",
             "alert": "alerts", "reset": "resets_at_once"}

CLEAR = ("plain", "hangup", "mute", "halfway", "alert", "reset")  # no TLS behind what they do


def make_certificates(d):
    root = Pair("root of the tests", ca=True, usage=SIGN)
    stranger = Pair("a root that nobody trusts", ca=True, usage=SIGN)
    middle = Pair("intermediate", root, ca=True, path_length=0, usage=SIGN)
    narrow = Pair("constrained", root, ca=True, usage=SIGN, permitted="example.org")
    plain_leaf = Pair("not a ca", root, sans=[HOST], extended=SERVER)
    san = {"sans": [HOST], "extended": SERVER}
    pairs = {
        "fine": Pair("x", root, **san), "expired": Pair("x", root, start=-3 * DAY, end=-DAY, **san),
        "future": Pair("x", root, start=DAY, **san), "wrong": Pair("x", root, sans=["other.example.com"], extended=SERVER),
        "nameless": Pair(HOST, root, extended=SERVER), "address": Pair("x", root, sans=["IP:" + ADDRESS], extended=SERVER),
        "partial": Pair("x", root, sans=["t*.example.com"], extended=SERVER),
        "wildcard": Pair("x", root, sans=["*.example.com"], extended=SERVER),
        "deep": Pair("x", root, sans=["*.com"], extended=SERVER), "stranger": Pair("x", stranger, **san),
        "itself": Pair("x", **san), "incomplete": Pair("x", middle, **san), "chain": Pair("x", middle, **san),
        "client": Pair("x", root, sans=[HOST], extended=CLIENT), "sha1": Pair("x", root, digest=hashes.SHA1(), **san),
        "weak": Pair("x", root, key="rsa1024", **san), "constrained": Pair("x", narrow, **san),
        "leafca": Pair("x", plain_leaf, **san), "rsa": Pair("x", root, key="rsa2048", **san), "old": Pair("x", root, **san)}
    behind = {"chain": (middle,), "constrained": (narrow,), "leafca": (plain_leaf,)}
    for name, pair in pairs.items():
        pair.write(os.path.join(d, "tls-" + name), *behind.get(name, ()))
    with open(d + "/tls-root.pem", "wb") as f:
        f.write(root.pem())


@pytest.fixture(scope="module")
def servers(stage):
    make_certificates(stage.dir)
    inside = ["nsenter", "-t", str(stage.servers), "-n"]
    st.sh(*inside, "ip", "addr", "add", ADDRESS + "/24", "dev", "eth0")
    arguments = []
    for i, (name, _code) in enumerate(CASES):
        certificate = "-" if name in CLEAR else f"{stage.dir}/tls-{name}"
        arguments.append(f"{name}={7000 + i}:{certificate}:{BEHAVIOUR.get(name, 'fine')}")
    stage.spawn(*inside, st.PYTHON, st.ROOT + "/tests/lib/badserver.py", ADDRESS, *arguments, ready="ready")


def policy(stage, **tls):
    path = os.path.join(stage.dir, "tls-policy.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"network": {"allow_domain": [f"{HOST}:{7000 + i}" for i in range(len(CASES))],
                               "resolve": {HOST: [ADDRESS]}}, "tls": {"trust": [stage.dir + "/tls-root.pem"], **tls}}, f)
    return path


def test_servers_certificates(stage, servers):
    """All at once in one sandbox: the mute server costs its deadline only once."""
    urls = [f"https://{HOST}:{7000 + i}/" for i in range(len(CASES))]
    script = "i=0; for u in %s; do curl -sS -m 40 -w '\\n' $u >/tmp/tls-$$-$i & i=$((i+1)); done; wait; " % " ".join(urls)
    script += "i=0; while [ $i -lt %d ]; do cat /tmp/tls-$$-$i; echo ----; rm /tmp/tls-$$-$i; i=$((i+1)); done" % len(urls)
    answers = stage.run(policy(stage), "sh", "-c", script).stdout.split("----\n")
    got = []
    for (name, code), answer in zip(CASES, answers):
        text = answer.strip()
        got.append((name, None if text == "ok" else json.loads(text)["code"]))
    assert got == CASES


def test_nobody_listens_and_nobody_there(stage):
    path = stage.policy(base={"network": {"allow_domain": ["gitlab.example.com", "api.example.com"]}},
                        extra={"network": {"resolve": {"gitlab.example.com": ["10.77.0.1"], "api.example.com": ["10.78.0.1"]}}})
    for host, code in (("gitlab.example.com", "upstream_refused"), ("api.example.com", "upstream_unreachable")):
        assert json.loads(stage.run(path, "curl", "-sS", f"https://{host}/").stdout)["code"] == code


CLIENT_LEG = r"""
import json, socket, ssl, sys
HOST = "gitlab.example.com"
def once(context, session=None, name=HOST, address=HOST):
    s = context.wrap_socket(socket.create_connection((address, 443)), server_hostname=name, session=session)
    s.sendall(b"GET /x HTTP/1.1\r\nHost: " + (name or address).encode() + b"\r\nConnection: close\r\n\r\n")
    data = b""
    while True:
        piece = s.recv(65536)
        if not piece: break
        data += piece
    out = (s.version(), s.session_reused, s.selected_alpn_protocol(), data.split(b" ")[1].decode(),
           dict(x[0] for x in s.getpeercert()["issuer"]), [x[1] for x in s.getpeercert()["subjectAltName"]])
    return out, s.session
out = {}
for label, version in (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3)):
    context = ssl.create_default_context()
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    first, session = once(context)
    second, _ = once(context, session)
    out[label] = [first, second]
context = ssl.create_default_context()
context.check_hostname = False
out["no name"] = [once(context, name=None, address="10.77.0.2")[0]]
out["no name, IPv6"] = [once(context, name=None, address="fd77::2")[0]]
try:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    out["1.1"] = once(context)[0]
except OSError as e:
    out["1.1"] = "refused"
print(json.dumps(out))
"""


def test_leg_towards_the_program(stage):
    path = stage.policy(base={"network": {"allow_domain": ["gitlab.example.com"]}})
    result = stage.run(path, st.PYTHON, "-c", CLIENT_LEG)
    out = json.loads(result.stdout)
    for label, version in (("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")):
        first, second = out[label]
        assert first[:4] == [version, False, "http/1.1", "200"]
        assert second[:4] == [version, True, "http/1.1", "200"]
        assert "bridle" in first[4]["commonName"] and first[5] == ["gitlab.example.com"]
    assert out["no name"][0][5] == ["10.77.0.2"] and out["no name, IPv6"][0][5] == ["FD77:0:0:0:0:0:0:2"]
    assert out["no name"][0][3] == "403"
    assert out["1.1"] == "refused"


def test_names_that_are_none(stage):
    path = stage.policy(base={"network": {"allow_domain": ["gitlab.example.com"]}})
    for name in ("a..example.com", "-a.example.com", "x" * 200):
        result = stage.run(path, "openssl", "s_client", "-connect", "10.77.0.2:443", "-servername", name, input="")
        assert "no peer certificate" in result.stdout
    assert {r.get("code") for r in stage.audit() if r.get("kind") == "connection"} >= {"tls_name_invalid"}


def test_sessions_towards_servers(stage):
    """Resumed inside a sandbox (the server says close, so each request is a connection), never across two."""
    path = stage.policy(base={"network": {"allow_domain": ["gitlab.example.com"]}})
    script = "for i in 1 2 3; do curl -sS -o /dev/null https://gitlab.example.com/test/close; done"
    for _ in range(2):
        stage.forget_requests()
        stage.run(path, "sh", "-c", script)
        assert [r["resumed"] for r in stage.requests()] == [False, True, True]


def user_ca(stage, pair, key=None, other=None):
    d = st.SECRET_DIR
    with open(d + "/ca.pem", "wb") as f:
        f.write(pair.pem())
    with open(d + "/ca.key", "wb") as f:
        f.write(key if key is not None else (other or pair).key_pem())
    with open(stage.policy(base={"network": {"allow_domain": ["gitlab.example.com"]}}), encoding="utf-8") as f:
        document = json.load(f)
    document["tls"]["ca"] = {"cert": f"file://{d}/ca.pem", "key": f"file://{d}/ca.key"}
    path = os.path.join(stage.dir, "user-ca.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(document, f)
    return path


@pytest.mark.parametrize("key", ["p256", "p384", "rsa2048"])
def test_a_ca_of_the_users(stage, key):
    path = user_ca(stage, Pair("CA of the user", key=key, ca=True, path_length=0, usage=SIGN))
    program = ("import ssl, socket; c = ssl.create_default_context();"
               "s = c.wrap_socket(socket.create_connection(('gitlab.example.com', 443)), server_hostname='gitlab.example.com');"
               "print(dict(x[0] for x in s.getpeercert()['issuer'])['commonName'])")
    assert stage.run(path, st.PYTHON, "-c", program).stdout.strip() == "CA of the user"
    assert stage.run(path, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "https://gitlab.example.com/x").stdout == "200"


def bad_cas():
    good = {"ca": True, "usage": SIGN}
    one = Pair("one", **good)
    return [("not a CA", Pair("x", usage=SIGN), None, "CA:TRUE"), ("no key usage for it", Pair("x", ca=True, usage=("digital_signature",)), None, "keyCertSign"),
            ("expired", Pair("x", start=-3 * DAY, end=-DAY, **good), None, "expired"),
            ("not yet valid", Pair("x", start=DAY, **good), None, "not valid yet"),
            ("for clients", Pair("x", extended=CLIENT, **good), None, "serverAuth"),
            ("a weak key", Pair("x", key="rsa1024", **good), None, "2048"),
            ("a curve that few know", Pair("x", key="p521", **good), None, "P-256"),
            ("the key of another", Pair("x", **good), one.key_pem(), "does not belong"),
            ("an encrypted key", one, one.key_pem(b"pass"), "encrypted"), ("no key", one, b"", "not a PEM private key")]


@pytest.mark.parametrize("name,pair,key,words", bad_cas(), ids=lambda x: x if isinstance(x, str) else "")
def test_a_ca_that_cannot_serve(stage, name, pair, key, words):
    result = stage.run(user_ca(stage, pair, key=key), "true")
    assert result.returncode == 125 and result.stdout == ""
    assert words in result.stderr and "tls.ca" in result.stderr


