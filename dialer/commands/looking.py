"""Commands that read personal data put it on record first."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from dialer.commands.terminal import actor, opened

if TYPE_CHECKING:
    from dialer.app import Database, Registers


@contextlib.asynccontextmanager
async def looking(
    what: str, callee: int | None = None, cli: str | None = None, detail: str = ""
) -> AsyncIterator[tuple[Database, Registers]]:
    """The database and the registers on it, once the look-up is an entry (`Lookups.record`). Raises
    `StoreUnavailable`: then nothing was read."""
    from dialer.complaint_node import open_lookups

    async with opened() as (database, registers):
        await open_lookups(database, actor()).record(what, callee, cli, detail)
        yield database, registers
