"""How the suite is divided: what needs a switch runs in one process, in order; the rest beside it."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Switches have fixed addresses on loopback, so their tests stay together when the suite runs in two processes."""
    for item in items:
        if item.nodeid.startswith("tests/acceptance/"):
            item.add_marker(pytest.mark.xdist_group("switch"))
