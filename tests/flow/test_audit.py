# SPDX-License-Identifier: Apache-2.0
"""`bridle audit verify` and `show` over records of real runs: whole, changed in every way, rotated, followed."""
import hashlib
import json
import os
import re
import select
import subprocess
import time

import pytest

import stage as st

MRS = "https://gitlab.example.com/api/v4/projects/7/merge_requests"
INSIDE = f"""curl -sS -o /dev/null '{MRS}?state=opened&x=1'
curl -sS -o /dev/null -X POST -d hello {MRS}/1/notes
curl -sS -o /dev/null -X DELETE https://gitlab.example.com/api/v4/projects/7
curl -sS -o /dev/null https://evil.example.com/x
curl -sS -m 3 -o /dev/null https://10.77.0.4:5555/x
{st.PYTHON} -c 'import socket, time; s = socket.create_connection(("10.77.0.2", 443)); s.send(b"\\x16\\x03"); time.sleep(0.4)'"""


def bridle(*argv, **kwargs):
    return subprocess.run([st.BRIDLE, "audit", *argv], capture_output=True, text=True, timeout=30, check=False, **kwargs)


def run(stage, path, script=INSIDE, name="audited"):
    argv = [st.BRIDLE, "run", "--user", st.USER, "--name", name, "--policy", stage.policy()]
    assert subprocess.run([*argv, *(["--audit", path] if path else []), "--", "sh", "-c", script], capture_output=True,
                          timeout=60, check=False).returncode == 0


@pytest.fixture(scope="module", name="lines")
def _lines(stage):
    """The lines of two runs into one file: two chains of each writer."""
    path = stage.dir + "/two-runs.jsonl"
    run(stage, path)
    run(stage, path)
    with open(path, "rb") as f:
        return f.read().splitlines()


@pytest.fixture(name="verify")
def _verify(tmp_path):
    """Writes each list of lines (or bytes) into a file of its own and verifies them in that order: status, [(file, line, code)]."""
    def run_verify(*contents, options=()):
        paths = []
        for i, content in enumerate(contents):
            paths.append(str(tmp_path / f"part{i}.jsonl"))
            with open(paths[-1], "wb") as f:
                f.write(content if isinstance(content, bytes) else b"".join(x + b"\n" for x in content))
        result = bridle("verify", "--json", *options, *paths)
        answer = json.loads(result.stdout)
        problems = [(paths.index(f["file"]), f["line"], f["code"]) for f in answer["findings"] if f["problem"]]
        assert answer["problems"] == len(problems) and answer["intact"] == (not problems)
        text = bridle("verify", *options, *paths)
        assert text.returncode == result.returncode == (1 if problems else 0)
        for index, line, code in problems:
            assert f"{paths[index]}:{line}: {code}: " in text.stdout
        return problems, answer
    return run_verify


def chain_of(lines, writer, nth=0):
    """Indices of the lines of one chain, by its writer and its place."""
    ids = [r["chain"] for r in map(json.loads, lines) if r["kind"] == "chain" and r["writer"] == writer]
    return [i for i, x in enumerate(lines) if json.loads(x)["chain"] == ids[nth]]


def test_whole(lines, verify):
    problems, answer = verify(lines)
    assert problems == [] and answer["records"] == len(lines) and len(answer["chains"]) == 4
    assert [c["named_by_a_later_one"] for c in answer["chains"]] == [True, True, False, False]
    last = {json.loads(x)["chain"]: hashlib.sha256(x).hexdigest() for x in lines}
    assert {c["id"]: c["last_hash"] for c in answer["chains"]} == last
    assert answer["open_ends"] == 2


def test_every_field_of_a_change_is_found(lines, verify):
    """Whatever is changed in whichever record but the last of an open chain: found at it or at the next of its chain."""
    chain = chain_of(lines, "worker")
    target = next(i for i in chain if b'"decision":"allow"' in lines[i])
    after = chain[chain.index(target) + 1]
    record = json.loads(lines[target])
    for key, value in record.items():
        if key in ("v", "chain", "seq", "prev", "kind"):
            continue
        changed = dict(record, **{key: value + 1 if isinstance(value, int) else "2020-01-01T00:00:00Z" if key == "time" else value + "x"})
        copy = list(lines)
        copy[target] = json.dumps(changed, separators=(",", ":"), ensure_ascii=False).encode()
        assert verify(copy)[0] == [(0, after + 1, "changed")], key


def test_missing_swapped_doubled_cut(lines, verify):
    chain = chain_of(lines, "worker")
    a, b, c = chain[1:4]
    assert verify(lines[:a] + lines[a + 1:])[0] == [(0, b, "missing")]
    swapped = list(lines)
    swapped[a], swapped[b] = swapped[b], swapped[a]
    assert verify(swapped)[0] == [(0, a + 1, "missing"), (0, b + 1, "out_of_order")]
    assert verify(lines[:b] + [lines[a]] + lines[b:])[0] == [(0, b + 1, "duplicate")]
    cut = list(lines)
    cut[b] = cut[b][:100]
    assert verify(cut)[0] == [(0, b + 1, "not_a_record"), (0, c + 1, "missing")]
    cut[b] = lines[b].replace(b'{"v":1,', b'{"v":2,')
    assert verify(cut)[0] == [(0, b + 1, "unknown_version"), (0, c + 1, "missing")]
    whole = b"\n".join(lines)
    assert verify(whole)[0] == [(0, len(lines), "cut_line")]
    assert verify(whole[:-30])[0] == [(0, len(lines), "cut_line")]


def test_ends_and_whole_chains(lines, verify):
    first, second = chain_of(lines, "worker"), chain_of(lines, "worker", 1)
    without_last = [x for i, x in enumerate(lines) if i != first[-1]]
    assert verify(without_last)[0] == [(0, second[0], "end_differs")]
    without_chain = [x for i, x in enumerate(lines) if i not in first]
    assert [code for _, _, code in verify(without_chain)[0]] == ["chain_missing"]
    without_first = [x for i, x in enumerate(lines) if i != first[0]]
    assert [code for _, _, code in verify(without_first)[0]] == ["starts_in_the_middle"]
    # what no hash can show is not called a problem, and not hidden either
    open_end = [x for i, x in enumerate(lines) if i != second[-1]]
    problems, answer = verify(open_end)
    assert problems == [] and answer["open_ends"] == 2


def test_rotated_files_in_their_order(lines, verify):
    middle = len(lines) // 2
    assert verify(lines[:middle], lines[middle:])[0] == []
    assert verify(lines[middle:], lines[:middle])[0] != []
    tail = verify(lines[middle:])
    assert {code for _, _, code in tail[0]} <= {"starts_in_the_middle", "chain_missing"} and tail[0]
    assert verify(lines[middle:], options=("--partial",))[0] == []


def test_losses_are_told_and_no_problem(lines, verify):
    last = lines[chain_of(lines, "worker", 1)[-1]]
    record = json.loads(last)
    lost = {"v": 1, "chain": record["chain"], "seq": record["seq"] + 1, "prev": hashlib.sha256(last).hexdigest(), "time": record["time"],
            "kind": "lost", "writer": "worker", "lost": 3}
    problems, answer = verify([*lines, json.dumps(lost, separators=(",", ":")).encode()])
    assert problems == [] and answer["lost"] == 3 and [f["code"] for f in answer["findings"]] == ["lost"]


def test_usage_and_unreadable(tmp_path):
    for argv in (("verify",), ("verify", "/no/such/file"), ("verify", str(tmp_path)), ("show", "/no/such/file"), ("show", "--kind", "x", "/dev/null"),
                 ("show", "--since", "x", "/dev/null"), ("show", "-n", "0", "/dev/null"), ("show", "--color", "x", "/dev/null"), ("show", "no-such-sandbox")):
        result = bridle(*argv)
        assert result.returncode == 2 and result.stdout == "" and result.stderr.startswith("bridle: error: "), argv
    assert "no_such_code" in bridle("show", "--code", "no_such_code", "/dev/null").stderr
    assert bridle("verify", "/dev/null").returncode == 0


def test_every_field_of_the_record_is_written(lines):
    """What docs/audit-record.md promises is there in a real exchange, with the value that it should have."""
    records = [json.loads(x) for x in lines]
    get = next(r for r in records if r["kind"] == "exchange" and r["method"] == "GET" and r["decision"] == "allow")
    assert (get["v"], get["tier"], get["sandbox"], get["exe"], get["host"], get["port"]) == (1, "T2", "audited", "curl", "gitlab.example.com", 443)
    assert get["path"] == "/api/v4/projects/7/merge_requests" and get["query_keys"] == "state,x" and "opened" not in json.dumps(get)
    assert get["destination"] in ("10.77.0.2:443", "[fd77::2]:443") and get["sni"] == "gitlab.example.com"
    assert (get["code"], get["status"], get["credential"], get["credential_generation"]) == ("allowed", 200, "gitlab", 1)
    assert get["rule"].startswith("GET /api/v4/projects/*/merge_requests/**") and len(get["policy"]) == 16
    assert get["pid"] > 0 and get["socket_cookie"] > 0 and get["duration_us"] >= get["upstream_us"] > 0 and get["bytes_out"] > 0
    post = next(r for r in records if r.get("method") == "POST")
    assert post["bytes_in"] == len("hello")
    refused = next(r for r in records if r.get("code") == "path_not_allowed")
    assert (refused["decision"], refused["status"], refused["method"]) == ("refuse", 403, "DELETE") and "credential" not in refused
    broken = next(r for r in records if r["kind"] == "connection")
    assert (broken["code"], broken["destination"], broken["exe"]) == ("tls_handshake", "10.77.0.2:443", os.path.basename(os.path.realpath(st.PYTHON)))
    assert 300000 < broken["duration_us"] < 20000000 and broken["pid"] > 0 and broken["socket_cookie"] > 0
    kernel = next(r for r in records if r.get("code") == "port_not_named")
    assert (kernel["kind"], kernel["writer"], kernel["destination"], kernel["exe"]) == ("kernel", "kernel", "10.77.0.4:5555", "curl")
    assert kernel["pid"] > 0 and kernel["socket_cookie"] > 0 and kernel["policy"] == get["policy"]
    for record in records:
        assert {"v", "chain", "seq", "prev", "time", "kind", "writer", "tier", "sandbox"} <= record.keys()
        assert (record["kind"] == "chain") != ("decision" in record and "code" in record)


def read(*parts):
    with open(os.path.join(st.ROOT, *parts), encoding="utf-8") as f:
        return f.read()


def test_the_page_is_true(lines):
    """The codes of the page are those of the list; every field that is written or read is on the page."""
    page = read("docs", "audit-record.md")
    rows = re.findall(r'^FINDING\((\w+), "(.*)"\)$', read("user", "audit", "finding.def"), re.M)
    assert len(rows) > 10 and "".join(f"| `{code}` | {meaning} |\n" for code, meaning in rows) in page
    fields = re.findall(r"^(?:TEXT|NUMBER)\((\w+)\)$", read("user", "audit", "field.def"), re.M)
    assert {k for x in lines for k in json.loads(x)} <= set(fields)
    assert [f for f in fields if f"`{f}`" not in page] == []


@pytest.fixture(scope="module", name="audit_dir")
def _audit_dir():
    """An empty default directory, seen by this mount namespace alone."""
    os.makedirs("/var/log/bridle", mode=0o700, exist_ok=True)
    st.sh("mount", "-t", "tmpfs", "-o", "mode=0700", "bridle-audit", "/var/log/bridle")
    yield "/var/log/bridle"
    st.sh("umount", "/var/log/bridle")


def test_show_by_default_and_by_name(stage, audit_dir):
    run(stage, None, name="one")
    run(stage, None, f"curl -sS -o /dev/null {MRS}", name="two")
    both = bridle("show")
    assert both.returncode == 0 and both.stderr == "" and "\033" not in both.stdout
    shown = both.stdout.splitlines()
    assert shown == sorted(shown) and {x.split()[1] for x in shown} == {"one", "two"}
    only = bridle("show", "two").stdout.splitlines()
    assert only == bridle("show", "--sandbox", "two").stdout.splitlines() == bridle("show", audit_dir + "/two.jsonl").stdout.splitlines()
    assert {x.split()[1] for x in only} == {"two"}
    assert bridle("verify", "one", "two").returncode == 0


def test_filters(lines, tmp_path):
    path = str(tmp_path / "a.jsonl")
    with open(path, "wb") as f:
        f.write(b"".join(x + b"\n" for x in lines))
    records = [json.loads(x) for x in lines]

    def count(*argv):
        result = bridle("show", *argv, path)
        assert result.returncode == 0, result.stderr
        return len(result.stdout.splitlines())
    assert count() == len(records)
    for key, option in (("kind", "--kind"), ("decision", "--decision"), ("code", "--code"), ("host", "--host")):
        for value in {r[key] for r in records if key in r}:
            assert count(option, value) == len([1 for r in records if r.get(key) == value or (key == "host" and "host" not in r and r.get("sni") == value)])
    assert count("--host", "*.example.com") == len([1 for r in records if "host" in r])
    assert count("--sandbox", "other") == 0 and count("--since", "1h") == len(records) and count("--until", "1h") == 0
    middle = records[len(records) // 2]["time"]
    assert count("--since", middle) + count("--until", middle) >= len(records)
    assert count("--since", middle) == len([1 for r in records if r["time"] >= middle])
    assert bridle("show", "-n", "3", path).stdout.splitlines() == bridle("show", path).stdout.splitlines()[-3:]
    assert count("-n3", "--decision", "allow") == 3


def test_nothing_of_a_record_reaches_the_terminal_raw(lines, tmp_path):
    """What a program could choose (and what a forger could write) stays text, with colours and without."""
    record = json.loads(next(x for x in lines if b'"method":"GET"' in x))
    evil = "a\033]0;owned\a\033[2J\r\n\x9b31m\u202e\u2028\x7f b"
    for key in [k for k, v in record.items() if isinstance(v, str) and k not in ("chain", "prev", "time", "kind")]:
        path = str(tmp_path / (key + ".jsonl"))
        with open(path, "w", encoding="utf-8") as f:
            f.write(json.dumps(dict(record, **{key: evil}), separators=(",", ":"), ensure_ascii=False).replace("\x7f", "\\u007f") + "\n")
        plain = subprocess.run([st.BRIDLE, "audit", "show", path], capture_output=True, check=False)
        coloured = subprocess.run([st.BRIDLE, "audit", "show", "--color", "always", path], capture_output=True, check=False)
        assert plain.returncode == coloured.returncode == 0
        assert plain.stdout.count(b"\n") == 1 and all(0x20 <= c < 0x7f for c in plain.stdout[:-1]), key
        inner = coloured.stdout.removesuffix(b"\033[0m\n")
        inner = inner[5:] if inner.startswith(b"\033[") else inner.rstrip(b"\n")  # our own colour, when the word for it is left
        assert all(0x20 <= c < 0x7f for c in inner), key
        if key not in ("policy", "tier", "writer", "destination", "sni"):
            assert b"\\x1b]0;owned\\x07" in plain.stdout, key
    # nor through the words of an error or a finding
    name = str(tmp_path / "x\033[31m.jsonl")
    with open(name, "wb") as f:
        f.write(b"\033]0;owned\a\n")
    for verb in ("show", "verify"):
        result = bridle(verb, name)
        assert result.returncode == 1 and "\033" not in result.stdout + result.stderr and "\\x1b[31m.jsonl:1" in result.stdout + result.stderr


def test_colour_on_a_terminal_alone(lines, tmp_path):
    path = str(tmp_path / "a.jsonl")
    with open(path, "wb") as f:
        f.write(b"".join(x + b"\n" for x in lines))

    def on_terminal(*argv, **env):
        environment = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", **env}
        return subprocess.run(["script", "-qec", " ".join([st.BRIDLE, "audit", "show", *argv, path]), "/dev/null"], capture_output=True,
                              text=True, stdin=subprocess.DEVNULL, env=environment, check=False).stdout
    assert "\033[32m" in on_terminal() and "\033[31m" in on_terminal()
    assert "\033" not in on_terminal(NO_COLOR="1") and "\033" not in on_terminal(TERM="dumb") and "\033" not in on_terminal("--color=never")
    assert "\033[32m" in on_terminal("--color=always", NO_COLOR="1") and "\033[32m" in bridle("show", "--color", "always", path).stdout


def test_bad_lines_are_warned_about(lines, tmp_path):
    path = str(tmp_path / "a.jsonl")
    with open(path, "wb") as f:
        f.write(lines[0] + b"\nnot a record\n" + b"x" * 100000 + b"\n" + lines[1] + b"\n" + lines[2][:50])
    result = bridle("show", path)
    assert result.returncode == 1 and len(result.stdout.splitlines()) == 2
    assert [f"{path}:{n}: no record: " in x for n, x in zip((2, 3, 5), result.stderr.splitlines())] == [True] * 3


def test_a_reader_that_goes_away(lines, tmp_path):
    path = str(tmp_path / "a.jsonl")
    with open(path, "wb") as f:
        f.write(b"".join(x + b"\n" for x in lines) * 3000)
    for verb, status in (("show", 0), ("verify", 1)):
        with subprocess.Popen([st.BRIDLE, "audit", verb, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            child.stdout.readline()
            child.stdout.close()
            assert child.wait(60) == status and child.stderr.read() == b""
    with subprocess.Popen([st.BRIDLE, "audit", "show", "-f", "-n", "1", path], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(60) == 0


def test_memory_does_not_grow_with_the_file(lines, tmp_path):
    path = str(tmp_path / "a.jsonl")
    first = chain_of(lines, "worker")[0]
    record = lines[first]
    with open(path, "wb") as f:
        f.write(record + b"\n")
        for seq in range(1, 150000):
            record = (lines[first].replace(b'"seq":0', b'"seq":%d' % seq).replace(b"0" * 64, hashlib.sha256(record).hexdigest().encode())
                      .replace(b'"kind":"chain"', b'"kind":"exchange"'))
            f.write(record + b"\n")
    assert os.path.getsize(path) > 30 << 20
    for argv in (("verify",), ("show", "--code", "allowed")):
        result = subprocess.run(["prlimit", "--data=16777216", st.BRIDLE, "audit", *argv, path], capture_output=True, check=False)
        assert result.returncode == 0, result.stderr


def test_follow_a_run_through_a_rotation(stage, audit_dir):
    path = audit_dir + "/followed.jsonl"
    run(stage, None, f"curl -sS -o /dev/null {MRS}/1", name="followed")
    with subprocess.Popen([st.BRIDLE, "audit", "show", "-f", "-n", "1", "--kind", "exchange", "followed"], stdout=subprocess.PIPE) as child:
        seen = b""

        def wait_for(text):
            nonlocal seen
            end = time.time() + 20
            while text not in seen and time.time() < end:
                if select.select([child.stdout], [], [], 0.5)[0]:
                    seen += os.read(child.stdout.fileno(), 65536)
            assert text in seen, seen
        wait_for(b"merge_requests/1 ")
        run(stage, None, f"curl -sS -o /dev/null {MRS}/2", name="followed")
        wait_for(b"merge_requests/2 ")
        os.rename(path, path + ".1")
        run(stage, None, f"curl -sS -o /dev/null {MRS}/3", name="followed")
        wait_for(b"merge_requests/3 ")
        with open(path + ".1", "ab") as old, open(path, "rb") as new:  # as a writer that still has the old file open
            old.write(next(x for x in new if b"merge_requests/3" in x).replace(b"merge_requests/3", b"merge_requests/4"))
        wait_for(b"merge_requests/4 ")
        child.terminate()
        child.wait(10)
    assert seen.count(b"\n") == 4
