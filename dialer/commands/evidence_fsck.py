"""`heedline evidence fsck`: the log derived again from the raw rows, and every difference told."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, answer, language, run, say, settings
from dialer.errors import HeedlineError

if TYPE_CHECKING:
    from dialer.fsck.run import Checked

CANNOT = 2


def fsck(
    start: Annotated[
        int, typer.Option("--from", metavar="INDEX", min=0, help="Begin at the 65,536 leaves that hold this index.")
    ] = 0,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            "--against", metavar="FILE", help="A checkpoint that was kept elsewhere, or a bundle. Repeatable."
        ),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=64, help="Read with so many processes; by default one a core.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Is the log as it was sealed? Derives all of it again from the raw rows, and lists every difference.

    It holds entries against their leaves, leaves against the tree, checkpoints against roots and keys, rows against
    what their entries say, kept files against their hashes, and the log against the last checkpoint that this node
    signed and those that are given. It changes nothing, and may run beside the service.

    Exits 0 when all is right, 1 when something is not, 2 when it could not be told.

    \b
    Examples:
      heedline evidence fsck
      heedline evidence fsck --against bundle.zip --json
    """
    from dialer.checkpoint_files import checkpoint_text
    from dialer.fsck.run import Kept

    began = monotonic()
    try:
        kept = [Kept(str(file), checkpoint_text(file)) for file in against or ()]
        with progress() as on_progress:
            checked = run(_check(start, kept, processes, on_progress))
    except HeedlineError as error:
        typer.echo(f"{say('error', '错误')}: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(CANNOT) from error
    seconds = monotonic() - began
    answer(as_json, document(checked, seconds), lambda: _tell(checked))
    raise typer.Exit(0 if checked.clean else 1)


async def _check(
    start: int, kept: list[Any], processes: int | None, on_progress: Callable[[int, int], None]
) -> Checked:
    from dialer.app import open_database
    from dialer.fsck_node import check_log

    chosen = settings()
    async with open_database(chosen) as database:
        return await check_log(chosen, database, start=start, kept=kept, processes=processes, on_progress=on_progress)


def document(checked: Checked, seconds: float) -> dict[str, Any]:
    """What was found, for programs."""
    spoken = language()
    newest = checked.newest
    return {
        "clean": checked.clean,
        "size": checked.size,
        "from": checked.start,
        "waiting": checked.waiting,
        "erased": checked.erased,
        "checkpoints": checked.checkpoints,
        "newest": newest and {"name": newest.origin, "size": newest.size, "root": newest.root},
        "keys": [str(key) for key in checked.keys],
        "files": checked.files,
        "faults": [fault.document(spoken) for fault in checked.findings.faults],
        "counts": {kind.value: count for kind, count in checked.findings.counts.items()},
        "notes": [note.by(spoken) for note in checked.notes],
        "seconds": round(seconds, 3),
        "leaves_per_second": round((checked.size - checked.start) / seconds) if seconds else None,
    }


def _tell(checked: Checked) -> None:
    spoken, findings = language(), checked.findings
    typer.echo(
        say(
            f"{checked.size} leaves, {checked.checkpoints} checkpoints, {checked.files} files; {checked.waiting} "
            f"entries wait, {checked.erased} are erased",
            f"{checked.size} 片叶，{checked.checkpoints} 个检查点，{checked.files} 个文件；"
            f"{checked.waiting} 条等待封存，{checked.erased} 条已抹除",
        )
    )
    for note in checked.notes:
        typer.echo(f"{say('note', '提示')}: {note.by(spoken)}")
    for fault in findings.faults:
        typer.echo(f"{say('FAULT', '错误')} {fault.text(spoken)}")
        typer.echo(f"    {say('suggests', '可能原因')}: {fault.kind.suggests(spoken)}")
    if (hidden := findings.total - len(findings.faults)) > 0:
        typer.echo(say(f"... and {hidden} more", f"……另有 {hidden} 处"))
    if checked.clean:
        typer.echo(say("clean: the log is as it was sealed", "完好：日志与封存时一致"))
        return
    kinds = ", ".join(f"{kind.value} {count}" for kind, count in findings.counts.most_common())
    typer.echo(say(f"{findings.total} faults: {kinds}", f"共 {findings.total} 处错误：{kinds}"))


@contextlib.contextmanager
def progress() -> Iterator[Callable[[int, int], None]]:
    """A bar of leaves on a terminal, nothing otherwise."""
    if not sys.stderr.isatty():
        yield lambda done, size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.percentage:>3.0f} %"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, size: bar.update(task, completed=done, total=size)
