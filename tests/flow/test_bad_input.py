# SPDX-License-Identifier: Apache-2.0
"""Bad input and bad luck: each gets a sentence that says what, where, why and the next step, and nothing opens up."""
import ctypes
import json
import os
import resource
import signal
import struct
import subprocess
import time

import pytest

import stage as st
from demo import children_of
from test_roles import roles

MRS = "https://gitlab.example.com/api/v4/projects/7/merge_requests"


def left_behind():
    found = []
    for top in ("/run/bridle/run", "/sys/fs/bpf/bridle/v1/run"):
        found += [os.path.join(top, x) for x in os.listdir(top)] if os.path.isdir(top) else []
    return {x for x in found if "bad-" in x}


def refused(result, *words, status=125):
    """Status, silence on stdout, one line of error with all the words."""
    assert result.returncode == status, result.stderr
    assert result.stdout == ""
    lines = [x for x in result.stderr.splitlines() if x.startswith("bridle: error: ") or ".json:" in x.split(" ")[0]]
    assert len(lines) == 1, result.stderr
    missing = [w for w in words if w not in lines[0]]
    assert missing == [], lines[0]
    assert left_behind() == set()


def run(stage, *options, command=("true",), policy=None, user=st.USER, before=None, **kwargs):
    argv = [st.BRIDLE, "run", "--name", "bad-input", *(["--user", user] if user else []), "--policy",
            policy or stage.policy(), *options, "--", *command]
    if not any(o == "--audit" for o in options):
        argv[2:2] = ["--audit", stage.dir + "/audit.jsonl"]
    if before:
        argv = ["unshare", "--mount", "sh", "-c", before + ' && exec "$@"', "sh", *argv]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, **kwargs)


def test_no_btf(stage):
    refused(run(stage, before="mount -t tmpfs none /sys/kernel/btf"), "cannot load the kernel programs", "/sys/kernel/btf/vmlinux",
            "CONFIG_DEBUG_INFO_BTF")


def test_no_cgroup_v2(stage):
    where = [x.split()[4] for x in open("/proc/self/mountinfo", encoding="ascii") if " - cgroup2 " in x]
    refused(run(stage, before="; ".join("umount -l " + x for x in where)), "no cgroup v2 hierarchy is mounted", "mount -t cgroup2")


def fail_program_loads(error):
    """seccomp: bpf(BPF_PROG_LOAD) fails, as on a kernel that does not take a hook. Inherited by what is executed."""
    def statement(code, k, jt=0, jf=0):
        return struct.pack("HBBI", code, jt, jf, k)
    program = b"".join([statement(0x20, 0), statement(0x15, 321, 0, 3), statement(0x20, 16), statement(0x15, 5, 0, 1),
                        statement(0x06, 0x00050000 | error), statement(0x06, 0x7fff0000)])
    buffer = ctypes.create_string_buffer(program)
    libc = ctypes.CDLL(None, use_errno=True)
    fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    if libc.prctl(22, 2, ctypes.create_string_buffer(fprog), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the filter has x86-64's number of bpf(2)")
@pytest.mark.parametrize("error,words", [(1, "CAP_BPF"), (22, "Linux 6.1 or newer")])
def test_a_hook_that_does_not_load(stage, error, words):
    refused(run(stage, preexec_fn=lambda: fail_program_loads(error)), "cannot load the kernel programs", words)


def write(stage, name, text, mode=0o644):
    path = os.path.join(stage.dir, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def test_policies_that_are_none(stage):
    refused(run(stage, policy="/no/such/policy.json"), "/no/such/policy.json", "No such file")
    refused(run(stage, policy=stage.dir), stage.dir, "is a directory")
    unreadable = subprocess.run(["setpriv", "--reuid", "1", "--regid", "1", "--clear-groups", st.BRIDLE, "policy", "check",
                                 write(stage, "mine.json", "{}", 0o600)], capture_output=True, text=True, check=False)
    refused(unreadable, "mine.json", "Permission denied", "who may read it", status=2)
    refused(run(stage, policy=write(stage, "empty.json", "")), "empty.json:1:1", "expected a value", "smallest policy")
    refused(run(stage, policy=write(stage, "large.json", " " * (2 << 20))), "large.json", "larger than")


def test_users_that_cannot_be(stage):
    refused(run(stage, user="nobody-of-that-name"), "nobody-of-that-name", "--user")
    refused(run(stage, user="root"), "root", "--user")
    refused(run(stage, user=None, env={"PATH": os.environ["PATH"]}), "--user")


def test_not_root(stage):
    result = subprocess.run(["setpriv", "--reuid", "1", "--regid", "1", "--clear-groups", st.BRIDLE, "run", "--", "true"],
                            capture_output=True, text=True, check=False)
    refused(result, "root", "sudo")


def test_options_that_are_none(stage):
    result = subprocess.run([st.BRIDLE, "run", "--polcy", "x", "--", "true"], capture_output=True, text=True, check=False)
    assert result.returncode == 125 and "--polcy" in result.stderr and "--policy" in result.stderr
    result = subprocess.run([st.BRIDLE, "run"], capture_output=True, text=True, check=False)
    assert result.returncode == 125 and "COMMAND" in result.stderr
    result = subprocess.run([st.BRIDLE, "rum"], capture_output=True, text=True, check=False)
    assert result.returncode != 0 and "run" in result.stderr


def test_the_daemons_name_is_the_same_program():
    daemon = os.path.join(os.path.dirname(st.BRIDLE), "bridled")
    assert os.path.samefile(daemon, st.BRIDLE)
    result = subprocess.run([daemon], capture_output=True, text=True, check=False)
    assert result.returncode == 2 and "bridle run" in result.stderr


@pytest.mark.parametrize("words,said", [
    ([], "see bridle --help"), (["frobnicate"], "there is no command frobnicate"),
    (["policy"], "bridle policy alone is no command; did you mean bridle policy check?"),
    (["policy", "--help"], "did you mean bridle policy check?"), (["policy", "chek", "x"], "did you mean bridle policy check?"),
    (["policy", "check"], "something is missing; usage: bridle policy check FILE"),
    (["list", "x"], "one word too many: x; usage: bridle list [options]"),
    (["gc", "x"], "one word too many: x; usage: bridle gc"),
    (["why", "GET"], "something is missing; usage: bridle why [options] METHOD URL")])
def test_command_lines_that_are_none(words, said):
    result = subprocess.run([st.BRIDLE, *words], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("bridle: error: ") and result.stderr.count("\n") == 1
    assert said in result.stderr and not result.stderr.endswith(" \n")


def test_audit_where_the_user_can_write(stage):
    refused(run(stage, "--audit", "/tmp/audit.jsonl"), "/tmp/audit.jsonl", "can write", "directory")
    refused(run(stage, "--audit", "/no/such/dir/audit.jsonl"), "/no/such/dir/audit.jsonl", "No such file")


def test_a_policy_that_the_user_can_write_is_warned_about(stage):
    path = write(stage, "open.json", "{}", 0o666)
    os.chmod(stage.dir, 0o755)
    try:
        result = run(stage, policy=path)
    finally:
        os.chmod(stage.dir, 0o700)
    assert result.returncode == 0
    assert [x for x in result.stderr.splitlines() if x.startswith("bridle: warning: ") and "open.json" in x and "can change" in x]


def test_a_secret_beside_what_the_command_needs(stage):
    policy = write(stage, "beside.json", json.dumps({"custom_credentials": {"x": {
        "upstream": "https://gitlab.example.com", "credential_key": "file:///usr/bin/token"}}}))
    refused(run(stage, policy=policy), "/usr/bin", "secret")


def test_a_secret_that_is_not_there_is_named(stage):
    os.unlink(st.SECRET_FILE)
    try:
        result = run(stage)
    finally:
        stage.write_secret(stage.secret)
    assert f"credential gitlab (file://{st.SECRET_FILE}) is not available: the file does not exist\n" in result.stderr
    assert result.returncode == 0 and stage.secret not in result.stderr


def test_full_disk_for_the_audit(stage):
    """Nothing is allowed while no record can be written, and the sandbox goes on when there is room again."""
    where = os.path.join(stage.dir, "small")
    os.makedirs(where, exist_ok=True)
    st.sh("mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "none", where)
    try:
        script = f"for i in 1 2 3; do curl -sS {MRS}; echo; read _; done; exit 0"
        argv = [st.BRIDLE, "run", "--user", st.USER, "--name", "bad-disk", "--policy", stage.policy(), "--audit",
                where + "/audit.jsonl", "--", "sh", "-c", script]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert "merge me" in child.stdout.readline()
            subprocess.run(["dd", "if=/dev/zero", "of=" + where + "/fill", "bs=4k"], check=False, capture_output=True)
            with open(where + "/fill", "ab", buffering=0) as fill:
                try:
                    while True:
                        fill.write(b"x")
                except OSError:
                    pass
            # the file's last page still has room: use it up
            with open(where + "/audit.jsonl", "ab", buffering=0) as audit:
                size = audit.tell()
                try:
                    while True:
                        audit.write(b"\n")
                except OSError:
                    pass
            stage.forget_requests()
            child.stdin.write("\n")
            child.stdin.flush()
            body = json.loads(child.stdout.readline())
            assert (body["status"], body["code"]) == (503, "audit_unavailable")
            assert stage.requests() == []
            os.truncate(where + "/audit.jsonl", size)
            os.unlink(where + "/fill")
            child.stdin.write("\n")
            child.stdin.flush()
            child.stdout.readline()
            assert "merge me" in child.stdout.readline()
            child.stdin.close()
            assert child.wait(30) == 0
    finally:
        st.sh("umount", "-l", where)


def test_a_limit_on_the_size_of_files(stage):
    """The kernel would end us with SIGXFSZ."""
    refused(run(stage, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))), "File too large")


def start(stage, name, script):
    argv = [st.BRIDLE, "run", "--user", st.USER, "--name", name, "--policy",
            stage.policy(base={"network": {"allow_domain": ["gitlab.example.com"]}}), "--audit",
            f"{stage.dir}/audit-{name}.jsonl", "--", "sh", "-c", script]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


LOOP = ("curl -sS -o /dev/null -w '%{http_code}\\n' https://gitlab.example.com/x; while read _; do "
        "curl -sS -m 20 -o /dev/null -w '%{http_code}\\n' https://gitlab.example.com/x 2>/dev/null; done")


def again(child):
    child.stdin.write("\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


@pytest.mark.parametrize("role", ["worker", "bridle-keeper", "bridle-zygote"])
def test_a_killed_role_is_started_again(stage, role):
    """The program's next requests may fail once; they are answered again soon, and none ever goes past us."""
    with start(stage, "bad-" + role[-6:], LOOP) as child:
        assert child.stdout.readline() == "200\n"
        os.kill(roles(child)[role], signal.SIGKILL)
        deadline, answers = time.time() + 20, []
        while time.time() < deadline and (not answers or answers[-1] != "200"):
            answers.append(again(child))
            time.sleep(0.2)
        # a new keeper has a new CA, which a running program (here: each curl anew) reads again
        assert answers[-1] == "200" and set(answers) <= {"200", "000", "502", "503"}, answers
        child.stdin.close()
        assert child.wait(30) == 0
        said = child.stderr.read()
        assert {"worker": "the worker", "bridle-keeper": "keeper", "bridle-zygote": "zygote"}[role] in said


def test_a_worker_that_dies_and_dies_is_given_up(stage):
    with start(stage, "bad-crash", LOOP) as child:
        assert child.stdout.readline() == "200\n"
        for _ in range(3):
            worker = None
            for _ in range(100):
                worker = roles(child).get("worker")
                if worker:
                    break
                again(child)
                time.sleep(0.1)
            assert worker
            os.kill(worker, signal.SIGKILL)
            time.sleep(1)
        assert again(child) == "000"
        stage.forget_requests()
        assert again(child) == "000" and stage.requests() == []
        child.stdin.close()
        child.wait(30)
        assert "every connection of the sandbox is refused from now on: start the sandbox again" in child.stderr.read()


def test_init_killed_ends_the_command(stage):
    with start(stage, "bad-init", "echo up; sleep 60") as child:
        assert child.stdout.readline() == "up\n"
        found = roles(child)
        init = [p for p in children_of(child.pid) if p not in found.values()]
        victim = min(init)
        os.kill(victim, signal.SIGKILL)
        assert child.wait(30) in (125, 137)
        assert "the sandbox's init was killed by signal 9, and the command with it; start it again" in child.stderr.read()
    assert left_behind() == set()


def test_a_killed_supervisor_is_told_by_the_next_command(stage):
    with start(stage, "bad-gone", "echo up; sleep 60") as child:
        assert child.stdout.readline() == "up\n"
        child.kill()
    time.sleep(0.5)
    result = run(stage)
    assert result.returncode == 0
    assert "removed what is left of sandbox bad-gone" in result.stderr
    assert left_behind() == set()
