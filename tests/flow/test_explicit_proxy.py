# SPDX-License-Identifier: Apache-2.0
"""A program that believes in a proxy: CONNECT and absolute-form to any address on the proxy ports, decided as the request inside."""
import json
import os

import pytest

import raw as rawlib
import stage as st

HOST = "raw.example.com"
PROXY = ["192.0.2.9", 3128]


def get(path="/p", host=HOST, target=None):
    return [f"GET {target or path} HTTP/1.1\r\nHost: {host}\r\n\r\n"]


def connect(authority, **more):
    return {"host": HOST, "via": PROXY, "connect": f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n", "send": get(),
            "probe": get("/probe")[0], **more}


def clear(target, host=HOST, **more):
    return {"host": HOST, "via": PROXY, "tls": False, "send": get(target=target, host=host), **more}


JOBS = {
    "tunnel": connect(f"{HOST}:443"), "no port": connect(HOST), "upper case": connect("RAW.example.COM:443"),
    "other port": connect(f"{HOST}:443", via=["127.0.0.1", 8080]),
    "plain inside": connect(f"{HOST}:80", tls=False),
    "SNI disagrees": connect(f"{HOST}:443", sni="gitlab.example.com"),
    "Host disagrees": connect(f"{HOST}:443", send=get(host="gitlab.example.com")),
    "SNI and Host agree, CONNECT does not": connect("gitlab.example.com:443"),
    "port disagrees": connect(f"{HOST}:8443"),
    "refused host": connect("evil.example.com:443", host="evil.example.com", send=get(host="evil.example.com")),
    "refused path": connect(f"{HOST}:443", send=get("/denied/x")),
    "twice": connect(f"{HOST}:443", send=[f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n"]),
    "userinfo": connect(f"u:p@{HOST}:443"), "bad port": connect(f"{HOST}:99999"), "list": connect(f"{HOST},x:443"),
    "odd address": connect("0177.0.0.1:443"),
    "HTTP/1.0": connect(f"{HOST}:443", connect=f"CONNECT {HOST}:443 HTTP/1.0\r\n\r\n"),
    "Host without a port": connect(f"{HOST}:443", connect=f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n"),
    "CONNECT and its Host disagree": connect(f"{HOST}:443", connect=f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: evil.example.com\r\n\r\n"),
    "CONNECT and the port of its Host": connect(f"{HOST}:443", connect=f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:80\r\n\r\n"),
    "bytes too early": connect(f"{HOST}:443", connect=f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n\x16\x03\x01\0", tls=False),
    "no proxy port": {**connect(f"{HOST}:443"), "via": ["10.77.0.25", 80]},
    "absolute": clear(f"http://{HOST}/abs?x=1"), "absolute https": clear(f"https://{HOST}/abss"),
    "absolute, Host disagrees": clear(f"http://{HOST}/abs", host="evil.example.com"),
    "absolute, refused": clear("http://evil.example.com/abs", host="evil.example.com"),
    "absolute, refused path": clear(f"https://{HOST}/denied/x"),
    "absolute, other port": clear(f"http://{HOST}:81/abs", host=f"{HOST}:81"),
    "origin-form": clear("/abs"),
}


@pytest.fixture(scope="module")
def seen(stage):
    raw = rawlib.Raw(stage, {})
    raw.forget()
    got = raw.client([{"id": name, **job} for name, job in JOBS.items()])
    yield {**got, "events": raw.events()}
    raw.close()


def verdict(got):
    head, _, body = (got["answers"] or [""])[0].partition("\r\n\r\n")
    return int(head.split(" ")[1]), json.loads(body)["code"] if "bridle-decision" in head else None


@pytest.mark.parametrize("name", ["tunnel", "no port", "upper case", "other port", "plain inside", "HTTP/1.0",
                                  "Host without a port"])
def test_tunnels_serve_requests(seen, name):
    got = seen[name]
    assert got["connected"].startswith("HTTP/1.1 200 ") and verdict(got) == (200, None) and got["kept"], got


@pytest.mark.parametrize("name,want", [
    ("SNI disagrees", (421, "identity_mismatch")), ("Host disagrees", (421, "identity_mismatch")),
    ("SNI and Host agree, CONNECT does not", (421, "identity_mismatch")), ("port disagrees", (421, "identity_mismatch")),
    ("refused host", (403, "host_not_allowed")), ("refused path", (403, "rule_denies")), ("twice", (405, "connect_not_allowed"))])
def test_refusals_are_said_inside(seen, name, want):
    got = seen[name]
    assert got["connected"].startswith("HTTP/1.1 200 ") and verdict(got) == want, got


@pytest.mark.parametrize("name,status", [("userinfo", 400), ("bad port", 400), ("list", 400), ("odd address", 400),
                                         ("no proxy port", 405), ("CONNECT and its Host disagree", 421),
                                         ("CONNECT and the port of its Host", 421)])
def test_tunnels_that_are_not_made(seen, name, status):
    assert seen[name]["connected"].startswith(f"HTTP/1.1 {status} "), seen[name]


def test_bytes_before_the_answer_end_the_connection(seen):
    assert seen["bytes too early"]["answers"] == [] and not seen["bytes too early"]["kept"]


@pytest.mark.parametrize("name,want", [
    ("absolute", (200, None)), ("absolute https", (200, None)), ("absolute, Host disagrees", (421, "identity_mismatch")),
    ("absolute, refused", (403, "host_not_allowed")), ("absolute, refused path", (403, "rule_denies")),
    ("absolute, other port", (403, "host_not_allowed")), ("origin-form", (421, "identity_mismatch"))])
def test_absolute_form(seen, name, want):
    assert verdict(seen[name]) == want, seen[name]


def test_what_the_server_saw(seen):
    lines = [e["raw"].split("\r\n")[0] for e in seen["events"] if e["event"] == "request"]
    assert [x for x in lines if "/probe" not in x] == ["GET /p HTTP/1.1"] * 7 + ["GET /abs?x=1 HTTP/1.1", "GET /abss HTTP/1.1"]
    assert all("proxy" not in e["raw"].lower() for e in seen["events"] if e["event"] == "request")


@pytest.mark.parametrize("url,want", [("https://gitlab.example.com/api/v4/projects/7/merge_requests", "200"),
                                      ("https://evil.example.com/", "403")])
def test_curl_with_proxy_variables_of_its_own(stage, url, want):
    """Set inside the sandbox, as scripts do; the secret still comes from us."""
    script = f"https_proxy=http://10.77.0.4:8080 http_proxy=http://10.77.0.4:8080 curl -sS -o /dev/null -w '%{{http_code}}' {url}"
    assert stage.run(stage.policy(), "sh", "-c", script).stdout == want
    assert len(stage.requests()) == (want == "200")
    if want == "200":
        assert [v for k, v in stage.requests()[0]["headers"] if k.lower() == "private-token"] == [stage.secret]


def test_python_with_proxy_variables(stage):
    program = ("import os, urllib.request as u; os.environ['https_proxy'] = 'http://127.0.0.1:3128';"
               "print(u.urlopen('https://gitlab.example.com/api/v4/projects/7/merge_requests').status)")
    result = stage.run(stage.policy(), st.PYTHON, "-c", program)
    assert result.stdout.strip() == "200", result.stderr


FETCH = "curl -sS -o /dev/null -w '%{http_code}' -x http://10.77.0.4:"
TARGET = " https://gitlab.example.com/api/v4/projects/7/merge_requests"


@pytest.mark.parametrize("variable", ["https_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_the_port_of_the_callers_own_proxy(stage, variable):
    """Scripts that bring a corporate proxy's address along still find one there; without the caller's variable nobody is."""
    env = {**os.environ, variable: "http://proxy.corp.example:9977"}
    assert stage.run(stage.policy(), "sh", "-c", FETCH + "9977" + TARGET, env=env).stdout == "200"
    assert stage.run(stage.policy(), "sh", "-c", FETCH + "9977" + TARGET).returncode == 7


def test_proxy_ports_of_the_policy(stage):
    path = stage.policy(extra={"network": {"proxy_ports": [3129]}})
    assert stage.run(path, "sh", "-c", FETCH + "3129" + TARGET).stdout == "200"
    assert stage.run(path, "sh", "-c", FETCH + "8081" + TARGET).returncode == 7
