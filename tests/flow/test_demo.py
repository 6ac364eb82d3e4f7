# SPDX-License-Identifier: Apache-2.0
"""The demo's table can say BAD: each kind of row, fed with what must not be."""
import copy
import json
from types import SimpleNamespace

import pytest

import demo

SECRET = "glpat-of-the-test"
GOOD = [{"row": row, "got": got, "body": ""} for row, (got, _) in demo.EXPECT.items()]
ESCAPES = [{"row": f"escape {n}", "got": "EPERM", "body": ""} for n in range(demo.ESCAPES)]


def request(token=SECRET, **headers):
    return {"method": "GET", "target": "/x", "headers": [["PRIVATE-TOKEN", token], *headers.items()]}


def bad_rows(lines, requests):
    report = demo.Report()
    result = SimpleNamespace(stdout="".join(json.dumps(x) + "\n" for x in lines), stderr="", returncode=0)
    demo.table(report, SimpleNamespace(requests=lambda: requests, secret=SECRET), result)
    return report.bad


def seen():
    return [request() for _ in range(sum(count for _, count in demo.EXPECT.values()))]


def test_as_it_should_be():
    assert bad_rows(GOOD + ESCAPES, seen()) == 0


@pytest.mark.parametrize("row", range(len(GOOD)))
def test_another_answer(row):
    lines = copy.deepcopy(GOOD)
    lines[row]["got"] = "200" if lines[row]["got"] != "200" else "201"
    assert bad_rows(lines + ESCAPES, seen()) == 1


@pytest.mark.parametrize("got", ["went through", "ETIMEDOUT", "EPERM after 2.5 s", "TimeoutError"])
def test_an_escape(got):
    assert bad_rows(GOOD + [{**ESCAPES[0], "got": got}] + ESCAPES[1:], seen()) == 1


@pytest.mark.parametrize("first", [
    request("stolen"), request(""), request(**{"X-HTTP-Method-Override": "DELETE"}), request(**{"Private-Token": SECRET}),
    {"method": "GET", "target": "/x", "headers": []}])
def test_what_the_server_saw(first):
    """Another token, none, ours twice, or a field that turns the request into another."""
    assert bad_rows(GOOD + ESCAPES, [first] + seen()[1:]) == 1


def test_more_or_fewer_requests():
    assert bad_rows(GOOD + ESCAPES, seen() + [request()]) == 1
    assert bad_rows(GOOD + ESCAPES, seen()[1:]) >= 1


def test_an_agent_that_did_not_end():
    assert bad_rows(GOOD, seen()) == 1
    assert bad_rows([], []) == 1


@pytest.mark.parametrize("found,bad", [
    ({}, 4),  # a search that finds nothing where it was planted proves nothing
    ({"environment": ["environment PLANTED"], "a process's arguments": ["/proc/*/cmdline"], "a file": ["file /tmp/bridle-planted"],
      "a response": ["a response"]}, 0),
    ({"environment": ["environment PLANTED"], "a process's arguments": ["/proc/*/cmdline"], "a file": ["file /tmp/bridle-planted"],
      "a response": ["a response"], None: ["file /vault/secrets/gitlab"]}, 1)])
def test_the_search(monkeypatch, found, bad):
    monkeypatch.setattr(demo, "search", lambda stage, policy, responses, plant=None: found.get(plant, []))
    report = demo.Report()
    demo.searches(report, None, None, [])
    assert report.bad == bad


@pytest.mark.parametrize("bad,status", [(0, 0), (1, 1)])
def test_exit_status(monkeypatch, bad, status):
    class Stage:
        inside = "/"
        policy = run = staticmethod(lambda *args, **kwargs: None)

    def table(report, *_):
        report.bad = bad
        return []

    monkeypatch.setattr(demo.st, "Stage", Stage)
    monkeypatch.setattr(demo, "table", table)
    monkeypatch.setattr(demo, "searches", lambda *_: None)
    monkeypatch.setattr(demo, "with_nic", lambda *_: None)
    assert demo.main() == status
