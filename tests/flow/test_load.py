# SPDX-License-Identifier: Apache-2.0
"""Bodies larger than memory, a thousand connections at once, and peers that do not read: through one worker."""
import json
import os
import shutil
import subprocess
import threading
import time

import pytest

import stage as st
from test_roles import roles

ADDRESS, HOST = "10.77.0.26", "load.example.com"
MIB = 1 << 20
SIZES = {("up", "length"): 1024 * MIB, ("up", "chunked"): 128 * MIB, ("down", "length"): 128 * MIB, ("down", "chunked"): 1024 * MIB}
GROWTH_MAX = 16 * MIB
CROWD, CONNECTIONS_MAX = 1000, 1024  # the second is WORKER_CONNECTIONS_MAX
EACH_MAX = 160 << 10  # a connection and its leg, both with TLS and a request under way
BEHIND = 256 * MIB  # a body that no buffers hold
POLICY = {"network": {"allow_domain": [{"host": HOST, "paths": [{"method": "*", "path": "/**"}]}]}}




def held_max():
    """What the buffers of two connections may take, by the kernel's limits, before a sender stands still."""
    most = 0
    for name in ("tcp_rmem", "tcp_wmem"):
        with open("/proc/sys/net/ipv4/" + name, encoding="ascii") as f:
            most += 2 * int(f.read().split()[2])
    return most + MIB


class Load:
    def __init__(self, stage):
        self.stage, self.log = stage, stage.dir + "/load.jsonl"
        inside = ["nsenter", "-t", str(stage.servers), "-n"]
        st.sh(*inside, "ip", "addr", "replace", ADDRESS + "/24", "dev", "eth0")
        stage.certify(HOST, [f"DNS:{HOST}"])
        self.program = stage.inside + "/load.py"
        shutil.copy(st.ROOT + "/tests/lib/load.py", self.program)
        os.chmod(self.program, 0o644)
        self.server = stage.spawn(*inside, st.PYTHON, st.ROOT + "/tests/lib/load.py", "serve", f"{stage.dir}/{HOST}.pem",
                                  f"{stage.dir}/{HOST}.key", self.log, ADDRESS, ready="ready")
        self.policy = stage.policy(base=POLICY, extra={"network": {"resolve": {HOST: [ADDRESS]}}})

    def forget(self):
        for end in ("", ".sent", ".go"):
            if os.path.exists(self.log + end):
                os.unlink(self.log + end)

    def start(self, *what):
        argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", self.policy, "--audit", self.stage.dir + "/audit.jsonl",
                "--", st.PYTHON, self.program, *map(str, what)]
        return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seen(self):
        with open(self.log, encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def sent(self):
        """How much the server could send of the body that it sends now."""
        try:
            with open(self.log + ".sent", encoding="ascii") as f:
                return int(f.read() or 0)
        except FileNotFoundError:
            return 0


@pytest.fixture(scope="module")
def load(stage):
    one = Load(stage)
    yield one
    one.server.terminate()
    one.server.wait()
    stage.children.remove(one.server)


@pytest.fixture(autouse=True)
def fresh(load):
    load.forget()


def private_bytes(pid):
    """What the process has for itself: pages that it shares with the zygote are not of its making."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private_")) * 1024


class Watch:
    """A worker's memory from its first appearance on, looked at all the time."""

    def __init__(self, run):
        self.run, self.first, self.most, self.samples = run, 0, 0, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        worker = None
        while not self.over.wait(0.02):
            try:
                worker = worker or roles(self.run).get("worker")
                now = private_bytes(worker) if worker else 0
            except (FileNotFoundError, ProcessLookupError):
                continue
            if now:
                self.first = self.first or now
                self.most = max(self.most, now)
                self.samples += 1

    def growth(self):
        self.over.set()
        self.thread.join()
        assert self.samples > 10, "the worker was not watched"
        return self.most - self.first


def end(run):
    run.stdin.close()
    assert run.wait(60) == 0


@pytest.mark.parametrize("way,framing", SIZES)
def test_a_large_body(load, way, framing):
    size = SIZES[way, framing]
    with load.start(way, HOST, size, framing) as run:
        watch = Watch(run)
        said = json.loads(run.stdout.readline())
        end(run)
    (server,) = load.seen()
    print(f"{way} {framing}: {size / MIB:.0f} MiB in {said['seconds']:.1f} s, the worker grew by {watch.growth() / 1024:.0f} KiB")
    assert server["what"] == way and server["bytes"] == said["got"]["bytes"] == size
    assert server["sha256"] == said["got"]["sha256"] == said.get("sent", server)["sha256"]
    assert watch.growth() < GROWTH_MAX


def test_a_thousand_connections(load, stage):
    """A request under way on each of them at the same time; one more than WORKER_CONNECTIONS_MAX is refused."""
    before = len(stage.audit())
    with load.start("crowd", HOST, CROWD) as run:
        watch = Watch(run)
        said = json.loads(run.stdout.readline())
        growth = watch.growth()
        print(f"{CROWD} connections: {said['seconds']:.1f} s, the worker grew by {growth / MIB:.1f} MiB")
        assert (said["right"], said["wrong"]) == (CROWD, [])
        run.stdin.write("more 60\n")
        run.stdin.flush()
        more = json.loads(run.stdout.readline())
        end(run)
    assert growth < CROWD * EACH_MAX
    assert more == {"stay": CONNECTIONS_MAX - CROWD, "ended": 60 - (CONNECTIONS_MAX - CROWD)}
    records = stage.audit()[before:]
    assert [r["code"] for r in records if r["kind"] == "connection"].count("overload") == more["ended"]
    assert len([r for r in records if r["kind"] == "exchange" and r["decision"] == "allow"]) == CROWD


def standstill(read):
    """The value of read() when it has not changed for a second and a half."""
    last, since = read(), time.monotonic()
    while time.monotonic() - since < 1.5:
        time.sleep(0.1)
        now = read()
        if now != last:
            last, since = now, time.monotonic()
    return last


def test_a_program_that_does_not_read_stops_the_server(load):
    with load.start("down-deaf", HOST, BEHIND, "length") as run:
        watch = Watch(run)
        while load.sent() == 0:
            time.sleep(0.05)
        held = standstill(load.sent)
        growth = watch.growth()
        print(f"the server stood still after {held / MIB:.1f} MiB, the worker grew by {growth / 1024:.0f} KiB")
        run.stdin.write("read\n")
        run.stdin.flush()
        said = json.loads(run.stdout.readline())
        end(run)
    assert 0 < held < held_max() < BEHIND and growth < MIB
    (server,) = load.seen()
    assert server["sha256"] == said["got"]["sha256"] and said["got"]["bytes"] == BEHIND


def test_a_server_that_does_not_read_stops_the_program(load):
    with load.start("up-deaf", HOST, BEHIND, "chunked") as run:
        watch = Watch(run)
        held = standstill(lambda: json.loads(run.stdout.readline())["so far"])
        growth = watch.growth()
        print(f"the program stood still after {held / MIB:.1f} MiB, the worker grew by {growth / 1024:.0f} KiB")
        with open(load.log + ".go", "w", encoding="ascii"):
            pass
        *_, last = (json.loads(line) for line in run.stdout)
        end(run)
    assert 0 < held < held_max() < BEHIND and growth < MIB
    (server,) = load.seen()
    assert server["sha256"] == last["got"]["sha256"] == last["sent"]["sha256"] and last["got"]["bytes"] == BEHIND
