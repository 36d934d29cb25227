"""How the suite is divided: what needs a switch runs in one process, in order; other files beside it, each whole."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Switches have fixed addresses on loopback, so their tests stay together when the suite runs in two processes;
    tests of one file share what the file has set up."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group("switch" if file.startswith("tests/acceptance/") else file))
