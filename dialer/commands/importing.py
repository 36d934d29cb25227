"""What the `import` commands share: their options, the progress bar, and how bad rows are told."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from dialer.commands.terminal import answer, language, opened, reading, run, say, writing

if TYPE_CHECKING:
    from dialer.bulk import ImportReport, Imports
    from dialer.imports import RowFault, Sheet

File = Annotated[Path, typer.Argument(help="The CSV file; `-` reads standard input.", metavar="FILE")]
Encoding = Annotated[
    str, typer.Option(help="The file's encoding, when it is not UTF-8: `gb18030`, `big5`, `cp1252` ...", metavar="NAME")
]
Partial = Annotated[bool, typer.Option("--partial", help="Import the good rows even when there are bad ones.")]
Errors = Annotated[Path | None, typer.Option("--errors", help="Write every bad row to this CSV file.", metavar="FILE")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.", metavar="FILE")
]

SHOWN = 1_000
# Below this a file is read sooner than other processes have started.
_WORTH_WORKERS = 2 * 1024 * 1024


class Faults:
    """Tells bad rows as they are found: the first `SHOWN` on standard error (or for JSON), all of them to a file."""

    def __init__(self, as_json: bool, every: Any) -> None:
        self._as_json, self._every = as_json, every
        self._language = language()
        self.shown: list[dict[str, Any]] = []
        self.count = 0
        if every is not None:
            self._write(["line", "column", "value", "code", "reason"])

    def __call__(self, fault: RowFault) -> None:
        """Take one."""
        self.count += 1
        reason = fault.text(self._language)
        if self._every is not None:
            self._write([fault.line, fault.column, fault.value, fault.code, reason])
        if self.count > SHOWN:
            return
        if self._as_json:
            self.shown.append(
                {"line": fault.line, "column": fault.column, "value": fault.value, "code": fault.code, "reason": reason}
            )
            return
        column = f"`{fault.column}` " if fault.column else ""
        value = f"`{fault.value}`: " if fault.value else ""
        typer.echo(f"{say('line', '第')} {fault.line}{say('', ' 行')}: {column}{value}{reason}", err=True)

    def _write(self, cells: list[Any]) -> None:
        from dialer.exports import write_row

        write_row(self._every, cells)


def run_import(
    kind: str,
    file: Path,
    encoding: str,
    errors: Path | None,
    as_json: bool,
    work: Callable[[Imports, Sheet], Coroutine[Any, Any, ImportReport]],
) -> None:
    """Read `file` as CSV of that kind, let `work` import it, tell what became of it; exit 1 unless all went in."""
    from dialer.import_rows import KINDS
    from dialer.imports import Sheet

    async def whole(stream: BinaryIO, faults: Faults) -> ImportReport:
        from dialer.app import open_imports
        from dialer.commands.terminal import actor
        from dialer.workers import validator

        sheet = Sheet(stream, str(file), KINDS[kind].columns, encoding)
        size = size_of(stream)
        processes = 0 if size is not None and size < _WORTH_WORKERS else min(os.cpu_count() or 1, 4)
        async with opened() as (database, _):
            with progress(size) as on_progress, validator(processes) as validate:
                imports = open_imports(database, actor(), validator=validate, on_fault=faults, on_progress=on_progress)
                return await work(imports, sheet)

    with reading(file) as stream, contextlib.ExitStack() as stack:
        every = stack.enter_context(writing(errors)) if errors is not None else None
        faults = Faults(as_json, every)
        report = run(whole(stream, faults))
    answer(as_json, {**asdict(report), "faults": faults.shown}, lambda: _tell(report, faults))
    if not report.complete:
        raise typer.Exit(1)


def size_of(stream: BinaryIO) -> int | None:
    """Bytes of a file; None for a pipe."""
    try:
        status = os.fstat(stream.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


@contextlib.contextmanager
def progress(size: int | None) -> Iterator[Callable[[int], None]]:
    """A bar of bytes on a terminal, nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    with Progress(
        TextColumn("{task.percentage:>3.0f} %" if size else ""),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=size)
        yield lambda done: bar.update(task, completed=done)


def _tell(report: ImportReport, faults: Faults) -> None:
    read, bad, more = report.read, report.bad, faults.count - SHOWN
    if more > 0:
        typer.echo(
            say(f"... and {more} more; `--errors FILE` writes all", f"……另有 {more} 处；`--errors FILE` 可写出全部"),
            err=True,
        )
    if report.kept:
        typer.echo(
            say(
                f"{read} rows read: {report.added} added, {report.known} known already, {bad} bad",
                f"读取 {read} 行：新增 {report.added}，已存在 {report.known}，错误 {bad}",
            )
        )
        return
    typer.echo(
        say(
            f"nothing was imported: {bad} of {read} rows are bad; mend them, or keep the others with `--partial`",
            f"未导入任何数据：{read} 行中有 {bad} 行错误；请修正，或用 `--partial` 导入其余各行",
        ),
        err=True,
    )
