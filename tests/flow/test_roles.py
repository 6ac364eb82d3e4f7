# SPDX-License-Identifier: Apache-2.0
"""What each role may touch, read from /proc while sandboxes run."""
import fcntl
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
        assert worker["CapInh"] == worker["CapAmb"] == "0" * 16 and worker["Groups"].strip() == ""
        assert worker["Uid"] == worker["Gid"] == "\t".join([worker["Uid"].split()[0]] * 4)
        assert worker["Seccomp"] == "2" and worker["NoNewPrivs"] == "1"
        assert int(keeper["CapEff"], 16) == 1 << 2  # CAP_DAC_READ_SEARCH
        assert keeper["Seccomp"] == "2"
        assert [status(found[x])["Name"] for x in ("worker", "bridle-keeper", "bridle-zygote")] == \
            ["bridle-worker", "bridle-keeper", "bridle-zygote"]  # for who reads ps
        check_files(found["worker"], "roles")
        assert memory_has(found["worker"], stage.secret.encode())  # the search can find
        assert not memory_has(found["bridle-zygote"], stage.secret.encode())
        assert not memory_has(run.pid, stage.secret.encode())
    finally:
        run.terminate()
        run.wait(20)


def pinned(name):
    """Map ids of a running sandbox, by the maps' names."""
    directory = f"/sys/fs/bpf/bridle/v1/run/{name}/maps"
    return {m: json.loads(st.sh("bpftool", "-j", "map", "show", "pinned", f"{directory}/{m}"))["id"]
            for m in os.listdir(directory)}


def fdinfo(pid, fd):
    with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as f:
        return dict(line.split(":", 1) for line in f if ":" in line and not line.startswith("tfd"))


def check_files(pid, name):
    """Exactly these: what each is, how often, and how it was opened."""
    target, how, maps = {}, {}, {}
    for fd in map(int, os.listdir(f"/proc/{pid}/fd")):
        target[fd] = os.readlink(f"/proc/{pid}/fd/{fd}")
        how[fd] = int(fdinfo(pid, fd)["flags"], 8)
    mode = os.O_ACCMODE
    assert target.pop(0) == "/dev/null"
    log = {target.pop(1), target.pop(2)}
    assert len(log) == 1 and log.pop().startswith("pipe:[") and how[1] & mode == how[2] & mode == os.O_WRONLY
    for fd, what in list(target.items()):
        if what == "anon_inode:bpf-map":
            maps[int(fdinfo(pid, fd)["map_id"])] = how[fd] & mode
            del target[fd]
    own = pinned(name)
    assert maps == {own["flows"]: os.O_RDONLY, own["denials"]: os.O_RDWR, own["counters"]: os.O_RDWR}
    (audit,) = [fd for fd, what in target.items() if what.endswith(f"/audit-{name}.jsonl")]
    assert how[audit] & mode == os.O_WRONLY and how[audit] & os.O_APPEND
    (policy,) = [fd for fd, what in target.items() if what == "/memfd:bridle-policy (deleted)"]
    with open(f"/proc/{pid}/fd/{policy}", "rb") as f:
        assert fcntl.fcntl(f, fcntl.F_GET_SEALS) == (fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW |
                                                      fcntl.F_SEAL_WRITE)
    rest = [what for fd, what in target.items() if fd not in (audit, policy)]
    loops = [what for what in rest if re.match(r"^anon_inode:\[?(eventpoll|timerfd|eventfd)\]?$", what)]
    assert len(loops) <= 2 and all(re.match(r"^socket:\[\d+\]$", what) for what in rest if what not in loops), rest


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
