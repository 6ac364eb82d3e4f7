#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flips one comparison at a time in the engine and the HTTP/1.1 parser and runs their unit tests against it.

A mutant that no test notices is a survivor: either a test is missing, or the mutant cannot be told from the original; then a
stanza in tests/mutate/explained says why. tests/mutate/open lists those that nobody has judged yet; it may only shrink. A survivor
in neither fails the run, and so does a stanza without a survivor.

    tests/mutate/mutate.py [--jobs N] [--list] [--known] [--write-open] [FILE...]
"""
import argparse
import concurrent.futures
import glob
import os
import queue
import re
import subprocess
import sys
import time

OUT = "build/mutate"
EXPLAINED = "tests/mutate/explained"
OPEN = "tests/mutate/open"
SOURCES = sorted(glob.glob("policy/*.c") + glob.glob("user/http/h1_*.c"))
LIBRARY = sorted(glob.glob("policy/*.c") + glob.glob("user/http/*.c") + glob.glob("user/base/*.c"))
TIMEOUT_S = 20  # a whole test program runs for a second at most

CFLAGS = ["-std=gnu17", "-O0", "-D_GNU_SOURCE", "-I.", "-Iuser", "-Ipolicy", "-fPIC", "-w", "-ftrivial-auto-var-init=zero",
          # an index behind an array ends the test, as in unit-asan
          "-fsanitize=bounds-strict", "-fsanitize-undefined-trap-on-error"]

# what replaces an operator: the bound moved by one, and the opposite
FLIPS = {
    "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"], "!": [""],
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
}
# the bound moved by one the other way, where it is a constant
OTHER_WAY = {"<": " - 1", ">=": " - 1", ">": " + 1", "<=": " + 1"}
TOKEN = re.compile(r"->|<<=?|>>=?|==|!=|<=|>=|&&|\|\||<|>|!")
CONSTANT = re.compile(r"\s*(?:[A-Z][A-Z0-9_]+|0x[0-9a-fA-F]+|\d+U?|'(?:\\.|[^'])+')(?![\w(])(?!\s*[-*+/])")
FUNCTION = re.compile(r"^[a-z][^;=]*?(\w+)\(")


class Mutant:
    def __init__(self, path, number, function, line, column, old, new):
        self.path, self.number, self.function, self.original = path, number, function, line.strip()
        self.line = line[:column] + new + line[column + len(old):]

    def key(self):
        return (self.path, self.function, self.line.strip())

    def __str__(self):
        return f"{self.path}:{self.number} {self.function}\n\t{self.original}\n\t{self.line.strip()}"


def blank(text):
    """The text with comments, strings and character constants as spaces, so that columns stay."""
    pattern = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def mutants_of(path):
    with open(path) as f:
        text = f.read()
    lines, code, function = text.split("\n"), blank(text).split("\n"), "-"
    for number, (line, bare) in enumerate(zip(lines, code), 1):
        match = FUNCTION.match(bare)
        if match:
            function = match.group(1)
        if bare.startswith("#") or "static_assert" in bare:
            continue
        for token in TOKEN.finditer(bare):
            for new in FLIPS.get(token.group(), []):
                yield Mutant(path, number, function, line, token.start(), token.group(), new)
            bound = CONSTANT.match(line, token.end())
            sign = bound and bound.group().strip() == "0" and token.group() in ("<", ">=")  # of a result: there is no -1 to miss
            if token.group() in OTHER_WAY and bound and not sign:
                yield Mutant(path, number, function, line, bound.end(), "", OTHER_WAY[token.group()])


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options)


def must(command):
    result = run(command)
    if result.returncode != 0:
        sys.exit(f"mutate: {' '.join(command)}\n{result.stdout}")


def packages(option):
    return run(["pkg-config", option, "json-c", "libidn2", "libpsl"]).stdout.split()


def object_of(path):
    return f"{OUT}/obj/{path.replace('/', '_')}.o"


def compile_c(source, out):
    return ["gcc", *CFLAGS, f"-I{os.path.dirname(source)}", *packages("--cflags"), "-c", "-o", out, source]


def link(out, objects):
    return ["gcc", "-shared", "-o", out, *objects, *packages("--libs")]


def tests_of(path):
    """Test programs, those first that are likeliest to notice."""
    folder = "policy" if path.startswith("policy/") else "http"
    own = f"test_{os.path.basename(path)[:-2]}"
    tests = sorted(os.path.basename(p)[:-2] for p in glob.glob(f"tests/unit/{folder}/test_*.c"))
    slow = ("test_vectors", "test_path", "test_trie")
    tests.sort(key=lambda name: (name in slow and name != own, name != own))
    return [f"{OUT}/unit/{folder}/{name}" for name in tests]


def build(jobs):
    os.makedirs(f"{OUT}/obj", exist_ok=True)
    commands = [compile_c(source, object_of(source)) for source in LIBRARY]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(must, commands))
        os.makedirs(f"{OUT}/base", exist_ok=True)
        must(link(f"{OUT}/base/libunder.so", map(object_of, LIBRARY)))
        programs = []
        for source in glob.glob("tests/unit/policy/test_*.c") + glob.glob("tests/unit/http/test_*.c"):
            out = f"{OUT}/{source[len('tests/'):-2]}"
            os.makedirs(os.path.dirname(out), exist_ok=True)
            programs.append(["gcc", *CFLAGS, *packages("--cflags"), "-o", out, source, f"-L{OUT}/base", "-lunder",
                             "-lcmocka", *packages("--libs")])
        list(pool.map(must, programs))


def passes(test, library):
    try:
        return run([test], env={**os.environ, "LD_LIBRARY_PATH": library}, timeout=TIMEOUT_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def judge(mutant, slot):
    """'died', 'survived', or 'no mutant' when the compiler refuses it."""
    os.makedirs(f"{slot}/{os.path.dirname(mutant.path)}", exist_ok=True)
    source, out = f"{slot}/{mutant.path}", f"{slot}/mutant.o"
    with open(mutant.path) as f:
        lines = f.read().split("\n")
    lines[mutant.number - 1] = mutant.line
    with open(source, "w") as f:
        f.write("\n".join(lines))
    command = compile_c(source, out)
    command.insert(1, f"-I{os.path.dirname(mutant.path)}")
    if run(command).returncode != 0:
        return "no mutant"
    must(link(f"{slot}/libunder.so", [out if path == mutant.path else object_of(path) for path in LIBRARY]))
    return "survived" if all(passes(test, slot) for test in tests_of(mutant.path)) else "died"


def read_open():
    """'FILE FUNCTION', tab and the mutated line, one after the other."""
    with open(OPEN) as f:
        lines = [line.rstrip("\n") for line in f if line.strip() and not line.startswith("#")]
    return {(*place.split(" ", 1), line.strip()) for place, line in zip(lines[::2], lines[1::2])}


def write_open(survivors):
    with open(OPEN) as f:
        head = [line for line in f if line.startswith("#")]
    with open(OPEN, "w") as f:
        f.writelines(head)
        f.writelines(f"{m.path} {m.function}\n\t{m.line.strip()}\n" for m in survivors)


def read_explained():
    """Stanzas 'FILE FUNCTION', tab and the mutated line, tab and '= reason'; lines of one place may follow one another."""
    reasons, place, lines = {}, None, []
    with open(EXPLAINED) as f:
        for number, text in enumerate(f, 1):
            text = text.rstrip("\n")
            if not text or text.startswith("#"):
                continue
            if not text.startswith("\t"):
                place = tuple(text.split(" ", 1))
            elif text.startswith("\t= "):
                if not (place and lines and len(place) == 2 and len(text) > 12):
                    sys.exit(f"{EXPLAINED}:{number}: expected a file, a function and a line before the reason")
                for line in lines:
                    reasons[(*place, line)] = text[3:]
                lines = []
            else:
                lines.append(text.strip())
    return reasons


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments.add_argument("--list", action="store_true", help="only list the mutants")
    arguments.add_argument("--known", action="store_true", help="only those that explained and open name")
    arguments.add_argument("--write-open", action="store_true", help="write the survivors that have no reason to open")
    arguments.add_argument("files", nargs="*", default=SOURCES)
    options = arguments.parse_args()
    mutants = [m for path in options.files for m in mutants_of(path)]
    if options.list:
        print("\n".join(map(str, mutants)))
        return 0
    start, explained, opened, slots = time.monotonic(), read_explained(), read_open(), queue.Queue()
    if options.known:
        mutants = [m for m in mutants if m.key() in explained or m.key() in opened]
    build(options.jobs)
    for path in {p for source in options.files for p in tests_of(source)}:
        if not passes(path, f"{OUT}/base"):
            sys.exit(f"mutate: {path} fails without a mutation")
    for n in range(options.jobs):
        slots.put(f"{OUT}/slot{n}")

    def one(mutant):
        slot = slots.get()
        try:
            verdict = judge(mutant, slot)
        finally:
            slots.put(slot)
        verdicts_log.write(f"{verdict}: {mutant}\n")  # for whoever looks while it runs
        verdicts_log.flush()
        return verdict

    with open(f"{OUT}/verdicts", "w") as verdicts_log, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        verdicts = list(pool.map(one, mutants))
    survivors = [m for m, verdict in zip(mutants, verdicts) if verdict == "survived"]
    unexplained = [m for m in survivors if m.key() not in explained]
    if options.write_open:
        write_open(unexplained)
        opened = {m.key() for m in unexplained}
    fresh = [m for m in unexplained if m.key() not in opened]
    keys = {m.key() for m in survivors}
    stale = [key for key in [*explained, *sorted(opened)] if key[0] in options.files and key not in keys]
    for mutant in fresh:
        print(f"survived and is not listed: {mutant}")
    for key in stale:
        print(f"listed, but it dies or is gone: {key[0]} {key[1]}\n\t{key[2]}")
    died = verdicts.count("died")
    print(f"{len(mutants)} mutants: {died} died, {len(survivors) - len(unexplained)} survived and are explained, "
          f"{len(unexplained) - len(fresh)} are open, {len(fresh)} survived without being listed, {verdicts.count('no mutant')} did not compile; {time.monotonic() - start:.0f} s")
    failed = len(fresh) + len(stale)
    print(f"mutate: {len(mutants) - len(fresh)} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
