#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an attacker tries against its sandbox. Prints one JSON object: {attempt: errno's name, or what came of it}.

usage: inside.py SETUID_PROGRAM
"""
import ctypes
import errno
import fcntl
import json
import os
import platform
import socket
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"

# name: (x86-64, arm64)
CALLS = {"bpf": (321, 280), "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "keyctl": (250, 219),
         "add_key": (248, 217), "request_key": (249, 218), "open_by_handle_at": (304, 265), "clone3": (435, 435), "unshare": (272, 97),
         "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "fsopen": (430, 430),
         "open_tree": (428, 428), "ptrace": (101, 117), "process_vm_readv": (310, 270), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
         "setuid": (105, 146), "setgroups": (116, 159), "fanotify_init": (300, 262), "acct": (163, 89), "syslog": (103, 116)}
NAMESPACES = {"mnt": 0x20000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000,
              "cgroup": 0x2000000}


def said(result):
    return "went through" if result >= 0 else errno.errorcode.get(ctypes.get_errno(), "?")


def call(name, *args):
    return LIBC.syscall(CALLS[name][ARM], *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])


def attempt(action):
    try:
        return repr(action())
    except OSError as e:
        return errno.errorcode.get(e.errno or 0, str(e))


def kernel_calls():
    got = {}
    for name, args in {"bpf": (5, 0, 0), "perf_event_open": (0, 0, -1, -1, 0), "io_uring_setup": (8, 0), "userfaultfd": (1,),
                       "keyctl": (0, -3, 0), "add_key": (b"user", b"a", b"b", 1, -3), "request_key": (b"user", b"a", 0, 0),
                       "open_by_handle_at": (-100, 0, 0), "clone3": (0, 0), "mount": (b"none", b"/tmp", b"tmpfs", 0, 0),
                       "umount2": (b"/etc/ssl/certs", 2), "pivot_root": (b"/", b"/"), "chroot": (b"/tmp",), "fsopen": (b"tmpfs", 0),
                       "open_tree": (-100, b"/", 1), "setuid": (0,), "setgroups": (0, 0), "fanotify_init": (0, 0), "acct": (0,),
                       "syslog": (10, 0, 0)}.items():
        got[name] = said(call(name, *args))
    for name, flag in NAMESPACES.items():
        got["unshare " + name] = said(call("unshare", flag))
    got["unshare user, high bits"] = said(call("unshare", 1 << 40 | NAMESPACES["user"]))
    for name, request in {"TIOCSTI": 0x5412, "TIOCLINUX": 0x541C}.items():
        for bits in (0, 1 << 32):
            got[f"{name}, high bits {bits:#x}"] = said(LIBC.syscall(29 if ARM else 16, 0, ctypes.c_long(bits | request), b"x"))
    return got


def init():
    """PID 1 has our uid and is out of reach all the same."""
    got = {"ptrace": said(call("ptrace", 16, 1, 0, 0)), "ptrace seize": said(call("ptrace", 0x4206, 1, 0, 0))}
    vector = ctypes.byref((ctypes.c_long * 2)(ctypes.addressof(ctypes.create_string_buffer(8)), 8))
    got["memory"] = said(call("process_vm_readv", 1, vector, 1, vector, 1, 0))
    handle = call("pidfd_open", 1, 0)
    got["descriptors"] = sorted({said(call("pidfd_getfd", handle, n, 0)) for n in range(5)})
    got["namespaces"] = said(call("setns", handle, NAMESPACES["net"]))
    for name in ("environ", "mem", "maps", "syscall"):
        got["read " + name] = attempt(lambda name=name: open(f"/proc/1/{name}", "rb").read(1))
    for name in ("root", "cwd", "exe", "fd/3", "ns/net", "ns/mnt"):
        got["link " + name] = attempt(lambda name=name: os.readlink("/proc/1/" + name))
    for number in (1, 9, 11, 15, 17, 19):
        os.kill(1, number)
    return got


def sockets():
    got = {"families": [], "netlink": [], "pairs": [], "protocols": []}
    for family in range(48):
        for kind in (1, 2, 3, 5):
            fd = LIBC.socket(family, kind, 0)
            if fd >= 0:
                got["families"].append([family, kind])
                os.close(fd)
    for protocol in range(23):
        if LIBC.socket(16, 3, protocol) >= 0:
            got["netlink"].append(protocol)
    for family in range(48):
        for kind in range(1, 11):
            if LIBC.socketpair(family, kind, 0, (ctypes.c_int * 2)()) >= 0:
                got["pairs"].append([family, kind])
    for family in (2, 10):
        for kind in (1, 2, 3, 5):
            for protocol in (1, 33, 46, 58, 115, 132, 136, 255, 262):
                if LIBC.socket(family, kind, protocol) >= 0:
                    got["protocols"].append([family, kind, protocol])
    return got


def read_only():
    """Where a write could steer the kernel or our certificates, whoever owns it: the mount must be read-only."""
    places = ["/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs", "/sys", "/etc/ssl/certs", "/etc/resolv.conf"]
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        for line in f:
            words = line.split()
            if words[words.index("-") + 1] in ("cgroup", "cgroup2", "sysfs", "securityfs", "configfs", "binfmt_misc"):
                places.append(words[4])
    return {p: bool(os.statvfs(p).f_flag & os.ST_RDONLY) for p in places if os.path.exists(p)}


def names():
    got = {}
    for path in ("/etc/ssl/certs", "/etc/resolv.conf", "/vault/secrets", "/vault", "/proc/sys"):
        got["rename " + path] = attempt(lambda path=path: os.rename(path, "/tmp/elsewhere"))
    got["unlink"] = attempt(lambda: os.unlink("/etc/ssl/certs/ca-certificates.crt"))
    for path in ("/vault/secrets", "/run/bridle", "/var/log/bridle", "/sys/fs/bpf"):
        got["list " + path] = attempt(lambda path=path: os.listdir(path)) if os.path.isdir(path) else "ENOENT"
    return got


def descriptors():
    kept = []
    for fd in range(3, 256):
        try:
            fcntl.fcntl(fd, fcntl.F_GETFD)
            kept.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            pass
    return kept


def main():
    got = {"descriptors": descriptors(), "init": init(), "calls": kernel_calls(), "sockets": sockets(), "read only": read_only(),
           "names": names(), "setuid": subprocess.run([sys.argv[1], "-u"], capture_output=True, text=True, check=False).stdout.strip(),
           "uid": os.getuid(), "processes": len([x for x in os.listdir("/proc") if x.isdigit()])}
    with socket.create_connection(("gitlab.example.com", 443), 15):
        got["alive after all"] = True
    print(json.dumps(got))


if __name__ == "__main__":
    main()
