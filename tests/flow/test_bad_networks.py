# SPDX-License-Identifier: Apache-2.0
"""Servers that reset, stall, lie about lengths or speak too early: each ends in a code, none in a whole-looking lie."""
import json
import os

import pytest

import stage as st

ADDRESS, HOST = "10.77.0.7", "gitlab.example.com"
# behaviour of tests/lib/badserver.py -> (code of the 502 body | "ok" and so on, as curl sees it)
WHOLE = {"fine": "ok", "slow": "slow", "hints_then_answer": "ok"}
CODES = {"reset": "upstream_closed", "close_silently": "upstream_closed", "close_in_head": "upstream_closed",
         "garbage": "upstream_malformed", "endless_head": "upstream_malformed", "many_informational": "upstream_malformed",
         "switches": "upstream_malformed"}
CUT = ("reset_in_body",)
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
                   "tls": {"trust": [stage.dir + "/ca.pem"]}}, f)
    return path


def url(name):
    return f"https://{HOST}:{7100 + ALL.index(name)}/"


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_whole_passes(stage, policy, name):
    result = stage.run(policy, "curl", "-sS", url(name))
    assert (result.returncode, result.stdout) == (0, WHOLE[name])


@pytest.mark.parametrize("name", CODES)
def test_codes(stage, policy, name):
    body = json.loads(stage.run(policy, "curl", "-sS", url(name)).stdout)
    assert (body["status"], body["code"]) == (502, CODES[name])
    record = [r for r in stage.audit() if r["kind"] == "exchange"][-1]
    assert (record["code"], record["id"]) == (CODES[name], body["instance"])


@pytest.mark.parametrize("name", CUT)
def test_a_cut_answer_is_cut(stage, policy, name):
    result = stage.run(policy, "curl", "-sS", url(name))
    assert result.returncode not in (0, 125) and "some" in result.stdout


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
