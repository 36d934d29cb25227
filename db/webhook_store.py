"""Webhooks and their deliveries on PostgreSQL, whose clock schedules them: nodes' clocks differ."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from db.sql import queries
from db.transaction import transaction, translated
from dialer.ports_webhooks import (
    Backlog,
    Claimed,
    DeliveryRecord,
    Outcome,
    ToldRefusal,
    WebhookRecord,
    WebhookTransaction,
)

_SQL, _REGISTERS = queries("webhooks"), queries("registers")


class PostgresWebhookStore:
    """Implements `dialer.ports_webhooks.WebhookStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[WebhookTransaction]:
        """Commits on a clean exit, otherwise leaves nothing."""
        async with transaction(self._pool) as connection:
            yield _Transaction(connection)

    async def webhooks(self) -> list[WebhookRecord]:
        """All that are not removed, by name."""
        with translated():
            return [WebhookRecord(**row) for row in await self._pool.fetch(_SQL["webhooks"])]

    async def secret(self, name: str) -> tuple[WebhookRecord, str] | None:
        """One webhook with its secret."""
        with translated():
            row = await self._pool.fetchrow(_SQL["secret"], name)
        if row is None:
            return None
        fields = dict(row)
        secret = fields.pop("secret")
        return WebhookRecord(**fields), secret

    async def deliveries(self, name: str | None, *, dead: bool, limit: int) -> list[DeliveryRecord]:
        """The newest deliveries."""
        with translated():
            return [DeliveryRecord(**row) for row in await self._pool.fetch(_SQL["deliveries"], name, dead, limit)]

    async def retry(self, name: str | None, delivery: int | None) -> int:
        """Dead deliveries are due now; nodes are told."""
        with translated():
            return int(await self._pool.fetchval(_SQL["retry"], name, delivery))

    async def prune(self, age: timedelta, stretch: int) -> int:
        """Delete old deliveries, a bounded stretch at a time."""
        last, pruned = 0, 0
        with translated():
            while (row := await self._pool.fetchrow(_SQL["prune"], last, stretch, age))["last"] is not None:
                last, pruned = row["last"], pruned + row["pruned"]
        return pruned


class _Transaction:
    """Implements `dialer.ports_webhooks.WebhookTransaction`; errors are translated where it was opened."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def witness(self, at: datetime, kind: str, subject: int | None, payload: str) -> None:
        await self._connection.execute(_REGISTERS["witness"], at, kind, subject, None, payload)

    async def seller_known(self, code: str) -> bool:
        return bool(await self._connection.fetchval(_SQL["seller_known"], code))

    async def add(self, name: str, url: str, secret: str, seller: str | None, by: str) -> int | None:
        id: int | None = await self._connection.fetchval(_SQL["add"], name, url, secret, seller, by)
        return id

    async def remove(self, name: str, at: datetime) -> int | None:
        id: int | None = await self._connection.fetchval(_SQL["remove"], name, at)
        if id is not None:
            await self._connection.execute(_SQL["abandon"], id, None, "the webhook was removed")
        return id


class PostgresDeliveryStore:
    """Implements `dialer.ports_webhooks.DeliveryStore`. Each method is one statement, and so one transaction."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def claim(self, busy: Mapping[int, int], each: int, room: int, lease: timedelta) -> Sequence[Claimed]:
        """Due deliveries, this node's until the lease ends."""
        running = list(busy), list(busy.values())
        with translated():
            return [_claimed(row) for row in await self._pool.fetch(_SQL["claim"], *running, each, room, lease)]

    async def next_due(self, full: Sequence[int]) -> timedelta | None:
        """How long until something is due."""
        with translated():
            wait: timedelta | None = await self._pool.fetchval(_SQL["next_due"], list(full))
        return wait

    async def delivered(self, claimed: Claimed, status: int | None) -> bool:
        """It arrived."""
        with translated():
            return bool(await self._pool.fetchval(_SQL["delivered"], claimed.id, status))

    async def failed(self, claimed: Claimed, outcome: Outcome, again: timedelta, give_up: timedelta) -> bool:
        """Later again, or dead."""
        with translated():
            return bool(
                await self._pool.fetchval(
                    _SQL["failed"], claimed.id, claimed.tries, outcome.status, outcome.error, again, give_up
                )
            )

    async def gone(self, claimed: Claimed, outcome: Outcome) -> int:
        """All that waits for the webhook is dead."""
        with translated():
            tag = await self._pool.execute(_SQL["abandon"], claimed.webhook_id, outcome.status, outcome.error)
        return int(tag.rpartition(" ")[2])

    async def release(self, claimed: Sequence[Claimed]) -> None:
        """Due at once, for any node."""
        with translated():
            await self._pool.execute(_SQL["release"], [each.id for each in claimed], [each.tries for each in claimed])

    async def backlog(self) -> Backlog:
        """What is not delivered."""
        with translated():
            return Backlog(**await self._pool.fetchrow(_SQL["backlog"]))


def _claimed(row: Any) -> Claimed:
    artefact = json.loads(row["artefact"]) if row["artefact"] else None
    refusal = ToldRefusal(
        row["refusal_id"], row["callee"], row["seller"], row["how"], row["at"], row["recorded_at"], row["call_id"],
        row["agent"], row["attempt"], artefact, row["rule"],
    )  # fmt: skip
    return Claimed(
        row["id"], row["tries"], row["webhook_id"], row["webhook"], row["url"], row["secret"], refusal
    )  # fmt: skip
