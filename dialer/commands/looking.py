"""Commands that read personal data put it on record first."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from dialer.commands.terminal import actor, opened

if TYPE_CHECKING:
    from dialer.app import Database, Registers
    from dialer.policy.facts import CallRequest


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


async def asked_about(what: str, database: Database, request: CallRequest) -> None:
    """A dry run tells of consents and refusals, so that it was asked is an entry. Raises `StoreUnavailable`."""
    from dialer.complaint_node import open_lookups
    from dialer.numbers import Number, parse

    number = parse(request.callee, request.country)
    callee = number.digits if isinstance(number, Number) and number.is_e164 else None
    await open_lookups(database, actor()).record(what, callee, detail=f"for {request.seller}")
