# SPDX-License-Identifier: Apache-2.0
"""Servers that reset, stall, lie about lengths or speak too early: each ends in a code, none in a whole-looking lie."""
import json
import os

import pytest

import stage as st

ADDRESS, HOST = "10.77.0.7", "gitlab.example.com"
# behaviour of tests/lib/badserver.py -> (code of the 502 body | "ok" and so on, as curl sees it)
WHOLE = {"fine": "ok", "slow": "slow", "hints_then_answer": "ok", "goodbye_until_end": "all of it", "whole_then_close": "ok",
         "whole_then_reset": "ok", "eager": "bye"}
CODES = {"reset": "upstream_closed", "close_silently": "upstream_closed", "close_in_head": "upstream_closed",
         "garbage": "upstream_malformed", "endless_head": "upstream_malformed", "many_informational": "upstream_malformed",
         "switches": "upstream_malformed", "reset_in_head": "upstream_closed", "goodbye_at_once": "upstream_closed",
         "goodbye_in_head": "upstream_closed", "spoilt_before_head": "upstream_tls"}
# begun, and then one of these: what the record says
CUT = {"reset_in_body": "upstream_closed", "close_in_body": "upstream_closed", "goodbye_in_body": "upstream_closed",
       "close_in_chunk": "upstream_closed", "goodbye_in_chunk": "upstream_closed", "reset_in_chunk": "upstream_closed",
       "close_in_size": "upstream_closed", "goodbye_before_last": "upstream_closed", "goodbye_in_last": "upstream_closed",
       "close_in_last": "upstream_closed", "reset_in_last": "upstream_closed", "close_until_end": "upstream_closed",
       "reset_until_end": "upstream_closed", "bad_chunk": "upstream_malformed", "long_chunk": "upstream_malformed",
       "spoilt_in_body": "upstream_tls"}
VERSIONS = ("--http1.1", "--no-alpn --http1.0")
ALL = [*WHOLE, *CODES, *CUT, "early"]


@pytest.fixture(scope="module")
def servers(stage):
    inside = ["nsenter", "-t", str(stage.servers), "-n"]
    st.sh(*inside, "ip", "addr", "add", ADDRESS + "/24", "dev", "eth0")
    certificate = f"{stage.dir}/{HOST}"
    stage.spawn(*inside, st.PYTHON, st.ROOT + "/tests/lib/badserver.py", ADDRESS,
                *(f"{name}={7100 + i}:{certificate}:{name}" for i, name in enumerate(ALL)), ready="ready")


@pytest.fixture(scope="module")
def policy(stage, servers):
    path = os.path.join(stage.dir, "bad-networks.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"network": {"allow_domain": [f"{HOST}:{7100 + i}" for i in range(len(ALL))], "resolve": {HOST: [ADDRESS]}},
                   "custom_credentials": {name: {"upstream": f"https://{HOST}:{7100 + i}", "inject_header": "X-Key",
                                                 "credential_key": "file://" + st.SECRET_FILE} for i, name in enumerate(ALL)},
                   "tls": {"trust": [stage.dir + "/ca.pem"]}}, f)
    return path


def fetch(stage, policy, name, *options):
    """Whatever the server does, the credential that it was sent stays out of what the program sees, and of the record."""
    result = stage.run(policy, "curl", "-sS", *options, url(name))
    record = [r for r in stage.audit() if r["kind"] == "exchange"][-1]
    assert stage.secret not in result.stdout + result.stderr + json.dumps(record)
    assert record["credential"] == name
    return result, record


def url(name):
    return f"https://{HOST}:{7100 + ALL.index(name)}/"


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_passes(stage, policy, name):
    result, record = fetch(stage, policy, name)
    assert (result.returncode, result.stdout, record["code"]) == (0, WHOLE[name], "allowed")


@pytest.mark.parametrize("name", CODES)
def test_codes(stage, policy, name):
    result, record = fetch(stage, policy, name)
    body = json.loads(result.stdout)
    assert (body["status"], body["code"]) == (502, CODES[name])
    assert (record["code"], record["id"]) == (CODES[name], body["instance"])


@pytest.fixture(scope="module")
def cut(stage, policy):
    """All of them in one sandbox; {name: (lines of two curls, their exit status last, and the records)}."""
    script = "".join(f"curl -sS {version} {url(name)}; echo \" $?\"; " for name in CUT for version in VERSIONS)
    result = stage.run(policy, "sh", "-c", script)
    records = [r for r in stage.audit() if r["kind"] == "exchange"][-2 * len(CUT):]
    assert stage.secret not in result.stdout + result.stderr + json.dumps(records)
    lines = result.stdout.splitlines()
    assert len(lines) == len(records) == 2 * len(CUT), result.stderr
    return {name: (lines[2 * i:2 * i + 2], records[2 * i:2 * i + 2]) for i, name in enumerate(CUT)}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_answer_is_cut(cut, name):
    """Also for a program of HTTP/1.0, which knows only the end of the connection as the end of an answer."""
    lines, records = cut[name]
    assert all(line.startswith("some") and not line.endswith((" 0", " 125")) for line in lines), lines
    assert "evil" not in "".join(lines)
    assert [(r["code"], r["credential"]) for r in records] == [(CUT[name], name)] * 2


def test_an_early_answer_arrives(stage, policy):
    """The server answers 413 and reads no more while the body is still on its way."""
    program = ("import os, http.client as h; c = h.HTTPSConnection('%s', %d, timeout=20);"
               "c.putrequest('POST', '/'); c.putheader('Content-Length', str(8 << 20)); c.endheaders()\n"
               "try:\n"
               "    for _ in range(128): c.send(bytes(65536))\n"
               "except OSError: pass\n"
               "r = c.getresponse(); print(r.status, r.read())" % (HOST, 7100 + ALL.index("early")))
    result = stage.run(policy, st.PYTHON, "-c", program)
    assert result.stdout.strip() == "413 b'big'", result.stderr


def test_the_next_request_is_fine(stage, policy):
    """A broken server leaves nothing behind in the worker."""
    script = "; ".join(f"curl -sS -o /dev/null {url(n)}" for n in CODES) + f"; curl -sS {url('fine')}"
    assert stage.run(policy, "sh", "-c", script).stdout == "ok"
