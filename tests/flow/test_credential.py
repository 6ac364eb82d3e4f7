# SPDX-License-Identifier: Apache-2.0
"""The credential file: late, missing, empty, too large, multi-line, rotated while requests run."""
import json
import os
import subprocess
import time

import pytest

import stage as st
from test_roles import memory_has, roles, status

MRS = "https://gitlab.example.com/api/v4/projects/7/merge_requests"


def token_of(stage):
    return [v for k, v in stage.requests()[-1]["headers"] if k.lower() == "private-token"]


def text(content):
    def make(path):
        with open(path, "wb") as f:
            f.write(content)
    return make


def outside(path):
    os.symlink("/etc/hostname", path)


def beside(path):
    """Out of the directory and no further: still not beneath what was passed."""
    text(b"glpat-beside\n")("/vault/beside")
    os.symlink("../beside", path)


UNUSABLE = {
    "missing": (lambda path: None, "the file does not exist"), "empty": (text(b""), "empty"), "a line end": (text(b"\n"), "empty"),
    "too large": (text(b"x" * 20000), "too large"), "two lines": (text(b"two\nlines\n"), "more than one line"),
    "of Windows": (text(b"token\r\n"), "carriage return"), "NUL": (text(b"tok\0en\n"), "control byte"),
    "binary": (text(bytes(range(1, 9)) + b"\xff\xfe"), "control byte"), "a directory": (os.mkdir, "not a regular file"),
    "a pipe": (os.mkfifo, "not a regular file"), "a device": (lambda path: os.mknod(path, 0o20600, os.makedev(1, 3)), "not a regular"),
    "a link out": (outside, "leads out of its directory"), "a link beside": (beside, "leads out of its directory"),
    "a loop": (lambda path: os.symlink(os.path.basename(path), path), "a link that is not followed"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_file_means_502_and_nothing_is_sent(stage, kind):
    make, reason = UNUSABLE[kind]
    os.makedirs("/vault/unusable")
    make("/vault/unusable/token")
    try:
        result = stage.run(volume_policy(stage, "/vault/unusable/token"), "curl", "-sS", "-m", "20", MRS)
        body = json.loads(result.stdout)
        assert (body["status"], body["code"]) == (502, "credential_unavailable")
        assert stage.requests() == []
        said = [x for x in result.stderr.splitlines() if x.startswith("bridle: warning: credential gitlab (file://") and ") is not available: " in x]
        assert len(said) == 1 and reason in said[0], result.stderr
        assert [r.get("credential_generation") for r in stage.audit() if r.get("id") == body["instance"]] == [None]
    finally:
        st.sh("rm", "-rf", "/vault/unusable", "/vault/beside")


def test_a_file_that_nobody_may_read_is_read(stage):
    """Mode 000, somebody else's: the keeper's one capability is for this."""
    os.makedirs("/vault/closed")
    text(b"token-closed\n")("/vault/closed/token")
    os.chown("/vault/closed/token", 4242, 4242)
    os.chmod("/vault/closed/token", 0)
    os.chmod("/vault/closed", 0)
    try:
        stage.run(volume_policy(stage, "/vault/closed/token"), "curl", "-sS", MRS)
        assert tokens(stage) == ["token-closed"]
    finally:
        st.sh("rm", "-rf", "/vault/closed")


def rotate(stage, change, before, after):
    """A request, the change from outside, then requests until the new token is there."""
    script = f"curl -sS -o /dev/null {MRS}; echo one; read _; for i in 1 2 3 4 5 6 7 8; do curl -sS -o /dev/null {MRS}; sleep 0.5; done"
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(), "--audit", stage.dir + "/audit.jsonl", "--",
            "sh", "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "one\n"
        assert token_of(stage) == [before]
        change()
        run.stdin.write("\n")
        run.stdin.flush()
        assert run.wait(60) == 0
    assert token_of(stage) == [after]
    assert all(len([1 for k, _ in r["headers"] if k.lower() == "private-token"]) == 1 for r in stage.requests())


def test_rotation_by_rename(stage):
    try:
        rotate(stage, lambda: stage.write_secret("glpat-rotated"), stage.secret, "glpat-rotated")
    finally:
        stage.write_secret(stage.secret)


def test_auth_block_is_said_and_refused(stage):
    """Said by `run` before the command begins; each request is refused, and not one byte reaches the API or the issuer."""
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(base="internal-api.json"), "--audit", stage.dir + "/audit.jsonl",
            "--", "sh", "-c", "echo begun >&2; curl -sS https://api.example.com/v1/x; curl -sS -X POST -d x=1 https://api.example.com/"]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    at_start = result.stderr.split("begun")[0]
    assert ('credential internal_api (line ' in at_start and 'this version cannot do "auth" yet, so requests to api.example.com get 502 '
            "credential_unavailable and nothing is sent" in at_start), result.stderr
    answers = [json.loads(x) for x in result.stdout.splitlines()]
    assert [(a["status"], a["code"]) for a in answers] == [(502, "credential_unavailable")] * 2
    assert stage.requests() == []


class Kubernetes:
    """A secret volume as the kubelet keeps it: name -> ..data/name, ..data -> a directory that is swapped by rename."""

    def __init__(self, where):
        self.where, self.n = where, 0
        os.makedirs(where, mode=0o755)
        os.symlink("..data/token", where + "/token")

    def write(self, value):
        self.n += 1
        fresh = f"{self.where}/..{self.n}"
        os.mkdir(fresh, 0o755)
        with open(fresh + "/token", "w", encoding="ascii") as f:
            f.write(value)
        os.symlink(f"..{self.n}", self.where + "/..data_tmp")
        os.rename(self.where + "/..data_tmp", self.where + "/..data")
        if self.n > 1:
            old = f"{self.where}/..{self.n - 1}"
            os.unlink(old + "/token")
            os.rmdir(old)


HAMMER = ("import http.client as h, sys, time\n"
          "c = h.HTTPSConnection('gitlab.example.com', timeout=20); end = time.time() + float(sys.argv[1]); n = bad = 0\n"
          "while time.time() < end:\n"
          "    c.request('GET', '/x'); r = c.getresponse(); r.read(); n += 1; bad += r.status != 200\n"
          "    if n == 1: print('one', flush=True)\n"
          "print(n, bad)\n")


def volume_policy(stage, path, **more):
    return stage.policy(base={"custom_credentials": {"gitlab": {"upstream": "https://gitlab.example.com", "credential_key":
                                                                "file://" + path, "inject_header": "PRIVATE-TOKEN", **more}}})


def tokens(stage):
    return [v for r in stage.requests() for k, v in r["headers"] if k.lower() == "private-token"]


def test_rotation_by_data_symlink_under_load(stage):
    """Every request carries a token, none fails, and never an older one after a newer one."""
    volume = Kubernetes("/vault/rotating")
    volume.write("token-000")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, volume.where + "/token"), "--audit",
            stage.dir + "/audit.jsonl", "--", st.PYTHON, "-c", HAMMER, "8"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "one\n"
        for i in range(1, 25):
            time.sleep(0.2)
            volume.write(f"token-{i:03}")
        n, bad = map(int, run.stdout.readline().split())
        assert run.wait(30) == 0
    seen = tokens(stage)
    assert bad == 0 and n == len(seen) > 50
    assert seen == sorted(seen)
    assert seen[0] == "token-000" and seen[-1] == "token-024" and len(set(seen)) > 5


def test_a_late_file_becomes_ready_by_itself(stage):
    os.makedirs("/vault/late", exist_ok=True)
    script = ("curl -sS -o /dev/null -w '%{http_code}\\n' https://gitlab.example.com/x; read _; for i in 1 2 3 4 5 6 7 8 9 10; do "
              "s=$(curl -sS -o /dev/null -w '%{http_code}' https://gitlab.example.com/x); [ $s = 200 ] && break; sleep 0.5; "
              "done; echo $s")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, "/vault/late/token"), "--audit",
            stage.dir + "/audit.jsonl", "--", "sh", "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "502\n"
        assert stage.requests() == []
        with open("/vault/late/token", "w", encoding="ascii") as f:
            f.write("token-late\n")
        run.stdin.write("\n")
        run.stdin.flush()
        assert run.stdout.readline() == "200\n"
        assert run.wait(30) == 0
    assert set(tokens(stage)) == {"token-late"}


def test_watch_false_keeps_the_first_good_value(stage):
    volume = Kubernetes("/vault/still")
    volume.write("token-first")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, volume.where + "/token", watch=False),
            "--audit", stage.dir + "/audit.jsonl", "--", st.PYTHON, "-c", HAMMER, "4"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "one\n"
        volume.write("token-second")
        assert run.stdout.readline().split()[1] == "0"
        assert run.wait(30) == 0
    assert set(tokens(stage)) == {"token-first"}


def test_a_bad_file_never_replaces_a_good_value(stage):
    volume = Kubernetes("/vault/bad")
    volume.write("token-good")
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, volume.where + "/token"), "--audit",
            stage.dir + "/audit.jsonl", "--", st.PYTHON, "-c", HAMMER, "5"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "one\n"
        for text in ("", "two\nlines\n", "x" * 20000):
            volume.write(text)
            time.sleep(0.7)
        assert run.stdout.readline().split()[1] == "0"
        assert run.wait(30) == 0
        assert "last good value is kept" in run.stderr.read()
    assert set(tokens(stage)) == {"token-good"}


MANY = ("import http.client as h, sys, threading, time\n"
        "end, bad = time.time() + float(sys.argv[1]), []\n"
        "def work(k):\n"
        "    n = 0\n"
        "    while time.time() < end:\n"
        "        c = h.HTTPSConnection('gitlab.example.com', timeout=20)\n"
        "        for _ in range(20):\n"
        "            c.request('GET', f'/x/{k}/{n}'); r = c.getresponse(); r.read(); n += 1\n"
        "            if r.status != 200: bad.append(r.status)\n"
        "            if n == 1 and k == 0: print('one', flush=True)\n"
        "        c.close()\n"
        "all = [threading.Thread(target=work, args=(k,)) for k in range(4)]\n"
        "[t.start() for t in all]; [t.join() for t in all]\n"
        "print(len(bad))\n")


def test_rotation_by_rename_under_load(stage):
    """Four programs' connections at once: none fails, each request carries one token that was in the file, never an older one
    after a newer one, and what the audit says was sent is what was sent."""
    os.makedirs("/vault/renamed")

    def write(i):
        text(f"token-{i:03}\n".encode())("/vault/renamed/.new")
        os.rename("/vault/renamed/.new", "/vault/renamed/token")
    write(0)
    since = len(stage.audit())
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, "/vault/renamed/token"), "--audit",
            stage.dir + "/audit.jsonl", "--", st.PYTHON, "-c", MANY, "7"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "one\n"
        for i in range(1, 31):
            time.sleep(0.15)
            write(i)
        assert run.stdout.readline() == "0\n"
        assert run.wait(30) == 0
    sent = {r["target"]: [v for k, v in r["headers"] if k.lower() == "private-token"] for r in stage.requests()}
    assert all(len(v) == 1 for v in sent.values()) and len(sent) > 100
    for k in range(4):
        mine = [sent[t][0] for t in sorted((t for t in sent if t.startswith(f"/x/{k}/")), key=lambda t: int(t.split("/")[3]))]
        assert mine == sorted(mine) and mine[-1] == "token-030"
    assert {v[0] for v in sent.values()} <= {f"token-{i:03}" for i in range(31)}
    said = {}
    for r in stage.audit()[since:]:
        if r["kind"] == "exchange":
            said.setdefault(r["credential_generation"], set()).add(sent[r["path"]][0])
    assert all(len(v) == 1 for v in said.values()) and len(said) > 5


GATE = r"""
import socket, ssl, sys, time, os
directory, address = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(directory + "/gate.pem", directory + "/gate.key")
listener = socket.create_server((address, 443))
print("ready", flush=True)
raw = listener.accept()[0]
open(directory + "/gate-waits", "w").close()
while not os.path.exists(directory + "/gate-opens"):
    time.sleep(0.02)
s = context.wrap_socket(raw, server_side=True)
head = b""
while b"\r\n\r\n" not in head:
    head += s.recv(65536)
with open(directory + "/gate-saw", "wb") as f:
    f.write(head)
s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
s.close()
"""


def test_rotated_while_the_server_makes_it_wait(stage):
    """Decided with the old token, sent with the new one: the audit names the generation that was sent."""
    inside = ["nsenter", "-t", str(stage.servers), "-n"]
    st.sh(*inside, "ip", "addr", "add", "10.77.0.66/24", "dev", "eth0")
    stage.certify("gate", ["DNS:gate.example.com"])
    stage.spawn(*inside, st.PYTHON, "-c", GATE, stage.dir, "10.77.0.66", ready="ready")
    os.makedirs("/vault/gate")
    text(b"token-old\n")("/vault/gate/token")
    policy = stage.policy(base={"custom_credentials": {"gate": {"upstream": "https://gate.example.com", "inject_header": "PRIVATE-TOKEN",
                                                                "credential_key": "file:///vault/gate/token"}}},
                          extra={"network": {"resolve": {"gate.example.com": ["10.77.0.66"]}}})
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", policy, "--audit", stage.dir + "/audit.jsonl", "--", "curl", "-sS", "-m",
            "30", "https://gate.example.com/waits"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as run:
        for _ in range(500):
            if os.path.exists(stage.dir + "/gate-waits"):
                break
            time.sleep(0.02)
        text(b"token-new\n")("/vault/gate/.new")
        os.rename("/vault/gate/.new", "/vault/gate/token")
        time.sleep(2)
        text(b"")(stage.dir + "/gate-opens")
        assert run.stdout.read() == "ok" and run.wait(30) == 0
    with open(stage.dir + "/gate-saw", "rb") as f:
        seen = f.read()
    assert b"token-new" in seen and b"token-old" not in seen
    assert [r["credential_generation"] for r in stage.audit() if r.get("path") == "/waits"] == [2]


def test_no_old_secret_in_memory_and_the_new_one_is_locked(stage):
    """After a rotation neither keeper nor worker holds a byte of the old value; also when the caller's soft limit is nothing."""
    volume = Kubernetes("/vault/wiped")
    old, new = "glpat-old-" + os.urandom(12).hex(), "glpat-new"  # shorter: it overwrites the old one's beginning only
    gone = old[-16:].encode()
    volume.write("glpat-first")
    argv = ["sh", "-c", 'ulimit -S -l 0; exec "$@"', "sh", st.BRIDLE, "run", "--user", st.USER, "--policy",
            volume_policy(stage, volume.where + "/token"), "--audit", stage.dir + "/audit.jsonl", "--", "sh", "-c",
            f"while read _; do curl -sS -o /dev/null {MRS}; echo done; done"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        def ask(want):
            run.stdin.write("\n")
            run.stdin.flush()
            assert run.stdout.readline() == "done\n" and tokens(stage)[-1] == want
        ask("glpat-first")
        volume.write(old)
        time.sleep(2)
        ask(old)
        found = roles(run)
        holders = [found["worker"], found["bridle-keeper"]]
        assert all(memory_has(pid, gone) for pid in holders)  # the search can find
        assert [pid for pid in holders if int(status(pid)["VmLck"].split()[0]) == 0] == []
        volume.write(new)
        time.sleep(2)
        assert [pid for pid in holders if memory_has(pid, gone)] == []
        ask(new)
        run.stdin.close()
        assert run.wait(30) == 0


def test_generations_go_on_when_the_keeper_dies(stage):
    """The next keeper reads the file again: in the audit one generation is one value all the same."""
    volume = Kubernetes("/vault/died")
    volume.write("token-a")
    since = len(stage.audit())
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", volume_policy(stage, volume.where + "/token"), "--audit",
            stage.dir + "/audit.jsonl", "--", "sh", "-c", f"while read _; do curl -sS -m 20 -o /dev/null {MRS}; echo done; done"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        def ask_until(want):
            for _ in range(50):
                run.stdin.write("\n")
                run.stdin.flush()
                assert run.stdout.readline() == "done\n"
                if tokens(stage)[-1:] == [want]:
                    return
                time.sleep(0.2)
            raise AssertionError(want)
        ask_until("token-a")
        os.kill(roles(run)["bridle-keeper"], 9)
        time.sleep(0.3)
        volume.write("token-b")
        ask_until("token-b")
        run.stdin.close()
        assert run.wait(30) == 0
    said = [(r["credential_generation"], r["status"]) for r in stage.audit()[since:] if r.get("credential_generation")]
    values = {}
    for (generation, _status), token in zip([x for x in said if x[1] == 200], tokens(stage)):
        values.setdefault(generation, set()).add(token)
    assert all(len(v) == 1 for v in values.values()) and min(values) == 1 and max(values) >= 2, values
