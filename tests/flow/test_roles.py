# SPDX-License-Identifier: Apache-2.0
"""What each role may touch, read from /proc while sandboxes run."""
import json
import os
import re
import subprocess
import time

import stage as st
from certs import SIGN, Pair
from demo import children_of

MRS = "https://gitlab.example.com/api/v4/projects/7/merge_requests"


def start(stage, name, policy):
    argv = [st.BRIDLE, "run", "--user", st.USER, "--name", name, "--policy", policy, "--audit",
            f"{stage.dir}/audit-{name}.jsonl", "--", "sh", "-c", f"curl -sS -o /dev/null {MRS}; echo up; sleep 30"]
    run = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert run.stdout.readline() == "up\n"
    return run


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def roles(run):
    found = {}
    for pid in children_of(run.pid):
        try:
            with open(f"/proc/{pid}/cgroup", encoding="ascii") as f:
                where = f.read()
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                name = f.read().split(b"\0")[0].decode()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has just ended
        if "/worker" in where:
            name = "worker"
        elif "/sandbox" in where:
            continue
        found[name] = pid
    return found


def memory_has(pid, needle):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            span, perms = line.split()[:2]
            if "r" not in perms or "[v" in line:
                continue
            low, high = (int(x, 16) for x in span.split("-"))
            try:
                mem.seek(low)
                if needle in mem.read(high - low):
                    return True
            except (OSError, OverflowError, ValueError):
                continue
    return False


def test_roles(stage):
    run = start(stage, "roles", stage.policy())
    try:
        found = roles(run)
        assert {"worker", "bridle-keeper", "bridle-zygote"} <= set(found), found
        worker, keeper = status(found["worker"]), status(found["bridle-keeper"])
        uids = {worker["Uid"].split()[0], keeper["Uid"].split()[0], "0", str(os.stat("/proc/self").st_uid)}
        assert len(uids) == 3
        assert worker["CapEff"] == worker["CapPrm"] == worker["CapBnd"] == "0" * 16
        assert worker["Seccomp"] == "2" and worker["NoNewPrivs"] == "1"
        assert int(keeper["CapEff"], 16) == 1 << 2  # CAP_DAC_READ_SEARCH
        assert keeper["Seccomp"] == "2"
        check_files(found["worker"])
        assert memory_has(found["worker"], stage.secret.encode())  # the search can find
        assert not memory_has(found["bridle-zygote"], stage.secret.encode())
        assert not memory_has(run.pid, stage.secret.encode())
    finally:
        run.terminate()
        run.wait(20)


def check_files(pid):
    allowed = re.compile(r"^(/dev/null|pipe:\[\d+\]|socket:\[\d+\]|anon_inode:\[?(eventpoll|timerfd|eventfd|bpf-map)\]?"
                         r"|/memfd:bridle-policy \(deleted\)|.*/audit-[a-z]+\.jsonl)$")
    for fd in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{fd}")
        assert allowed.match(target), f"fd {fd} is {target}"


def test_two_sandboxes_do_not_share_secrets(stage):
    other_dir = "/vault/other"
    os.makedirs(other_dir, exist_ok=True)
    other = "glpat-other-" + os.urandom(8).hex()
    with open(other_dir + "/gitlab", "w", encoding="ascii") as f:
        f.write(other)
    policy = {"custom_credentials": {"gitlab": {"upstream": "https://gitlab.example.com", "inject_header": "PRIVATE-TOKEN",
                                                "credential_key": f"file://{other_dir}/gitlab"}}}
    one, two = start(stage, "one", stage.policy()), start(stage, "two", stage.policy(base=policy))
    try:
        first, second = roles(one)["worker"], roles(two)["worker"]
        assert status(first)["Uid"] != status(second)["Uid"]
        assert memory_has(first, stage.secret.encode()) and memory_has(second, other.encode())
        assert not memory_has(first, other.encode())
        assert not memory_has(second, stage.secret.encode())
    finally:
        for run in (one, two):
            run.terminate()
            run.wait(20)


def test_the_ca_key_is_in_the_keeper_alone(stage):
    """A CA of the user's, so that its scalar is known; OpenSSL keeps numbers as little-endian words."""
    pair = Pair("CA whose key is searched", ca=True, usage=SIGN)
    pair.write(st.SECRET_DIR + "/searched")
    scalar = pair.key.private_numbers().private_value
    needles = [scalar.to_bytes(32, "big"), scalar.to_bytes(32, "little"), pair.key_pem().splitlines()[1]]
    with open(stage.policy(), encoding="utf-8") as f:
        document = json.load(f)
    document["tls"]["ca"] = {"cert": f"file://{st.SECRET_DIR}/searched.pem", "key": f"file://{st.SECRET_DIR}/searched.key"}
    path = os.path.join(stage.dir, "searched.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(document, f)
    run = start(stage, "cakey", path)
    try:
        found = roles(run)
        assert any(memory_has(found["bridle-keeper"], n) for n in needles)  # the search can find
        for name, pid in [*found.items(), ("supervisor", run.pid)]:
            if name != "bridle-keeper":
                assert not any(memory_has(pid, n) for n in needles), name
    finally:
        run.terminate()
        run.wait(20)


def test_dead_roles_come_back(stage):
    run = start(stage, "revive", stage.policy())
    try:
        os.kill(roles(run)["worker"], 9)
        time.sleep(1)
        os.kill(roles(run)["bridle-zygote"], 9)
        time.sleep(1)
        assert run.poll() is None
        assert "bridle-zygote" in roles(run)
    finally:
        run.terminate()
        run.wait(20)
