"""The raw rows of the log for its check, in one snapshot that several processes share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any

import asyncpg

from db.pool import SERVICE_ROLE
from db.sql import queries
from db.transaction import translated
from dialer.errors import StoreUnavailable
from dialer.fsck.faults import FaultKind, Findings
from dialer.fsck.keys import CheckpointRow, KeyEntry, check_checkpoint, link_keys, read_verifier_key
from dialer.fsck.leftovers import batchless, erasures
from dialer.fsck.records import Record, Said, check_records, record_of
from dialer.fsck.run import CosignatureRow, Outline
from dialer.fsck.stretch import STRETCH, TILE, LeafCheck, Row, Stretch, StretchReport
from dialer.hostile import printable
from dialer.verifier.leaf import commitment
from dialer.verifier.note import NoteFault
from dialer.workers import in_order, process_pool

_SQL = queries("fsck")
_BATCH = 16384
_HOURS_S = 24 * 3600.0


class PostgresSnapshot:
    """Implements `dialer.fsck.run.Snapshot`, with `processes` further ones that read stretches (0: this one does)."""

    def __init__(self, connection: asyncpg.Connection, dsn: str, snapshot: str, processes: int) -> None:
        self._connection, self._dsn, self._snapshot, self._processes = connection, dsn, snapshot, processes

    async def outline(self, findings: Findings) -> Outline:
        """What there is."""
        with translated():
            state = await self._connection.fetchrow(_SQL["state"])
            rows = await self._connection.fetch(_SQL["keys"])
            introduced = [KeyEntry(*row) for row in await self._connection.fetch(_SQL["key_entries"])]
            erased = erasures(await self._connection.fetch(_SQL["erasures"]))
        keys = {}
        for row in rows:
            try:
                keys[row["id"]] = read_verifier_key(row["name"], row["public"])
            except NoteFault:
                findings.add(FaultKind.KEY_UNLINKED, None, None, key=str(row["id"]))
        linked = link_keys(state["name"] or "", keys, introduced, findings)
        counts = (state["size"], state["leaves"], state["said"], state["waiting"], state["checkpoints"])
        return Outline(*counts, linked, erased)

    async def stretches(self, works: Iterator[Stretch], outline: Outline) -> AsyncIterator[StretchReport]:
        """What is found in each, in order."""
        if self._processes < 1 or outline.size <= STRETCH:
            for work in works:
                with translated():
                    report = await _stretch(self._connection, work, outline)
                yield report
            return
        with process_pool(self._processes, _join, self._dsn, self._snapshot, outline) as executor:
            try:
                async for report in in_order(executor, self._processes + 1, _elsewhere, ((work,) for work in works)):
                    yield report
            except BrokenExecutor as error:
                raise StoreUnavailable(
                    "a process that read the log was ended", "is memory short? try it with `--processes 0`"
                ) from error

    async def tiles(self, level: int, start: int, end: int) -> dict[int, bytes]:
        """The tiles of a level from one index to before another."""
        return {row["index"]: row["hashes"] for row in await self._fetch("tiles", level, start, end)}

    async def upper_tiles(self) -> dict[tuple[int, int], bytes]:
        """Those above level 1."""
        return {(row["level"], row["index"]): row["hashes"] for row in await self._fetch("upper_tiles")}

    async def tiles_beyond(self, size: int) -> list[tuple[int, int]]:
        """Those that no leaf reaches; a hundred at most."""
        return [(row["level"], row["index"]) for row in await self._fetch("tiles_beyond", size)]

    async def published(self, sizes: Sequence[int]) -> set[int]:
        """Those at which there is a checkpoint."""
        return {row["size"] for row in await self._fetch("published", list(sizes))}

    async def newest_checkpoint(self, size: int) -> int | None:
        """The size of the newest one up to this size."""
        newest: int | None = (await self._fetch("newest_checkpoint", size))[0][0]
        return newest

    async def checkpoints_beyond(self, size: int) -> list[int]:
        """Those of more leaves than there are."""
        return [row["size"] for row in await self._fetch("checkpoints_beyond", size)]

    async def cosignatures(self) -> list[CosignatureRow]:
        """All of them, with their notes."""
        return [CosignatureRow(*row) for row in await self._fetch("cosignatures")]

    async def waiting(self, outline: Outline, findings: Findings) -> None:
        """The queue, and what waits in it."""
        with translated():
            cursor = await self._connection.cursor(_SQL["waiting"])
            while rows := await cursor.fetch(_BATCH):
                for *row, times in rows:
                    _check_waiting(row, times, outline, findings)
                await _records(self._connection, [row[:9] for row in rows if row[0] is None], findings)

    async def leftovers(self, start: int, findings: Findings) -> None:
        """What no stretch sees."""
        with translated():
            since = await self._connection.fetchval(_SQL["bounds"], start, start + STRETCH) if start else 0
            await self._each("unsealed", FaultKind.ENTRY_UNSEALED, findings, "id", ("kind", "at"), since or 0)
            await self._each("payloads_alone", FaultKind.PAYLOAD_ALONE, findings, "entry", (), since or 0)
            if start:
                return
            await self._each("alone", FaultKind.RECORD_ALONE, findings, None, ("table", "row", "kind"))
            await self._alone_unless_imported("refusals", "refusal", findings)
            await self._alone_unless_imported("consents", "consent.granted", findings)
            for row in await self._connection.fetch(_SQL["sealed_twice"]):
                findings.add(FaultKind.ENTRY_TWICE, row["entry"], row["index"])

    async def files(self) -> AsyncIterator[tuple[str, bool]]:
        """SHA-256 of files that rows name, and whether it is a clip."""
        with translated():
            async for row in self._connection.cursor(_SQL["files"], prefetch=_BATCH):
                if row["name"] is not None:
                    yield row["name"], row["clip"]

    async def _each(
        self,
        query: str,
        kind: FaultKind,
        findings: Findings,
        entry: str | None,
        details: tuple[str, ...],
        *arguments: Any,
    ) -> None:
        async for row in self._connection.cursor(_SQL[query], *arguments, prefetch=_BATCH):
            detail = {name: _shown(row[name]) for name in details}
            findings.add(kind, row[entry] if entry else None, None, **detail)

    async def _alone_unless_imported(self, table: str, kind: str, findings: Findings) -> None:
        """Rows without an entry of their own are from imports of before each row had one: as many as those added."""
        rows = [row["id"] for row in await self._connection.fetch(_SQL[f"{table}_alone"])]
        imports = await self._connection.fetch(_SQL["bulk_imports"], f"{kind.partition('.')[0]}.imported")
        added = batchless([row["payload"] for row in imports])
        if not added:
            for row in rows:
                findings.add(FaultKind.RECORD_ALONE, None, None, table=table, row=row, kind=kind)
        elif len(rows) != added:
            findings.add(FaultKind.IMPORT_COUNT, None, None, table=table, rows=len(rows), added=added)

    async def _fetch(self, name: str, *arguments: Any) -> list[Any]:
        with translated():
            rows: list[Any] = await self._connection.fetch(_SQL[name], *arguments)
        return rows


def _shown(value: Any) -> Any:
    return printable(value, 64) if isinstance(value, str) else value


@contextlib.asynccontextmanager
async def open_snapshot(dsn: str, processes: int = 0) -> AsyncIterator[PostgresSnapshot]:
    """The database as it is now, for as long as the context lasts; `processes` may read it besides."""
    with translated():
        connection = await _connect(dsn)
    try:
        with translated():
            await connection.execute("begin isolation level repeatable read read only")
            await connection.execute(_SQL["patience"])
            snapshot = await connection.fetchval(_SQL["snapshot"]) if processes else ""
        yield PostgresSnapshot(connection, dsn, snapshot, processes)
    finally:
        connection.terminate()


async def _connect(dsn: str) -> asyncpg.Connection:
    settings = {"application_name": "heedline fsck", "jit": "off", "role": SERVICE_ROLE}
    return await asyncpg.connect(dsn, timeout=5, command_timeout=_HOURS_S, server_settings=settings)


# One process of several: it joins the snapshot, and reads stretches until it is ended.


class _Joined:
    loop: asyncio.AbstractEventLoop
    connection: asyncpg.Connection
    outline: Outline


def _join(dsn: str, snapshot: str, outline: Outline) -> None:
    _Joined.loop, _Joined.outline = asyncio.new_event_loop(), outline
    _Joined.connection = _Joined.loop.run_until_complete(_joined(dsn, snapshot))


async def _joined(dsn: str, snapshot: str) -> asyncpg.Connection:
    connection = await _connect(dsn)
    await connection.execute("begin isolation level repeatable read read only")
    await connection.execute(f"set transaction snapshot '{snapshot}'")
    await connection.execute(_SQL["patience"])
    return connection


def _elsewhere(work: Stretch) -> StretchReport:
    with translated():  # the driver's errors do not cross to another process
        return _Joined.loop.run_until_complete(_stretch(_Joined.connection, work, _Joined.outline))


async def _stretch(connection: asyncpg.Connection, work: Stretch, outline: Outline) -> StretchReport:
    check = LeafCheck(work, outline.erased)
    findings = check.report.findings
    for low in range(work.low, work.high, _BATCH):
        high = min(low + _BATCH, work.high)
        first, last = await connection.fetchrow(_SQL["bounds"], low, high)
        rows = await connection.fetch(_SQL["leaves"], low, high, first, last) if first is not None else []
        check.take(rows)
        await _records(connection, rows, findings)
    sizes = []
    for row in await connection.fetch(_SQL["checkpoints"], work.low if work.low else -1, work.high):
        said = check_checkpoint(CheckpointRow(*row), outline.keys, findings)
        if said is not None and said.size > work.low:
            check.report.checkpoints.append(said)
            sizes.append(said.size)
    tiles = await connection.fetch(_SQL["tiles"], 0, work.low // TILE, -(-work.high // TILE))
    parent = await connection.fetchrow(_SQL["tiles"], 1, work.low // STRETCH, work.low // STRETCH + 1)
    return check.finish({row["index"]: row["hashes"] for row in tiles}, parent and parent["hashes"], sizes)


def _check_waiting(row: Row, times: int, outline: Outline, findings: Findings) -> None:
    index, entry, id, _, _, _, committed, salt, payload = row
    if times > 1:
        findings.add(FaultKind.WAITING_TWICE, entry, index)
    if id is None:
        findings.add(FaultKind.WAITING_MISSING, entry, index)
        return
    if index is not None:
        findings.add(FaultKind.WAITING_SEALED, entry, index)
        return
    if payload is None or salt is None:
        if entry not in outline.erased:
            findings.add(FaultKind.PAYLOAD_MISSING, entry, None)
    elif committed is None or commitment(salt, payload.encode()) != committed:
        findings.add(FaultKind.PAYLOAD_CHANGED, entry, None)


async def _records(connection: asyncpg.Connection, rows: Sequence[Row], findings: Findings) -> None:
    """Hold what entries say against the rows that they speak of."""
    said: dict[Record, list[Said]] = {}
    for index, entry, id, at, kind, subject, _, _, payload in rows:
        if payload is None or id is None or at is None:
            continue  # erased, or told already
        record = record_of(kind)
        if record is not None:
            said.setdefault(record, []).append(Said(entry, index, at, kind, subject, payload))
    for record, entries in said.items():
        subjects = list({each.subject for each in entries if each.subject is not None})
        found = await _found(connection, record, subjects)
        check_records(record, entries, found, findings)


async def _found(connection: asyncpg.Connection, record: Record, subjects: Sequence[int]) -> dict[int, Any]:
    query = _SQL[f"record_{record.name}"]
    try:
        return {row["id"]: row for row in await connection.fetch(query, subjects)}
    except (ValueError, OverflowError):  # one of them holds a date that no program of ours can have written
        if len(subjects) == 1:
            return {}
        middle = len(subjects) // 2
        halves = [await _found(connection, record, half) for half in (subjects[:middle], subjects[middle:])]
        return {**halves[0], **halves[1]}
