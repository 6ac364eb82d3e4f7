# SPDX-License-Identifier: Apache-2.0
"""
What a program finds that looks for a way out of `bridle run`: each row is tried inside, by a user without rights. System
calls are x86-64 numbers, as the tests run there alone.
"""
import json
import os
import tempfile

import pytest

import stage as st

PORTS = r"""
import errno, json, socket, time
out = []
for address, port in ROWS:
    started = time.monotonic()
    try:
        socket.create_connection((address, port), 5).close()
        got = "connected"
    except OSError as e:
        got = errno.errorcode.get(e.errno, str(e))
    out.append([address, port, got if time.monotonic() - started < 1 else got + " late"])
print(json.dumps(out))
"""

LOOK = r"""
import ctypes, errno, glob, json, os, socket
libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(256)

def call(number, *args):
    ctypes.set_errno(0)
    r = libc.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return "done" if r >= 0 else errno.errorcode[ctypes.get_errno()]

def opened(path, flags):
    try:
        os.close(os.open(path, flags))
        return "done"
    except OSError as e:
        return errno.errorcode[e.errno]

def sockets():
    found = []
    for family in range(46):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            if call(41, family, kind, 0) == "done":
                found.append([family, int(kind)])
    return found

def listeners():
    ports = []
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(path) as f:
            ports += [int(line.split()[1].rsplit(":", 1)[1], 16) for line in f.readlines()[1:]]
    return ports

def reached(ports):
    out = []
    for port in ports:
        for name in ("127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "192.0.0.2"):
            try:
                socket.create_connection((name, port), 2).close()
                out.append([name, port])
            except OSError:
                pass
    return out

def joined():
    out = []
    for path in glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True):
        if opened(path, os.O_WRONLY) == "done":
            out.append(path)
    return out

def x32():
    pid = os.fork()
    if pid == 0:
        call(0x40000000 | 41, 1, 1, 0)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

with open("/proc/self/status") as f:
    status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
# 1 << 33 and 1 << 40: bits that the kernel drops and a filter may take for another number
print(json.dumps({
    "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)),
    "processes": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
    "status": {k: status[k] for k in ("Uid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")},
    "namespaces": {n: os.readlink("/proc/self/ns/" + n) for n in ("net", "pid", "mnt", "ipc")},
    "sockets": sockets(),
    "listeners": len(listeners()), "reached": reached(listeners()),
    "joined": joined(), "x32": x32(),
    "calls": {
        "socket with high bits": call(41, 1 << 40 | 17, 3, 0), "netlink of another kind": call(41, 16, 3, 9),
        "datagram pair": call(53, 1, 2, 0, room), "datagram pair with high bits": call(53, 1, 2 | 1 << 33, 0, room),
        "io_uring_setup": call(425, 8, room), "clone3": call(435, room, 88), "bpf": call(321, 0, room, 8),
        "keyctl": call(250, 0, -3, 0), "unshare user": call(272, 0x10000000), "unshare net": call(272, 0x40000000),
        "unshare mount": call(272, 0x20000), "perf_event_open": call(298, room, 0, -1, -1, 0),
        "open_by_handle_at": call(304, -100, room, 0), "fsopen": call(430, b"tmpfs", 0),
        "umount": call(166, b"/etc/ssl/certs", 2), "chroot": call(161, b"/tmp"), "ptrace of init": call(101, 16, 1, 0, 0)},
    "files": {f"{p} {m}": opened(p, {"r": os.O_RDONLY, "w": os.O_WRONLY}[m]) for p, m in (
        ("/proc/1/mem", "r"), ("/proc/1/environ", "r"), ("/proc/1/ns/net", "r"), ("/proc/1/root/vault", "r"),
        ("/proc/sys/kernel/core_pattern", "w"), ("/proc/sys/net/ipv4/ip_forward", "w"), ("/proc/sysrq-trigger", "w"),
        ("/proc/kcore", "r"), ("/sys/fs/bpf", "r"), ("/run/bridle", "r"), ("/vault/secrets/gitlab", "r"))}}))
"""


def inside(stage, policy, script):
    result = stage.run(policy, st.PYTHON, "-c", script)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def look(stage):
    return inside(stage, stage.policy(), LOOK)


def test_ports(stage):
    """
    DNS, 80, 443, the proxy ports and what the policy names go to the worker; any other port is refused at once. On
    loopback only the proxy ports do, because whoever dials another means a server that is there.
    """
    path = tempfile.mktemp(suffix=".json", dir=stage.dir)
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"network": {"allow_domain": ["gitlab.example.com:8443", "http://api.example.com:8081"]}}, f)
    proxy = (53, 3128, 8080)
    named, others = (80, 443, 8443, 8081), (1, 22, 25, 444, 853, 3129, 8442, 65535)
    wanted = [[a, p, "ECONNREFUSED" if p in others else "connected"]
              for a in ("10.77.0.2", "fd77::2", "::ffff:10.77.0.2") for p in proxy + named + others]
    wanted += [[a, p, "connected" if p in proxy else "ECONNREFUSED"]
               for a in ("127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1") for p in proxy + named + others]
    got = inside(stage, path, PORTS.replace("ROWS", repr([(a, p) for a, p, _ in wanted])))
    assert got == wanted


def test_rights(look):
    assert look["fds"] == [0, 1, 2]
    assert look["processes"][0] == 1 and len(look["processes"]) == 2
    status = look["status"]
    assert {status[c] for c in status if c.startswith("Cap")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2") and "0" not in status["Uid"].split()
    for name, ours in look["namespaces"].items():
        assert ours != os.readlink(f"/proc/self/ns/{name}"), name


def test_sockets(look):
    """INET and INET6 as TCP and UDP, and rtnetlink; io_uring and other architectures' calls make none either."""
    assert look["sockets"] == [[2, 1], [2, 2], [10, 1], [10, 2], [16, 2], [16, 3]]
    assert look["x32"] == -31  # SIGSYS


def test_the_worker_is_not_reached_directly(look):
    assert look["listeners"] >= 2 and look["reached"] == []


def test_no_other_cgroup(look):
    assert look["joined"] == []


def test_calls_and_files(look):
    refused = {"EPERM", "EACCES", "ENOSYS", "ENOENT", "EAFNOSUPPORT", "EPROTONOSUPPORT", "EROFS"}
    tried = {**look["calls"], **look["files"]}
    assert {what: got for what, got in tried.items() if got not in refused} == {}
