"""`heedline complaint`: what people and authorities complain of; taken in, tied to calls, answered, closed."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import (
    AsJson,
    Country,
    actor,
    answer,
    group,
    language,
    opened,
    pairs,
    parse_day,
    parse_instant,
    run,
    say,
    settings,
    table,
    writing,
)
from dialer.complaint_terms import Channel, Source

if TYPE_CHECKING:
    from dialer.complaints import Complaints
    from dialer.ports_complaints import ComplaintRecord, NewComplaint, Taken
    from dialer.ports_trace import TracedCall

app = group("Complaints: each acts as a refusal, is tied to its calls, and has a due date.")

Id = Annotated[int, typer.Argument(help="The complaint, as `list` names it.", min=1, max=2**63 - 1, metavar="ID")]
Words = Annotated[str, typer.Option("--text", help="What is said.", metavar="TEXT")]


async def _complaints(database: Any) -> Complaints:
    from dialer.complaint_node import open_complaints

    return open_complaints(settings(), database, actor())


@app.command()
def add(
    number: Annotated[str, typer.Argument(help="Who complains: the callee's number.", metavar="NUMBER")],
    text: Words,
    source: Annotated[Source, typer.Option(help="Who sent it.")] = Source.PERSON,
    authority: Annotated[
        str, typer.Option(help="Name of the authority, or of the carrier, that sent it.", metavar="NAME")
    ] = "",
    case_number: Annotated[
        str | None, typer.Option(help="Its case number there. Default: one of ours.", metavar="TEXT")
    ] = None,
    channel: Annotated[Channel, typer.Option(help="How it came.")] = Channel.TELEPHONE,
    cli: Annotated[
        str | None, typer.Option("--cli", help="The presented number that it names.", metavar="NUMBER")
    ] = None,
    seller: Annotated[str | None, typer.Option(help="The seller that it is about.", metavar="CODE")] = None,
    all_sellers: Annotated[bool, typer.Option("--all-sellers", help="About every seller.")] = False,
    received: Annotated[
        str | None, typer.Option(help="When it came (a day, or ISO 8601 with offset). Default: now.", metavar="ISO")
    ] = None,
    due: Annotated[
        str | None, typer.Option(help="When it must be answered. Default: by the settings.", metavar="ISO")
    ] = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Take a complaint in. When this has returned, it binds as a refusal, and the calls before it are tied to it.

    Without a seller it is about the one that alone may present `--cli`, else about all. The same case told again is
    known.

    \b
    Example:
      heedline complaint add +442079460123 --source authority --authority ICO --case-number 4711 --text "at night"
    """
    from dialer.registers import parsed, parsed_callee

    callee = parsed_callee(number, country, language())
    told = _told(
        callee=callee.digits, text=text, source=source, authority=authority, case_number=case_number, channel=channel,
        cli=parsed(cli, country, language()).e164 if cli else None, seller=seller, all_sellers=all_sellers,
        received_at=_received(received), due_at=parse_day(due, "--due") if due else None,
    )  # fmt: skip

    async def work() -> Taken:
        async with opened() as (database, _):
            return await (await _complaints(database)).add(told)

    taken = run(work())
    answer(as_json, {"known": taken.known} | document(taken.complaint), lambda: _tell_taken(taken))


def _told(**fields: Any) -> NewComplaint:
    from dialer.ports_complaints import NewComplaint

    return NewComplaint(**fields)


def _received(text: str | None) -> datetime | None:
    """A day alone is its last second: calls of that day went before the complaint."""
    if text is None:
        return None
    if len(text) != 10:
        return parse_instant(text, "--received")
    from dialer.app import clock

    return min(parse_day(text, "--received") + timedelta(days=1, seconds=-1), clock())


def _tell_taken(taken: Taken) -> None:
    c = taken.complaint
    if taken.known:
        typer.echo(say(f"complaint {c.id} was taken in before", f"投诉 {c.id} 此前已受理"))
        return
    typer.echo(
        say(
            f"complaint {c.id}, case {c.case_number}: refusal {c.refusal_id}, calls tied: {len(c.calls)}, "
            f"due {c.due_at:%Y-%m-%d}",
            f"投诉 {c.id}，案号 {c.case_number}：已记为拒绝 {c.refusal_id}，关联呼叫 {len(c.calls)} 通，"
            f"答复期限 {c.due_at:%Y-%m-%d}",
        )
    )


@app.command("list")
def list_(
    unanswered: Annotated[bool, typer.Option("--open", help="Those that wait for an answer.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Those that should have been answered.")] = False,
    after: Annotated[int, typer.Option(help="Those with ids above this one.", min=0, metavar="ID")] = 0,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1, max=10_000, metavar="N")] = 100,
    as_json: AsJson = False,
) -> None:
    """List complaints by id. The look is an entry of the log."""
    from dialer.app import clock
    from dialer.commands.looking import looking

    chosen = "overdue" if overdue else "open" if unanswered else "all"

    async def work() -> list[ComplaintRecord]:
        async with looking("complaint list", detail=chosen) as (database, _):
            complaints = await _complaints(database)
            return await complaints.find(unanswered=unanswered, overdue=overdue, after=after, limit=limit)

    found, now = run(work()), clock()
    headers = [
        "id",
        *say("case,source,number,received,due,status,calls", "案号,来源,号码,收到,期限,状态,呼叫").split(","),
    ]
    rows = [
        (c.id, c.case_number, c.authority or c.source.value, _number(c), c.received_at, c.due_at, _status(c, now),
         len(c.calls))
        for c in found
    ]  # fmt: skip
    answer(as_json, [document(c) for c in found], lambda: table(headers, rows))


def _number(c: ComplaintRecord) -> str | None:
    return None if c.callee is None else f"+{c.callee}"


def _status(c: ComplaintRecord, now: datetime) -> str:
    words = {"open": say("open", "待答复"), "answered": say("answered", "已答复"), "closed": say("closed", "已结案")}
    late = say(", overdue", "，逾期") if c.overdue(now) else ""
    return words[c.status.value] + late


@app.command()
def show(id: Id, as_json: AsJson = False) -> None:
    """Show a complaint with its calls. The look is an entry of the log."""
    from dialer.app import clock

    record, calls = run(_read(id, "complaint show"))
    now = clock()
    answer(
        as_json,
        document(record) | {"calls": [call_document(call) for call in calls]},
        lambda: _tell(record, calls, now),
    )


async def _read(id: int, what: str) -> tuple[ComplaintRecord, list[TracedCall]]:
    from dialer.complaint_node import open_lookups

    async with opened() as (database, _):
        complaints = await _complaints(database)
        record = await complaints.show(id)
        # whose it is must be known to say so; nothing was shown yet
        await open_lookups(database, actor()).record(what, record.callee, record.cli, f"complaint {id}")
        return record, await complaints.calls_of(id)


def _tell(c: ComplaintRecord, calls: list[TracedCall], now: datetime) -> None:
    pairs(
        [
            (say("complaint", "投诉"), c.id),
            (say("case", "案号"), c.case_number),
            (say("source", "来源"), " ".join(filter(None, (c.source.value, c.authority)))),
            (say("number", "号码"), _number(c)),
            (say("presented", "所显号码"), c.cli),
            (say("seller", "商家"), c.seller or "*"),
            (say("received", "收到"), c.received_at),
            (say("due", "期限"), c.due_at),
            (say("status", "状态"), _status(c, now)),
            (say("text", "内容"), c.text or None),
            (say("refusal", "拒绝"), c.refusal_id),
            (say("answer", "答复"), c.answer and f"{c.answer} ({c.answered_by}, {c.answered_at:%Y-%m-%d})"),
            (say("outcome", "结果"), c.outcome and f"{c.outcome} ({c.closed_by}, {c.closed_at:%Y-%m-%d})"),
        ]
    )
    if calls:
        typer.echo()
        headers = say(
            "call,at,presented,trunk,seller,verdict,answered", "呼叫,时间,所显号码,中继,商家,裁决,接通"
        ).split(",")
        table(headers, [(k.decision, k.at, k.presented, k.trunk, k.seller, k.outcome, k.answered_at) for k in calls])


@app.command()
def tie(
    id: Id,
    call: Annotated[list[int], typer.Option("--call", help="A call's decision; may be repeated.", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """Tie further calls to a complaint, by their decisions. They must have gone to who complains."""

    async def work() -> list[int]:
        async with opened() as (database, _):
            return await (await _complaints(database)).tie(id, call)

    tied = run(work())
    answer(
        as_json,
        {"id": id, "tied": tied},
        lambda: typer.echo(say(f"calls tied: {len(tied)}", f"已关联呼叫 {len(tied)} 通")),
    )


@app.command("answer")
def answer_(id: Id, text: Words, as_json: AsJson = False) -> None:
    """Note what was answered to who complained."""

    async def work() -> None:
        async with opened() as (database, _):
            await (await _complaints(database)).answer(id, text)

    run(work())
    answer(
        as_json,
        {"id": id, "status": "answered"},
        lambda: typer.echo(say(f"complaint {id} is answered", f"投诉 {id} 已答复")),
    )


@app.command()
def close(
    id: Id, outcome: Annotated[str, typer.Option(help="What it came to.", metavar="TEXT")], as_json: AsJson = False
) -> None:
    """Close a complaint with what it came to. The refusal stays."""

    async def work() -> None:
        async with opened() as (database, _):
            await (await _complaints(database)).close(id, outcome)

    run(work())
    answer(
        as_json,
        {"id": id, "status": "closed"},
        lambda: typer.echo(say(f"complaint {id} is closed", f"投诉 {id} 已结案")),
    )


@app.command()
def export(
    id: Id,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Where to; `.json`, `.csv` or `.html` says which form.", metavar="FILE"),
    ],
) -> None:
    """Write the form for the authority: the complaint, its calls, what each rested on, what was done.

    The proofs are in the bundle: `heedline evidence export --complaint ID`.
    """
    from dialer.complaint_forms import FORMS, write_form

    form = output.suffix.lower().removeprefix(".")
    if form not in FORMS:
        raise typer.BadParameter("name a file that ends in `.json`, `.csv` or `.html`", param_hint="--output")
    record, calls = run(_read(id, "complaint export"))
    with writing(output) as stream:
        write_form(form, record, calls, stream, language())
    typer.echo(say(f"{output}: complaint {id} with {len(calls)} calls", f"{output}：投诉 {id}，呼叫 {len(calls)} 通"))


def document(c: ComplaintRecord) -> dict[str, Any]:
    """A complaint for programs."""
    from dialer.complaint_forms import complaint_document

    return complaint_document(c)


def call_document(call: TracedCall) -> dict[str, Any]:
    """A complaint's call for programs."""
    from dialer.complaint_forms import call_document as of

    return of(call)
