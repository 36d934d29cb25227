"""How the suite is divided: what needs a switch runs in one process, in order; other files beside it, each whole."""

from __future__ import annotations

import os

import pytest

# Niceness of tests beside those of the switch.
_AFTER = 10


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Switches have fixed addresses on loopback, so their tests stay together when the suite runs in two processes;
    tests of one file share what the file has set up."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("switch" if file.startswith("tests/acceptance/") else file))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Calls are in real time, and voices in them; what runs beside them gives way."""
    if "PYTEST_XDIST_WORKER" in os.environ and not item.nodeid.startswith("tests/acceptance/") and os.nice(0) < _AFTER:
        os.nice(_AFTER - os.nice(0))
