# SPDX-License-Identifier: Apache-2.0
"""`make install` into a staging directory: what is there, that it runs, and that uninstall leaves what was there before."""
import os
import subprocess

import pytest

import stage as st


def make(target, stage_dir, umask="022"):
    return subprocess.run(["sh", "-c", f"umask {umask} && exec make --no-print-directory -C {st.ROOT} {target} DESTDIR={stage_dir} PREFIX=/usr"],
                          capture_output=True, text=True, check=False)


def tree(top):
    return sorted(os.path.relpath(os.path.join(d, n), top) for d, dirs, files in os.walk(top) for n in dirs + files)


def test_install_and_uninstall(stage, tmp_path):
    top = str(tmp_path)
    os.makedirs(top + "/usr/share/man/man1")
    with open(top + "/usr/share/man/man1/other.1", "w", encoding="ascii"):
        pass
    os.chmod(top + "/usr/share", 0o2775)
    before = tree(top)
    for _ in range(2):  # also over an old one
        result = make("install", top)
        assert result.returncode == 0, result.stderr
    usr = top + "/usr"
    version = subprocess.run([usr + "/bin/bridle", "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("bridle ") and os.path.samefile(usr + "/bin/bridle", usr + "/bin/bridled")
    for path in ("man/man1/bridle-run.1", "man/man5/bridle-policy.5", "bash-completion/completions/bridle", "zsh/site-functions/_bridle",
                 "fish/vendor_completions.d/bridle.fish", "bridle/bridle.schema.json", "doc/bridle/README.md", "doc/bridle/architecture.md"):
        assert os.stat(f"{usr}/share/{path}").st_mode & 0o7777 == 0o644, path
    assert subprocess.run([usr + "/bin/bridle", "policy", "check", usr + "/share/doc/bridle/examples/gitlab-rules.json"],
                          capture_output=True, check=False).returncode == 0
    assert os.stat(usr + "/share").st_mode & 0o7777 == 0o2775  # what was there is not changed
    assert make("uninstall", top).returncode == 0 and tree(top) == before
    again = make("uninstall", top)
    assert again.returncode != 0 and "nothing is installed" in again.stderr


@pytest.mark.parametrize("umask,mode", [("077", 0o700), ("027", 0o750)])
def test_umask(stage, tmp_path, umask, mode):
    assert make("install", tmp_path, umask).returncode == 0
    assert os.stat(tmp_path / "usr/bin/bridle").st_mode & 0o777 == mode
    assert os.stat(tmp_path / "usr/share/bridle").st_mode & 0o777 == mode
    assert make("uninstall", tmp_path).returncode == 0 and tree(tmp_path) == []
