#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/compatibility.md: made of the rows of clients.py and of what their tests saw.

usage: compat.py RESULTS    prints the page; RESULTS has {"name", "version"} a line, written by the tests of both suites
"""
import json
import os
import sys

import clients
import clients_heavy

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "compatibility.md")
HEAD = """# Clients that were run unchanged

Made by `make compat` from the tests that run each client inside a sandbox; do not edit. No client was given a setting:
bridle puts its certificate where clients look for roots, and the server saw a credential that was never inside.
"The system's store" means that the client needed no variable at all; a variable is one that `bridle run` sets and that
was enough alone. The version is the one that was run last. `make check-flow` holds the first lines of the table to what
happens, `make check-clients` the others.

| client | version | how it finds the certificate | result |
|---|---|---|---|
"""
ROWS = (*clients.CHEAP, *clients_heavy.HEAVY)


def lines(text):
    """The table's lines, by client."""
    return {x.split("|")[1].strip(): x for x in text.splitlines() if x.startswith("| ") and not x.startswith("| client |")}


def committed():
    with open(PAGE, encoding="utf-8") as f:
        return f.read()


def same(a, b):
    """But for the version: a machine's updates do not make the page wrong."""
    return [x.strip() for i, x in enumerate(a.split("|")) if i != 2] == [x.strip() for i, x in enumerate(b.split("|")) if i != 2]


def page(versions):
    return HEAD + "".join(row.line(versions[row.name]) + "\n" for row in ROWS)


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        versions = {r["name"]: r["version"] for r in map(json.loads, f)}
    missing = [row.name for row in ROWS if row.name not in versions]
    if missing:
        sys.exit(f"compat.py: no test of these clients passed: {', '.join(missing)}")
    sys.stdout.write(page(versions))


if __name__ == "__main__":
    main()
