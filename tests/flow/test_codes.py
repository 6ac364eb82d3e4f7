# SPDX-License-Identifier: Apache-2.0
"""scripts/codes: the page of codes is the list's, and a code that nobody says or no test names is found."""
import os
import shutil
import subprocess

import pytest

import stage as st


@pytest.fixture
def checkout(tmp_path):
    for name in ("scripts", "docs", "user", "policy", "bpf", "tests"):
        shutil.copytree(os.path.join(st.ROOT, name), tmp_path / name, ignore=shutil.ignore_patterns("corpus", "__pycache__"))
    return tmp_path


def codes(checkout, command):
    return subprocess.run([st.PYTHON, "scripts/codes", command], cwd=checkout, capture_output=True, text=True, check=False)


def change(checkout, pattern, old, new):
    texts = {path: path.read_text(encoding="utf-8") for path in checkout.glob(pattern)}
    assert any(old in text for text in texts.values())
    for path, text in texts.items():
        path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_page_has_every_row(checkout):
    page = codes(checkout, "print").stdout
    rows = [line for line in page.splitlines() if line.startswith("| ") and line[2].isdigit()]
    listed = [line for line in (checkout / "user/base/why.def").read_text(encoding="utf-8").splitlines() if line.startswith("WHY(")]
    assert len(rows) == len(listed) > 80
    assert "| 52 | `host_not_allowed` | 403 | worker | no rule of the policy names this host and port | ask the owner" in page
    assert "| 2 | `no_stamp` | 0 | kernel |" in page and '"tls": {"trust"' in page
    assert codes(checkout, "check").returncode == 0


@pytest.mark.parametrize("file,old,new,said", [
    ("user/base/why.def", "nobody listens on this", "nobody answers on this", "run make codes"),
    ("docs/codes.md", "| 2 | `no_stamp`", "| 3 | `no_stamp`", "run make codes"),
    ("user/base/why.def", "WHY(name_no_address, 502, ", "WHY(name_is_new, 502, \"x\", \"y\")\nWHY(name_no_address, 502, ",
     "name_is_new: no source says it"),
    ("user/base/why.def", "WHY(name_no_address, 502, ", "WHY(name_no_address, fifty, ", "expected WHY(symbol, status"),
    ("tests/**/*.[cp]*", "path_too_long", "path_control", "path_too_long: no test names it"),
    ("policy/decide.c", "WHY_plain_http", "WHY_limit_exceeded", "plain_http: no source says it"),
    ("policy/decide.c", "WHY_plain_http", "WHY_limit_exceeded", "limit_exceeded: worker says it")])
def test_a_gap_is_found(checkout, file, old, new, said):
    change(checkout, file, old, new)
    result = codes(checkout, "check")
    assert result.returncode == 1 and said in result.stderr, result.stderr


def test_usage(checkout):
    assert "print|write|check" in codes(checkout, "wrote").stderr
