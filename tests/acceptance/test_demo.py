"""The demonstration is the product's promise; it runs as a person would run it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from agi.pbx.binary import AsteriskBinary

pytestmark = pytest.mark.asterisk


async def test_every_row_of_the_demo_is_as_it_should_be(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """Seventeen real calls: each gets its verdict, and no refused one reaches the carrier."""
    environment = {**os.environ, "HEEDLINE_HOME": str(tmp_path / "home"), "HEEDLINE_ASTERISK": str(asterisk.path)}
    environment.pop("HEEDLINE_DATABASE_URL", None)
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer.cli", "demo", "--json",
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(120):
        output, errors = await demo.communicate()
    assert demo.returncode == 0, errors.decode() + output.decode()
    rows = json.loads(output)
    assert len(rows) == 17
    assert [row["situation"] for row in rows if row["invites"] != (row["outcome"] == "ALLOW")] == []
