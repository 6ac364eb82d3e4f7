# SPDX-License-Identifier: Apache-2.0
"""What the tests' servers hold for real clients: a git repository, and one small package for each registry."""
import os
import shutil
import subprocess

GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]


def make_repository(directory):
    bare, work = directory + "/git/a.git", directory + "/git-work"
    subprocess.run([*GIT, "init", "-q", "--bare", bare], check=True)
    subprocess.run([*GIT, "clone", "-q", bare, work], check=True, capture_output=True)
    with open(work + "/file", "w", encoding="ascii") as f:
        f.write("of the first commit\n")
    for argv in (["add", "file"], ["commit", "-q", "-m", "first"], ["push", "-q", "origin", "HEAD:main"]):
        subprocess.run([*GIT, "-C", work, *argv], check=True)


def make(directory):
    os.makedirs(directory + "/git")
    os.makedirs(directory + "/files")
    make_repository(directory)


def remove(directory):
    for name in ("git", "git-work", "files"):
        shutil.rmtree(f"{directory}/{name}", ignore_errors=True)
