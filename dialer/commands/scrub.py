"""`heedline list scrub`: what the gate would say of each number of a file."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import importing
from dialer.commands.check import At, Kind, Purpose, Seller, checked_country_option
from dialer.commands.looking import looking
from dialer.commands.terminal import (
    AsJson,
    Country,
    answer,
    language,
    parse_instant,
    reading,
    run,
    say,
    settings,
    writing,
)

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from dialer.imports import Sheet
    from dialer.policy.facts import CallRequest
    from dialer.scrub import Scrubber, Tally


def scrub(
    file: importing.File,
    seller: Seller,
    output: importing.Output = None,
    purpose: Purpose = "marketing",
    kind: Annotated[Kind, typer.Option(help="How the calls speak.")] = Kind.LIVE,
    country: Country = None,
    at: At = None,
    encoding: importing.Encoding = "utf-8",
    as_json: AsJson = False,
) -> None:
    """What would the gate say of each number of a file? A dry run; that it was asked is one entry of the log.

    The file holds one number a line, or CSV with the column number. For each line a CSV line is written: number, e164,
    outcome, reasons, until. A summary by reason follows on standard error (with --json it is the only output, unless
    --output names a file for the lines).

    \b
    Example:
      heedline list scrub leads.csv --seller acme --country GB -o verdicts.csv
    """
    from dialer.app import clock
    from dialer.policy.facts import CallKind, CallRequest

    when = parse_instant(at, "--at") if at is not None else clock()
    pattern = CallRequest(
        callee="",
        seller=seller,
        purpose=purpose,
        kind=CallKind(kind.value),
        path="check",
        country=checked_country_option(country),
    )
    with reading(file) as stream, contextlib.ExitStack() as stack:
        lines = None if as_json and output is None else stack.enter_context(writing(output))
        tally = run(_scrub(stream, str(file), encoding, pattern, when, lines))
    answer(as_json, _document(tally, seller, when), lambda: _tell(tally))


async def _scrub(stream: Any, name: str, encoding: str, pattern: CallRequest, when: datetime, lines: Any) -> Tally:
    from dialer.import_rows import LISTED
    from dialer.imports import Sheet
    from dialer.scrub import COLUMNS, Tally
    from dialer.workers import in_order, process_pool

    size = importing.size_of(stream)
    detail = f"for {pattern.seller}: {_digest(stream, size)} {name}"
    sheet = Sheet(stream, name, LISTED.columns, encoding)
    total = Tally()
    if lines is not None:
        lines.write(",".join(COLUMNS) + "\n")
    async with looking("list scrub", detail=detail) as (database, _):
        with importing.progress(size) as on_progress, contextlib.ExitStack() as stack:
            if size is not None and size < 512 * 1024:
                done = _here(database.dsn, sheet, pattern, when)
            else:
                processes = min(os.cpu_count() or 1, 8)
                pool = stack.enter_context(process_pool(processes, _begin, database.dsn, pattern, when))
                done = in_order(pool, processes + 1, _work, ((texts,) for texts in _texts(sheet)))
            async for written, tally in done:
                if lines is not None:
                    lines.write(written)
                total.add(tally)
                on_progress(sheet.bytes_read)
    return total


def _digest(stream: Any, size: int | None) -> str:
    """By which file it can be told later whose numbers were asked for; of a pipe nothing is known before it is read."""
    if size is None:
        return "a pipe,"
    start = stream.tell()
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(start)
    return f"sha256 {digest},"


async def _here(dsn: str, sheet: Sheet, pattern: CallRequest, when: datetime) -> Any:
    from dialer.app import open_scrubber

    async with open_scrubber(settings(), dsn, pattern, when) as scrubber:
        for texts in _texts(sheet):
            yield await scrubber.scrub(texts)


def _texts(sheet: Sheet) -> Iterator[list[str]]:
    """The numbers as they stand in the file; a row that cannot be read is a number that is none."""
    from dialer.scrub import CHUNK

    for chunk in sheet.chunks(CHUNK):
        rows = [(row.line, row.cells[0]) for row in chunk.rows]
        rows += [(fault.line, fault.value or "?") for fault in chunk.faults]
        yield [text for _, text in sorted(rows)] if chunk.faults else [text for _, text in rows]


class _Process:
    """What a process of the pool keeps between chunks."""

    runner: asyncio.Runner
    opening: AbstractAsyncContextManager[Scrubber]
    scrubber: Scrubber


def _begin(dsn: str, pattern: CallRequest, when: datetime) -> None:
    from dialer.app import open_scrubber

    _Process.runner = asyncio.Runner()
    _Process.opening = open_scrubber(settings(), dsn, pattern, when)
    _Process.scrubber = _Process.runner.run(_Process.opening.__aenter__())


def _work(texts: list[str]) -> tuple[str, Tally]:
    return _Process.runner.run(_Process.scrubber.scrub(texts))


def _document(tally: Tally, seller: str, when: datetime) -> dict[str, Any]:
    return {
        "numbers": tally.numbers,
        "seller": seller,
        "at": when,
        "outcomes": dict(tally.outcomes.most_common()),
        "reasons": dict(tally.reasons.most_common()),
    }


def _tell(tally: Tally) -> None:
    from dialer.messages import outcome_text
    from dialer.verdict import Outcome, Reason

    typer.echo(say(f"{tally.numbers} numbers", f"共 {tally.numbers} 个号码"), err=True)
    for outcome, count in tally.outcomes.most_common():
        typer.echo(f"{count:>12}  {outcome}  {outcome_text(Outcome(outcome), language())}", err=True)
    for reason, count in tally.reasons.most_common():
        typer.echo(f"{count:>12}  {reason}  {Reason(reason).text(language())}", err=True)
