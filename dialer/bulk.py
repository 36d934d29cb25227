"""Use case: importing a file into a register. All of it goes in, or (unless asked otherwise) nothing.

One evidence entry stands for a whole import: the file's SHA-256 and the counts; each consent, refusal and number has
one of its own besides, which names the same batch. Bad rows are all counted, and each is handed to `on_fault`.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from dialer.errors import NotRegistered, RegisterError
from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.import_rows import RowContext, Validated, validate
from dialer.imports import Chunk, RowFault, Sheet
from dialer.ports import Clock
from dialer.ports_registers import BulkStore, BulkWriter, RegisterStore

CHUNK = 5_000


@dataclass(slots=True)
class ImportReport:
    """What became of a file. `added` are new, `known` were registered already (both 0 when nothing was kept)."""

    read: int = 0
    bad: int = 0
    added: int = 0
    known: int = 0
    kept: bool = False
    sha256: str = ""

    @property
    def complete(self) -> bool:
        """Whether every row is now in the register."""
        return self.kept and not self.bad


class Validator(Protocol):
    """Holds chunks against their model, here or in other processes, in the order of the file."""

    def __call__(
        self, kind: str, columns: tuple[str, ...], chunks: Iterator[Chunk], context: RowContext
    ) -> AsyncIterator[Validated]: ...


async def validate_here(
    kind: str, columns: tuple[str, ...], chunks: Iterator[Chunk], context: RowContext
) -> AsyncIterator[Validated]:
    """The validator that needs nothing but this process."""
    for chunk in chunks:
        yield validate(kind, columns, chunk, context)


class Imports:
    """Imports files into registers."""

    def __init__(
        self,
        store: RegisterStore,
        bulk: BulkStore,
        clock: Clock,
        by: str,
        *,
        validator: Validator = validate_here,
        on_fault: Callable[[RowFault], None] = lambda fault: None,
        on_progress: Callable[[int], None] = lambda read: None,
    ) -> None:
        self._store, self._bulk, self._clock, self._by = store, bulk, clock, by
        self._validator, self._on_fault, self._on_progress = validator, on_fault, on_progress

    async def sellers(self, sheet: Sheet, *, partial: bool = False) -> ImportReport:
        """Register sellers; a code that is registered stays as it is."""
        context = RowContext(self._clock())
        return await self._run("sellers", sheet, context, self._bulk.sellers(), "seller.imported", partial)

    async def numbers(self, sheet: Sheet, *, partial: bool = False) -> ImportReport:
        """Register numbers that may be presented."""
        context = await self._context()
        writer = self._bulk.numbers(context.now)
        return await self._run("numbers", sheet, context, writer, "number.imported", partial, batch=context.batch)

    async def consents(
        self, sheet: Sheet, *, seller: str = "", country: str | None = None, partial: bool = False
    ) -> ImportReport:
        """Record consents. Rows without a seller are `seller`'s; a consent that is recorded already is not doubled."""
        context = await self._context(seller, country)
        writer = self._bulk.consents(self._by, context.now)
        return await self._run("consents", sheet, context, writer, "consent.imported", partial, batch=context.batch)

    async def refusals(
        self, sheet: Sheet, *, seller: str = "", country: str | None = None, partial: bool = False
    ) -> ImportReport:
        """Record refusals. Rows without a seller are `seller`'s (`*`: to all sellers). When this has returned, no
        permit can be issued or used against any of them."""
        context = await self._context(seller, country)
        writer = self._bulk.refusals(context.now)
        return await self._run("refusals", sheet, context, writer, "refusal.imported", partial, batch=context.batch)

    async def listed(
        self, sheet: Sheet, name: str, as_of: datetime, *, country: str | None = None, partial: bool = False
    ) -> ImportReport:
        """Replace a suppression list whole and at once. `as_of`: the day that its owner made it.

        Raises `NotRegistered`, and `RegisterError` when that lies in the future, or before the import in force."""
        now = self._clock()
        async with self._store.transaction() as transaction:
            known = await transaction.list(name)
        if known is None:
            raise NotRegistered(f"list `{printable(name, 64)}` is not registered", "see `heedline list list`")
        if as_of > now:
            raise RegisterError(f"`{instant(as_of)}` lies in the future", "give the date at which the list was made")
        if known.as_of is not None and as_of < known.as_of:
            raise RegisterError(
                f"list `{known.name}` of {known.as_of:%Y-%m-%d} is newer than this one",
                "an older list must not replace it",
            )
        context = RowContext(now, country)
        writer = self._bulk.listed(known.id, as_of, sheet)
        report = await self._run(
            "listed", sheet, context, writer, "list.imported", partial, list=known.name, as_of=instant(as_of)
        )
        if report.kept:
            await self._store.prune_lists(10_000)
        return report

    async def _context(self, default_seller: str = "", country: str | None = None) -> RowContext:
        sellers = frozenset(seller.code for seller in await self._store.sellers())
        trunks = {trunk.name: trunk.country for trunk in await self._store.trunks()}
        now = self._clock().astimezone(UTC)
        return RowContext(now, country, sellers, trunks, default_seller, self._by, secrets.token_hex(8))

    async def _run(
        self,
        kind: str,
        sheet: Sheet,
        context: RowContext,
        opening: AbstractAsyncContextManager[BulkWriter],
        entry: str,
        partial: bool,
        **particulars: Any,
    ) -> ImportReport:
        report = ImportReport()
        async with opening as writer:
            async for validated in self._validator(kind, sheet.columns, sheet.chunks(CHUNK), context):
                self._count(report, validated)
                # After a bad row nothing will be kept: the rest is read for its faults alone.
                if validated.rows and (partial or not report.bad):
                    await writer.add(validated.rows)
                self._on_progress(sheet.bytes_read)
            report.sha256 = sheet.digest().hex()
            if report.bad and not partial:
                return report
            counts = await writer.put()
            report.added, report.known = counts.added, counts.rows - counts.added
            now = self._clock()
            payload = canonical(
                {
                    "kind": entry,
                    "at": instant(now),
                    "by": self._by,
                    "file_sha256": report.sha256,
                    "rows": report.read,
                    "bad": report.bad,
                    "added": report.added,
                    **particulars,
                }
            )
            await writer.commit(now, entry, payload)
        report.kept = True
        return report

    def _count(self, report: ImportReport, validated: Validated) -> None:
        lines = {fault.line for fault in validated.faults}
        report.bad += len(lines)
        report.read += len(validated.rows) + len(lines)
        for fault in validated.faults:
            self._on_fault(fault)
