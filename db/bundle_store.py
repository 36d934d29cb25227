"""What bundles are made of, read in one snapshot of PostgreSQL."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from db.consent_store import consents_of
from db.refusal_store import refusals_of
from db.sql import queries
from db.transaction import translated
from dialer.policy.facts import TrunkOrigin
from dialer.ports_bundles import BundleReader, Call, Entry, Listing, Matter, Scope, Seals
from dialer.ports_refusals import NewReview, ReviewRecord, SpeechArtefact, read_artefact
from dialer.ports_registers import NumberRecord, SellerRecord, TrunkRecord

_SQL = queries("bundles")


class PostgresBundleStore:
    """Implements `dialer.ports_bundles.BundleStore`."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[BundleReader]:
        """All that is read through it was committed at one instant."""
        with translated():
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield _Reader(connection)

    async def witness(self, at: datetime, kind: str, payload: str, callee: int | None) -> int:
        """Write one entry; its id."""
        with translated():
            return int(await self._pool.fetchval(_SQL["witness"], at, kind, callee, payload))

    async def entries(self, ids: Collection[int]) -> list[Entry]:
        """Entries by id."""
        return await self._entries("by_id", list(ids))

    async def stretch(self, start: int, end: int, opened: Collection[str]) -> list[tuple[int, Entry]]:
        """All leaves of a stretch."""
        with translated():
            rows = await self._pool.fetch(_SQL["stretch"], start, end, list(opened))
        return [(row["index"], _entry(row)) for row in rows]

    async def erasures(self, ids: Collection[int]) -> list[Entry]:
        """The entries that erased some of these."""
        return await self._entries("erasures", list(ids))

    async def vouched(self, size: int) -> int | None:
        """The checkpoint that most vouch for."""
        with translated():
            found: int | None = await self._pool.fetchval(_SQL["vouched"], size)
        return found

    async def log_entries(self) -> list[Entry]:
        """Of the log itself."""
        return await self._entries("log_entries")

    async def seals(self, size: int) -> Seals:
        """What others said of a checkpoint."""
        with translated():
            lines = await self._pool.fetch(_SQL["cosignatures"], size)
            stamps = await self._pool.fetch(_SQL["timestamps"], size)
        return Seals([row["line"] for row in lines], [(row["authority"], row["token"]) for row in stamps])

    async def _entries(self, name: str, *arguments: Any) -> list[Entry]:
        with translated():
            return [_entry(row) for row in await self._pool.fetch(_SQL[name], *arguments)]


class _Reader:
    """Implements `dialer.ports_bundles.BundleReader`."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def callees_of_call(self, call: str) -> list[tuple[int, int | None]]:
        if call.isascii() and call.isdigit() and len(call) <= 18:
            found = await self._connection.fetch(_SQL["call"], int(call))
            if found:
                return [tuple(row) for row in found]
        return [tuple(row) for row in await self._connection.fetch(_SQL["calls"], call)]

    async def complaint(self, id: int) -> tuple[int | None, tuple[int, ...]] | None:
        row = await self._connection.fetchrow(_SQL["complaint"], id)
        return (row["callee"], tuple(row["calls"])) if row else None

    async def gather(self, scope: Scope) -> Matter:
        connection, callee = self._connection, scope.callee
        wanted = None if scope.calls is None else list(scope.calls)
        calls = [_call(row) for row in await connection.fetch(_SQL["decisions"], callee, wanted)]
        consents = await consents_of(connection, callee) if callee is not None else []
        refusals = await refusals_of(connection, callee) if callee is not None else []
        reviews = [_review(row) for row in await connection.fetch(_SQL["reviews"], callee)]
        complaints = [dict(row) for row in await connection.fetch(_SQL["complaints"], callee, scope.complaint)]
        listings = [Listing(**row) for row in await connection.fetch(_SQL["listings"], callee)]
        codes = {c.seller for c in calls} | {c.consent.seller for c in consents}
        codes |= {r.refusal.seller for r in refusals if r.refusal.seller}
        sellers = [SellerRecord(**row) for row in await connection.fetch(_SQL["sellers"], sorted(codes))]
        names, shown = sorted({c.trunk for c in calls}), sorted({c.presented for c in calls})
        trunks = [_trunk(row) for row in await connection.fetch(_SQL["trunks"], names)]
        numbers = [NumberRecord(**row) for row in await connection.fetch(_SQL["numbers"], names, shown)]
        ids = [[each.id for each in rows] for rows in (calls, consents, refusals, reviews)]
        about = (*ids, [each["id"] for each in complaints], callee, [each.id for each in sellers])
        entries = await self._entries(about, [each.id for each in trunks], shown, {each.list for each in listings})
        people = (calls, consents, refusals, reviews, complaints, listings)
        return Matter(scope, *people, sellers, trunks, numbers, entries)

    async def _entries(
        self, about: Sequence[Any], trunks: list[int], shown: list[str], listed: set[str]
    ) -> list[Entry]:
        decisions = await self._connection.fetch(_SQL["decision_payloads"], about[0])
        lists, routes = _named(row["payload"] for row in decisions)
        wanted = ([_json(each) for each in sorted(names)] for names in ({*shown} - {""}, lists | listed, routes))
        rows = await self._connection.fetch(_SQL["entries"], *about, trunks, *wanted)
        entries = [_entry(row) for row in rows]
        erased = [entry.id for entry in entries if entry.payload is None]
        if erased:
            entries += [_entry(row) for row in await self._connection.fetch(_SQL["erasures"], erased)]
        return sorted(entries, key=lambda entry: entry.id)


def _named(payloads: Iterable[str]) -> tuple[set[str], set[str]]:
    """The suppression lists and the routes that decisions speak of."""
    lists: set[str] = set()
    routes: set[str] = set()
    for payload in payloads:
        said = json.loads(payload)
        facts, request = said.get("facts") or {}, said.get("request") or {}
        lists.update(str(name) for name, *_ in facts.get("lists", ()))
        if facts.get("route") == "non_marketing" and request.get("route"):
            routes.add(str(request["route"]))
    return lists, routes


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _entry(row: Any) -> Entry:
    return Entry(row["id"], row["at"], row["kind"], row["subject"], row["commitment"], row["salt"], row["payload"])


def _review(row: Any) -> ReviewRecord:
    artefact = read_artefact(json.loads(row["artefact"]))
    if not isinstance(artefact, SpeechArtefact):
        raise ValueError(f"near miss {row['id']} is none of speech")
    review = NewReview(row["callee"], row["seller"], row["at"], artefact, row["call_id"], row["attempt"])
    decided = (row["decision"], row["decided_at"], row["decided_by"], row["refusal_id"])
    return ReviewRecord(row["id"], review, row["recorded_at"], *decided)


def _call(row: Any) -> Call:
    fields = dict(row)
    return Call(**{**fields, "reasons": tuple(fields["reasons"])})


def _trunk(row: Any) -> TrunkRecord:
    return TrunkRecord(row["id"], row["name"], row["country"], TrunkOrigin(row["origin"]), row["created_at"])
