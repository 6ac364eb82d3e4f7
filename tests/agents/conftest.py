# SPDX-License-Identifier: Apache-2.0
"""The stage of the flow tests, for programs of agents."""
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
