"""Refusals on PostgreSQL. They are only ever added."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from db.pool import lent
from db.sql import queries
from db.transaction import transaction, translated
from dialer.erasure_key import KeyMark
from dialer.evidence.entries import canonical
from dialer.ports_refusals import (
    CallParty,
    ErasedRefusal,
    NewRefusal,
    NewReview,
    OpenCall,
    RefusalRecord,
    ReviewRecord,
    SpeechArtefact,
    read_artefact,
)

_SQL = queries("refusals")
# A call that used its permit longer ago is over, whatever was seen of its end.
_LONGEST_CALL = timedelta(hours=12)
# A call that rings cannot wait for a database that hangs.
_PATIENCE_S = 5.0
# A phone that rings so long was called after the refusal, and the gate knew it or will.
_LONGEST_RINGING = timedelta(hours=1)
# From the redemption of a permit to the INVITE pass some milliseconds in the switch.
_LEAVES_WITHIN = timedelta(seconds=0.25)


class RefusalStatements:
    """The refusals' part of a transaction."""

    _connection: asyncpg.Connection

    async def refusal(self, id: int) -> RefusalRecord | None:
        """The refusal of that id."""
        row = await self._connection.fetchrow(_SQL["by_id"], id)
        return _refusal(row) if row else None

    async def erased_refusal(self, id: int) -> ErasedRefusal | None:
        """The refusal of that id, of an erased person."""
        row = await self._connection.fetchrow(_SQL["erased"], id)
        if row is None:
            return None
        return ErasedRefusal(row["hash"], row["seller"], row["at"], KeyMark(row["fingerprint"], row["node"]))

    async def add_refusal(
        self, refusal: NewRefusal, rule: str | None, rule_version: str | None, digest: bytes, payload: str
    ) -> tuple[int, bool, bool]:
        """Records it with its evidence under the callee's lock: id, known before, fits what was told then."""
        r = refusal
        row = await self._connection.fetchrow(
            _SQL["record"],
            r.callee,
            r.seller,
            r.how,
            r.at,
            r.call_id,
            r.agent,
            r.note,
            r.attempt,
            canonical(r.artefact.document()) if r.artefact else None,
            rule,
            rule_version,
            r.receipt,
            digest if r.receipt else None,
            payload,
        )
        return row["id"], row["known"], row["fits"]

    async def add_review(self, review: NewReview) -> int:
        """A near miss that awaits a person; its id."""
        r = review
        artefact = canonical(r.artefact.document())
        id: int = await self._connection.fetchval(
            _SQL["add_review"], r.callee, r.seller, r.at, r.call_id, r.attempt, artefact
        )
        return id

    async def review(self, id: int) -> ReviewRecord | None:
        """One near miss, locked."""
        row = await self._connection.fetchrow(_SQL["review"], id)
        return _review(row) if row else None

    async def decide_review(self, id: int, decision: str, at: datetime, by: str, refusal_id: int | None) -> None:
        """What a person decided."""
        await self._connection.execute(_SQL["decide_review"], id, decision, at, by, refusal_id)


class PostgresRefusalStore:
    """Implements `dialer.ports_refusals.RefusalStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def refused_calls(self, callees: Collection[int] | None) -> list[OpenCall]:
        """Calls that are out and bound by a refusal."""
        now = datetime.now(UTC)
        instants = (now - _LONGEST_CALL, now - _LEAVES_WITHIN)
        with translated():
            async with asyncio.timeout(_PATIENCE_S), lent(self._pool) as connection:
                if callees is None:
                    rows = await connection.fetch(_SQL["all_refused_calls"], *instants)
                else:
                    rows = await connection.fetch(_SQL["refused_calls"], list(callees), *instants)
        return [OpenCall(**row) for row in rows]

    async def refused_parties(self, parties: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        """Those between whom a new refusal stands."""
        callees, sellers = [callee for callee, _ in parties], [seller for _, seller in parties]
        with translated():
            rows = await self._pool.fetch(
                _SQL["refused_parties"], callees, sellers, datetime.now(UTC) - _LONGEST_RINGING
            )
        return {(row["callee"], row["seller"]) for row in rows}

    async def call_party(self, attempt: int) -> CallParty | None:
        """Who was called in an attempt."""
        with translated():
            row = await self._pool.fetchrow(_SQL["call_party"], attempt)
        return CallParty(**row) if row else None

    async def sellers_showing(self, number: str) -> list[str | None]:
        """For whom a number is registered as presented."""
        with translated():
            return [row["code"] for row in await self._pool.fetch(_SQL["sellers_showing"], number)]

    async def page(self, callee: int, seller: str | None, after: int, limit: int) -> list[RefusalRecord]:
        """At most `limit` refusals of a callee with ids above `after`, in the order of recording: to a seller or
        (None) to whomsoever."""
        with translated():
            rows = await self._pool.fetch(_SQL["page"], callee, seller, after, limit)
        return [_refusal(row) for row in rows]

    async def reviews(self, *, decided: bool = False, limit: int = 100) -> list[ReviewRecord]:
        """Near misses, open or decided."""
        with translated():
            rows = await self._pool.fetch(_SQL["decided_reviews" if decided else "open_reviews"], limit)
        return [_review(row) for row in rows]


async def refusals_of(pool: asyncpg.Pool, callee: int) -> list[RefusalRecord]:
    """All refusals of a callee, oldest first."""
    return [_refusal(row) for row in await pool.fetch(_SQL["of_callee"], callee)]


async def all_refusals(pool: asyncpg.Pool) -> AsyncIterator[RefusalRecord]:
    """Every refusal in the order of recording."""
    async with transaction(pool) as connection:
        async for row in connection.cursor(_SQL["all"], prefetch=2_000):
            yield _refusal(row)


def _refusal(row: Any) -> RefusalRecord:
    artefact = read_artefact(json.loads(row["artefact"])) if row["artefact"] else None
    refusal = NewRefusal(
        row["callee"], row["seller"], row["how"], row["at"], row["call_id"], row["agent"], row["note"], row["attempt"],
        artefact, row["receipt"],
    )  # fmt: skip
    return RefusalRecord(row["id"], refusal, row["recorded_at"], row["rule"], row["rule_version"])


def _review(row: Any) -> ReviewRecord:
    artefact = read_artefact(json.loads(row["artefact"]))
    if not isinstance(artefact, SpeechArtefact):
        raise ValueError(f"near miss {row['id']} is none of speech")
    review = NewReview(row["callee"], row["seller"], row["at"], artefact, row["call_id"], row["attempt"])
    decided = (row["decision"], row["decided_at"], row["decided_by"], row["refusal_id"])
    return ReviewRecord(row["id"], review, row["recorded_at"], *decided)
