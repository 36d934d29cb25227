"""`heedline refusal reviews`, `confirm`, `dismiss`: spoken words that may be a refusal, before a person."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.looking import looking
from dialer.commands.terminal import AsJson, answer, opened, pairs, run, say, settings

if TYPE_CHECKING:
    from pathlib import Path

    from dialer.ports_refusals import Recorded, ReviewRecord

Id = Annotated[int, typer.Argument(help="The near miss, as `reviews` names it.", min=1, max=2**63 - 1, metavar="ID")]


def register(app: typer.Typer) -> None:
    """Put the commands into the group of refusals."""
    app.command()(reviews)
    app.command()(confirm)
    app.command()(dismiss)


def reviews(
    decided: Annotated[bool, typer.Option("--decided", help="Those that were decided, newest first.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000, metavar="N")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show the near misses: what was said that may be a refusal. Listen to the clip, then `confirm` or `dismiss`.

    Until it is decided, calls go on as if it had not been said.
    """

    async def work() -> list[ReviewRecord]:
        from dialer.app import open_refusal_store

        async with looking("refusal reviews", detail="decided" if decided else "open") as (database, _):
            return await open_refusal_store(database).reviews(decided=decided, limit=limit)

    found = run(work())
    answer(as_json, [document(record) for record in found], lambda: _tell(found, decided))


def confirm(id: Id, as_json: AsJson = False) -> None:
    """It is a refusal: record it as spoken when it was. When this has returned, it binds.

    \b
    Example:
      heedline refusal confirm 12
    """

    async def work() -> Recorded:
        async with opened() as (_, registers):
            return await registers.refusals.confirm(id)

    recorded = run(work())
    answer(
        as_json,
        {"id": id, "decision": "refusal", "refusal_id": recorded.id},
        lambda: typer.echo(
            say(f"near miss {id} is refusal {recorded.id}", f"疑似拒绝 {id} 已确认，记录为拒绝 {recorded.id}")
        ),
    )


def dismiss(id: Id, as_json: AsJson = False) -> None:
    """It is no refusal. The near miss stays on record, with who decided."""

    async def work() -> None:
        async with opened() as (_, registers):
            await registers.refusals.dismiss(id)

    run(work())
    answer(
        as_json,
        {"id": id, "decision": "dismissed", "refusal_id": None},
        lambda: typer.echo(say(f"near miss {id} is dismissed", f"疑似拒绝 {id} 已驳回")),
    )


def document(record: ReviewRecord) -> dict[str, Any]:
    """A near miss for programs; `clip_file` null: no clip could be kept, or it is not here."""
    r = record.review
    clip = _clip(record)
    return {
        "id": record.id,
        "number": f"+{r.callee}",
        "seller": r.seller,
        "at": r.at,
        "call_id": r.call_id,
        "attempt": r.attempt,
        "artefact": r.artefact.document(),
        "clip_file": str(clip) if clip else None,
        "recorded_at": record.recorded_at,
        "decision": record.decision,
        "decided_at": record.decided_at,
        "decided_by": record.decided_by,
        "refusal_id": record.refusal_id,
    }


def _clip(record: ReviewRecord) -> Path | None:
    from dialer.clips import clip_file
    from dialer.errors import FileError

    try:
        file = clip_file(record.review.artefact.clip, settings().clips_folder)
    except FileError:
        return None
    return file if file.is_file() else None


def _tell(found: list[ReviewRecord], decided: bool) -> None:
    if not found:
        typer.echo(
            say("no near miss was decided", "没有已处理的疑似拒绝")
            if decided
            else say("no near miss awaits a decision", "没有待处理的疑似拒绝")
        )
    for number, record in enumerate(found):
        if number:
            typer.echo()
        pairs(_lines(record))


def _lines(record: ReviewRecord) -> list[tuple[str, Any]]:
    from dialer.hostile import printable

    review, said = record.review, record.review.artefact
    lines: list[tuple[str, Any]] = [
        (say("near miss", "疑似拒绝"), record.id),
        (say("number", "号码"), f"+{review.callee}"),
        (say("seller", "商家"), review.seller or "*"),
        (say("at", "时间"), review.at),
        (say("said", "口述"), printable(said.transcript, 500)),
        (say("phrase", "短语"), f"{printable(said.phrase)} ({printable(said.pattern)})"),
        (say("clip", "录音"), _clip(record)),
    ]
    if record.decision is not None:
        lines.append((say("decided", "处理"), f"{record.decision}, {record.decided_by}, {record.decided_at:%Y-%m-%d}"))
    return lines
