"""The demonstration is the product's promise; it runs as a person would run it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agi.pbx.binary import AsteriskBinary

pytestmark = pytest.mark.asterisk


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a short path, for the switches' sockets."""
    with tempfile.TemporaryDirectory(prefix="heedline-demo-") as folder:
        # As root the database runs under another user, who must reach its files.
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_every_row_of_the_demo_is_as_it_should_be(asterisk: AsteriskBinary, home: Path) -> None:
    """Thirty real calls: each gets its verdict, no refused one reaches the carrier, each refusal is recorded, and the
    bundle of one of them is proven by the verifier alone."""
    environment = {**os.environ, "HEEDLINE_HOME": str(home), "HEEDLINE_ASTERISK": str(asterisk.path)}
    environment.pop("HEEDLINE_DATABASE_URL", None)
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dialer.cli", "demo", "--json",
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(240):
        output, errors = await demo.communicate()
    assert demo.returncode == 0, errors.decode() + output.decode()
    document = json.loads(output)
    rows = document["rows"]
    assert len(rows) == 30
    assert [row["situation"] for row in rows if row["invites"] != (row["outcome"] == "ALLOW")] == []
    refusals = [row["refusal"] for row in rows if row["refusal"]]
    assert refusals == ["keyed", "keyed", "agent", "message", "spoken", "inbound_call"]
    after = [rows[place + 1] for place, row in enumerate(rows) if row["refusal"]]
    assert all("REFUSED" in row["reasons"] for row in after)
    bundle = document["bundle"]
    assert bundle["right"], bundle
    proven = next(row for row in rows if row["decision"] == bundle["call"])
    assert proven["refusal"] == "spoken"
    told = {json.loads(line)["leaf"]["kind"] for line in in_zip(bundle["file"], "entries.jsonl").splitlines()}
    assert {"decision", "permit.redeemed", "attempt.ended", "refusal", "evidence.exported"} <= told
    assert in_zip(bundle["file"], "report.en.pdf").startswith(b"%PDF-")


def in_zip(file: str, name: str) -> bytes:
    """One file of a bundle."""
    with zipfile.ZipFile(file) as bundle:
        return bundle.read(name)
