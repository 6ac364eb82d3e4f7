# SPDX-License-Identifier: Apache-2.0
"""`bridle run`: exit statuses, streams, signals, who the command is, what it can see."""
import os
import select
import signal
import subprocess
import time

import pytest

import stage as st
from demo import children_of


def name_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().split(b"\0")[0]
    except (FileNotFoundError, ProcessLookupError):
        return b""


@pytest.mark.parametrize("script,status", [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)])
def test_exit_status_is_the_commands(stage, script, status):
    assert stage.run(stage.policy(), "sh", "-c", script).returncode == status


def test_command_not_found_and_not_executable(stage):
    missing = stage.run(stage.policy(), "/no/such/command")
    assert missing.returncode == 127 and "/no/such/command: no such file; name a program that exists" in missing.stderr
    assert stage.run(stage.policy(), "/etc/passwd").returncode == 126
    # root's PATH has directories that the user may not enter
    missing = stage.run(stage.policy(), "no-such-command", env={**os.environ, "PATH": stage.dir + ":/usr/bin:/bin"})
    assert missing.returncode == 127 and "no-such-command: command not found in PATH" in missing.stderr


def test_bad_policy_is_125_with_its_place(stage):
    path = os.path.join(stage.dir, "bad.json")
    with open(path, "w", encoding="ascii") as f:
        f.write('{"network": {"allow_domains": []}}')
    result = stage.run(path, "true")
    assert result.returncode == 125
    assert "bad.json:1:" in result.stderr and "allow_domain" in result.stderr


def test_streams_and_one_status_line(stage):
    result = stage.run(stage.policy(), "cat", input="through and through")
    assert result.stdout == "through and through"
    assert len([x for x in result.stderr.splitlines() if x.startswith("bridle: sandbox ")]) == 1, result.stderr


def test_never_root_and_no_capability(stage):
    result = stage.run(stage.policy(), "sh", "-c", "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status")
    lines = result.stdout.split()
    assert lines[0] != "0"
    assert lines[1:] == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2"] or \
        lines[1:] == ["CapBnd:", "0" * 16, "CapEff:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2"] or \
        sorted(lines[1:]) == sorted(["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "Seccomp:", "2"])


def test_secret_directory_is_hidden(stage):
    with open(st.SECRET_FILE, encoding="ascii") as f:
        assert stage.secret in f.read()  # readable for everybody outside
    result = stage.run(stage.policy(), "cat", st.SECRET_FILE)
    assert result.returncode != 0 and stage.secret not in result.stdout


def test_own_pid_namespace_and_no_outsiders(stage):
    result = stage.run(stage.policy(), "sh", "-c", "ls /proc | grep -cE '^[0-9]+$'; ls /proc/self/fd | wc -l")
    processes, descriptors = (int(x) for x in result.stdout.split())
    assert processes < 8
    assert descriptors <= 4  # 0, 1, 2 and the one ls opened


def test_root_shell_needs_user(stage):
    env = {k: v for k, v in os.environ.items() if not k.startswith("SUDO_")}
    result = subprocess.run([st.BRIDLE, "run", "--", "true"], capture_output=True, text=True, check=False, env=env)
    assert result.returncode == 125 and "--user" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGABRT, signal.SIGWINCH, signal.SIGRTMIN + 3])
def test_signal_is_forwarded(stage, number):
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(), "--audit", stage.dir + "/audit.jsonl", "--",
            st.PYTHON, "-c", f"import os, signal as s; s.signal({int(number)}, lambda *_: os._exit(9)); print('up', flush=True); "
                             "[s.pause() for _ in range(99)]"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "up\n"
        time.sleep(0.1)  # until bridle has heard that the command runs, a signal ends bridle
        run.send_signal(number)
        assert run.wait(20) == 9


def test_a_caller_that_ignores_sigchld(stage):
    """The command's end is noticed all the same, and the command ignores it as its caller did."""
    result = stage.run(stage.policy(), "grep", "SigIgn", "/proc/self/status",
                       preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert result.returncode == 0 and int(result.stdout.split()[1], 16) & 1 << (signal.SIGCHLD - 1)


def test_limits_umask_and_priority_are_the_callers(stage):
    """All but core files, whose handler would run outside."""
    show = "ulimit -Sa; ulimit -Ha; umask; nice; cat /proc/self/oom_score_adj"
    script = f"ulimit -n 200; ulimit -f 20000; ulimit -Ss 4096; umask 027; echo 123 >/proc/self/oom_score_adj; {show}; echo ==; " \
             f"exec \"$@\" bash -c '{show}'"
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(), "--audit", stage.dir + "/audit.jsonl", "--"]
    result = subprocess.run(["nice", "-n", "3", "bash", "-c", script, "bash", *argv], capture_output=True, text=True, check=False)
    outside, inside = result.stdout.split("==\n")
    differing = [(a, b) for a, b in zip(outside.splitlines(), inside.splitlines()) if a != b and not a.startswith("core file size")]
    assert inside.count("\n") == outside.count("\n") > 30 and differing == [], result.stderr


def test_signal_that_comes_before_bridle_knows_that_the_command_runs(stage):
    """The supervisor is stopped around the start, so that the signal and the news of the start reach it together."""
    program = "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done"
    argv = [st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(), "--audit", stage.dir + "/audit.jsonl", "--", "sh", "-c", program]
    for delay in range(0, 120, 5):
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
            while not any(name_of(pid) == b"bridle-init" for pid in children_of(run.pid)):
                assert run.poll() is None
            time.sleep(delay / 1000)
            run.send_signal(signal.SIGSTOP)
            up = bool(select.select([run.stdout], [], [], 0.3)[0])
            if up:
                run.send_signal(signal.SIGTERM)
            run.send_signal(signal.SIGCONT)
            if not up:
                assert run.stdout.readline() == b"up\n"
                run.send_signal(signal.SIGTERM)
            assert run.wait(20) == 9, (delay, up)


def test_second_run_of_the_same_name_is_refused(stage):
    argv = [st.BRIDLE, "run", "--user", st.USER, "--name", "twin", "--policy", stage.policy(), "--audit",
            stage.dir + "/audit.jsonl", "--", "sh", "-c", "echo up; sleep 20"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "up\n"
        second = stage.run(stage.policy(), "true", options=("--name", "twin"))
        assert second.returncode == 125
        assert f"the name twin is taken by the running sandbox of process {run.pid}; choose another --name" in second.stderr
        run.send_signal(signal.SIGTERM)
        run.wait(20)


def test_programs_are_pinned_before_the_command_runs(stage):
    """Seen from outside while the very first thing that the command does waits for us."""
    argv = [st.BRIDLE, "run", "--user", st.USER, "--name", "pinned", "--policy", stage.policy(), "--audit", stage.dir + "/audit.jsonl",
            "--", "sh", "-c", "echo up; read _"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "up\n"
        links = os.listdir("/sys/fs/bpf/bridle/v1/run/pinned/links")
        run.communicate("\n", 20)
    assert {"br_sock_create", "br_connect4", "br_connect6", "br_sockops", "br_egress", "br_ingress", "br_setsockopt"} <= set(links), links


def test_orphans_are_reaped_and_end_with_the_command(stage):
    script = "(sh -c 'sleep 0.1 & exec sleep 0.1' &); (setsid sleep 321 &); sleep 0.5; ps -e -o stat=,args="
    start = time.monotonic()
    lines = stage.run(stage.policy(), "sh", "-c", script).stdout.splitlines()
    assert time.monotonic() - start < 60
    assert [x for x in lines if x.startswith("Z") or x.endswith("sleep 0.1")] == [] and any(x.endswith("sleep 321") for x in lines), lines
    outside = subprocess.run(["ps", "-e", "-o", "args="], capture_output=True, text=True, check=False).stdout.splitlines()
    assert "sleep 321" not in outside


def test_the_default_audit_is_roots_alone(stage):
    path = "/var/log/bridle/flow-default.jsonl"
    if os.path.exists(path):
        os.unlink(path)
    argv = [st.BRIDLE, "run", "--user", st.USER, "--name", "flow-default", "--policy", stage.policy(), "--", "cat", path]
    result = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert result.returncode != 0 and result.stdout == "" and path in result.stderr  # hidden from the command
    status = os.stat(path)
    assert (status.st_mode & 0o7777, status.st_uid) == (0o600, 0) and status.st_size > 0
    os.unlink(path)


def test_nothing_is_left_behind(stage):
    assert stage.run(stage.policy(), "true", options=("--name", "tidy")).returncode == 0
    assert not os.path.exists("/sys/fs/bpf/bridle/v1/run/tidy")
    assert not os.path.exists("/run/bridle/run/tidy")


@pytest.mark.parametrize("name,pins", [("victim", "victim"), ("victim.v1", "victim+v1")])
def test_killed_supervisor_leaves_a_closed_sandbox_that_gc_removes(stage, name, pins):
    argv = [st.BRIDLE, "run", "--user", st.USER, "--name", name, "--policy", stage.policy(), "--audit",
            stage.dir + "/audit.jsonl", "--", "sh", "-c", "echo $$; sleep 60"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        run.stdout.readline()
        run.kill()
    time.sleep(0.5)
    assert os.path.isdir("/sys/fs/bpf/bridle/v1/run/" + pins)
    listed = subprocess.run([st.BRIDLE, "list"], capture_output=True, text=True, check=False)
    assert [x.split()[:2] for x in listed.stdout.splitlines() if x.startswith(name + " ")] == [[name, "leftover"]]
    assert subprocess.run([st.BRIDLE, "gc"], check=False).returncode == 0
    assert not os.path.isdir("/sys/fs/bpf/bridle/v1/run/" + pins)
    assert stage.run(stage.policy(), "true", options=("--name", name)).returncode == 0  # the name is free again


def test_javas_roots_hold_the_sandboxes_ca(stage):
    """Where Debian's JDKs look, and where the variable points; no JDK is needed to see that the certificate is in it."""
    program = ("import ssl, os; der = ssl.PEM_cert_to_DER_cert(open('/etc/ssl/certs/bridle-ca.pem').read());"
               "paths = ['/etc/ssl/certs/java/cacerts', os.environ['JAVA_TOOL_OPTIONS'].split('trustStore=')[1].split()[0]];"
               "print([open(p, 'rb').read().startswith(b'\\xfe\\xed\\xfe\\xed') and der in open(p, 'rb').read() for p in paths])")
    assert stage.run(stage.policy(), st.PYTHON, "-c", program).stdout.strip() == "[True, True]"
