# SPDX-License-Identifier: Apache-2.0
"""Names: over UDP and TCP, allowed, refused (no question leaves), other types, resolvers that misbehave."""
import json
import os
import shutil
import tempfile

import pytest

import nameserver
import stage as st

ALLOWED = ["gitlab.example.com", "api.example.com", "mixed.example.com", "many.example.com", "truncated.example.com",
           "empty.example.com", "nowhere.example.com", "silent.example.com", "broken.example.com", "liar.example.com",
           "metadata.example.com", "mapped.example.com", "translated.example.com",
           {"host": "*.named.example.com", "addresses": ["10.77.0.0/30"]},
           *(n + ".example.com" for n in ("ttl0", "rebind", "half", "halfsilent", "stranger", "question", "query", "chain",
                                          "chain-inside", "loop", "self", "dangling", "length", "junk", "cut",
                                          "hushed", "slammed", "refused", "notimp", "formerr", "notauth")),
           nameserver.LONG, "*.wild.example.com", "bücher.example.com"]
SERVERS = ("10.77.0.99", "fd77::99")


@pytest.fixture(scope="module")
def resolver(stage):
    """A name server of ours behind the machine's resolv.conf, which exists in this mount namespace alone."""
    log = os.path.join(stage.dir, "names.jsonl")
    stage.spawn("nsenter", "-t", str(stage.servers), "-n", st.PYTHON, st.ROOT + "/tests/lib/nameserver.py", log,
                "10.77.0.2", ready="ready")
    conf = os.path.join(stage.dir, "resolv.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write("nameserver 10.77.0.2\noptions timeout:1 attempts:2\n")
    st.sh("mount", "--bind", conf, "/etc/resolv.conf")
    yield log
    st.sh("umount", "/etc/resolv.conf")


@pytest.fixture
def asked(resolver):
    """The questions that reached the name server."""
    open(resolver, "w", encoding="utf-8").close()

    def names():
        with open(resolver, encoding="utf-8") as f:
            return [json.loads(line) for line in f]
    return names


def policy(stage):
    path = tempfile.mktemp(prefix="names-", suffix=".json", dir=stage.dir)
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"network": {"allow_domain": ALLOWED, "resolve": {"pinned.example.com": ["10.77.0.3", "fd77::3"]}},
                   "tls": {"trust": [stage.dir + "/ca.pem"]}}, f)
    return path


def ask(stage, rows):
    """One sandbox for all rows; the script goes in by its text, because the sandbox's user may not read the sources."""
    with open(st.ROOT + "/tests/lib/ask.py", encoding="utf-8") as f:
        script = f.read()
    result = stage.run(policy(stage), st.PYTHON, "-c", script, input=json.dumps(rows))
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(answers) == len(rows), result.stderr
    return answers


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_allowed(stage, asked, proto):
    rows = [{"proto": proto, "server": s, "name": n, "type": t} for s in SERVERS
            for n in ("gitlab.example.com", "api.example.com") for t in (1, 28)]
    answers = ask(stage, rows)
    assert [a["addresses"] for a in answers] == [["10.77.0.2"], ["fd77::2"], ["10.77.0.3"], []] * 2
    assert all(a["rcode"] == 0 for a in answers)
    assert {a["name"] for a in asked()} == {"gitlab.example.com", "api.example.com"}


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_refused_and_no_question_leaves(stage, asked, proto):
    rows = [{"proto": proto, "server": s, "name": n, "type": t, "edns": True} for s in SERVERS for n, t in (
        ("data-in-a-name.evil.example.net", 1), ("data-in-a-name.evil.example.net", 28), ("intranet", 1),
        ("2.0.77.10.in-addr.arpa", 12), ("gitlab.example.com.evil.example.net", 1), ("evil.example.net", 16),
        ("wild.example.com", 1), ("a b.example.com", 1))]
    sink4, sink6, single, reverse, suffix, text, bare, junk = range(8)
    for part in range(2):
        a = ask(stage, rows[part * 8:part * 8 + 8]) if part == 0 else ask(stage, rows[8:])
        assert a[sink4]["addresses"] == ["192.0.2.1"] and a[sink6]["addresses"] == ["2001:db8::1"]
        assert (a[single]["rcode"], a[single]["ede"]) == (3, 18)
        assert (a[reverse]["rcode"], a[reverse]["ede"]) == (3, 18)
        assert a[suffix]["addresses"] == ["192.0.2.1"]
        assert (a[text]["rcode"], a[text]["addresses"], a[text]["ede"]) == (0, [], 18)
        assert a[bare]["addresses"] == ["192.0.2.1"]
        assert a[junk]["rcode"] == 3
    assert asked() == []


@pytest.mark.parametrize("kind", [1, 16, 65])
def test_refused_name_has_a_record(stage, asked, kind):
    name = f"data-in-a-name-{kind}.evil.example.net"
    ask(stage, [{"name": name, "type": kind}])
    assert [(r.get("host"), r["code"]) for r in stage.audit() if r.get("kind") == "dns"][-1] == (name, "dns_name_refused")
    assert asked() == []


def test_other_types_are_empty(stage, asked):
    answers = ask(stage, [{"proto": p, "name": "gitlab.example.com", "type": t} for p in ("udp", "tcp")
                          for t in (2, 5, 6, 15, 16, 33, 64, 65, 255)])
    assert all((a["rcode"], a["addresses"]) == (0, []) for a in answers)
    assert asked() == []


def test_spellings(stage, asked):
    upper, dotted, idn, pin4, pin6 = ask(stage, [
        {"name": "gItLaB.eXaMpLe.CoM"}, {"name": "gitlab.example.com."}, {"name": "xn--bcher-kva.example.com"},
        {"name": "pinned.example.com"}, {"name": "pinned.example.com", "type": 28}])
    assert "gItLaB" in upper["question"] and upper["addresses"] == ["10.77.0.2"]
    assert dotted["addresses"] == ["10.77.0.2"]
    assert idn["rcode"] == 3
    assert pin4["addresses"] == ["192.0.2.1"] and pin6["addresses"] == ["2001:db8::1"]  # a pin allows nothing
    assert {a["name"] for a in asked()} == {"gitlab.example.com", "xn--bcher-kva.example.com"}


def test_malformed(stage, asked):
    header = "00070100000%d000000000000"
    name = "0667697" + "46c6162076578616d706c6503636f6d00" + "00010001"
    rows = [{"raw": "0007010000020000000000" + "00" + name + name}, {"raw": "00072900000100000000" + "0000" + name},
            {"raw": "0007010000010000000000" + "00" + "c00c00010001"}, {"raw": "000781000001000000000000" + name, "timeout": 1},
            {"proto": "tcp", "raw": "0007010000020000000000" + "00" + name + name}, {"tcp_bytes": "0003000000"},
            {"tcp_bytes": "ffff00"}, {"tcp_bytes": "474554202f20485454502f312e310d0a0d0a"}]
    assert header
    two, update, loop, response, two_tcp, short, long, http = ask(stage, rows)
    assert two["rcode"] == 1 and two_tcp["rcode"] == 1 and loop["rcode"] == 1
    assert update["rcode"] == 4
    assert "error" in response
    assert short == {"closed": True} and long == {"closed": True} and http == {"closed": True}
    assert [r["code"] for r in stage.audit() if r.get("code") == "dns_malformed"] != []
    assert asked() == []


def raw(name, kind=1, klass=1, more="", counts="0001000000000000"):
    """A query by its bytes: `more` comes behind the question."""
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
    return "00070100" + counts + (labels + kind.to_bytes(2, "big") + klass.to_bytes(2, "big")).hex() + more


def test_a_question_carries_nothing_but_its_name(stage, asked):
    """Neither its letters' case, nor options, nor anything behind it reaches the name server of the machine."""
    option = "00002904d00000000000" + "0c" + "fde80008" + b"the-data".hex()
    mixed, dressed = ask(stage, [{"name": "GiTlAb.ExAmPlE.cOm"}, {"raw": raw("aPi.example.com", more=option,
                                                                            counts="0001000000000001")}])
    assert mixed["addresses"] == ["10.77.0.2"] and dressed["addresses"] == ["10.77.0.3"]
    seen = asked()
    assert {a["name"] for a in seen} == {"gitlab.example.com", "api.example.com"}
    assert {a["rest"] for a in seen} == {""} and {a["head"] for a in seen} == {"01000001000000000000"}


def test_odd_questions_for_an_allowed_name(stage, asked):
    """A name that may be asked for, in a form in which it may not."""
    record = "c00c00010001000000050004" + "0a4d0009"
    answers = ask(stage, [{"raw": r} for r in (
        raw("gitlab.example.com", klass=3), raw("gitlab.example.com", klass=255), raw("gitlab.example.com", more="00"),
        raw("gitlab.example.com", more=record, counts="0001000100000000"),
        raw("gitlab.example.com", more=record, counts="0001000000010000"),
        raw("gitlab.example.com", more=record, counts="0001000000000001"),
        raw("gitlab.example.com", counts="0000000000000000"), raw("gitlab.example.com").replace("00070100", "00071100"),
        raw("gitlab.example.com").replace("00070100", "00070300"))])
    assert [a["rcode"] for a in answers] == [4, 4, 1, 1, 1, 1, 1, 4, 1]
    assert all(a["addresses"] == [] for a in answers)
    assert asked() == []


def test_ids_and_ports_cannot_be_guessed(stage, asked):
    names = [f"guess-{i}.wild.example.com" for i in range(12)]
    ask(stage, [{"name": n} for n in names])
    seen = [a for a in asked() if a["proto"] == "udp"]
    ids, ports = [a["id"] for a in seen], [a["port"] for a in seen]
    assert {a["name"] for a in seen} == set(names)
    assert len(set(ids)) > len(ids) * 3 // 4
    assert len({b - a for a, b in zip(ids, ids[1:])}) > len(ids) // 2  # nor do they count
    assert len(set(ports)) > len(names) // 2
    assert len({b - a for a, b in zip(ports, ports[1:])}) > len(names) // 4


def test_several_questions_on_one_connection(stage, asked):
    names = ["gitlab.example.com", "evil.example.net", "api.example.com", "nowhere.example.com"]
    (answers,) = ask(stage, [{"tcp_stream": names}])
    assert [a["id"] for a in answers] == [0, 1, 2, 3]
    assert [a["addresses"] for a in answers] == [["10.77.0.2"], ["192.0.2.1"], ["10.77.0.3"], []]
    assert answers[3]["rcode"] == 3


def test_too_long_for_a_datagram(stage, asked):
    small, large, stream = ask(stage, [{"name": nameserver.LONG, "type": 28}, {"name": nameserver.LONG, "type": 28, "edns": True},
                                       {"name": nameserver.LONG, "type": 28, "proto": "tcp"}])
    assert small["tc"] and small["addresses"] == [] and small["size"] <= 512
    assert not large["tc"] and len(large["addresses"]) == 16
    assert not stream["tc"] and len(stream["addresses"]) == 16


def test_resolver_that_misbehaves(stage, asked):
    truncated, empty, nowhere, broken, silent, liar = ask(stage, [
        {"name": n + ".example.com", "timeout": 20} for n in ("truncated", "empty", "nowhere", "broken", "silent", "liar")])
    assert truncated["addresses"] == ["10.77.0.2"]
    assert {a["proto"] for a in asked() if a["name"] == "truncated.example.com"} == {"udp", "tcp"}
    assert (empty["rcode"], empty["addresses"]) == (0, [])
    assert nowhere["rcode"] == 3
    assert broken["rcode"] == 2 and silent["rcode"] == 2 and liar["rcode"] == 2


@pytest.mark.parametrize("name,status,code", [("mixed", 403, "address_refused"), ("metadata", 403, "address_refused"),
                                              ("mapped", 403, "address_refused"), ("translated", 403, "address_refused"),
                                              ("inside.wild", 403, "address_refused"),
                                              ("inside6.wild", 403, "address_refused"),
                                              ("both.wild", 403, "address_refused"), ("nowhere", 502, "name_not_found"),
                                              ("empty", 502, "name_no_address"),
                                              ("broken", 502, "name_failed"), ("silent", 504, "name_timeout"),
                                              ("liar", 504, "name_timeout")])
def test_the_proxy_looks_names_up_itself(stage, asked, name, status, code):
    """The program dials whatever it likes; the worker asks for the route's own name."""
    host = name + ".example.com"
    result = stage.run(policy(stage), "curl", "-sS", "--resolve", f"{host}:443:10.77.0.4", f"https://{host}/")
    body = json.loads(result.stdout)
    assert (body["status"], body["code"]) == (status, code)
    assert stage.requests() == []


def test_a_range_in_the_entry_lets_a_wildcard_inside(stage, asked):
    """The certificate has another name, so what comes is the complaint about it: the address was dialled."""
    host = "inside.named.example.com"
    result = stage.run(policy(stage), "curl", "-sS", "--resolve", f"{host}:443:10.77.0.4", f"https://{host}/")
    assert json.loads(result.stdout)["code"] == "upstream_cert_name"


def test_programs_resolve_as_ever(stage, asked):
    program = ("import socket, json; print(json.dumps(sorted({a[4][0] for a in socket.getaddrinfo('gitlab.example.com', 443,"
               " proto=6, flags=socket.AI_ADDRCONFIG)})))")
    result = stage.run(policy(stage), st.PYTHON, "-c", program)
    assert json.loads(result.stdout) == ["10.77.0.2", "fd77::2"], result.stderr
    body = json.loads(stage.run(policy(stage), "curl", "-sS", "https://evil.example.net/drop").stdout)
    assert (body["status"], body["code"]) == (403, "host_not_allowed")
    assert stage.run(policy(stage), "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}",
                     "https://gitlab.example.com/x").stdout == "200"
    assert "evil.example.net" not in {a["name"] for a in asked()}


@pytest.mark.skipif(not shutil.which("getent"), reason="getent is part of every Debian")
def test_getent(stage, asked):
    result = stage.run(policy(stage), "getent", "ahosts", "gitlab.example.com")
    assert "10.77.0.2" in result.stdout and "fd77::2" in result.stdout


