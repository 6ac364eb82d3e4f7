# SPDX-License-Identifier: Apache-2.0
"""Flow tests: the whole program, real servers in their own namespace, real clients in the sandbox.

Run by `make check-flow` as root, inside `unshare --net --mount`. On failure the log of the run is printed.
"""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import stage as st  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--heavy", action="store_true", help="the clients of `make check-clients`, and nothing else")


def pytest_configure(config):
    config.addinivalue_line("markers", "heavy: needs downloads or minutes; part of `make check-clients`")


def pytest_collection_modifyitems(config, items):
    heavy = config.getoption("--heavy")
    left = [x for x in items if bool(x.get_closest_marker("heavy")) != heavy]
    config.hook.pytest_deselected(items=left)
    items[:] = [x for x in items if x not in left]


@pytest.fixture(scope="session")
def stage():
    s = st.Stage()
    yield s
    s.close()


@pytest.fixture(autouse=True)
def fresh_log(stage):
    stage.forget_requests()
    yield
