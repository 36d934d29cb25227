"""Erasure on PostgreSQL: the functions that alone may erase, and what they are told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from db.gate_store import read_erasure_key
from db.sql import queries
from db.transaction import translated
from dialer.erasure_key import NAME, ErasureKey, KeyMark
from dialer.errors import ConfigError
from dialer.policy.facts import Address
from dialer.ports_erasure import Erased, Hashing, Held, Pending, Said, Stretch, Table

_SQL = queries("erasure")
# A person with very many records, and texts that are sought in tables without an index, take longer than people wait.
_LONG_S = 3600.0


async def is_erased(pool: asyncpg.Pool, key: ErasureKey, callee: int) -> bool:
    """Whether a callee was erased. Where this node lacks the key it cannot tell, and says that he may have been. Raises
    `StoreUnavailable`."""
    with translated():
        mark = await read_erasure_key(pool)
        if mark is None:
            return False
        hash_number = key.hash_for(mark)
        return hash_number is None or bool(await pool.fetchval(_SQL["is_erased"], hash_number(callee), callee))


class PostgresErasureStore:
    """Implements `dialer.ports_erasure.ErasureStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def key(self) -> KeyMark | None:
        """Which key hashes."""
        with translated():
            row = await self._pool.fetchrow(_SQL["key"])
        return KeyMark(row["fingerprint"], row["node"]) if row else None

    async def ask(self, callee: int, hashing: Hashing, said: Said, despite: str | None) -> int:
        """Note that a person asked; his refusal to all sellers."""
        mark = hashing.mark
        async with self._erasing() as connection:
            id: int = await connection.fetchval(
                _SQL["ask"],
                callee,
                hashing.hashes[callee],
                mark.fingerprint,
                mark.node,
                said.at,
                said.by,
                said.reason,
                despite,
                timeout=_LONG_S,
            )
        return id

    async def erase_person(
        self, callee: int, hashing: Hashing, said: Said, texts: Sequence[str], decisions: Sequence[int]
    ) -> Erased | None:
        """Erase all of a person who asked."""
        mark, (rules, days) = hashing.mark, _rules(said)
        async with self._erasing() as connection:
            row = await connection.fetchrow(
                _SQL["erase_person"],
                callee,
                hashing.hashes[callee],
                mark.fingerprint,
                mark.node,
                texts,
                decisions,
                said.at,
                said.by,
                rules,
                days,
                timeout=_LONG_S,
            )
        return _erased(row)

    async def erase_records(self, records: Sequence[Held], hashing: Hashing | None, said: Said) -> Erased | None:
        """Erase these records."""
        hashes = hashing.hashes if hashing else {}
        ids = {table: [each.id for each in records if each.table is table] for table in Table}
        rules, days = _rules(said)
        async with self._erasing() as connection:
            row = await connection.fetchrow(
                _SQL["erase_records"],
                list(hashes),
                list(hashes.values()),
                hashing.mark.fingerprint if hashing else None,
                hashing.mark.node if hashing else None,
                ids[Table.DECISIONS],
                ids[Table.CONSENTS],
                ids[Table.REFUSALS],
                ids[Table.REVIEWS],
                ids[Table.COMPLAINTS],
                ids[Table.ENTRIES],
                [bytes.fromhex(each.clip) for each in records if each.table is Table.RECORDINGS and each.clip],
                said.at,
                said.by,
                said.basis,
                said.reason,
                rules,
                days,
                timeout=_LONG_S,
            )
        return _erased(row)

    async def pending(self) -> list[Pending]:
        """Erasures that wait."""
        with translated():
            return [Pending(**row) for row in await self._pool.fetch(_SQL["pending"])]

    async def pending_of(self, callee: int) -> Pending | None:
        """The erasure of this person that waits."""
        with translated():
            row = await self._pool.fetchrow(_SQL["pending_of"], callee)
        return Pending(**row) if row else None

    async def of_callee(self, callee: int) -> list[Held]:
        """All records of a person."""
        with translated():
            rows = await self._pool.fetch(_SQL["of_callee"], callee, timeout=_LONG_S)
        return [_held(row) for row in rows]

    async def unread_decisions(self, texts: Sequence[str]) -> list[int]:
        """Decisions on a text that was no number."""
        async with self._erasing() as connection:
            return [row["id"] for row in await connection.fetch(_SQL["unread_decisions"], texts, timeout=_LONG_S)]

    async def listed(self, callee: int) -> int:
        """How many imports name the number."""
        with translated():
            count: int = await self._pool.fetchval(_SQL["count_listed"], callee)
        return count

    async def addresses(self, callees: Sequence[int]) -> Mapping[int, Sequence[Address]]:
        """Where callees are known to be."""
        found: dict[int, list[Address]] = {}
        with translated():
            rows = await self._pool.fetch(_SQL["regions"], callees)
        for row in rows:
            found.setdefault(row["callee"], []).append(Address(row["region"], tuple(row["zones"]), row["verified"]))
        return found

    async def stretch(self, table: Table, after: int, before: datetime, limit: int) -> Stretch:
        """A stretch of a table."""
        name = "recordings" if table is Table.RECORDINGS else f"aged_{table.value}"
        with translated():
            rows = await self._pool.fetch(_SQL[name], after, before, limit)
        aged = [_held(row) for row in rows if row["aged"]]
        return Stretch(aged, rows[-1]["id"], rows[-1]["at"]) if rows else Stretch((), None, None)

    async def erased_files(self) -> list[str]:
        """Files that nodes remove."""
        with translated():
            return [row["sha256"] for row in await self._pool.fetch(_SQL["erased_files"], timeout=_LONG_S)]

    async def countries(self) -> list[str]:
        """Countries of the trunks."""
        with translated():
            return [row["country"] for row in await self._pool.fetch(_SQL["countries"])]

    @contextlib.asynccontextmanager
    async def _erasing(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction without the patience of people."""
        with translated():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(_SQL["patience"])
                try:
                    yield connection
                except asyncpg.InvalidPasswordError as error:  # the function's word for it
                    raise ConfigError(
                        f"the `{NAME}` of this node is not the one that hashes the numbers of erased people",
                        f"copy `{NAME}` from the node that made it, or from its backup",
                    ) from error


def _rules(said: Said) -> tuple[list[str], list[int]]:
    return [rule for rule, _ in said.rules], [days for _, days in said.rules]


def _held(row: Any) -> Held:
    return Held(Table(row["table"]), row["id"], row["callee"], row["at"], row["industry"], row["purpose"], row["clip"])


def _erased(row: Any) -> Erased | None:
    return Erased(row["entry"], row["entries"], tuple(each.hex() for each in row["files"])) if row else None
