# SPDX-License-Identifier: Apache-2.0
"""The clients that are run unchanged inside a sandbox: one row each. `docs/compatibility.md` is made of these rows.

A row is a client, where it finds the sandbox's certificate, what it runs and what must come out. A new client is a new row.
"""
import dataclasses
import os
import re

import stage as st

HOST = "gitlab.example.com"
URL = f"https://{HOST}"
MRS = f"{URL}/api/v4/projects/7/merge_requests"
STORE = "the system's store"
OWN_ROOTS = "brings its own roots: cannot be opened"
PINS = "pins the server's key: cannot be opened"


@dataclasses.dataclass(frozen=True)
class Row:
    """`finds`: the store, or the one variable that is enough. `refused`: why the client cannot be opened, else None."""
    name: str
    version: str  # a command; the first number with a dot in its output is the version
    script: str  # what sh runs inside, in an empty directory of its own
    want: str  # in the script's output; for a refused client, in its error
    finds: str = STORE
    allow: tuple = (("GET", "/api/v4/projects/*/merge_requests"),)
    credential: tuple = (("inject_header", "PRIVATE-TOKEN"),)
    refused: str = None

    @property
    def result(self):
        return self.refused or "opened, credential put in"

    def line(self, version):
        return f"| {self.name} | {version} | {self.finds} | {self.result} |"


PYTHON_VERSION = st.PYTHON + " -c 'import {0}; print({0}.__version__)'"
NODE_GET = "node -e 'require(\"https\").get(process.argv[1], r => { console.log(r.statusCode); r.resume() })' " + MRS

CHEAP = (
    Row("curl", "curl --version", f"curl -sS -o /dev/null -w '%{{http_code}}' {MRS}", "200"),
    Row("curl --pinnedpubkey", "curl --version", f"curl -sS --pinnedpubkey sha256//PIN {MRS}", "public key", refused=PINS,
        finds="no store"),
    Row("wget", "wget --version", f"wget -q -O - {MRS}", "merge me"),
    Row("git", "git --version", f"git -c credential.helper= clone -q {URL}/git/a.git a && cat a/file", "of the first commit",
        allow=(("GET", "/git/*/info/refs"), ("POST", "/git/*/git-upload-pack"))),
    Row("openssl s_client", "openssl version",
        f"printf 'GET %s HTTP/1.1\\r\\nHost: {HOST}\\r\\nConnection: close\\r\\n\\r\\n' {MRS[len(URL):]} |"
        f"openssl s_client -quiet -verify_return_error -verify_hostname {HOST} -servername {HOST} -connect {HOST}:443",
        "200 OK"),
    Row("Python urllib", st.PYTHON + " --version",
        f"{st.PYTHON} -c 'import urllib.request as u; print(u.urlopen(\"{MRS}\").status)'", "200"),
    Row("Python requests", PYTHON_VERSION.format("requests"),
        f"{st.PYTHON} -c 'import requests; print(requests.get(\"{MRS}\").status_code)'", "200"),
    Row("Python httpx", PYTHON_VERSION.format("httpx"),
        f"{st.PYTHON} -c 'import httpx; print(httpx.get(\"{MRS}\").status_code)'", "200"),
    Row("Python aiohttp", PYTHON_VERSION.format("aiohttp"), f"""{st.PYTHON} -c '
import aiohttp, asyncio
async def main():
    async with aiohttp.ClientSession() as session, session.get("{MRS}") as response:
        print(response.status)
asyncio.run(main())'""", "200"),
    Row("Node fetch", "node --version", f"node -e 'fetch(process.argv[1]).then(r => console.log(r.status))' {MRS}", "200",
        finds="NODE_EXTRA_CA_CERTS"),
    Row("Node https", "node --version", NODE_GET, "200", finds="NODE_EXTRA_CA_CERTS"),
)


def ca_variables():
    """Every name by which bridle tells a client about its certificate."""
    with open(os.path.join(st.ROOT, "user", "cli", "env.def"), encoding="utf-8") as f:
        return re.findall(r'^ENV_(?:BUNDLE|EXTRA|SET|APPEND)\("(\w+)"', f.read(), re.M)


def policy(stage, row):
    secret = {"upstream": URL, "credential_key": "file://" + st.SECRET_FILE, **dict(row.credential)}
    lines = [{"method": method, "path": path} for method, path in row.allow]
    return stage.policy(base={"custom_credentials": {"forge": secret},
                              "network": {"allow_domain": [{"host": HOST + ":443", "paths": lines}]}})
