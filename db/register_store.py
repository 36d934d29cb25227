"""The registers' store on PostgreSQL: sellers, trunks, numbers, routes, lists; consents and refusals beside it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg

from db.consent_store import ConsentStatements, all_consents, consents_of
from db.list_store import ListStatements, listed, lists, prune_lists
from db.refusal_store import RefusalStatements, all_refusals, refusals_of
from db.sql import queries
from db.transaction import transaction, translated
from dialer.policy.facts import TrunkOrigin
from dialer.ports_refusals import RefusalRecord
from dialer.ports_registers import (
    ConsentRecord,
    ListRecord,
    NumberRecord,
    RouteRecord,
    SellerRecord,
    Transaction,
    TrunkRecord,
)

_SQL, _CLOCK = queries("registers"), queries("clock")


class PostgresRegisterStore:
    """Implements `dialer.ports_registers.RegisterStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commits on a clean exit, otherwise leaves nothing."""
        async with transaction(self._pool) as connection:
            yield RegisterTransaction(connection)

    async def sellers(self) -> list[SellerRecord]:
        """All sellers by code."""
        return [SellerRecord(**row) for row in await self._fetch("sellers")]

    async def trunks(self) -> list[TrunkRecord]:
        """All trunks by name."""
        return [_trunk(row) for row in await self._fetch("trunks")]

    async def numbers(self, trunk: str | None = None) -> list[NumberRecord]:
        """Registered numbers of one trunk or of all."""
        return [NumberRecord(**row) for row in await self._fetch("numbers", trunk)]

    async def routes(self) -> list[RouteRecord]:
        """Routes that are declared non-marketing."""
        return [RouteRecord(**row) for row in await self._fetch("routes")]

    async def lists(self) -> list[ListRecord]:
        """Suppression lists with their imports in force."""
        with translated():
            return await lists(self._pool)

    async def consents_of(self, callee: int) -> list[ConsentRecord]:
        """All consents of a callee, oldest first."""
        with translated():
            return await consents_of(self._pool, callee)

    async def refusals_of(self, callee: int) -> list[RefusalRecord]:
        """All refusals of a callee, oldest first."""
        with translated():
            return await refusals_of(self._pool, callee)

    def all_consents(self) -> AsyncIterator[ConsentRecord]:
        """Every consent; memory does not grow with their number."""
        return all_consents(self._pool)

    def all_refusals(self) -> AsyncIterator[RefusalRecord]:
        """Every refusal; memory does not grow with their number."""
        return all_refusals(self._pool)

    def listed(self, name: str) -> AsyncIterator[int]:
        """The numbers on a list."""
        return listed(self._pool, name)

    async def prune_lists(self, stretch: int) -> int:
        """Delete the entries of imports that newer ones replaced, a bounded stretch at a time."""
        return await prune_lists(self._pool, stretch)

    async def _fetch(self, name: str, *arguments: Any) -> list[dict[str, Any]]:
        with translated():
            return [dict(row) for row in await self._pool.fetch(_SQL[name], *arguments)]


class RegisterTransaction(ListStatements, ConsentStatements, RefusalStatements):
    """Implements `dialer.ports_registers.Transaction`; errors are translated where the transaction was opened."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def witness(
        self, at: datetime, kind: str, subject: int | None, payload: str, callee: int | None = None
    ) -> None:
        await self._connection.execute(_SQL["witness"], at, kind, subject, callee, payload)

    async def seller(self, code: str) -> SellerRecord | None:
        return await self._one_seller("seller", code)

    async def add_seller(self, code: str, name: str, industry: str) -> SellerRecord | None:
        return await self._one_seller("add_seller", code, name, industry)

    async def suspend_seller(self, code: str, suspended: bool) -> SellerRecord | None:
        return await self._one_seller("suspend_seller", code, suspended)

    async def trunk(self, name: str) -> TrunkRecord | None:
        row = await self._connection.fetchrow(_SQL["trunk"], name)
        return _trunk(row) if row else None

    async def add_trunk(self, name: str, country: str, origin: TrunkOrigin) -> TrunkRecord | None:
        row = await self._connection.fetchrow(_SQL["add_trunk"], name, country, origin.value)
        return _trunk(row) if row else None

    async def add_number(self, trunk: str, number: str, seller: str | None, holder: str, use: str) -> bool:
        return bool(await self._connection.fetchval(_SQL["add_number"], trunk, number, seller, holder, use))

    async def remove_number(self, trunk: str, number: str, seller: str | None, everyone: bool) -> int:
        return int(await self._connection.fetchval(_SQL["remove_number"], trunk, number, seller, everyone))

    async def declare_route(self, name: str, reason: str, by: str, at: datetime) -> bool:
        return bool(await self._connection.fetchval(_SQL["declare_route"], name, reason, by, at))

    async def remove_route(self, name: str) -> bool:
        return bool(await self._connection.fetchval(_SQL["remove_route"], name))

    async def loosening_known(self, fingerprint: str) -> bool:
        await self._connection.execute(_SQL["loosening_lock"])
        return bool(await self._connection.fetchval(_SQL["loosening_known"], fingerprint))

    async def clock_witness(self) -> tuple[int, datetime | None]:
        row = await self._connection.fetchrow(_CLOCK["witness"])
        return row["newest"], row["at"]

    async def reconfigure(self) -> None:
        await self._connection.execute(_CLOCK["reconfigure"])

    async def _one_seller(self, name: str, *arguments: Any) -> SellerRecord | None:
        row = await self._connection.fetchrow(_SQL[name], *arguments)
        return SellerRecord(**row) if row else None


def _trunk(row: Any) -> TrunkRecord:
    return TrunkRecord(row["id"], row["name"], row["country"], TrunkOrigin(row["origin"]), row["created_at"])
