# SPDX-License-Identifier: Apache-2.0
"""Programs that do what no client does: names that are none, pipelines that nobody reads, ends in the middle, too many connections."""
import json
import os
import resource
import subprocess
import time

import pytest

import raw as rawlib
import stage as st
from test_roles import roles

HOST = "raw.example.com"
SECOND = f"GET /second HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
SCRIPTS = {"/early": ["early", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok", 1.5, "ok", {"do": "body"}],
           "/hang": [{"do": "hang"}], "/big": ["HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n", {"do": "big", "size": 64 << 20}],
           "/204": [3, "HTTP/1.1 204 No Content\r\n\r\n"]}


@pytest.fixture(scope="module")
def raw(stage):
    r = rawlib.Raw(stage, SCRIPTS)
    yield r
    r.close()


@pytest.fixture(autouse=True)
def fresh(raw, stage):
    raw.forget()
    path = stage.dir + "/audit.jsonl"
    if os.path.exists(path):
        os.unlink(path)


def code(answer):
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ")[1]), json.loads(body)["code"] if "bridle-decision" in head else None


def test_a_server_name_that_is_no_host_of_ours_agrees_with_nothing(raw):
    """"_" may stand in a certificate and not in a policy: such a name must not count as none."""
    get = f"GET /x HTTP/1.1\r\nHost: {HOST}\r\n\r\n"
    seen = raw.client([{"id": 1, "host": HOST, "sni": "a_b.example.com", "send": [get]},
                       {"id": 2, "host": HOST, "sni": "a_b.example.com", "via": ["192.0.2.9", 3128], "send": [get],
                        "connect": f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n"}])
    assert code(seen[1]["answers"][0]) == code(seen[2]["answers"][0]) == (421, "identity_mismatch")
    assert raw.events() == []


def test_a_refusal_writes_an_ipv6_address_in_brackets(raw):
    got = raw.client([{"id": 1, "host": "fd77::2", "port": 80, "tls": False, "send": ["GET /x HTTP/1.1\r\nHost: [fd77::2]\r\n\r\n"]}])[1]
    assert json.loads(got["answers"][0].partition("\r\n\r\n")[2])["host"] == "[fd77::2]:80"


def test_a_tunnel_that_fails_has_its_record(raw, stage):
    hello = "\x16\x03\x01\x00\x05hello"
    raw.client([{"id": 1, "host": HOST, "via": ["192.0.2.9", 3128], "tls": False, "send": [hello], "until_end": True,
                 "connect": f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}\r\n\r\n"}])
    got = [r for r in stage.audit() if r["kind"] == "connection"]
    assert [(r["code"], r["host"], r["port"], r["destination"]) for r in got] == [("tls_handshake", HOST, 443, "192.0.2.9:3128")]


def test_what_was_announced_as_the_last_answer_is_the_last(raw):
    """The head says close while the body is still coming; that it then comes to its end must not bring the connection back."""
    post = f"POST /early HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: a/b\r\nContent-Length: 6\r\n\r\nabc"
    got = raw.client([{"id": 1, "host": HOST, "send": [post, 0.7, "def" + SECOND], "answers": 2, "until_end": True}])[1]
    assert len(got["answers"]) == 1 and got["rest"] == "", got
    assert "connection: close\r\n" in got["answers"][0] and got["answers"][0].endswith("okok")
    assert not [e for e in raw.events() if "/second" in e.get("raw", "")]


PIPELINE = """
import socket, sys, threading, time
n, request = int(sys.argv[1]), b"GET /x HTTP/1.1\\r\\nHost: evil.example.com\\r\\n\\r\\n"
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.connect(("10.77.0.25", 80))
threading.Thread(target=lambda: s.sendall(request * n), daemon=True).start()
time.sleep(3)
got, whole = b"", 0
s.settimeout(20)
while whole < n:
    piece = s.recv(1 << 20)
    if not piece:
        break
    got += piece
    whole += got.count(b"HTTP/1.1 403 Forbidden (bridle: host_not_allowed)\\r\\n")
    got = got[-len(b"HTTP/1.1 403 Forbidden (bridle: host_not_allowed)\\r\\n") + 1:]
print(whole)
"""


def test_a_pipeline_that_nobody_reads_waits(raw, stage):
    """No answer is begun before the one before it is out: none is cut, whatever there is to say."""
    n = 8000
    assert stage.run(raw.policy(), st.PYTHON, "-c", PIPELINE, str(n)).stdout.strip() == str(n)
    assert len([r for r in stage.audit() if r.get("code") == "host_not_allowed"]) == n


HALF = """
import socket, sys, time
s = socket.create_connection(("10.77.0.25", 80))
s.sendall(b'POST /x HTTP/1.1\\r\\nHost: evil.example.com\\r\\nContent-Type: application/json\\r\\nContent-Length: 99\\r\\n\\r\\n{"id"')
time.sleep(0.5)
if sys.argv[1] == "half":
    s.shutdown(socket.SHUT_WR)
    print(s.recv(65536).decode().split("\\r\\n")[0])
s.close()
time.sleep(0.5)
"""


@pytest.mark.parametrize("how,said", [("half", "HTTP/1.1 403 Forbidden (bridle: host_not_allowed)"), ("whole", "")])
def test_a_refused_call_that_ends_in_the_middle_is_a_refusal(raw, stage, how, said):
    """The answer waits for the call's id; who hangs up before it is recorded as refused all the same, and answered if he listens."""
    assert stage.run(raw.policy(), st.PYTHON, "-c", HALF, how).stdout.strip() == said
    assert [(r["code"], r["host"]) for r in stage.audit() if r["kind"] == "exchange"] == [("host_not_allowed", "evil.example.com")]


MANY = """
import resource, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
socks = [socket.create_connection(("10.77.0.25", 80)) for _ in range(int(sys.argv[1]))]
time.sleep(1)
ended = 0
for s in socks:
    s.setblocking(False)
    try:
        s.recv(1)
        ended += 1
    except BlockingIOError:
        live = s
    except OSError:
        ended += 1
live.setblocking(True)
live.settimeout(5)
live.sendall(b"GET /x HTTP/1.1\\r\\nHost: raw.example.com\\r\\n\\r\\n")
print(ended, live.recv(65536).decode().split("\\r\\n")[0])
"""


def crowd(raw, stage, n, soft, hard):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", raw.policy(), "--audit", stage.dir + "/audit.jsonl", "--",
            st.PYTHON, "-c", MANY, str(n)]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, preexec_fn=limit)
    return run.stdout.strip()


def test_connections_do_not_depend_on_the_callers_soft_limit(raw, stage):
    assert crowd(raw, stage, 400, 300, 4096) == "0 HTTP/1.1 200 OK"


def test_connections_beyond_what_can_be_served_are_refused_one_by_one(raw, stage):
    """Fewer descriptors than connections: the rest keep theirs, the refused ones end at once and have a record each."""
    assert crowd(raw, stage, 260, 300, 800) == "60 HTTP/1.1 200 OK"
    assert [r["code"] for r in stage.audit() if r["kind"] == "connection"].count("overload") == 60


def fill(path):
    try:
        with open(path, "ab", buffering=0) as f:
            while f.write(b"\n" * 4096) == 4096:
                pass
            while f.write(b"\n"):
                pass
    except OSError:
        pass


def test_an_answer_without_a_body_needs_its_record_too(raw, stage):
    """The disk fills while the server thinks: the head would be the whole answer, so it is not sent."""
    where = os.path.join(stage.dir, "tight")
    os.makedirs(where, exist_ok=True)
    st.sh("mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "none", where)
    try:
        argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", raw.policy(), "--audit", where + "/audit.jsonl", "--",
                "curl", "-sS", "-w", " %{http_code}", f"https://{HOST}/204"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
            while not [e for e in raw.events() if e["event"] == "request"]:
                assert child.poll() is None
            fill(where + "/fill")
            fill(where + "/audit.jsonl")
            out = child.stdout.read()
            assert out.endswith(" 503") and json.loads(out[:-4])["code"] == "audit_unavailable"
    finally:
        st.sh("umount", where)


STUCK = """
import socket, ssl, sys
context, host, kept = ssl.create_default_context(), "raw.example.com", []
def clear(data=b"", port=443):
    s = socket.create_connection(("10.77.0.25", port))
    s.sendall(data)
    kept.append(s)
    return s
def tls(data):
    s = context.wrap_socket(socket.create_connection((host, 443)), server_hostname=host)
    s.sendall(data)
    kept.append(s)
    return s
def request(path, method="GET", fields=""):
    return f"{method} {path} HTTP/1.1\\r\\nHost: {host}\\r\\nContent-Type: a/b\\r\\n{fields}\\r\\n".encode()
upload = request("/hang", "POST", "Content-Length: 1000000\\r\\n")
clear(), clear(b"\\x16\\x03\\x01\\2\\0"), clear(b"GET /", 80)
clear(request("/hang"), 80).shutdown(socket.SHUT_WR)
clear(f"CONNECT {host}:443 HTTP/1.1\\r\\nHost: {host}\\r\\n\\r\\n".encode(), 3128)
tls(b"GET /x HT"), tls(request("/hang")), tls(request("/hang") * 500), tls(request("/big")), tls(upload + bytes(300000))
tls(request("/denied/x", "POST", "Content-Length: 99\\r\\n").replace(b"a/b", b"application/json"))
tls(request("/ok")).recv(99)
half = tls(request("/hang"))
half.setblocking(False)
try:
    half.unwrap()
except OSError:
    pass
print("stuck", flush=True)
sys.stdin.readline()
"""


def ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))


def test_a_worker_that_only_waits_sleeps(raw, stage):
    """One connection in each place where it can wait for somebody: none may keep the loop turning."""
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", raw.policy(), "--audit", stage.dir + "/audit.jsonl", "--",
            st.PYTHON, "-c", STUCK]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "stuck\n"
        worker = roles(run)["worker"]
        time.sleep(1)
        before = ticks(worker)
        time.sleep(3)
        used = ticks(worker) - before
        run.stdin.close()
        run.wait(60)
    assert used < 30, f"{used} ticks of CPU in three seconds"
