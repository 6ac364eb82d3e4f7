# SPDX-License-Identifier: Apache-2.0
"""Flow tests: the whole program, real servers in their own namespace, real clients in the sandbox.

Run by `make check-flow` as root, inside `unshare --net --mount`. On failure the log of the run is printed.
"""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import stage as st  # noqa: E402


@pytest.fixture(scope="session")
def stage():
    s = st.Stage()
    yield s
    s.close()


@pytest.fixture(autouse=True)
def fresh_log(stage):
    stage.forget_requests()
    yield
