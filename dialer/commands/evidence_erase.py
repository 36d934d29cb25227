"""`heedline evidence erase` and `retention`: personal data goes, on request or at the end of its time."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, Country, actor, answer, language, opened, pairs, run, say, settings, table

if TYPE_CHECKING:
    from db.rewrite import Rewritten
    from dialer.erasure import Outcome, Plan
    from dialer.numbers import Number
    from dialer.retention import Swept, Term

# Written anew in a second or two; while it lasts every call is refused.
_QUICK_BYTES = 256 * 1024 * 1024

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")]


def erase(
    number: Annotated[str, typer.Argument(help="The person's number.", metavar="NUMBER")],
    reason: Annotated[str, typer.Option(help="Why; it is kept for good, so name nobody in it.", metavar="TEXT")] = "",
    when_due: Annotated[
        bool, typer.Option("--when-due", help="Erase each record when the term for it is over; refuse him from now on.")
    ] = False,
    despite_retention: Annotated[
        str | None,
        typer.Option(help="Erase what must be kept yet: the authority's or court's order.", metavar="BASIS"),
    ] = None,
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    rewrite: Annotated[
        bool | None,
        typer.Option(
            "--rewrite/--no-rewrite",
            help="Write the database's files anew, without what was erased; nobody can be called meanwhile."
            " Default: when they are small.",
        ),
    ] = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Erase a person: all that is his goes. He stays refused, to all sellers, by a keyed hash of his number.

    The log stays whole: proofs of what was erased verify as before, only what it said is gone.

    \b
    Examples:
      heedline evidence erase +442079460123 --reason "his letter of 3 March" --dry-run
      heedline evidence erase +442079460123 --reason "his letter of 3 March" --when-due
    """
    from dialer.registers import parsed_callee

    if when_due and despite_retention is not None:
        raise typer.BadParameter("give either `--when-due` or `--despite-retention`", param_hint="--when-due")
    if not reason and not dry_run:
        raise typer.BadParameter("say why: `--reason TEXT`", param_hint="--reason")
    callee = parsed_callee(number, country, language())

    if dry_run:
        plan = run(_plan(callee))
        answer(as_json, _planned(plan), lambda: _show_plan(plan))
        return
    if not yes and sys.stdin.isatty():
        typer.confirm(
            say(f"erase all that is known of {callee.e164}?", f"删除与 {callee.e164} 有关的全部个人数据？"), abort=True
        )
    outcome, rewritten = run(_erase(callee, reason, when_due, despite_retention, rewrite))
    document = {"number": callee.e164, **_done(outcome), "rewritten": rewritten and _files(rewritten)}
    answer(as_json, document, lambda: _show_done(callee, outcome, rewritten))


def retention(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Erase what is past its time, as the settings (`evidence.keep_days`) and the packs say. The service does so daily.

    \b
    Example:
      heedline evidence retention --dry-run
    """

    async def work() -> tuple[list[Term], Swept]:
        from dialer.evidence_node import open_retention

        async with opened() as (database, _):
            job = open_retention(settings(), database, actor())
            return await job.check(), await job.run(dry=dry_run)

    terms, swept = run(work())
    document = {
        "terms": [{"kind": t.kind, "days": t.days, "rule": t.rule, "floor": t.floor} for t in terms],
        "dry_run": dry_run,
        "erased": dict(swept.records),
        "requests_completed": swept.completed,
        "requests_waiting": swept.waiting,
        "files_removed": swept.files,
    }
    answer(as_json, document, lambda: _show_swept(terms, swept, dry_run=dry_run))


async def _plan(callee: Number) -> Plan:
    from dialer.evidence_node import open_erasures

    async with opened() as (database, _):
        return await open_erasures(settings(), database, actor()).plan(callee)


async def _erase(
    callee: Number, reason: str, when_due: bool, despite: str | None, wanted: bool | None
) -> tuple[Outcome, Rewritten | None]:
    from db.rewrite import rewrite
    from dialer.evidence_node import open_erasures, open_retention

    chosen = settings()
    async with opened() as (database, _):
        erasures = open_erasures(chosen, database, actor())
        outcome = await erasures.erase(callee, reason, when_due=when_due, despite=despite)
        await open_retention(chosen, database, actor()).remove_files()
        if wanted is False:
            return outcome, None
        most = None if wanted else _QUICK_BYTES
        embedded = database.embedded is not None
        return outcome, await rewrite(database.dsn, most_bytes=most, embedded=embedded)


def _planned(plan: Plan) -> dict[str, Any]:
    return {
        "number": plan.callee.e164,
        "records": plan.records,
        "listed": plan.listed,
        "floors": [
            {"rule": floor.rule, "of": floor.of, "days": floor.days, "until": floor.until} for floor in plan.floors
        ],
        "until": plan.until,
        "asked_at": plan.pending.asked_at if plan.pending else None,
    }


def _show_plan(plan: Plan) -> None:
    rows: list[tuple[str, Any]] = [*plan.records.items(), (say("entries of lists", "名单条目"), plan.listed)]
    pairs(rows)
    if plan.floors:
        typer.echo(say("must be kept yet:", "尚须保留："))
        table(
            [say("rule", "规则"), say("records", "记录"), say("days", "天数"), say("until", "至")],
            [[floor.rule, floor.of, floor.days, floor.until] for floor in plan.floors],
        )


def _done(outcome: Outcome) -> dict[str, Any]:
    erased = outcome.erased
    return {
        "refusal": outcome.refusal,
        "entry": erased.entry if erased else None,
        "entries": erased.entries if erased else 0,
        "files": list(erased.files) if erased else [],
        "pending_until": outcome.until,
    }


def _files(rewritten: Rewritten) -> dict[str, Any]:
    return {
        "bytes": rewritten.bytes,
        "tables": list(rewritten.tables),
        "failed": dict(rewritten.failed),
        "write_ahead_log": rewritten.log,
    }


def _show_done(callee: Number, outcome: Outcome, rewritten: Rewritten | None) -> None:
    refused = say(
        f"{callee.e164} is refused to all sellers (refusal {outcome.refusal})",
        f"{callee.e164} 已对所有商家拒绝（拒绝 {outcome.refusal}）",
    )
    typer.echo(refused)
    if outcome.erased is not None:
        entry, entries = outcome.erased.entry, outcome.erased.entries
        typer.echo(
            say(f"erased: {entries} entries; entry {entry} says so", f"已删除 {entries} 条的内容；记入条目 {entry}")
        )
    if outcome.until is not None:
        until = f"{outcome.until:%Y-%m-%d}"
        typer.echo(say(f"the rest is erased as it falls due, until {until}", f"其余到期删除，至 {until}"))
    for line in _remains(rewritten):
        typer.echo(line)


def _remains(rewritten: Rewritten | None) -> list[str]:
    """What old bytes may still be where, and what to do about it."""
    lines = []
    if rewritten is None or rewritten.failed:
        why = rewritten.failed[0][1] if rewritten else say("as you asked", "按您的要求")
        lines.append(
            say(
                f"the database's files still hold old bytes ({why}): run `vacuum (full, analyze)` as owner",
                f"数据库文件中仍有旧数据（{why}）：请在空闲时以所有者身份运行 `vacuum (full, analyze)`",
            )
        )
    if rewritten is None or not rewritten.log:
        lines.append(
            say(
                "the write-ahead log holds them until its segments are removed; so do standbys and archives of it",
                "预写日志在其段被删除前仍含旧数据；备库和归档亦然",
            )
        )
    lines.append(
        say(
            "backups and bundles that were exported before are not changed: their own terms must end them",
            "此前的备份和导出的证据包不受影响：须按其自身期限销毁",
        )
    )
    return lines


def _show_swept(terms: list[Term], swept: Swept, *, dry_run: bool) -> None:
    table(
        [say("kind", "类别"), say("kept, days", "保留天数"), say("rule", "规则"), say("at least", "最少")],
        [[term.kind, term.days if term.days else say("for ever", "永久"), term.rule, term.floor] for term in terms],
    )
    would = say("would go", "将删除") if dry_run else say("erased", "已删除")
    pairs(
        [
            *[(f"{would}: {name}", count) for name, count in swept.records.items()],
            (say("requests completed", "已完成的请求"), swept.completed),
            (say("requests waiting", "等待中的请求"), swept.waiting),
            (say("files removed", "已移除的文件"), swept.files),
        ]
    )
