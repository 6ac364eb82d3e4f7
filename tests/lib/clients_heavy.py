# SPDX-License-Identifier: Apache-2.0
"""Clients that take a compiler, a download or minutes: the suite `check-clients`, not part of `check`."""
HEAVY = ()
