# SPDX-License-Identifier: Apache-2.0
"""Name servers that fail, lie, loop and stall: what the program gets from bridle's name server, and what the proxy answers.

Both are asked in one sandbox for all rows; no row may lead to a server, except those that name the certificate's complaint:
the stage's server has no certificate for these names, so that complaint says that the address was dialled.
"""
import json
import os

import pytest

import stage as st
from test_names import asked, policy, resolver  # noqa: F401  (fixtures)

DIALLED = "upstream_cert_name"
# name: (rcode and addresses for the program; status and code of the proxy)
FOUND = (0, ["10.77.0.2"])
ROWS = {
    "refused": ((2, []), (502, "name_failed")), "notimp": ((2, []), (502, "name_failed")),
    "formerr": ((2, []), (502, "name_failed")), "broken": ((2, []), (502, "name_failed")),
    "notauth": ((0, []), (502, "name_no_address")),  # c-ares knows the codes to 5; another one is an empty answer "nowhere": ((3, []), (502, "name_not_found")),
    "empty": ((0, []), (502, "name_no_address")), "truncated": (FOUND, (502, DIALLED)),
    "hushed": ((2, []), (504, "name_timeout")),
    "silent": ((2, []), (504, "name_timeout")), "liar": ((2, []), (504, "name_timeout")),
    "question": ((2, []), (504, "name_timeout")), "query": (FOUND, (502, DIALLED)),  # id, port and question are right
    "junk": ((2, []), (504, "name_timeout")), "cut": ((2, []), (502, "name_failed")),
    "stranger": ((0, []), (502, "name_no_address")), "length": ((0, []), (502, "name_no_address")),
    "chain": (FOUND, (502, DIALLED)), "chain-inside": ((0, ["127.0.0.1"]), (403, "address_refused")),
    "loop": ((0, []), (502, "name_no_address")), "self": ((0, []), (502, "name_no_address")),
    "dangling": ((0, []), (502, "name_no_address")), "ttl0": (FOUND, (502, DIALLED)), "half": (FOUND, (502, DIALLED)),
    "halfsilent": (FOUND, (502, DIALLED)),
}
SCRIPT = r"""
import json, subprocess, sys
names, ask = json.load(sys.stdin)
fetch = [subprocess.Popen(["curl", "-sS", "-m", "30", "--resolve", f"{n}.example.com:443:10.77.0.4", f"https://{n}.example.com/"],
                          stdout=subprocess.PIPE, text=True) for n in names]
answers = [subprocess.Popen([sys.executable, "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in names]
for n, a in zip(names, answers):
    a.stdin.write(json.dumps([{"name": n + ".example.com", "timeout": 20}]))
    a.stdin.close()
for n, f, a in zip(names, fetch, answers):
    print(json.dumps({"name": n, "dns": json.loads(a.stdout.read()), "http": f.stdout.read()}))
"""


def look(stage, names):
    with open(st.ROOT + "/tests/lib/ask.py", encoding="utf-8") as f:
        ask = f.read()
    stage.forget_requests()
    result = stage.run(policy(stage), st.PYTHON, "-c", SCRIPT, input=json.dumps([list(names), ask]))
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == len(names), result.stderr
    return {r["name"]: r for r in rows}, stage.audit()


@pytest.fixture(scope="module")
def seen(stage, resolver):  # noqa: F811
    return look(stage, ROWS)


@pytest.fixture(scope="module")
def slammed(stage, resolver):  # noqa: F811
    """Alone: when a TCP connection to a name server breaks, c-ares gives up every question under way to that server."""
    return look(stage, ["slammed"])


def test_a_name_server_that_closes_tcp(slammed):
    check(slammed, "slammed", (2, []), (502, "name_failed"))


@pytest.mark.parametrize("name", ROWS)
def test_row(seen, name):
    check(seen, name, *ROWS[name])


def check(seen, name, dns, http):
    rows, records = seen
    got = rows[name]
    assert (got["dns"].get("rcode"), got["dns"].get("addresses")) == dns, got
    body = json.loads(got["http"])
    assert (body["status"], body["code"]) == http
    record = [r for r in records if r["kind"] == "exchange" and r["id"] == body["instance"]]
    assert [(r["code"], r["host"]) for r in record] == [(http[1], name + ".example.com")]


def test_no_answer_led_to_a_server(stage, seen):
    assert stage.requests() == []


def test_ttl_0_is_kept_a_little(stage, seen):
    """A name server cannot make bridle ask for each connection, nor the program believe one answer for long."""
    assert seen[0]["ttl0"]["dns"]["ttl"] in range(1, 6)


def test_a_name_that_moves_inside_is_judged_again(stage, asked):  # noqa: F811
    """DNS rebinding: a good address first, the machine's own loopback when the answer has run out."""
    get = "curl -sS --resolve rebind.example.com:443:10.77.0.4 https://rebind.example.com/; "
    result = stage.run(policy(stage), "sh", "-c", f"{get} sleep 5.5; {get}")
    first, second = (json.loads(line)["code"] for line in result.stdout.splitlines())
    assert (first, second) == (DIALLED, "address_refused")


def test_no_name_server_at_all(stage, resolver):  # noqa: F811
    """Without one in resolv.conf, the machine's own loopback is asked, as by every program; nobody is there."""
    conf = os.path.join(stage.dir, "no-name-server.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write("# none\n")
    st.sh("mount", "--bind", conf, "/etc/resolv.conf")
    try:
        result = stage.run(policy(stage), "curl", "-sS", "--resolve", "broken.example.com:443:10.77.0.4",
                           "https://broken.example.com/")
    finally:
        st.sh("umount", "/etc/resolv.conf")
    body = json.loads(result.stdout)
    assert (body["status"], body["code"]) == (502, "name_failed")
