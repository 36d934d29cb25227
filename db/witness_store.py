"""Cosignatures, time stamps, and the log's leaves as they are published, on PostgreSQL."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from db.sql import queries
from db.transaction import translated
from dialer.ports_witness import Signed
from dialer.verifier.leaf import leaf_data

_SQL = queries("witness")


class PostgresWitnessStore:
    """Implements `dialer.ports_witness.WitnessStore` and `LeafStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def cosigned(self, witness: str) -> Signed | None:
        """The greatest checkpoint that this witness has cosigned."""
        with translated():
            return _signed(await self._pool.fetchrow(_SQL["cosigned"], witness))

    async def add_cosignature(self, size: int, witness: str, line: str, at: datetime) -> None:
        """Keep a signature line."""
        with translated():
            await self._pool.execute(_SQL["add_cosignature"], size, witness, line, at)

    async def newest_cosigned(self) -> int | None:
        """The size of the greatest checkpoint that any witness has cosigned."""
        with translated():
            size: int | None = await self._pool.fetchval(_SQL["newest_cosigned"])
            return size

    async def stamped(self, authority: str) -> Signed | None:
        """The greatest checkpoint that this authority has stamped."""
        with translated():
            return _signed(await self._pool.fetchrow(_SQL["stamped"], authority))

    async def add_timestamp(self, size: int, authority: str, response: bytes, at: datetime) -> None:
        """Keep a time stamp."""
        with translated():
            await self._pool.execute(_SQL["add_timestamp"], size, authority, response, at)

    async def since(self, size: int) -> datetime | None:
        """When the oldest checkpoint of more than this size was published."""
        with translated():
            at: datetime | None = await self._pool.fetchval(_SQL["since"], size)
            return at

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """Canonical bytes of the leaves from `start` to before `end`, of those that there are."""
        with translated():
            return [leaf_data(**row) for row in await self._pool.fetch(_SQL["entries"], start, end)]


def _signed(row: asyncpg.Record | None) -> Signed | None:
    return Signed(**row) if row else None
