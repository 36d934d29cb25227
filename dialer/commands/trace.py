"""`heedline trace`: who called this number, did we call from that one, and the proof of it."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, Country, actor, answer, language, opened, run, say, settings, table
from dialer.ports_trace import Side

if TYPE_CHECKING:
    from dialer.bundles import Bundles, Exported
    from dialer.numbers import Number
    from dialer.ports_trace import Found, TracedCall
    from dialer.trace import Trace, Traced


def trace(
    number: Annotated[str, typer.Argument(help="A callee's number, or one that was shown.", metavar="NUMBER")],
    since: Annotated[
        str | None,
        typer.Option("--from", help="From when (ISO 8601; without zone UTC). Default: 90 days before.", metavar="T"),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Until when; a day alone is meant whole. Default: now.", metavar="T")
    ] = None,
    as_: Annotated[
        Side | None, typer.Option("--as", help="What the number was. Default: one of ours was shown, else both.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the proof as a bundle (.zip).", metavar="FILE")
    ] = None,
    authority: Annotated[
        str | None,
        typer.Option("--to-authority", help="For whom the proof is: it shows everybody's numbers.", metavar="NAME"),
    ] = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Say who called this number, and whether we called from it; with -o prove it, absence included.

    The question itself is an entry of the log. The proof holds every leaf of the window and opens each call in it, so
    it shows the numbers of everybody who was called then: it is for an authority.

    \b
    Examples:
      heedline trace +442079460123 --from 2026-05-01
      heedline trace +442079460199 --as cli --from 2026-05-03 --to 2026-05-04 --to-authority "ICO" -o window.zip
    """
    from dialer.registers import parsed

    if (output is None) != (authority is None):
        raise typer.BadParameter(
            "a proof shows the numbers of everybody who was called: give `-o` and `--to-authority` together",
            param_hint="--to-authority",
        )
    if authority is not None and not authority.strip():
        raise typer.BadParameter("it is empty; name who asked", param_hint="--to-authority")
    read = parsed(number, country, language())
    begin, end = _time(since, "--from"), _time(until, "--to", whole=True)

    async def work() -> tuple[Traced, Exported | None]:
        from dialer.complaint_node import open_trace
        from dialer.evidence_node import open_bundles, seal

        async with opened() as (database, _):
            tracing = open_trace(database, actor())
            window = tracing.window(begin, end)
            if output is None or authority is None:
                return await tracing.ask(read, window, as_), None
            await seal(settings(), database)
            await tracing.provable(read, window)
            traced = await tracing.ask(read, window, as_)
            bundles = open_bundles(settings(), database, actor())
            return traced, await _prove(tracing, traced, read, bundles, output, authority)

    traced, made = run(work())
    document = traced.document() | ({"bundle": str(made.file), "bundle_entry": made.entry} if made else {})
    answer(as_json, document, lambda: _tell(traced, made))


def _time(text: str | None, option: str, *, whole: bool = False) -> datetime | None:
    """A time; without a zone it is UTC. `whole`: a day alone is its last instant."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if whole and _is_day(text):
            at = datetime.combine(at, time.max, UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"`{text[:64]}` is no time as ISO 8601 writes it", param_hint=option) from None
    if not 1970 <= at.year <= 9000:
        raise typer.BadParameter(f"`{text[:64]}` is too far away", param_hint=option)
    return at


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


async def _prove(
    tracing: Trace, traced: Traced, number: Number, bundles: Bundles, file: Path, authority: str
) -> Exported:
    from dialer.bundles import Stretch
    from dialer.evidence.entries import instant
    from dialer.hostile import printable

    start, end = await tracing.stretch(traced)
    authority = printable(authority.strip())
    subject = {
        "number": traced.number,
        "as": [side.value for side in traced.found],
        "from": instant(traced.window.since),
        "to": instant(traced.window.until),
        "authority": authority,
    }
    stretch = Stretch(
        subject,
        start,
        end,
        records=traced.document(),
        title={"en": f"Calls of {traced.number}", "zh": f"{traced.number} 的呼叫"},
        summary={lang: [*_claims(traced, lang), *_warnings(authority, lang)] for lang in ("en", "zh")},
    )
    callee = number.digits if number.is_e164 else None
    return await bundles.export_stretch(stretch, file, reason=f"for {authority}", callee=callee)


def _claims(traced: Traced, lang: str) -> list[str]:
    """What is claimed, in sentences."""
    from dialer.trace import called

    since, until = (f"{at:%Y-%m-%d %H:%M:%S} UTC" for at in (traced.window.since, traced.window.until))
    said = []
    for side, found in traced.found.items():
        count, of = len(called(found)), found.seen.calls
        if side is Side.CALLEE:
            english, chinese = f"called {traced.number}", f"呼叫了 {traced.number}"
        else:
            english, chinese = f"showed {traced.number}", f"显示了 {traced.number}"
        said.append(
            f"自 {since} 至 {until}，本系统呼出 {of} 通，其中{'至少' if found.more else ''} {count} 通{chinese}。"
            if lang == "zh"
            else f"From {since} to {until}, {of} calls left; {_how_many(count, found)} of them {english}."
        )
    return said


def _how_many(count: int, found: Found) -> str:
    return f"at least {count}" if found.more else str(count or "none")


def _warnings(authority: str, lang: str) -> list[str]:
    """What whoever holds the proof must know."""
    if lang == "zh":
        return [
            "本文件包含该时段及其前后各至少一分钟内的所有叶子，并公开其中每一通呼出；时段之外的呼叫不计入上述数目。",
            f"其中可见当时所有被叫的号码：仅供 {authority}。",
        ]
    return [
        "The file holds every leaf of that time and of a minute or more on either side, and opens each call that left; "
        "those beside the time are not counted above.",
        f"It shows the numbers of everybody who was called then: it is for {authority} alone.",
    ]


def _tell(traced: Traced, made: Exported | None) -> None:
    for number, found in enumerate(traced.found.values()):
        if number:
            typer.echo()
        typer.echo(_claims(traced, language())[number])
        if found.calls:
            table(_headings(), [_row(call) for call in found.calls])
        _tell_doubts(found)
    _tell_checkpoint(next(iter(traced.found.values())))
    if made is not None:
        from dialer.commands.evidence_export import tell

        typer.echo(
            say(
                "the proof shows the numbers of everybody who was called in the window: hand it to the authority alone",
                "该证明包含该时段内所有被叫的号码：只可交给主管机关",
            )
        )
        tell(made, as_json=False)


def _headings() -> list[str]:
    return say(
        "call,at (UTC),number,presented,trunk,seller,what,reasons,answered,consents,refusals,complaints",
        "呼叫,时间（UTC）,号码,所显号码,中继,商家,结果,理由,接通,同意,拒绝,投诉",
    ).split(",")


def _row(call: TracedCall) -> list[Any]:
    words = {
        "called": say("called", "已呼出"),
        "unused": say("allowed, not called", "已允许，未呼出"),
        "withheld": say("not allowed", "未允许"),
        "rejected": say("turned away", "出口拒绝"),
    }
    return [
        call.decision, f"{call.at:%Y-%m-%d %H:%M:%S}", call.callee, call.presented, call.trunk, call.seller,
        words[call.fate.value], " ".join(call.reasons), call.answered_at and f"{call.answered_at:%H:%M:%S}",
        [consent.id for consent in call.consents], [refusal.id for refusal in call.refusals], call.complaints,
    ]  # fmt: skip


def _tell_doubts(found: Found) -> None:
    if found.more:
        typer.echo(say("there are more: give a shorter window", "还有更多：请缩短时段"))
    if erased := found.seen.erased:
        typer.echo(
            say(
                f"of {erased} calls of the window the person is erased: whether they are among these is not known",
                f"该时段有 {erased} 通的被叫已删除：是否属于上述呼叫无从得知",
            )
        )


def _tell_checkpoint(found: Found) -> None:
    seen = found.seen
    if seen.size is None or seen.at is None:
        typer.echo(say("the log has no checkpoint yet", "日志尚无检查点"))
        return
    waits = say(f"; {seen.unsealed} calls wait to be sealed", f"；{seen.unsealed} 通尚未封存") if seen.unsealed else ""
    typer.echo(
        say(
            f"under the checkpoint of {seen.size} leaves, root {seen.root}, of {seen.at:%Y-%m-%d %H:%M:%S} UTC",
            f"检查点含 {seen.size} 片叶子，根 {seen.root}，时间 {seen.at:%Y-%m-%d %H:%M:%S} UTC",
        )
        + waits
    )
