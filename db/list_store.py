"""Suppression lists on PostgreSQL."""

from __future__ import annotations

import builtins
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg

from db.sql import queries
from db.transaction import transaction, translated
from dialer.ports_registers import ListRecord

_SQL = queries("lists")


class ListStatements:
    """The lists' part of a transaction."""

    _connection: asyncpg.Connection

    async def list(self, name: str) -> ListRecord | None:
        """The list of that name."""
        row = await self._connection.fetchrow(_SQL["lists"], name)
        return _list(row) if row else None

    async def add_list(self, name: str, owner: str, prefixes: Sequence[str]) -> ListRecord | None:
        """None when the name is taken."""
        added = await self._connection.fetchval(_SQL["add_list"], name, owner, builtins.list(prefixes))
        return await self.list(name) if added else None


async def lists(pool: asyncpg.Pool) -> builtins.list[ListRecord]:
    """All lists with their imports in force."""
    return [_list(row) for row in await pool.fetch(_SQL["lists"], None)]


async def listed(pool: asyncpg.Pool, name: str) -> AsyncIterator[int]:
    """The numbers on a list, in order."""
    async with transaction(pool) as connection:
        async for row in connection.cursor(_SQL["listed"], name, prefetch=5_000):
            yield row[0]


async def prune_lists(pool: asyncpg.Pool, stretch: int) -> int:
    """Delete what replaced imports left, each statement looking at `stretch` entries; how many went."""
    with translated():
        replaced = [row[0] for row in await pool.fetch(_SQL["replaced_imports"])]
        gone, number, import_id = 0, -1, 0
        while replaced:
            row = await pool.fetchrow(_SQL["prune"], replaced, number, import_id, stretch)
            if row is None:
                break
            gone, number, import_id = gone + row["gone"], row["number"], row["import_id"]
    return gone


def _list(row: Any) -> ListRecord:
    values = dict(row)
    return ListRecord(**{**values, "prefixes": tuple(values["prefixes"])})
