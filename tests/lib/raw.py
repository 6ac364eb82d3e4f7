# SPDX-License-Identifier: Apache-2.0
"""Exact bytes on both sides of bridle: a scripted server in the stage's namespace, a raw client in the sandbox."""
import json
import os
import subprocess

import stage as st

ADDRESS = "10.77.0.25"
NAMES = ("raw.example.com", "bound.example.com", "bound2.example.com")
POLICY = {
    "custom_credentials": {
        "bound": {"upstream": "https://bound.example.com", "credential_key": "file:///vault/secrets/gitlab",
                  "inject_header": "X-Raw-Key"}},
    "network": {"allow_domain": [
        {"host": "raw.example.com", "paths": [
            {"method": "*", "path": "/**"}, {"method": "*", "path": "/denied/**", "action": "deny"}]},
        {"host": "http://raw.example.com", "paths": [{"method": "*", "path": "/**"}]}]}}


def rows(name):
    with open(os.path.join(st.ROOT, "tests", "http", name), encoding="utf-8") as f:
        return json.load(f)


def text(pieces):
    """Pieces of a row as one text: strings, and {"repeat": text, "times": n}."""
    if isinstance(pieces, str):
        return pieces
    return "".join(p if isinstance(p, str) else p["repeat"] * p["times"] for p in pieces)


class Raw:
    def __init__(self, stage, scripts):
        d = self.dir = stage.dir
        self.stage = stage
        self.log = d + "/raw.jsonl"
        with open(d + "/raw.ext", "w", encoding="ascii") as ext:
            ext.write("subjectAltName=" + ",".join("DNS:" + n for n in NAMES) + "\nextendedKeyUsage=serverAuth\n")
        st.sh("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", d + "/raw.key",
              "-out", d + "/raw.csr", "-subj", "/CN=raw.example.com")
        st.sh("openssl", "x509", "-req", "-in", d + "/raw.csr", "-CA", d + "/ca.pem", "-CAkey", d + "/ca.key",
              "-CAcreateserial", "-days", "2", "-extfile", d + "/raw.ext", "-out", d + "/raw.pem")
        with open(d + "/scripts.json", "w", encoding="utf-8") as f:
            json.dump(scripts, f)
        inside = ["nsenter", "-t", str(stage.servers), "-n"]
        st.sh(*inside, "ip", "addr", "replace", ADDRESS + "/24", "dev", "eth0")
        self.server = stage.spawn(*inside, st.PYTHON, st.ROOT + "/tests/lib/rawserver.py", d + "/raw.pem", d + "/raw.key",
                                  self.log, d + "/scripts.json", ADDRESS, ready="ready")

    def close(self):
        self.server.terminate()
        self.server.wait()
        self.stage.children.remove(self.server)

    def policy(self, document=None):
        return self.stage.policy(base=document or POLICY, extra={"network": {"resolve": {n: [ADDRESS] for n in NAMES}}})

    def forget(self):
        if os.path.exists(self.log):
            os.truncate(self.log, 0)

    def events(self):
        try:
            with open(self.log, encoding="utf-8") as f:
                return [json.loads(line) for line in f]
        except FileNotFoundError:
            return []

    def launch(self, deadlines, policy, *command, **kwargs):
        """As stage.run, through the tests' launcher, with other deadlines: {name: ms}."""
        argv = [os.path.join(st.ROOT, "build", "release", "launch"), "--policy", policy, "--audit", self.dir + "/audit.jsonl",
                "--name", f"raw-{os.getpid()}", "--user", st.USER]
        for name, ms in deadlines.items():
            argv += ["--deadline", f"{name}={ms}"]
        return subprocess.run([*argv, "--", *command], capture_output=True, text=True, check=False, **kwargs)

    def client(self, jobs, policy=None, deadlines=None, **kwargs):
        """Runs jobs in one sandbox; {id: what the client saw}."""
        command = [policy or self.policy(), st.PYTHON, self.stage.inside + "/rawclient.py"]
        kwargs = {"input": json.dumps(jobs), "timeout": 600, **kwargs}
        run = self.launch(deadlines, *command, **kwargs) if deadlines else self.stage.run(*command, **kwargs)
        out = [json.loads(line) for line in run.stdout.splitlines()]
        assert len(out) == len(jobs), run.stderr
        return {line["id"]: line for line in out}

    def events_by_mark(self):
        """What the server saw, cut at the requests for /mark/ID: {id: [events]}."""
        parts, part = {}, []
        for event in self.events():
            if event["event"] == "request" and event["raw"].startswith("GET /mark/"):
                parts[event["raw"].split(" ")[1][len("/mark/"):]] = part
                part = []
            elif not (event["event"] == "head" and event["raw"].startswith("GET /mark/")):
                part.append(event)
        return parts
