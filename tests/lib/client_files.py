# SPDX-License-Identifier: Apache-2.0
"""What the tests' servers hold for real clients: a git repository, and one small package for each registry."""
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile

from clients import URL

PACKAGE = "bridletest"
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]


def make_repository(directory):
    bare, work = directory + "/git/a.git", directory + "/git-work"
    subprocess.run([*GIT, "init", "-q", "--bare", bare], check=True)
    subprocess.run([*GIT, "clone", "-q", bare, work], check=True, capture_output=True)
    with open(work + "/file", "w", encoding="ascii") as f:
        f.write("of the first commit\n")
    for argv in (["add", "file"], ["commit", "-q", "-m", "first"], ["push", "-q", "origin", "HEAD:main"]):
        subprocess.run([*GIT, "-C", work, *argv], check=True)


def put(directory, path, content):
    path = f"{directory}/files/{path}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())


def tar(folder, files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def make_pip(directory):
    """A simple index (PEP 503) with one wheel."""
    wheel, info = f"{PACKAGE}-1.0.0-py3-none-any.whl", f"{PACKAGE}-1.0.0.dist-info"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{PACKAGE}.py", "print('of the wheel')\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{PACKAGE}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    put(directory, f"pip/{wheel}", out.getvalue())
    put(directory, f"pip/simple/{PACKAGE}/index.html",
        f"<a href='../../{wheel}#sha256={hashlib.sha256(out.getvalue()).hexdigest()}'>{wheel}</a>")


def make_npm(directory):
    about = {"name": PACKAGE, "version": "1.0.0", "main": "index.js"}
    package = tar("package", {"package.json": json.dumps(about), "index.js": "console.log('of the tarball')\n"})
    dist = {"tarball": f"{URL}/files/npm/{PACKAGE}/-/{PACKAGE}-1.0.0.tgz", "shasum": hashlib.sha1(package).hexdigest()}
    put(directory, f"npm/{PACKAGE}/-/{PACKAGE}-1.0.0.tgz", package)
    put(directory, f"npm/{PACKAGE}/index.json", json.dumps(
        {"name": PACKAGE, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {**about, "dist": dist}}}))


def make_cargo(directory):
    """A sparse index."""
    crate = tar(f"{PACKAGE}-1.0.0", {"Cargo.toml": f'[package]\nname = "{PACKAGE}"\nversion = "1.0.0"\n', "src/lib.rs": "// of the crate\n"})
    put(directory, "cargo/index/config.json", json.dumps({"dl": f"{URL}/files/cargo/crates"}))
    put(directory, f"cargo/index/{PACKAGE[:2]}/{PACKAGE[2:4]}/{PACKAGE}", json.dumps(
        {"name": PACKAGE, "vers": "1.0.0", "deps": [], "cksum": hashlib.sha256(crate).hexdigest(), "features": {}, "yanked": False}) + "\n")
    put(directory, f"cargo/crates/{PACKAGE}/1.0.0/download", crate)


def make(directory):
    os.makedirs(directory + "/git")
    make_repository(directory)
    for one in (make_pip, make_npm, make_cargo):
        one(directory)
    put(directory, "aws/index.json", json.dumps({"TableNames": ["of-the-server"]}))


def remove(directory):
    for name in ("git", "git-work", "files"):
        shutil.rmtree(f"{directory}/{name}", ignore_errors=True)
