"""The gate's store on PostgreSQL: two statements a batch between `begin` and `commit`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from db.faults import DRIVER_FAULTS
from db.pool import lent
from db.sql import queries
from dialer.erasure_key import KeyMark
from dialer.errors import StoreUnavailable
from dialer.hostile import printable
from dialer.numbers import Number
from dialer.permits import is_canonical
from dialer.policy.facts import (
    Address,
    Basis,
    CallKind,
    Consent,
    PastAttempt,
    Refusal,
    Seller,
    SuppressionList,
    Trunk,
    TrunkOrigin,
)
from dialer.ports import CalleeRecord, Configuration, DecisionRow, GateTransaction, LatestDecision

_SQL = queries("gate")
_BOTH_KINDS = (CallKind.LIVE, CallKind.PRERECORDED)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DRIVER_FAULTS as error:
        raise StoreUnavailable(f"the database did not answer: {type(error).__name__}: {error}") from error


class PostgresGateStore:
    """Implements `dialer.ports.GateStore`.

    `pool` must not reset its connections on release (every path here ends its own transaction or drops the connection):
    a reset would cost one more round trip a batch.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._configuration = Configuration(version=0)

    @contextlib.asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[GateTransaction]:
        """A transaction that commits on a clean exit. Any failure, cancellation included, drops the connection: the
        server rolls back, and a server that hangs is not waited for."""
        with _translated():
            async with lent(self._pool) as connection:
                await connection.execute("begin read only" if read_only else "begin")
                yield _Transaction(self, connection)
                await connection.execute("commit")

    async def redeem(
        self, permit_hash: bytes, callee: str, presented: str, by: str, now: datetime, payload: str
    ) -> int | None:
        """Use up a permit in one statement, its evidence included. A code without `+` has no lock and no refusals."""
        digits = int(callee[1:]) if is_canonical(callee) and callee.startswith("+") else None
        with _translated():
            async with lent(self._pool) as connection:
                found: int | None = await connection.fetchval(
                    _SQL["redeem"], permit_hash, callee, digits, presented, by, now, payload
                )
        return found

    async def latest_decision(self) -> LatestDecision:
        """When the newest decision was made, as the clock said then, of those that bear witness of the time."""
        with _translated():
            async with lent(self._pool) as connection:
                row = await connection.fetchrow(_SQL["latest_decision"])
        return LatestDecision(row["at"], row["accepted"])

    async def configuration(self, connection: asyncpg.Connection, version: int) -> Configuration:
        """The configuration at `version`, from memory when it has not changed."""
        if version != self._configuration.version:
            self._configuration = await read_configuration(connection, version)
        return self._configuration


class _Transaction:
    def __init__(self, store: PostgresGateStore, connection: asyncpg.Connection) -> None:
        self._store, self._connection = store, connection

    async def load(
        self, callees: Sequence[int], since: datetime, now: datetime, hashes: Sequence[bytes] | None = None
    ) -> tuple[Configuration, dict[int, CalleeRecord]]:
        rows = await self._connection.fetch(_SQL["load"], callees, since, now, hashes)
        configuration = await self._store.configuration(self._connection, rows[-1]["id"])
        return configuration, read_records(rows[:-1], configuration)  # the last one is the version

    async def record(self, rows: Sequence[DecisionRow], now: datetime, permits_expire: datetime) -> list[int]:
        ids: list[int] = await self._connection.fetchval(
            _SQL["record"],
            now,
            [row.callee.digits if isinstance(row.callee, Number) and row.callee.is_e164 else None for row in rows],
            [row.callee.e164 if isinstance(row.callee, Number) else row.callee.raw for row in rows],
            [row.seller_id for row in rows],
            [printable(row.request.seller) for row in rows],
            [printable(row.request.purpose) for row in rows],
            [printable(row.presented) for row in rows],
            [printable(row.request.trunk or "") for row in rows],
            [row.request.path for row in rows],
            [printable(row.request.call_id) for row in rows],
            [row.verdict.outcome.value for row in rows],
            [" ".join(row.verdict.reasons) for row in rows],
            [row.verdict.until for row in rows],
            [row.verdict.rule_version for row in rows],
            [row.payload for row in rows],
            [row.permit_hash for row in rows],
            permits_expire,
            [" ".join(map(str, row.refusals_seen)) if row.refusals_seen else None for row in rows],
            [" ".join(map(str, row.consents_seen)) if row.consents_seen else None for row in rows],
        )
        return ids


def _consent(record: CalleeRecord, row: Any, configuration: Configuration) -> None:
    kinds = row["kinds"]
    record.consents.append(
        Consent(
            id=row["id"],
            seller=configuration.seller_codes.get(row["seller_id"], ""),
            purpose=row["purpose"],
            basis=Basis(row["basis"]),
            granted_at=row["at"],
            expires_at=row["until"],
            withdrawn_at=row["ended"],
            kinds=_BOTH_KINDS if len(kinds) == 2 else tuple(map(CallKind, kinds)),
            lifts=row["ref"],
        )
    )
    if row["region"] is not None and (record.address is None or row["flag"] or not record.address.verified):
        record.address = Address(row["region"], tuple(row["zones"]), row["flag"])


def _refusal(record: CalleeRecord, row: Any, configuration: Configuration) -> None:
    seller_id = row["seller_id"]
    # A seller that the configuration does not know yet must not turn a refusal into one that concerns nobody.
    seller = None if seller_id is None else configuration.seller_codes.get(seller_id)
    record.refusals.append(Refusal(row["id"], seller, row["at"]))


def _listed(record: CalleeRecord, row: Any, _: Configuration) -> None:
    record.imports.append(row["id"])


def _attempt(record: CalleeRecord, row: Any, configuration: Configuration) -> None:
    seller = configuration.seller_codes.get(row["seller_id"], "")
    record.attempts.append(PastAttempt(seller, row["at"], row["flag"]))


# asyncpg reads PostgreSQL's one-byte "char" as bytes.
_READERS = {b"c": _consent, b"r": _refusal, b"s": _listed, b"a": _attempt}


def read_records(rows: Sequence[Any], configuration: Configuration) -> dict[int, CalleeRecord]:
    """What is known of each callee, from rows in the shape that `gate_load` returns."""
    records: dict[int, CalleeRecord] = {}
    for row in rows:
        record = records.get(row[0])
        if record is None:
            record = records[row[0]] = CalleeRecord()
        _READERS[row[1]](record, row, configuration)
    return records


async def read_configuration(connection: asyncpg.Connection, version: int) -> Configuration:
    """Read sellers, trunks, numbers, lists and routes; call it inside a transaction."""
    sellers = await connection.fetch(_SQL["sellers"])
    registered: dict[tuple[str, str], tuple[str | None, ...]] = {}
    for row in await connection.fetch(_SQL["presented_numbers"]):
        key = (row["trunk"], row["number"])
        registered[key] = (*registered.get(key, ()), row["seller"])
    return Configuration(
        version=version,
        sellers={row["code"]: Seller(row["code"], row["suspended"], row["industry"]) for row in sellers},
        seller_ids={row["code"]: row["id"] for row in sellers},
        seller_codes={row["id"]: row["code"] for row in sellers},
        trunks={
            row["name"]: Trunk(row["name"], row["country"], TrunkOrigin(row["origin"]))
            for row in await connection.fetch(_SQL["trunks"])
        },
        registered=registered,
        lists={
            row["import_id"]: SuppressionList(row["name"], row["as_of"], tuple(row["prefixes"]))
            for row in await connection.fetch(_SQL["lists"])
        },
        non_marketing=frozenset(row["name"] for row in await connection.fetch(_SQL["routes"]) if row["non_marketing"]),
        clock_accepted=await connection.fetchval(_SQL["clock_accepted"]),
        erasure=await read_erasure_key(connection),
    )


async def read_erasure_key(connection: asyncpg.Connection | asyncpg.Pool) -> KeyMark | None:
    """Which key hashes numbers of erased people; None: nobody was erased."""
    row = await connection.fetchrow(_SQL["erasure_key"])
    return KeyMark(row["fingerprint"], row["node"]) if row else None


async def current_configuration(pool: asyncpg.Pool) -> Configuration:
    """The configuration as it is now."""
    with _translated():
        async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            return await read_configuration(connection, await connection.fetchval(_SQL["config_version"]))
