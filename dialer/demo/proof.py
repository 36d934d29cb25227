"""The demonstration's last step: a bundle of one of its calls, made as an officer and checked as a stranger does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialer.demo.rows import Row
from dialer.errors import HeedlineError

_PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Proof:
    """A bundle and what the verifier made of it. `size` is how many leaves the log had under its checkpoint."""

    call: int
    situation: str
    file: Path
    entries: int
    size: int
    right: bool
    said: str


def worth_proving(rows: list[Row]) -> Row | None:
    """The call that shows most: of a callee who refused in it."""
    told = [row for row in rows if row.decision is not None and row.invites]
    return next((row for row in told if row.refusal == "spoken"), None) or next(
        (row for row in told if row.refusal), told[0] if told else None
    )


async def prove(config: Path, folder: Path, row: Row) -> Proof:
    """Export the bundle of a row's call into `folder` and verify it with the log's key, without settings and database.

    Raises `HeedlineError` when it cannot be made.
    """
    file = folder / "evidence.zip"
    file.unlink(missing_ok=True)
    inside = {**os.environ, "HEEDLINE_CONFIG": str(config)}
    heedline = ("-m", "dialer.cli", "evidence")
    why = ("--reason", "the demonstration")
    made = await _document(
        inside, *heedline, "export", "--call", str(row.decision), "-o", str(file), *why, "--json", wanted=(0,)
    )
    key = await _document(inside, *heedline, "key", "--json", wanted=(0,))
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HEEDLINE_")}
    outside["HEEDLINE_HOME"] = str(folder / "nowhere")
    verify = ("-m", "dialer.verifier", str(file), "--key", str(key["key"]), "--json")
    verified = await _document(outside, *verify, wanted=(0, 1))
    return Proof(
        row.decision or 0, row.situation, file, int(made["entries"]), int(made["size"]), bool(verified["right"]),
        "; ".join(each["text"] for each in verified["findings"]["false"]),
    )  # fmt: skip


async def _document(environment: dict[str, str], *arguments: str, wanted: tuple[int, ...]) -> dict[str, Any]:
    """The one JSON document that a command prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_PATIENCE_S):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise HeedlineError(f"`{' '.join(arguments[1:4])}` did not end within {_PATIENCE_S} s") from None
    if process.returncode not in wanted:
        said = errors.decode("utf-8", "replace").strip() or output.decode("utf-8", "replace").strip()
        raise HeedlineError(f"`{' '.join(arguments[1:4])}` failed: {said[-500:]}")
    document: dict[str, Any] = json.loads(output)
    return document
