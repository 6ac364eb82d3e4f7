# SPDX-License-Identifier: Apache-2.0
"""What the command finds in its environment: every ecosystem's roots, who its user is, no proxy of the caller's."""
import glob
import json
import os
import pwd
import subprocess

import pytest

import stage as st

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
OURS = "/etc/ssl/certs/bridle-ca.pem"

# variable of an ecosystem -> what it must hold. Named here again, so that a row that is lost is missed.
ROOTS = {
    **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "CARGO_HTTP_CAINFO", "PIP_CERT",
                     "AWS_CA_BUNDLE", "NIX_SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "NPM_CONFIG_CAFILE",
                     "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "YARN_HTTPS_CA_FILE_PATH", "HTTPLIB2_CA_CERTS"), BUNDLE),
    **dict.fromkeys(("NODE_EXTRA_CA_CERTS", "DENO_CERT", "CODEX_CA_CERTIFICATE"), OURS),
    "SSL_CERT_DIR": "/etc/ssl/certs", "NODE_USE_SYSTEM_CA": "1", "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1",
    "DENO_TLS_CA_STORE": "system,mozilla",
}

# Run inside: the environment, and where the sandbox's certificate and the machine's are.
PROGRAM = f"""
import glob, json, os, ssl
def certificates(path):
    return {{ssl.PEM_cert_to_DER_cert("-----BEGIN CERT" + x) for x in open(path).read().split("-----BEGIN CERT")[1:]}}
ours, bundle = certificates({OURS!r}), certificates({BUNDLE!r})
linked = set().union(*(certificates(x) for x in glob.glob("/etc/ssl/certs/*.[0-9]")))
print(json.dumps({{"env": dict(os.environ), "ours": len(ours), "in bundle": ours < bundle, "bundle": len(bundle),
                  "ours linked": ours < linked, "linked": len(linked), "dir": sorted(os.listdir("/etc/ssl/certs"))}}))
"""

CALLER = {"https_proxy": "http://user:word@127.0.0.1:4711/", "HTTP_PROXY": "http://proxy.example.com:4712", "all_proxy": "socks5://h:1",
          "no_proxy": "*", "npm_config_cafile": "/corp.pem", "SSL_CERT_FILE": "/corp.pem", "NODE_EXTRA_CA_CERTS": "/corp.pem",
          "SUDO_COMMAND": "x", "KEPT": "as it is", "HOME": "/nowhere", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/false"}


@pytest.fixture(scope="module")
def inside(stage):
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("SUDO_")}, **CALLER}
    result = stage.run(stage.policy(), st.PYTHON, "-c", PROGRAM, env=env)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", ROOTS)
def test_roots_of_every_ecosystem(inside, name):
    assert inside["env"].get(name) == ROOTS[name]


def test_roots_of_java(inside):
    assert "-Djavax.net.ssl.trustStore=/etc/ssl/certs/bridle-cacerts.jks" in inside["env"]["JAVA_TOOL_OPTIONS"]


def test_the_bundle_is_the_machines_and_ours(inside):
    with open(BUNDLE, encoding="ascii") as f:
        machine = len(set(f.read().split("-----BEGIN CERTIFICATE-----")[1:]))
    assert inside["ours"] == 1 and inside["in bundle"] and inside["bundle"] == machine + 1
    assert inside["ours linked"] and inside["linked"] == len({os.path.realpath(x) for x in glob.glob("/etc/ssl/certs/*.[0-9]")}) + 1
    kept = [x for x in os.listdir("/etc/ssl/certs") if os.path.isdir("/etc/ssl/certs/" + x) and not os.path.islink("/etc/ssl/certs/" + x)]
    assert set(kept) <= set(inside["dir"])


def test_resolv_conf_is_ours(stage):
    lines = stage.run(stage.policy(), "grep", "-v", "^#", "/etc/resolv.conf").stdout.splitlines()
    assert [x.split()[0] for x in lines] == ["nameserver", "options"] and lines[1] == "options ndots:1"


def test_nothing_of_the_callers_roots_and_proxies(inside):
    text = json.dumps(inside["env"])
    assert [x for x in ("corp.pem", "4711", "4712", "socks5", "no_proxy", "NO_PROXY", "SUDO_", "user:word") if x in text] == []


def test_who_it_is(inside):
    user = pwd.getpwnam(st.USER)
    env = inside["env"]
    assert (env["HOME"], env["USER"], env["LOGNAME"], env["SHELL"]) == (user.pw_dir, st.USER, st.USER, user.pw_shell)
    assert env["KEPT"] == "as it is"


def test_proxy_ports_of_the_caller_are_served(stage):
    """A program that has the address of the caller's proxy in a file of its own still gets through, and by the same rules."""
    env = {**os.environ, "https_proxy": "http://127.0.0.1:4711/"}
    for proxy, want in (("http://127.0.0.1:4711", "200"), ("http://proxy.example.com:4711", "200"), ("http://127.0.0.1:4712", "000")):
        result = stage.run(stage.policy(), "curl", "-sS", "--proxy", proxy, "-o", "/dev/null", "-w", "%{http_code}",
                           "https://gitlab.example.com/api/v4/projects/7/merge_requests", env=env)
        assert result.stdout == want, (proxy, result.stderr)


def sudo(stage, uid, path, *options):
    """As under sudo: SUDO_UID, root's PATH, and a process of that name above us whose environment has the shell's."""
    program = os.path.join(stage.dir, "sudo")
    with open(program, "w", encoding="ascii") as f:
        f.write('#!/bin/sh\nPATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"\n')
    os.chmod(program, 0o755)
    argv = [program, st.BRIDLE, "run", *options, "--policy", stage.policy(), "--audit", stage.dir + "/audit.jsonl", "--",
            "/bin/sh", "-c", "id -u; id -G; echo $HOME $USER $SHELL; echo $PATH; echo ${SUDO_UID-none}"]
    env = {"PATH": path, "SUDO_UID": str(uid), "SUDO_GID": "0", "SUDO_USER": "root", "HOME": "/root", "SHELL": "/bin/bash"}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=env)


def test_under_sudo_it_is_the_caller(stage):
    user = pwd.getpwnam(st.USER)
    result = sudo(stage, user.pw_uid, "/opt/of/the/shell:/usr/bin:/bin")
    lines = result.stdout.splitlines()
    assert result.returncode == 0, result.stderr
    assert lines[0] == str(user.pw_uid) and "0" not in lines[1].split()
    assert lines[2:] == [f"{user.pw_dir} {st.USER} {user.pw_shell}", "/opt/of/the/shell:/usr/bin:/bin", "none"]


def test_sudo_from_root_is_a_root_shell(stage):
    result = sudo(stage, 0, "/usr/bin:/bin")
    assert result.returncode == 125 and "--user NAME" in result.stderr
    assert sudo(stage, 0, "/usr/bin:/bin", "--user", st.USER).returncode == 0
    assert "4294967000" in sudo(stage, 4294967000, "/usr/bin:/bin").stderr


ROOTLIKE = ("docker", "lxd", "libvirt", "disk", "kvm", "incus", "incus-admin", "root")


def test_groups_that_are_as_good_as_root_are_left_out(stage):
    with open("/etc/group", encoding="utf-8") as f:
        lines = [x for x in f.read().splitlines() if x.split(":")[0] not in (*ROOTLIKE, "ordinary")]
    lines += [f"{name}:x:{0 if name == 'root' else 7000 + n}:{st.USER}" for n, name in enumerate((*ROOTLIKE, "ordinary"))]
    groups = os.path.join(stage.dir, "group")
    with open(groups, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    os.chmod(groups, 0o644)
    argv = ["unshare", "--mount", "sh", "-c", f"mount --bind {groups} /etc/group && id -Gn {st.USER} && exec \"$@\"", "sh", st.BRIDLE, "run",
            "--user", st.USER, "--policy", stage.policy(), "--audit", stage.dir + "/audit.jsonl", "--", "id", "-Gn"]
    outside, inside = subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines()
    assert set(ROOTLIKE) <= set(outside.split())
    assert "ordinary" in inside.split() and not set(ROOTLIKE) & set(inside.split())


def test_placeholders_and_secrets_of_the_caller(stage):
    """A program that insists on a key starts with a harmless one; what the policy injects from a variable is not inside."""
    def credential(host, **more):
        return {"upstream": f"https://{host}", "inject_header": "PRIVATE-TOKEN", **more}

    policy = stage.policy(base={"custom_credentials": {
        "gitlab": credential("gitlab.example.com", credential_key="file://" + st.SECRET_FILE, env_var="GITLAB_TOKEN"),
        "later": credential("api.example.com", credential_key="env://REAL_TOKEN")}})
    script = ("echo $GITLAB_TOKEN ${REAL_TOKEN-gone}; tr '\\0' '\\n' </proc/1/environ 2>/dev/null | grep -c TOKEN;"
              "curl -sS -o /dev/null -w '%{http_code}' -H \"PRIVATE-TOKEN: $GITLAB_TOKEN\" https://gitlab.example.com/x")
    result = stage.run(policy, "sh", "-c", script, env={**os.environ, "GITLAB_TOKEN": "of-the-caller", "REAL_TOKEN": "real"})
    assert result.stdout.splitlines() == ["bridle-placeholder gone", "0", "200"], result.stderr
    assert [v for k, v in stage.requests()[0]["headers"] if k.lower() == "private-token"] == [stage.secret]
