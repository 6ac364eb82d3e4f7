# SPDX-License-Identifier: Apache-2.0
"""The audit: one record for each exchange and each refused connection, chained, in a file that nobody inside can reach."""
import collections
import hashlib
import json
import os
import signal
import stat
import subprocess
import time

import pytest

import stage as st
from test_roles import roles

ALLOW = {"network": {"allow_domain": [{"host": "gitlab.example.com", "paths": [{"method": "GET", "path": "/ok/**"}]}]}}
URL = "https://gitlab.example.com"


def lines_of(path):
    with open(path, "rb") as f:
        return f.read().splitlines()


def broken_links(path):
    """What `prev`, `seq` and `before` say that is not so, in any chain of the file."""
    last, wrong, known = {}, [], set()
    for line in lines_of(path):
        r = json.loads(line)
        seq, digest = last.get(r["chain"], (-1, "0" * 64))
        if (r["v"], r["seq"], r["prev"]) != (1, seq + 1, digest):
            wrong.append(r)
        if r["kind"] == "chain" and r.get("before") and r["before"] not in known:
            wrong.append(r)
        last[r["chain"]] = (r["seq"], hashlib.sha256(line).hexdigest())
        known.add(f"{r['chain']} {last[r['chain']][1]}")
    return wrong


def run(stage, audit, *command, policy=None, **kwargs):
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", policy or stage.policy(base=ALLOW), "--audit", audit, "--", *command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, **kwargs)


TRIES = r"""
import socket, ssl, subprocess
def curl(*argv): subprocess.run(["curl", "-sS", "-m", "10", "-o", "/dev/null", *argv], capture_output=True)
def errno(what):
    try: what()
    except OSError as e: return e.errno
url = "https://gitlab.example.com"
curl(url + "/ok/1", url + "/ok/2?secret=s3cret&x=1"); curl("-X", "DELETE", url + "/ok/3"); curl("--path-as-is", url + "/a/../b")
curl("https://evil.example.com/drop"); curl("-H", "Host: api.example.com", url + "/ok/4")
errno(lambda: socket.create_connection(("10.77.0.2", 9999), 5))
errno(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("10.77.0.2", 9)))
s = socket.create_connection(("10.77.0.2", 443), 5); s.sendall(b"\0\1\2\3"); s.recv(10); s.close()
"""


def test_each_has_its_record(stage):
    path = stage.dir + "/audit-each.jsonl"
    run(stage, path, st.PYTHON, "-c", TRIES)
    records = [json.loads(x) for x in lines_of(path)]
    exchanges = [(r["method"], r["path"], r["code"], r.get("status")) for r in records if r["kind"] == "exchange"]
    assert exchanges == [("GET", "/ok/1", "allowed", 200), ("GET", "/ok/2", "allowed", 200),
                         ("DELETE", "/ok/3", "method_not_allowed", 403), ("GET", "/a/../b", "path_dot_segment", 400),
                         ("GET", "/drop", "host_not_allowed", 403), ("GET", "/ok/4", "identity_mismatch", 421)]
    assert [r.get("query_keys") for r in records if r.get("path") == "/ok/2"] == ["secret,x"]
    assert b"s3cret" not in b"".join(lines_of(path))
    ids = [r["id"] for r in records if r["kind"] == "exchange"]
    assert len(set(ids)) == len(ids)
    kernel = collections.Counter(r["code"] for r in records if r["kind"] == "kernel")
    assert kernel["port_not_named"] == 1 and kernel["datagram_refused"] >= 1, kernel
    connections = [r["code"] for r in records if r["kind"] == "connection"]
    assert "protocol_unknown" in connections, connections
    assert [r["code"] for r in records if r["kind"] == "dns"].count("dns_name_refused") >= 1
    for r in records:
        assert r["tier"] == "T2" and r["time"].endswith("Z") and r["sandbox"].startswith("run-")
        if r["kind"] != "chain":
            assert r["decision"] == ("allow" if r["code"] == "allowed" else "refuse") and len(r["policy"]) == 16
        if r["kind"] == "exchange":
            assert r["exe"] == "curl" and r["pid"] > 0 and r["socket_cookie"] > 0 and r["destination"].endswith(":443")
    assert broken_links(path) == []


def test_the_longest_refused_path_has_its_record(stage):
    """8000 bytes that each take two in JSON: nobody hides behind a long path."""
    path = stage.dir + "/audit-long.jsonl"
    program = ("import socket, ssl; s = ssl.create_default_context().wrap_socket(socket.create_connection(('gitlab.example.com', 443)),"
               "server_hostname='gitlab.example.com'); s.sendall(b'GET /' + bytes([92]) * 8000 + b' HTTP/1.1\\r\\nHost: "
               "gitlab.example.com\\r\\n\\r\\n'); print(s.recv(20))")
    assert "400" in run(stage, path, st.PYTHON, "-c", program).stdout
    records = [json.loads(x) for x in lines_of(path)]
    assert [(r["code"], len(r["path"])) for r in records if r["kind"] == "exchange"] == [("path_backslash", 8001)]
    assert not [r for r in records if r["kind"] == "lost"]


def test_a_tunnel_that_fails_has_its_record(stage):
    """Behind a CONNECT the program does not trust us: the refused handshake is written down, as it is without CONNECT."""
    path = stage.dir + "/audit-tunnel.jsonl"
    program = ("import socket, ssl; s = socket.create_connection(('192.0.2.9', 3128)); s.sendall(b'CONNECT gitlab.example.com:443 "
               "HTTP/1.1\\r\\nHost: gitlab.example.com:443\\r\\n\\r\\n'); s.recv(1000)\n"
               "try: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(s, server_hostname='gitlab.example.com')\n"
               "except ssl.SSLError as e: print('untrusted', e)\n")
    assert "untrusted" in run(stage, path, st.PYTHON, "-c", program).stdout
    records = [json.loads(x) for x in lines_of(path)]
    assert [r["code"] for r in records if r["kind"] == "connection"] == ["tls_handshake"]


def test_a_new_workers_chain_names_the_one_before(stage):
    path = stage.dir + "/audit-chains.jsonl"
    script = f"curl -sS -o /dev/null {URL}/ok/1; echo one; read _; sleep 1; curl -sS -m 20 -o /dev/null {URL}/ok/2; echo two; read _"
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(base=ALLOW), "--audit", path, "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout.readline() == "one\n"
        os.kill(roles(child)["worker"], signal.SIGKILL)
        child.stdin.write("\n\n")
        child.stdin.close()
        assert child.wait(30) == 0
    run(stage, path, "true")
    starts = [json.loads(x) for x in lines_of(path) if b'"kind":"chain"' in x]
    # each run has a worker, because its self-test needs one
    assert [(r["writer"], bool(r.get("before"))) for r in starts] == [
        ("kernel", False), ("worker", False), ("worker", True), ("kernel", True), ("worker", True)]
    assert broken_links(path) == []
    changed = lines_of(path)
    changed[1] = changed[1].replace(b'"tier":"T2"', b'"tier":"T1"')
    with open(path, "wb") as f:
        f.write(b"\n".join(changed) + b"\n")
    assert broken_links(path) != []  # the check can find


def test_the_default_file_is_roots_alone(stage):
    name = "audit-default"
    path = f"/var/log/bridle/{name}.jsonl"
    if os.path.exists(path):
        os.unlink(path)
    old = os.umask(0)
    try:
        argv = [st.BRIDLE, "run", "--user", st.USER, "--name", name, "--policy", stage.policy(base=ALLOW), "--", "cat", path]
        result = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    finally:
        os.umask(old)
    assert result.returncode != 0 and result.stdout == ""
    assert f"audit {path}" in result.stderr
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and os.stat(path).st_uid == 0
    assert stat.S_IMODE(os.stat("/var/log/bridle").st_mode) == 0o700
    os.unlink(path)


@pytest.mark.parametrize("role", ["worker", "bridle-keeper", "bridle-zygote"])
def test_a_sandbox_that_is_given_up_has_its_record(stage, role):
    """The third death within a minute: refused for good, said on stderr and in the audit."""
    path = f"{stage.dir}/audit-given-up-{role}.jsonl"
    loop = f"curl -sS -o /dev/null {URL}/ok/1; echo up; while read _; do curl -sS -m 20 -o /dev/null -w '%{{http_code}}\\n' {URL}/ok/1; done"
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(base=ALLOW), "--audit", path, "--", "sh", "-c", loop]

    def again(child):
        child.stdin.write("\n")
        child.stdin.flush()
        return child.stdout.readline().strip()

    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "up\n"
        for _ in range(3):
            deadline, victim = time.time() + 20, None
            while not victim and time.time() < deadline:
                victim = roles(child).get(role)
                if not victim and role == "worker":
                    again(child)
            os.kill(victim, signal.SIGKILL)
            time.sleep(1)
        stage.forget_requests()
        assert again(child) == "000" and again(child) == "000" and stage.requests() == []
        child.stdin.close()
        child.wait(30)
        assert "every connection of the sandbox is refused from now on: start the sandbox again" in child.stderr.read()
    given_up = [json.loads(x) for x in lines_of(path) if b'"code":"sandbox_failed"' in x]
    assert len(given_up) == 1 and given_up[0]["writer"] == "kernel" and "no worker is made any more" in given_up[0]["detail"]
    assert broken_links(path) == []


def test_a_full_disk_at_the_start(stage):
    where = os.path.join(stage.dir, "full")
    os.makedirs(where)
    st.sh("mount", "-t", "tmpfs", "-o", "size=16k,mode=0755", "none", where)
    try:
        subprocess.run(["dd", "if=/dev/zero", "of=" + where + "/fill", "bs=4k"], check=False, capture_output=True)
        result = run(stage, where + "/audit.jsonl", "echo", "ran")
        assert result.returncode == 125 and result.stdout == ""
        said = [x for x in result.stderr.splitlines() if x.startswith("bridle: error: ")]
        assert len(said) == 1 and where + "/audit.jsonl" in said[0] and "No space left" in said[0] and "--audit" in said[0]
    finally:
        st.sh("umount", "-l", where)


def test_a_link_at_the_path_is_refused(stage):
    link = stage.dir + "/audit-link.jsonl"
    os.symlink("/etc/passwd", link)
    size = os.stat("/etc/passwd").st_size
    result = run(stage, link, "true")
    assert result.returncode == 125 and link in result.stderr and "not a regular file" in result.stderr
    assert os.stat("/etc/passwd").st_size == size
