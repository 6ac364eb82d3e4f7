# SPDX-License-Identifier: Apache-2.0
"""The terminal and job control are the command's own: seen from a real shell on a real pseudo-terminal."""
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time

import stage as st


class Shell:
    """An interactive bash on a terminal of its own."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            reset_signals()  # what started the tests may ignore ^C; a login does not
            os.environ.update(PS1="$ ", TERM="dumb", HISTFILE="/dev/null")
            os.execvp("bash", ["bash", "--norc", "--noediting", "-i"])
        self.seen = ""

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, pattern, timeout=30):
        """Until the pattern comes; what stood before it is forgotten."""
        end = time.monotonic() + timeout
        while not re.search(pattern, self.seen):
            left = end - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.seen!r}"
            if select.select([self.fd], [], [], left)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
        match = re.search(pattern, self.seen)
        self.seen = self.seen[match.end():]
        return match

    def close(self):
        os.close(self.fd)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def command_line(stage, *command):
    return " ".join([st.BRIDLE, "run", "--user", st.USER, "--policy", stage.policy(), "--audit",
                     stage.dir + "/audit.jsonl", "--", *command])


def test_stop_continue_and_interrupt(stage):
    shell = Shell()
    try:
        shell.send(command_line(stage, "sh -c 'echo u''p; exec sleep 100'") + "\n")
        shell.wait_for(r"\bup\r")
        time.sleep(0.2)  # a shell that has just called vfork() cannot stop
        shell.send("\x1a")
        shell.wait_for(r"Stopped")
        shell.send("echo alive=$((6*7))\n")
        shell.wait_for(r"alive=42")
        shell.send("fg\n")
        time.sleep(0.5)
        shell.send("\x03")
        time.sleep(0.2)
        shell.send("echo status=$?.\n")
        assert shell.wait_for(r"status=(\d+)\.").group(1) == "130"
    finally:
        shell.close()


def test_interactive_shell_inside(stage):
    shell = Shell()
    try:
        shell.send(command_line(stage, "bash --norc --noediting -i") + "\n")
        time.sleep(0.2)
        shell.send("echo inside=$((40+2)).$(tty)\n")
        shell.wait_for(r"inside=42\./dev/pts/\d+")
        shell.send("sleep 100\n")
        time.sleep(0.5)
        shell.send("\x1a")
        shell.wait_for(r"Stopped")
        shell.send("kill -KILL %1; disown -a; echo killed=$((1+1))\n")
        shell.wait_for(r"killed=2")
        shell.send("exit 5\n")
        shell.send("echo status=$?.\n")
        assert shell.wait_for(r"status=(\d+)\.").group(1) == "5"
        # the terminal is the outer shell's again
        shell.send("cat\n")
        shell.send("echoed by cat\n")
        shell.wait_for(r"echoed by cat\r\n(\$ )?echoed by cat")
    finally:
        shell.close()


def test_background_reads_and_writes_stop_until_fg(stage):
    """The shell's group had the terminal when the command stopped, and must not get it back on fg."""
    shell = Shell()
    try:
        for before, script, answer, seen in (("", "read x; echo g''ot=$x", "hello\n", r"got=hello\r"),
                                             ("stty tostop; ", "sleep 0.1; echo wro''te", "", r"wrote\r")):
            shell.send(before + command_line(stage, f'sh -c "{script}"'.replace("$", "\\$")) + " &\n")
            for _ in range(40):
                shell.send("jobs; echo lo''oked\n")
                if "Stopped" in shell.wait_for(r"[\s\S]*looked\r").group(0):
                    break
                time.sleep(0.2)
            shell.send("fg\n")
            time.sleep(0.5)
            shell.send(answer)
            shell.wait_for(seen)
            shell.send("echo status=$?.\n")
            assert shell.wait_for(r"status=(\d+)\.").group(1) == "0"
    finally:
        shell.close()


def test_suspended_shell_inside_gets_its_terminal_back(stage):
    shell = Shell()
    try:
        shell.send(command_line(stage, "bash --norc --noediting -i") + "\n")
        shell.send("echo in''side=$$\n")
        shell.wait_for(r"inside=\d")
        shell.send("suspend -f\n")
        shell.wait_for(r"Stopped")
        shell.send("echo out''side=$((40+2))\n")
        shell.wait_for(r"outside=42")
        shell.send("fg\n")
        time.sleep(0.5)
        shell.send("cat\n")
        shell.send("echoed by cat\n")
        shell.wait_for(r"echoed by cat\r\n(\$ )?echoed by cat")
        shell.send("\x04")
        shell.send("exit 5\n")
        shell.send("echo status=$?.\n")
        assert shell.wait_for(r"status=(\d+)\.").group(1) == "5"
    finally:
        shell.close()


def test_nohup_is_inherited(stage):
    """What the caller ignored, the command ignores; and nothing else."""
    argv = command_line(stage, "grep", "-E", "'^Sig(Ign|Blk):'", "/proc/self/status")
    assert signal_masks(argv) == (0, 0)
    assert signal_masks("trap '' HUP; " + argv) == (0, 1)


def signal_masks(script):
    """Blocked and ignored signals; 32 and 33 are the C library's own, which no program can reset."""
    result = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, preexec_fn=reset_signals)
    masks = [int(x, 16) & ~(3 << 31) for x in result.stdout.split()[1::2]]
    return tuple(masks)


def reset_signals():
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            pass


def test_unix_sockets_on_standard_descriptors_are_relayed(stage):
    """Node gives its children unix stream sockets; inside they are pipes."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with subprocess.Popen(command_line(stage, "sh", "-c", "'readlink /proc/self/fd/0; cat; echo end >&2'"), shell=True,
                          stdin=theirs, stdout=theirs, stderr=theirs) as run:
        theirs.close()
        ours.sendall(b"through\n")
        ours.shutdown(socket.SHUT_WR)
        seen = b""
        while part := ours.recv(65536):
            seen += part
        assert run.wait(30) == 0, seen
    lines = seen.decode().splitlines()
    assert [x for x in lines if x.startswith("pipe:")] and "through" in lines and "end" in lines, lines


def test_network_sockets_on_standard_descriptors_are_refused(stage):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        run = subprocess.run(command_line(stage, "true"), shell=True, stdin=s, capture_output=True, text=True, check=False)
    assert run.returncode == 125 and "standard input is a socket" in run.stderr, run.stderr


def test_a_directory_on_standard_input_is_refused(stage):
    """Through one from outside, the hidden secret and every process outside could be reached."""
    run = subprocess.run(command_line(stage, "cat", "/dev/fd/0" + st.SECRET_FILE, "/dev/fd/0/proc/1/status"), shell=True,
                         stdin=os.open("/", os.O_RDONLY), capture_output=True, text=True, check=False)
    assert run.returncode == 125 and "standard input is a directory" in run.stderr, run.stderr
    assert run.stdout == ""


def test_working_directory_and_arguments(stage):
    run = subprocess.run(command_line(stage, "/usr/bin/python3", "-c", "'import os,sys; print(os.getcwd(), sys.argv[1:])'", "-x", "--",
                                      "''"),
                         shell=True, cwd="/usr/share", capture_output=True, text=True, check=False)
    assert run.stdout == "/usr/share ['-x', '--', '']\n", run.stderr
