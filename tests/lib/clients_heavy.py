# SPDX-License-Identifier: Apache-2.0
"""Clients that take a compiler, a download or minutes: the suite `check-clients`, not part of `check`.

tests/clients/build puts what a script calls TOOLS in place. The registries are the tests' own, below /files/.
"""
import stage as st
from clients import HOST, MRS, OWN_ROOTS, URL, Row

FILES = (("GET", "/files/**"),)
PYTHON = f"PYTHONPATH=TOOLS/python {st.PYTHON}"
PIP = "-m pip install -q --no-cache-dir --disable-pip-version-check --target . --index-url " + URL + "/files/pip/simple bridletest &&" \
    f" {st.PYTHON} -c 'import bridletest'"
CARGO = f"""PATH=TOOLS/rust/bin:$PATH; mkdir src && echo 'fn main() {{}}' >src/main.rs && cat >Cargo.toml <<'END' &&
[package]
name = "user"
version = "0.0.0"
[dependencies]
bridletest = {{ version = "1", registry = "test" }}
END
cargo --config 'registries.test.index="sparse+{URL}/files/cargo/index/"' -q generate-lockfile && cat Cargo.lock &&
cargo --config 'registries.test.index="sparse+{URL}/files/cargo/index/"' -q fetch --locked && cat .cargo/registry/src/*/*/src/lib.rs"""
AWS = "AWS_ACCESS_KEY_ID=placeholder AWS_SECRET_ACCESS_KEY=placeholder AWS_DEFAULT_REGION=test-1 /usr/bin/aws"
GET_PYTHON = PYTHON + " -c 'import {0}; print({0}.__version__, {0}.get(\"" + MRS + "\").status_code)'"
VERSION_PYTHON = PYTHON + " -c 'import {0}; print({0}.__version__)'"

HEAVY = (
    Row("Go net/http", "go version", f"TOOLS/get-go {MRS}", "200"),
    Row("Java HttpClient", "java --version", f"java -cp TOOLS Get {MRS}", "200"),
    Row("Rust reqwest, native roots", "grep -A 1 'name = \"reqwest\"' TOOLS/.rust/Cargo.lock", f"TOOLS/get-rust native {MRS}", "200"),
    Row("Rust reqwest, webpki-roots", "grep -A 1 'name = \"reqwest\"' TOOLS/.rust/Cargo.lock", f"TOOLS/get-rust webpki {MRS}", "UnknownIssuer",
        finds="no store", refused=OWN_ROOTS),
    Row("Python requests, with certifi", VERSION_PYTHON.format("requests"), GET_PYTHON.format("requests"), "200", finds="REQUESTS_CA_BUNDLE"),
    Row("Python httpx, with certifi", VERSION_PYTHON.format("httpx"), GET_PYTHON.format("httpx"), "200", finds="SSL_CERT_FILE"),
    Row("pip, Debian's", st.PYTHON + " -m pip --version", f"{st.PYTHON} {PIP}", "of the wheel", allow=FILES),
    Row("pip", PYTHON + " -m pip --version", f"{PYTHON} {PIP}", "of the wheel", allow=FILES),
    Row("npm", "npm --version", f"npm install --registry {URL}/files/npm bridletest >&2 && node -e 'require(\"bridletest\")'", "of the tarball",
        allow=FILES, finds="NPM_CONFIG_CAFILE"),
    Row("cargo", "TOOLS/rust/bin/cargo --version", CARGO, "of the crate", allow=FILES),
    Row("gh", "gh --version", f"GH_HOST={HOST} gh api repos/owner/name", "merge me", allow=(("GET", "/api/v3/repos/*/*"),),
        credential=(("credential_format", "token {}"), ("env_var", "GH_ENTERPRISE_TOKEN"))),
    Row("AWS CLI", "/usr/bin/aws --version", f"{AWS} dynamodb list-tables --endpoint-url {URL}/files/aws", "of-the-server",
        allow=(("POST", "/files/**"),)),
)
