"""Tokens of the HTTP API on PostgreSQL."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import asyncpg

from db.sql import queries
from db.transaction import transaction, translated
from dialer.ports_tokens import Scope, TokenRecord, TokenTransaction

_SQL, _REGISTERS = queries("tokens"), queries("registers")


class PostgresTokenStore:
    """Implements `dialer.ports_tokens.TokenStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[TokenTransaction]:
        """Commits on a clean exit, otherwise leaves nothing."""
        async with transaction(self._pool) as connection:
            yield _Transaction(connection)

    async def tokens(self) -> list[TokenRecord]:
        """All tokens by name."""
        with translated():
            return [_token(row) for row in await self._pool.fetch(_SQL["all"])]

    async def token(self, hash: bytes) -> TokenRecord | None:
        """The token with that SHA-256."""
        with translated():
            row = await self._pool.fetchrow(_SQL["by_hash"], hash)
        return _token(row) if row else None


class _Transaction:
    """Implements `dialer.ports_tokens.TokenTransaction`; errors are translated where the transaction was opened."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def seller_known(self, code: str) -> bool:
        return bool(await self._connection.fetchval(_SQL["seller_known"], code))

    async def add_token(
        self, name: str, hash: bytes, scopes: tuple[Scope, ...], seller: str | None, by: str, expires: datetime | None
    ) -> TokenRecord | None:
        values = [scope.value for scope in scopes]
        row = await self._connection.fetchrow(_SQL["add"], name, hash, values, seller, by, expires)
        return _token(row) if row else None

    async def revoke_token(self, name: str, at: datetime) -> TokenRecord | None:
        row = await self._connection.fetchrow(_SQL["revoke"], name, at)
        return _token(row) if row else None

    async def witness(self, at: datetime, kind: str, subject: int, payload: str) -> None:
        await self._connection.execute(_REGISTERS["witness"], at, kind, subject, None, payload)


def _token(row: Any) -> TokenRecord:
    return TokenRecord(**{**row, "scopes": tuple(map(Scope, row["scopes"]))})
