# SPDX-License-Identifier: Apache-2.0
"""Programs of agents, as npm installs them: a whole prompt under the API's real name, with a key that they never hold."""
import json
import os
import shutil
import subprocess

import pytest

import stage as st

ADDRESS = "10.77.0.27"
PROMPT, ANSWER = "say pong", "PONG-FROM-THE-SERVER"
PLACEHOLDER = "bridle-placeholder"
TABLE = os.path.join(st.ROOT, "docs", "compatibility-agents.md")
HEAD = """# Programs of agents under bridle

Made by `make check-agents`: each program, unchanged, was given a whole prompt in `bridle run` with the policy below its row's
host. bridle put the key in; inside there was a placeholder only. Whatever else the program wanted to reach was refused.
A host of its own in "asked besides": other paths than the policy's.

| program | version | host | key in | how it finds our CA | settings it needs | asked for besides | result |
|---|---|---|---|---|---|---|---|
"""

# name: package, program, host, (header, "before the key"), variable, allowed path, arguments, files in HOME, environment, CA
AGENTS = {
    "Claude Code": {
        "package": "@anthropic-ai/claude-code", "program": "claude", "host": "api.anthropic.com", "header": ("x-api-key", ""),
        "variable": "ANTHROPIC_API_KEY", "path": "/v1/messages", "arguments": ["-p", PROMPT],
        "files": {}, "environment": {}, "ca": "`NODE_EXTRA_CA_CERTS`", "needs": "none"},
    "Codex CLI": {
        "package": "@openai/codex", "program": "codex", "host": "api.openai.com", "header": ("authorization", "Bearer "),
        "variable": "CODEX_API_KEY", "path": "/v1/responses", "arguments": ["exec", "--skip-git-repo-check", PROMPT],
        "files": {}, "environment": {}, "ca": "`CODEX_CA_CERTIFICATE`", "needs": "none"},
    "Gemini CLI": {
        "package": "@google/gemini-cli", "program": "gemini", "host": "generativelanguage.googleapis.com",
        "header": ("x-goog-api-key", ""), "variable": "GEMINI_API_KEY", "path": "/v1beta/models/**",
        "arguments": ["--skip-trust", "-m", "gemini-2.5-flash", "-p", PROMPT],
        "files": {".gemini/settings.json": {"security": {"auth": {"selectedType": "gemini-api-key"}}}},
        "environment": {}, "ca": "`NODE_EXTRA_CA_CERTS`", "needs": "`selectedType` in its settings.json"},
}
SECRETS = {name: f"real-key-{os.urandom(16).hex()}" for name in AGENTS}
ROWS = {}

# Runs the program, then searches what is inside for the key: it is handed in encoded, so that it is not found in here.
INSIDE = """
import os, subprocess, sys
key, argv = bytes.fromhex(sys.argv[1])[::-1], sys.argv[2:]
run = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True)
places = [("stdout", run.stdout), ("stderr", run.stderr)]
places += [("environment", b"=".join(x)) for x in os.environb.items()]
for top in (os.environ["HOME"], "/vault"):
    for where, _, names in os.walk(top):
        for name in names:
            try:
                with open(os.path.join(where, name), "rb") as f:
                    places.append((os.path.join(where, name), f.read()))
            except OSError:
                pass
found = [name for name, what in places if key in what]
sys.stdout.buffer.write(run.stdout)
sys.stderr.buffer.write(run.stderr)
print("SEARCHED", len(places), "FOUND", found)
sys.exit(run.returncode)
"""


@pytest.fixture(scope="module")
def apis(stage):
    inside = ["nsenter", "-t", str(stage.servers), "-n"]
    st.sh(*inside, "ip", "addr", "add", ADDRESS + "/24", "dev", "eth0")
    hosts = [a["host"] for a in AGENTS.values()]
    stage.certify("llm", [f"DNS:{h}" for h in hosts])
    for name, agent in AGENTS.items():
        with open(f"{st.SECRET_DIR}/{agent['program']}", "w", encoding="ascii") as f:
            f.write(SECRETS[name] + "\n")
        os.chmod(f"{st.SECRET_DIR}/{agent['program']}", 0o600)
    keys = {a["host"]: [a["header"][0], a["header"][1] + SECRETS[n]] for n, a in AGENTS.items()}
    log = stage.dir + "/llm.jsonl"
    stage.spawn(*inside, st.PYTHON, st.ROOT + "/tests/lib/llm_server.py", stage.dir + "/llm.pem", stage.dir + "/llm.key", log,
                json.dumps(keys), ADDRESS, ready="ready")
    # the checkout may be for root alone; the mount is this test's namespace's
    programs = stage.inside + "/agents"
    os.mkdir(programs)
    st.sh("mount", "--bind", os.environ["BRIDLE_AGENTS"], programs)
    yield log
    st.sh("umount", programs)


def policy(stage, agent):
    credential = {"upstream": "https://" + agent["host"], "credential_key": f"file://{st.SECRET_DIR}/{agent['program']}",
                  "inject_header": agent["header"][0], "credential_format": agent["header"][1] + "{}",
                  "env_var": agent["variable"]}
    paths = [{"method": "POST", "path": agent["path"]}]
    return stage.policy(base={"custom_credentials": {agent["program"]: credential},
                              "network": {"allow_domain": [{"host": agent["host"] + ":443", "paths": paths}]}},
                        extra={"network": {"resolve": {agent["host"]: [ADDRESS]}}})


def home(stage, agent):
    path = f"{stage.inside}/home-{agent['program']}"
    os.makedirs(path + "/work")
    for name, text in agent["files"].items():
        os.makedirs(os.path.dirname(f"{path}/{name}"), exist_ok=True)
        with open(f"{path}/{name}", "w", encoding="utf-8") as f:
            json.dump(text, f)
    st.sh("chown", "-R", st.USER, path)
    return path


def version(agent):
    with open(os.path.join(os.environ["BRIDLE_AGENTS"], "node_modules", agent["package"], "package.json"), encoding="utf-8") as f:
        return json.load(f)["version"]


@pytest.mark.parametrize("name", AGENTS)
def test_a_whole_prompt(stage, apis, name):
    agent, log, before = AGENTS[name], apis, len(stage.audit())
    with open(log, "w", encoding="utf-8"):
        pass
    place = home(stage, agent)
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **agent["environment"]}
    program = f"{stage.inside}/agents/node_modules/.bin/{agent['program']}"
    # bridle gives the user's own HOME; that of the tests' user is no place to write
    result = stage.run(policy(stage, agent), "env", "HOME=" + place, st.PYTHON, "-c", INSIDE, SECRETS[name].encode()[::-1].hex(), program,
                       *agent["arguments"], env=env, cwd=place + "/work", timeout=180)
    shutil.rmtree(place)
    records = stage.audit()[before:]
    refused = sorted({r["host"] for r in records if r.get("decision") == "refuse" and r.get("host")})
    with open(log, encoding="utf-8") as f:
        asked = [json.loads(line) for line in f]
    print(result.stdout[-1500:], result.stderr[-1500:], *asked, refused, sep="\n")
    assert result.returncode == 0 and ANSWER in result.stdout
    assert "SEARCHED" in result.stdout and result.stdout.rstrip().endswith("FOUND []")
    assert any(a["prompt"] for a in asked)
    header, before_key = agent["header"]
    for a in asked:  # also those that were not the prompt
        assert a["host"] == agent["host"] and a["credentials"] == {header: before_key + SECRETS[name]}, a
        assert PLACEHOLDER not in json.dumps(a)
    allowed = [r for r in records if r["kind"] == "exchange" and r.get("decision") == "allow"]
    assert len(allowed) == len(asked) and {r["host"] for r in allowed} == {agent["host"]}
    assert refused, "the program tried nothing else, which makes this test weaker than it was"
    ROWS[name] = [name, version(agent), agent["host"], f"`{agent['variable']}`", agent["ca"], agent["needs"],
                  ", ".join(refused) or "nothing", "works"]


def test_a_wrong_key_does_not_work(stage, apis):
    """The server is no rubber stamp: another key is heard and refused. The program would try for minutes; 10 s are enough."""
    with open(apis, "w", encoding="utf-8"):
        pass
    agent = AGENTS["Claude Code"]
    with open(f"{st.SECRET_DIR}/{agent['program']}", "w", encoding="ascii") as f:
        f.write("another key\n")
    place = home(stage, agent)
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    result = stage.run(policy(stage, agent), "env", "HOME=" + place, "timeout", "10", f"{stage.inside}/agents/node_modules/.bin/claude", "-p", PROMPT, env=env,
                       cwd=place + "/work", timeout=180, stdin=subprocess.DEVNULL)
    shutil.rmtree(place)
    assert result.returncode != 0 and ANSWER not in result.stdout
    with open(apis, encoding="utf-8") as f:
        assert {json.loads(line)["credentials"].get("x-api-key") for line in f} == {"another key"}


def test_the_table_is_what_was_seen():
    text = HEAD + "".join("| " + " | ".join(ROWS.get(n, [n, "FAILED"])) + " |\n" for n in AGENTS)
    if os.environ.get("BRIDLE_WRITE_TABLES"):
        with open(TABLE, "w", encoding="utf-8") as f:
            f.write(text)

    def sure(table):
        """All but what was asked for besides: of that, programs are not always in time for everything."""
        return [line.split("|")[:7] + line.split("|")[8:] for line in table.splitlines()]

    with open(TABLE, encoding="utf-8") as f:
        assert sure(f.read()) == sure(text), "run it with BRIDLE_WRITE_TABLES=1"
