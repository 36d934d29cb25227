"""`heedline refusal`: callees' "do not call me". Recorded and shown; never edited, never deleted."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import importing, reviews
from dialer.commands.looking import looking
from dialer.commands.terminal import (
    AsJson,
    Country,
    answer,
    group,
    language,
    opened,
    parse_instant,
    run,
    say,
    settings,
    table,
    writing,
)

if TYPE_CHECKING:
    from dialer.ports_refusals import FormArtefact, RefusalArtefact, RefusalRecord

app = group('Refusals: callees\' "do not call me". Only a later consent, with evidence, ends one.')

NumberText = Annotated[str, typer.Argument(help="The callee's number.", metavar="NUMBER")]
AllSellers = Annotated[bool, typer.Option("--all-sellers", help="Refused to every seller.")]


class How(StrEnum):
    """How a refusal was expressed."""

    KEYED = "keyed"
    SPOKEN = "spoken"
    AGENT = "agent"
    WEB = "web"
    API = "api"
    MESSAGE = "message"
    COMPLAINT = "complaint"
    INBOUND_CALL = "inbound_call"


@app.command()
def add(
    number: NumberText,
    seller: Annotated[str | None, typer.Option(help="The seller that was refused.", metavar="CODE")] = None,
    all_sellers: AllSellers = False,
    how: Annotated[How, typer.Option(help="How it was expressed.")] = How.AGENT,
    note: Annotated[str | None, typer.Option(help="What was said, or where to find it.", metavar="TEXT")] = None,
    at: Annotated[str | None, typer.Option(help="When (ISO 8601 with offset). Default: now.", metavar="ISO")] = None,
    artefact: Annotated[
        Path | None,
        typer.Option(help="The form, letter or recording that proves it; a copy is kept.", metavar="FILE"),
    ] = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Record a refusal. When this has returned, no call to this person can be permitted against it.

    \b
    Examples:
      heedline refuse +442079460123 --seller acme --how complaint --artefact letter.pdf
      heedline refuse 13800138000 --country CN --all-sellers --note "told the agent"
    """
    from dialer.app import clock
    from dialer.commands.terminal import actor
    from dialer.notes import kept_note
    from dialer.ports_refusals import NewRefusal
    from dialer.registers import parsed_callee

    if (seller is None) != all_sellers:
        raise typer.BadParameter("give either `--seller CODE` or `--all-sellers`", param_hint="--seller")
    when = parse_instant(at, "--at") if at else clock()
    callee = parsed_callee(number, country, language())
    kept = kept_note(note) if note is not None else None
    form = _form(artefact) if artefact is not None else None

    async def work() -> int:
        async with opened() as (_, registers):
            return await registers.refusals.add(
                NewRefusal(callee.digits, seller, how.value, when, agent=actor(), note=kept, artefact=form)
            )

    id = run(work())
    answer(
        as_json,
        {
            "id": id,
            "number": callee.e164,
            "seller": seller,
            "how": how.value,
            "at": when,
            "artefact": form and form.document(),
        },
        lambda: typer.echo(say(f"refusal {id} of {callee.e164} is recorded", f"已记录 {callee.e164} 的拒绝（{id}）")),
    )


def _form(file: Path) -> FormArtefact:
    from dialer.artefacts import keep
    from dialer.ports_refusals import FormArtefact

    kept = keep(file, settings().home / "artefacts")
    return FormArtefact(kept.sha256.hex(), kept.media_type, kept.location)


@app.command()
def show(number: NumberText, country: Country = None, as_json: AsJson = False) -> None:
    """Show all refusals of a callee, with what proves each and the rules by which it binds."""
    from dialer.notes import shown_note
    from dialer.registers import parsed_callee

    callee = parsed_callee(number, country, language())

    async def work() -> list[RefusalRecord]:
        async with looking("refusal show", callee.digits) as (_, registers):
            return await registers.refusals.of(callee)

    found = run(work())
    headers = ["id", say("seller", "商家"), say("how", "方式"), say("at", "时间"), say("attempt", "呼叫")]
    headers += [say("artefact", "凭证"), say("rule", "规则"), say("note", "备注")]
    answer(
        as_json,
        {"number": callee.e164, "refusals": [document(record) for record in found]},
        lambda: table(
            headers,
            [
                [
                    each.id,
                    each.refusal.seller or "*",
                    each.refusal.how,
                    each.refusal.at,
                    each.refusal.attempt,
                    _proof(each.refusal.artefact),
                    each.rule,
                    shown_note(each.refusal.note) or None,
                ]
                for each in found
            ],
        ),
    )


def _proof(artefact: RefusalArtefact | None) -> str | None:
    """What proves a refusal, in a few words."""
    from dialer.hostile import printable
    from dialer.ports_refusals import FormArtefact, KeyArtefact, RequestArtefact

    match artefact:
        case None:
            return None
        case KeyArtefact():
            words = say(f"key {artefact.key} ({artefact.prompt})", f"按键 {artefact.key}（{artefact.prompt}）")
        case FormArtefact():
            words = artefact.location or artefact.sha256
        case RequestArtefact():
            words = say(f"request by {artefact.token}", f"{artefact.token} 的请求")
            words += f", {artefact.form.location}" if artefact.form else ""
        case _:
            words = say(f"said: {artefact.transcript}", f"口述：{artefact.transcript}")
    return printable(words, 80)


@app.command("import")
def import_file(
    file: importing.File,
    seller: Annotated[str | None, typer.Option(help="Seller of rows that name none.", metavar="CODE")] = None,
    all_sellers: AllSellers = False,
    country: Country = None,
    encoding: importing.Encoding = "utf-8",
    partial: importing.Partial = False,
    errors: importing.Errors = None,
    as_json: AsJson = False,
) -> None:
    """Record refusals from a file: one number a line, or CSV with the columns number, seller, at, how, note.

    In the column seller `*` means all sellers. A row without a seller needs `--seller` or `--all-sellers`; one without
    a time counts from now.

    \b
    Example:
      heedline refusal import do-not-call.txt --all-sellers --country GB
    """
    from dialer.import_rows import ANY_SELLER

    if seller is not None and all_sellers:
        raise typer.BadParameter("give `--seller CODE` or `--all-sellers`, not both", param_hint="--seller")
    default = ANY_SELLER if all_sellers else seller or ""
    importing.run_import(
        "refusals",
        file,
        encoding,
        errors,
        as_json,
        lambda imports, sheet: imports.refusals(sheet, seller=default, country=country, partial=partial),
    )


@app.command()
def export(output: importing.Output = None) -> None:
    """Write all refusals as CSV, in the form that `import` reads, with how each was expressed behind.

    Imported again, here or elsewhere, nothing is recorded twice and every refusal is as it was expressed. What proves
    them, and the calls that they were said in, `show` tells.
    """
    from dialer.exports import write_row
    from dialer.notes import NOTE_LIMIT, shown_note

    async def work() -> None:
        async with looking("refusal export") as (_, registers):
            with writing(output) as stream:
                write_row(stream, ["number", "seller", "at", "note", "how"])
                async for record in registers.store.all_refusals():
                    r = record.refusal
                    note = shown_note(r.note)[:NOTE_LIMIT]
                    write_row(stream, [f"+{r.callee}", r.seller or "*", r.at, note, r.how])

    run(work())


def document(record: RefusalRecord) -> dict[str, Any]:
    """A refusal for programs; `seller` null: to all sellers."""
    r = record.refusal
    return {
        "id": record.id,
        "number": f"+{r.callee}",
        "seller": r.seller,
        "how": r.how,
        "at": r.at,
        "call_id": r.call_id,
        "agent": r.agent,
        "note": r.note,
        "attempt": r.attempt,
        "artefact": r.artefact and r.artefact.document(),
        "rule": record.rule,
        "rule_version": record.rule_version,
        "receipt": r.receipt,
        "recorded_at": record.recorded_at,
    }


reviews.register(app)
