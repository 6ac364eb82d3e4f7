#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demo: an untrusted program, a real API, a credential that it never had. See scripts/demo.

Prints a table of what the agent tried, what it got and what the server saw; exits with 1 when a row is not as it
should be.
"""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage as st  # noqa: E402

REFUSED = ("ECONNREFUSED", "EPERM", "EACCES", "EPROTONOSUPPORT", "EAFNOSUPPORT", "ENETUNREACH", "EHOSTUNREACH",
           "ESOCKTNOSUPPORT")

# row: (what the agent must get, requests that the server must have seen)
EXPECT = {
    "GET merge requests": ("200", 1),
    "POST a note": ("201", 1),
    "DELETE the project": ("403 path_not_allowed", 0),
    "POST with method-override header": ("201", 1),
    "POST with _method form field": ("403 method_override", 0),
    "own PRIVATE-TOKEN sent along": ("200", 1),
    "path with encoded dots": ("400 path_dot_segment", 0),
    "another host": ("403 host_not_allowed", 0),
    "SNI and Host differ": ("421 identity_mismatch", 0),
    "straight to the IP, name in TLS": ("200", 1),
    "straight to the IP, no name": ("403 host_not_allowed", 0),
    "IPv6, name in TLS": ("200", 1),
    "IPv6, no name": ("403 host_not_allowed", 0),
}

ESCAPES = 12  # rows of the agent that must be refused, whatever their names


class Report:
    def __init__(self):
        self.bad = 0

    def line(self, good, row, got, seen=""):
        self.bad += not good
        print(f"  {'ok ' if good else 'BAD'} {row:34} {got:34} {seen}", flush=True)

    def title(self, text):
        print(f"\n{text}\n  {'':3} {'the agent tried':34} {'it got':34} the server saw", flush=True)


def seen_text(requests, secret):
    if not requests:
        return "nothing"
    words = []
    for r in requests:
        tokens = [v for k, v in r["headers"] if k.lower() == "private-token"]
        ours = "our token, once" if tokens == [secret] else f"tokens {len(tokens)}, not as it should be"
        words.append(f"{r['method']} {r['target'].split('?')[0][-28:]} ({ours})")
    return "; ".join(words)


def check_api(report, stage, lines):
    """Rows whose effect is at the server: split the server's log by row, in order."""
    requests = stage.requests()
    for line in lines:
        row = line["row"]
        want, count = EXPECT[row]
        mine, requests = requests[:count], requests[count:]
        tokens = [[v for k, v in r["headers"] if k.lower() == "private-token"] for r in mine]
        override = any(k.lower() == "x-http-method-override" for r in mine for k, _ in r["headers"])
        good = line["got"] == want and len(mine) == count and not override and all(t == [stage.secret] for t in tokens)
        report.line(good, row, line["got"], seen_text(mine, stage.secret))
    report.line(not requests, "(nothing else reached a server)", "", seen_text(requests, stage.secret))


def check_escapes(report, lines):
    for line in lines:
        report.line(line["got"] in REFUSED, line["row"], line["got"], "nothing")


def table(report, stage, result):
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    if len(lines) < len(EXPECT) + ESCAPES:
        report.line(False, "the agent ran to its end", f"{len(lines)} rows, exit {result.returncode}")
        print(result.stderr)
    check_api(report, stage, [x for x in lines if x["row"] in EXPECT])
    check_escapes(report, [x for x in lines if x["row"] not in EXPECT])
    return lines


def search(stage, policy, responses, plant=None):
    """Looks for the secret from inside. plant: where it is put first, so that the search must find it."""
    env = dict(os.environ)
    needle = stage.secret.encode()
    feed = needle[::-1].hex() + "\n" + "".join(json.dumps(r) + "\n" for r in responses)
    argv = [st.PYTHON, stage.inside + "/agent.py", "search"]
    if plant == "environment":
        env["PLANTED"] = stage.secret
    if plant == "a process's arguments":
        argv = ["sh", "-c", 'sleep 5 & exec "$@"; : ' + stage.secret, "sh", *argv]
        argv[2] = f'sh -c "sleep 5; : {stage.secret}" & ' + 'exec "$@"'
    if plant == "a file":
        with open("/tmp/bridle-planted", "w", encoding="ascii") as f:
            f.write(stage.secret)
        os.chmod("/tmp/bridle-planted", 0o644)
    if plant == "a response":
        feed += json.dumps({"body": stage.secret}) + "\n"
    try:
        result = stage.run(policy, *argv, input=feed, env=env)
    finally:
        if plant == "a file":
            os.unlink("/tmp/bridle-planted")
    for line in result.stdout.splitlines():
        if line.startswith("{"):
            return json.loads(json.loads(line)["got"])
    return ["the search did not run: " + result.stderr]


def searches(report, stage, policy, lines):
    responses = [x["body"] for x in lines]
    for plant, place in (("environment", "environment PLANTED"), ("a process's arguments", "/proc/*/cmdline"),
                         ("a file", "file /tmp/bridle-planted"), ("a response", "a response")):
        found = search(stage, policy, responses, plant)
        report.line(place in found, f"planted in {plant}", "found" if place in found else "MISSED", "; ".join(found))
    found = search(stage, policy, responses)
    report.line(not found, "the real secret", "found in " + found[0] if found else "not found anywhere")


class Nic:
    """A namespace with a NIC whose default route ends in a capture."""

    def __init__(self, stage):
        self.stage = stage
        self.agent = stage.inside + "/agent.py"
        self.box, self.far = stage.new_netns(), stage.new_netns()
        self.box_in, self.far_in = ["nsenter", "-t", str(self.box), "-n"], ["nsenter", "-t", str(self.far), "-n"]
        st.sh(*self.box_in, "ip", "link", "add", "nic0", "type", "veth", "peer", "name", "wire0", "netns", str(self.far))
        for where, device, v4, v6 in ((self.box_in, "nic0", "10.77.9.1", "fd77:9::1"),
                                      (self.far_in, "wire0", "10.77.9.2", "fd77:9::2")):
            st.sh(*where, "ip", "link", "set", "lo", "up")
            st.sh(*where, "ip", "addr", "add", v4 + "/24", "dev", device)
            st.sh(*where, "ip", "addr", "add", v6 + "/64", "dev", device, "nodad")
            st.sh(*where, "ip", "link", "set", device, "up")
        st.sh(*self.box_in, "ip", "route", "add", "default", "via", "10.77.9.2")
        st.sh(*self.box_in, "ip", "-6", "route", "add", "default", "via", "fd77:9::2")
        time.sleep(2.5)  # the kernel's own MLD and router solicitations

    def capture(self):
        return subprocess.Popen([*self.far_in, st.PYTHON, st.ROOT + "/tests/lib/wire.py", "wire0"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def launch(self, policy, name, mode, detached=False):
        argv = [os.path.join(st.ROOT, "build", "release", "launch"), "--netns", f"/proc/{self.box}/ns/net", "--policy",
                policy, "--audit", self.stage.dir + "/audit-nic.jsonl", "--name", name, "--user", st.USER]
        return argv + (["--detached"] if detached else []) + ["--", st.PYTHON, self.agent, mode]


def packets_of(wire, action):
    if "ready" not in wire.stdout.readline():
        raise RuntimeError("the capture did not start")
    action()
    time.sleep(0.5)
    out, _ = wire.communicate()
    return out.splitlines()


def with_nic(report, stage, policy):
    nic = Nic(stage)
    results = []
    stage.forget_requests()
    packets = packets_of(nic.capture(), lambda: results.append(
        subprocess.run(nic.launch(policy, "demo-nic", "table"), capture_output=True, text=True, timeout=180, check=False)))
    report.title("The same in a namespace with a NIC and a default route")
    table(report, stage, results[0])
    report.line(not packets, "packets on the wire", str(len(packets)), packets[0] if packets else "")
    packets = packets_of(nic.capture(), lambda: subprocess.run(
        nic.launch(policy, "demo-bare", "escape", detached=True), capture_output=True, text=True, timeout=180, check=False))
    report.line(bool(packets), "the same without the programs", f"{len(packets)} packets on the wire",
                packets[0] if packets else "NOTHING LEAKED: the rows above prove nothing")
    killed(report, nic, policy)


def killed(report, nic, policy):
    """SIGKILL of the supervisor and every role: what stays pinned must still refuse."""
    argv = nic.launch(policy, "demo-dead", "escape")
    argv = argv[:argv.index("--")] + ["--", "sleep", "60"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as supervisor:
        cgroup = find_cgroup("demo-dead")
        for pid in children_of(supervisor.pid) + [supervisor.pid]:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
    print(subprocess.run(["bpftool", "cgroup", "show", cgroup], capture_output=True, text=True, check=False,
                         env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}).stdout)
    join = f'echo 0 >{cgroup}/cgroup.procs && exec "$@"'
    argv = ["nsenter", "-t", str(nic.box), "-n", "sh", "-c", join, "sh", st.PYTHON, nic.agent, "table"]
    results = []
    packets = packets_of(nic.capture(), lambda: results.append(
        subprocess.run(argv, capture_output=True, text=True, timeout=180, check=False)))
    rows = len(results[0].stdout.splitlines())
    # packet sockets of root are T1's to refuse; none of ours sends on one
    report.line(not packets and rows >= len(EXPECT), "everything killed, programs pinned",
                f"{rows} tries, {len(packets)} packets", packets[0] if packets else "nothing")
    left = subprocess.run([st.BRIDLE, "gc"], capture_output=True, text=True, check=False)
    report.line(not os.path.exists(cgroup), "bridle gc removes what is left", f"exit {left.returncode}",
                left.stderr.strip().split("\n")[-1][:60])


def children_of(pid):
    found, todo = [], [pid]
    while todo:
        parent = todo.pop()
        try:
            with open(f"/proc/{parent}/task/{parent}/children", encoding="ascii") as f:
                mine = [int(x) for x in f.read().split()]
        except OSError:
            mine = []
        found += mine
        todo += mine
    return found


def find_cgroup(name, patience=20.0):
    end = time.time() + patience
    while time.time() < end:
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            for line in f:
                if " - cgroup2 " in line:
                    path = os.path.join(line.split()[4], "bridle", name, "sandbox")
                    if os.path.isdir(path):
                        with open(path + "/cgroup.procs", encoding="ascii") as procs:
                            if len(procs.read().split()) >= 2:
                                return path
        time.sleep(0.1)
    raise RuntimeError(f"no cgroup of sandbox {name}")


def main():
    report = Report()
    stage = st.Stage()
    policy = stage.policy()
    start = time.time()
    print("policy: policy/examples/gitlab.json, with the addresses and the CA of this stage beside it")
    result = stage.run(policy, st.PYTHON, stage.inside + "/agent.py", "table", options=("--name", "demo"))
    report.title("In the namespace of `bridle run` (loopback only)")
    lines = table(report, stage, result)
    searches(report, stage, policy, lines)
    with_nic(report, stage, policy)
    print(f"\n{'every row is as it should be' if not report.bad else f'{report.bad} rows are NOT as they should be'}"
          f" ({time.time() - start:.0f} s)")
    return 1 if report.bad else 0


if __name__ == "__main__":
    sys.exit(main())
