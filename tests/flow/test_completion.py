# SPDX-License-Identifier: Apache-2.0
"""The completions, each loaded by its own shell and asked as a user would."""
import os
import pty
import select
import shlex
import subprocess
import time

import pytest

import stage as st

DIR = os.path.join(st.ROOT, "build", "release", "completion")
BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_bridle 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(*words):
    """What bash would offer for the last word."""
    result = subprocess.run(["bash", "--norc", "-c", BASH, "bash", DIR + "/bridle.bash", *words], capture_output=True, text=True,
                            check=True, timeout=60)
    return [x for x in result.stdout.split("\n") if x]


def fish(*words):
    line = " ".join(words)
    result = subprocess.run(["fish", "--no-config", "-c", f"source {DIR}/bridle.fish; complete -C {shlex.quote(line)}"],
                            capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "HOME": "/nonexistent"})
    assert result.stderr == ""
    return [x.split("\t")[0] for x in result.stdout.split("\n") if x]


class Zsh:
    """An interactive zsh on a terminal of its own."""

    def __init__(self, directory):
        os.symlink(DIR + "/bridle.zsh", directory + "/_bridle")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execve("/usr/bin/zsh", ["zsh", "-f", "-i"],
                      {"TERM": "dumb", "PATH": "/usr/bin:/bin", "HOME": directory, "COLUMNS": "200", "LINES": "100"})
        self.ask("unsetopt zle_bracketed_paste; PS1='%%'; LISTMAX=1000; stty -echo cols 200 rows 100; "
                 f"fpath=({directory} $fpath); autoload -U compinit; compinit -u -D; setopt no_beep; echo rea'dy'\n", "ready")

    def ask(self, keys, until=None):
        """What the terminal shows after the keys, when it has been quiet for a while."""
        os.write(self.fd, keys.encode("ascii"))
        shown, end = "", time.monotonic() + 20
        while time.monotonic() < end:
            quiet = not select.select([self.fd], [], [], 0.4)[0]
            if quiet and (until is None and shown or until is not None and until in shown):
                return shown
            if not quiet:
                shown += os.read(self.fd, 65536).decode("utf-8", "replace")
        raise AssertionError(f"zsh shows {shown!r}")

    def complete(self, line):
        shown = self.ask(line + "\t")
        self.ask("\x15\n")
        return shown.split()

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="module")
def zsh(tmp_path_factory):
    shell = Zsh(str(tmp_path_factory.mktemp("zsh")))
    yield shell
    shell.close()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.json").write_text("{}", encoding="ascii")


def test_every_command_and_option(stage):
    """All that the help lists is offered by each shell that can be asked quickly, and nothing else."""
    names = [line[2:].split("  ")[0].strip() for line in
             subprocess.run([st.BRIDLE, "--help"], capture_output=True, text=True, check=True).stdout.splitlines() if line.startswith("  ")]
    names = [n for n in names if not n.startswith("bridle")]
    firsts = {n.split()[0] for n in names}
    assert len(names) > 5
    for shell in (bash, fish):
        assert set(shell("bridle", "")) == firsts | ({"--help", "--version"} if shell is bash else set())
        for name in names:
            words = name.split()
            assert words[-1] in shell("bridle", *words[:-1], words[-1][:1])
            text = subprocess.run([st.BRIDLE, *words, "--help"], capture_output=True, text=True, check=True).stdout
            options = {w for line in text.splitlines() if line.startswith("  ") for w in line.replace(",", "").split()[:2]
                       if w.startswith("--")}
            assert set(shell("bridle", *words, "--")) - {"--help"} == options, (shell, name)


ROWS = [
    # words, offered among others, never offered
    (["bridle", "policy", ""], {"check"}, {"run", "show"}),
    (["bridle", "audit", "show", "--decision", ""], {"allow", "refuse"}, {"policy.json"}),
    (["bridle", "audit", "show", "--code", "path_not_al"], {"path_not_allowed"}, {"path_too_long"}),
    (["bridle", "audit", "show", "-n", "5", "--fol"], {"--follow"}, set()),
    (["bridle", "why", "DEL"], {"DELETE"}, {"GET"}),
    (["bridle", "why", "--policy", "pol"], {"policy.json"}, {"GET"}),
    (["bridle", "why", "--json", "PA"], {"PATCH"}, {"GET"}),
    (["bridle", "why", "GET", ""], set(), {"GET", "policy.json"}),
    (["bridle", "policy", "check", "p"], {"policy.json"}, {"check"}),
    (["bridle", "run", "--user", "daemo"], {"daemon"}, {"policy.json"}),
    (["bridle", "run", "--user", "daemon", "ca"], {"cat"}, set()),
    (["bridle", "run", "--user", "daemon", "--", "ca"], {"cat"}, set()),
    (["bridle", "run", "--user", "daemon", "cat", "pol"], {"policy.json"}, {"--policy"}),
]


@pytest.mark.parametrize("words,offered,never", ROWS, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
@pytest.mark.parametrize("shell", [bash, fish])
def test_words(stage, here, shell, words, offered, never):
    found = set(shell(*words))
    assert offered <= found and not never & found, found


def test_equals_sign(stage, here):
    """bash cuts words at it."""
    assert bash("bridle", "why", "--policy", "=", "pol") == ["policy.json"]
    assert bash("bridle", "audit", "show", "--color", "=") == ["auto", "always", "never"]
    assert fish("bridle", "audit", "show", "--color=al") == ["--color=always"]


def test_zsh(stage, zsh):
    assert {"run", "policy", "why", "audit", "list", "gc"} <= set(zsh.complete("bridle "))
    assert {"check"} <= set("".join(zsh.complete("bridle policy ch")).replace("bridlepolicy", " ").split())
    shown = zsh.complete("bridle audit show --")
    assert {"--sandbox", "--host", "--code", "--decision", "--follow", "--last"} <= set(shown)
    assert "--learn" in zsh.complete("bridle run --") and "--learn" not in zsh.complete("bridle why --")
    assert {"allow", "refuse"} <= set(zsh.complete("bridle audit show --decision "))
    assert {"auto", "always", "never"} <= set(zsh.complete("bridle audit show --color="))
    assert {"GET", "DELETE", "PATCH"} <= set(zsh.complete("bridle why "))
    assert "--sort" in "".join(zsh.complete("bridle run --user daemon -- ls --sor"))
