"""Calls looked for by number or by presented number, on PostgreSQL."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg

from db.sql import queries
from db.transaction import translated
from dialer.evidence.entries import instant
from dialer.ports_trace import ConsentMark, EntryMark, Fate, Found, RefusalMark, Seen, TracedCall, Window

_SQL = queries("trace")


class PostgresTraceStore:
    """Implements `dialer.ports_trace.TraceStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def calls_to(self, number: str, digits: int | None, window: Window, limit: int) -> Found:
        """Calls to a number."""
        return await self._find("calls_to", window, limit, number, digits)

    async def calls_from(self, cli: str, window: Window, limit: int) -> Found:
        """Calls that showed a number."""
        return await self._find("calls_from", window, limit, cli)

    async def waiting(self, window: Window) -> int:
        """How many calls wait for their leaf."""
        with translated():
            return int(await self._pool.fetchval(_SQL["waiting"], window.since, window.until))

    async def is_presented(self, number: str) -> bool:
        """Whether it is registered for a trunk."""
        with translated():
            return bool(await self._pool.fetchval(_SQL["is_presented"], number))

    async def stretch(self, since: datetime, until: datetime | None) -> tuple[int, int]:
        """The leaves of that time."""
        with translated():
            row = await self._pool.fetchrow(_SQL["stretch"], since, until)
        return (row["first"], row["beyond"]) if row else (0, 0)

    async def _find(self, name: str, window: Window, limit: int, *asked: Any) -> Found:
        async with self._snapshot() as connection:
            rows = await connection.fetch(_SQL[name], *asked, window.since, window.until, limit + 1)
            seen = await connection.fetchrow(_SQL["seen"], window.since, window.until)
        return Found(tuple(map(traced_call, rows[:limit])), Seen(**seen), len(rows) > limit)

    @contextlib.asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[asyncpg.Connection]:
        """One instant for all that is read: what is committed then is sealed, or is seen to wait."""
        with translated():
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield connection


async def calls_of_complaint(pool: asyncpg.Pool, complaint: int) -> list[TracedCall]:
    """The calls that are tied to a complaint, oldest first."""
    return [traced_call(row) for row in await pool.fetch(_SQL["of_complaint"], complaint)]


def traced_call(row: Any) -> TracedCall:
    """A row of `traced_calls`."""
    fields = dict(row)
    return TracedCall(
        **{
            **fields,
            "fate": Fate(fields["fate"]),
            "reasons": tuple(fields["reasons"]),
            "complaints": tuple(fields["complaints"] or ()),
            "consents": tuple(_consent(each) for each in _objects(fields["consents"])),
            "refusals": tuple(_refusal(each) for each in _objects(fields["refusals"])),
            "entries": tuple(EntryMark(**each) for each in _objects(fields["entries"])),
        }
    )


def _objects(text: str | None) -> Sequence[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text) if text else []
    return found


def _consent(fields: dict[str, Any]) -> ConsentMark:
    granted_at, withdrawn_at = (
        _instant(fields["granted_at"]),
        fields["withdrawn_at"] and _instant(fields["withdrawn_at"]),
    )
    return ConsentMark(**{**fields, "granted_at": granted_at, "withdrawn_at": withdrawn_at})


def _refusal(fields: dict[str, Any]) -> RefusalMark:
    return RefusalMark(**{**fields, "at": _instant(fields["at"])})


def _instant(text: str) -> str | None:
    """As entries have it, whatever the zone of the session."""
    return instant(datetime.fromisoformat(text).astimezone(UTC))
