# SPDX-License-Identifier: Apache-2.0
"""scripts/demo, scripts/check, .ci/run: what they install, build and count. apt, dpkg and make are stand-ins here."""
import os
import shutil
import subprocess

import pytest

import stage as st

DPKG = '#!/bin/sh\nfor name; do :; done\ngrep -qx "$name" "$FAKES/installed" && echo "install ok installed"\n'
APT = """#!/bin/sh
echo "apt-get $*" >>"$FAKES/calls"
[ "$1" = install ] || exit 0
echo "Get:1 http://deb.example.com/debian bookworm/main amd64 tcpdump amd64 4.99.3-1 [471 kB]"
echo "Setting up tcpdump (4.99.3-1) ..."
[ ! -e "$FAKES/apt-fails" ] || { echo "E: no space left" >&2; exit 100; }
shift 3
printf '%s\\n' "$@" >>"$FAKES/installed"
"""
MAKE = '#!/bin/sh\necho "make $*" >>"$FAKES/calls"\necho "3 passed, 0 failed, 0 skipped"\n'


class Machine:
    """A checkout's scripts on a machine that has neither make nor anything else."""

    def __init__(self, path):
        self.path = path
        for name in ("scripts", ".ci"):
            shutil.copytree(os.path.join(st.ROOT, name), os.path.join(path, name))
        os.makedirs(path + "/fakes")
        for name, text in (("dpkg-query", DPKG), ("apt-get", APT), ("make", MAKE), ("installed", ""), ("calls", "")):
            with open(f"{path}/fakes/{name}", "w", encoding="ascii") as f:
                f.write(text)
            os.chmod(f"{path}/fakes/{name}", 0o755)

    def run(self, *argv):
        env = {"PATH": f"{self.path}/fakes:/usr/bin:/bin", "FAKES": self.path + "/fakes"}
        return subprocess.run(argv, cwd=self.path, env=env, capture_output=True, text=True, check=False)

    def calls(self):
        with open(self.path + "/fakes/calls", "r+", encoding="ascii") as f:
            lines = f.read().splitlines()
            f.truncate(0)
        return lines


@pytest.fixture
def machine(tmp_path):
    return Machine(str(tmp_path))


@pytest.mark.parametrize("script,target,needs", [
    ("scripts/demo", "demo", {"make", "gcc", "clang", "bpftool", "libbpf-dev", "python3", "iproute2", "tcpdump"}),
    ("scripts/check", "check", {"make", "curl", "python3-pytest", "libcmocka-dev", "clang-format", "shellcheck"}),
    (".ci/run", "check", {"make", "curl", "python3-pytest"})])
def test_installs_then_makes(machine, script, target, needs):
    first = machine.run(script)
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert "  downloading tcpdump (471 kB)" in lines and "  setting up tcpdump" in lines  # progress
    assert lines[-1] == "3 passed, 0 failed, 0 skipped"
    calls = machine.calls()
    assert calls[0] == "apt-get update" and calls[1].startswith("apt-get install -y ")
    assert needs <= set(calls[1].split())
    assert calls[2:] == [f"make --no-print-directory {target}"]
    # quick the second time
    second = machine.run(script)
    assert second.returncode == 0 and "install" not in second.stdout
    assert machine.calls() == [f"make --no-print-directory {target}"]


def test_a_failing_apt_is_shown_and_ends_it(machine):
    with open(machine.path + "/fakes/apt-fails", "w", encoding="ascii"):
        pass
    result = machine.run("scripts/check")
    assert result.returncode != 0 and "E: no space left" in result.stderr and "apt-get failed" in result.stderr
    assert not [x for x in machine.calls() if x.startswith("make")]


@pytest.mark.parametrize("script", ["scripts/demo", "scripts/check", "scripts/deps"])
def test_not_root(machine, script):
    os.chmod(machine.path, 0o755)
    parent = os.path.dirname(machine.path)
    result = subprocess.run(["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /mnt && cd /mnt && exec setpriv --reuid 1 --regid 1 '
                             '--clear-groups "$2"', "sh", machine.path, script], cwd=parent, capture_output=True, text=True, check=False,
                            env={"PATH": "/mnt/fakes:/usr/bin:/bin", "FAKES": "/mnt/fakes"})
    assert result.returncode == 1 and "root" in result.stderr, result.stderr
    assert machine.calls() == []


SUITES = """#!/bin/sh
case $2 in
good) echo "good: 5 passed, 0 failed, 0 skipped" ;;
bad) echo "bad: 1 passed, 2 failed, 0 skipped"; exit 2 ;;
skips) echo "skips: 4 passed, 0 failed, 1 skipped" ;;
silent) echo "all is well" ;;
crash) echo "crash: 3 passed, 0 failed, 0 skipped"; exit 139 ;;
esac
"""


@pytest.mark.parametrize("suites,last,status", [
    (["good", "good"], "10 passed, 0 failed, 0 skipped", 0),
    (["good", "bad"], "6 passed, 2 failed, 0 skipped", 1),
    (["skips", "good"], "9 passed, 1 failed, 1 skipped", 1),
    (["silent", "good"], "5 passed, 1 failed, 0 skipped", 1),
    (["crash", "good"], "8 passed, 1 failed, 0 skipped", 1)])
def test_the_sum(machine, suites, last, status):
    """A suite that says nothing, or ends badly after a good line, or skips what no list names, has failed."""
    with open(machine.path + "/fakes/make", "w", encoding="ascii") as f:
        f.write(SUITES)
    result = machine.run("scripts/check-all", *suites)
    assert result.stdout.splitlines()[-1] == last and result.returncode == status, result.stdout
