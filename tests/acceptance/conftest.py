"""The Asterisk of the acceptance tests: a named, an installed or an unpacked one. Without any they fail, not skip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agi.pbx.provision import AsteriskBinary, find_asterisk


@pytest.fixture(scope="session")
def asterisk() -> AsteriskBinary:
    """A real Asterisk, version 20 or newer."""
    home = Path(os.environ.get("HEEDLINE_HOME") or Path.home() / ".local" / "share" / "heedline")
    return find_asterisk(home, os.environ, print)
