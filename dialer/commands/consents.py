"""`heedline consent`: callees' agreements to be called."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import importing
from dialer.commands.looking import looking
from dialer.commands.terminal import (
    AsJson,
    Country,
    answer,
    group,
    language,
    opened,
    parse_day,
    run,
    say,
    settings,
    table,
    writing,
)

if TYPE_CHECKING:
    from dialer.ports_registers import Artefact, ConsentRecord, NewConsent

app = group("Consents: callees' agreements to be called by a seller for a purpose.")

NumberText = Annotated[str, typer.Argument(help="The callee's number.", metavar="NUMBER")]
SellerCode = Annotated[str, typer.Option("--seller", help="The seller's code.", metavar="CODE")]


class BasisName(StrEnum):
    """On what a consent rests."""

    WRITTEN = "written"
    EXPRESS = "express"
    INFERRED = "inferred"
    PURCHASE = "purchase"
    INQUIRY = "inquiry"


class KindName(StrEnum):
    """How a call speaks."""

    LIVE = "live"
    PRERECORDED = "prerecorded"


Granted = Annotated[
    str | None, typer.Option("--granted", help="When it was given (ISO 8601). Default: now.", metavar="ISO")
]
Expires = Annotated[
    str | None, typer.Option("--expires", help="When it ends (ISO 8601). Default: as the pack says.", metavar="ISO")
]
ArtefactFile = Annotated[
    Path | None,
    typer.Option("--artefact", help="The form, recording or message that proves it; a copy is kept.", metavar="FILE"),
]
ArtefactHash = Annotated[
    str | None,
    typer.Option("--artefact-sha256", help="SHA-256 of an artefact that is kept elsewhere.", metavar="HEX"),
]
Lifts = Annotated[int | None, typer.Option("--lifts", help="Id of the refusal that it ends.", metavar="REFUSAL_ID")]


@app.command()
def add(
    number: NumberText,
    seller: SellerCode,
    purpose: Annotated[str, typer.Option(help="What the calls are for; `*` is any purpose.")] = "marketing",
    basis: Annotated[BasisName, typer.Option(help="On what it rests.")] = BasisName.EXPRESS,
    kind: Annotated[list[KindName] | None, typer.Option(help="Kind of call; may be repeated. Default: both.")] = None,
    granted: Granted = None,
    expires: Expires = None,
    artefact: ArtefactFile = None,
    artefact_sha256: ArtefactHash = None,
    artefact_type: Annotated[str, typer.Option(help="The artefact's media type.", metavar="TYPE")] = "",
    artefact_location: Annotated[str, typer.Option(help="Where it is kept.", metavar="TEXT")] = "",
    region: Annotated[str | None, typer.Option(help="Where the callee lives: `US`, `US-FL`.")] = None,
    zone: Annotated[list[str] | None, typer.Option(help="The callee's time zone; may be repeated.")] = None,
    verified: Annotated[
        bool, typer.Option("--verified", help="The address was verified: it replaces what the number suggests.")
    ] = False,
    lifts: Lifts = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Record a consent, with what proves it.

    \b
    Examples:
      heedline consent add +442079460123 --seller acme --basis written --artefact form.pdf
      heedline consent add 13800138000 --country CN --seller acme --granted 2026-11-01T10:00+08:00
    """
    from dialer.app import clock
    from dialer.policy.facts import Basis, CallKind
    from dialer.ports_registers import NewConsent
    from dialer.registers import parsed_callee

    _check_artefact(artefact, artefact_sha256, artefact_type, artefact_location)
    callee = parsed_callee(number, country, language())

    def consent(proof: Artefact | None) -> NewConsent:
        return NewConsent(
            callee=callee.digits,
            seller=seller,
            purpose=purpose,
            basis=Basis(basis.value),
            kinds=tuple(CallKind(each.value) for each in kind or list(KindName)),
            granted_at=parse_day(granted, "--granted") if granted else clock(),
            expires_at=parse_day(expires, "--expires") if expires else None,
            artefact=proof,
            region=region,
            zones=tuple(zone or ()),
            verified=verified,
            lifts=lifts,
        )

    consent(None)  # wrong usage is told before anything is copied or opened
    proof = _artefact(artefact, artefact_sha256, artefact_type, artefact_location)

    async def work() -> int:
        async with opened() as (_, registers):
            return await registers.consents.add(consent(proof))

    id = run(work())
    answer(
        as_json,
        {"id": id, **_document(consent(proof))},
        lambda: typer.echo(
            say(
                f"consent {id} of {callee.e164} to `{seller}` is recorded",
                f"已记录 {callee.e164} 对 `{seller}` 的同意（{id}）",
            )
        ),
    )


@app.command()
def show(number: NumberText, country: Country = None, as_json: AsJson = False) -> None:
    """Show all consents of a callee, those that have ended included."""
    from dialer.registers import parsed_callee

    callee = parsed_callee(number, country, language())

    async def work() -> list[ConsentRecord]:
        async with looking("consent show", callee.digits) as (_, registers):
            return await registers.consents.of(callee)

    found = run(work())
    answer(
        as_json,
        {"number": callee.e164, "consents": [document(record) for record in found]},
        lambda: table(
            [
                "id",
                say("seller", "商家"),
                say("purpose", "用途"),
                say("basis", "依据"),
                say("kinds", "方式"),
                say("granted", "给出"),
                say("expires", "到期"),
                say("withdrawn", "撤回"),
                say("artefact", "凭证"),
            ],
            [_row(record) for record in found],
        ),
    )


@app.command()
def withdraw(
    number: NumberText,
    seller: SellerCode,
    purpose: Annotated[
        str | None, typer.Option(help="Only consents for this purpose, and those for any. Default: all.")
    ] = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw a callee's consents to a seller. A plain "do not call me" is a refusal: `heedline refusal add`."""
    from dialer.registers import parsed_callee

    callee = parsed_callee(number, country, language())

    async def work() -> int:
        async with opened() as (_, registers):
            return await registers.consents.withdraw(callee, seller, purpose)

    count = run(work())
    answer(
        as_json,
        {"number": callee.e164, "seller": seller, "withdrawn": count},
        lambda: typer.echo(say(f"consents withdrawn: {count}", f"已撤回同意：{count}")),
    )


@app.command("import")
def import_file(
    file: importing.File,
    seller: Annotated[str, typer.Option(help="Seller of rows that name none.", metavar="CODE")] = "",
    country: Country = None,
    encoding: importing.Encoding = "utf-8",
    partial: importing.Partial = False,
    errors: importing.Errors = None,
    as_json: AsJson = False,
) -> None:
    """Record consents from a CSV file. All rows go in or none, unless `--partial`; a consent is never recorded twice.

    Columns: number and granted_at; optional seller, purpose, basis, kinds, expires_at, artefact_sha256,
    artefact_media_type, artefact_location, region, zones, verified, withdrawn_at. Several kinds or zones are separated
    by spaces.

    \b
    Example:
      heedline consent import consents.csv --seller acme --errors bad.csv
    """
    importing.run_import(
        "consents",
        file,
        encoding,
        errors,
        as_json,
        lambda imports, sheet: imports.consents(sheet, seller=seller, country=country, partial=partial),
    )


@app.command()
def export(output: importing.Output = None) -> None:
    """Write all consents as CSV, in the form that `import` reads, with what else is known of each behind."""
    from dialer.exports import write_row

    async def work() -> None:
        async with looking("consent export") as (_, registers):
            with writing(output) as stream:
                write_row(stream, list(_EXPORTED))
                async for record in registers.store.all_consents():
                    values = document(record)
                    write_row(stream, [values[name] for name in _EXPORTED])

    run(work())


_EXPORTED = (
    "number",
    "seller",
    "purpose",
    "basis",
    "kinds",
    "granted_at",
    "expires_at",
    "artefact_sha256",
    "artefact_media_type",
    "artefact_location",
    "region",
    "zones",
    "verified",
    "withdrawn_at",
)


def document(record: ConsentRecord) -> dict[str, Any]:
    """A consent for programs."""
    return {
        "id": record.id,
        **_document(record.consent),
        "withdrawn_at": record.withdrawn_at,
        "recorded_at": record.recorded_at,
        "recorded_by": record.recorded_by,
    }


def _document(consent: NewConsent) -> dict[str, Any]:
    artefact = consent.artefact
    return {
        "number": f"+{consent.callee}",
        "seller": consent.seller,
        "purpose": consent.purpose,
        "basis": consent.basis.value,
        "kinds": [kind.value for kind in consent.kinds],
        "granted_at": consent.granted_at,
        "expires_at": consent.expires_at,
        "artefact_sha256": artefact.sha256.hex() if artefact else None,
        "artefact_media_type": artefact.media_type if artefact else None,
        "artefact_location": artefact.location if artefact else None,
        "region": consent.region,
        "zones": list(consent.zones),
        "verified": consent.verified,
        "lifts": consent.lifts,
    }


def _row(record: ConsentRecord) -> list[Any]:
    consent = record.consent
    return [
        record.id,
        consent.seller,
        consent.purpose,
        consent.basis,
        consent.kinds,
        consent.granted_at,
        consent.expires_at,
        record.withdrawn_at,
        consent.artefact.sha256.hex()[:12] if consent.artefact else None,
    ]


def _check_artefact(file: Path | None, sha256: str | None, media_type: str, location: str) -> None:
    if file is not None and (sha256 or location):
        raise typer.BadParameter("give a file, or the SHA-256 of one that is kept elsewhere", param_hint="--artefact")
    if sha256 is None and file is None and (media_type or location):
        raise typer.BadParameter("say which artefact: `--artefact-sha256`", param_hint="--artefact-sha256")
    if sha256 is not None and not re.fullmatch("[0-9A-Fa-f]{64}", sha256):
        raise typer.BadParameter("a SHA-256 has 64 hexadecimal digits", param_hint="--artefact-sha256")


def _artefact(file: Path | None, sha256: str | None, media_type: str, location: str) -> Artefact | None:
    from dataclasses import replace

    from dialer.artefacts import keep
    from dialer.ports_registers import Artefact

    if file is not None:
        kept = keep(file, settings().home / "artefacts")
        return replace(kept, media_type=media_type) if media_type else kept
    return Artefact(bytes.fromhex(sha256), media_type, location) if sha256 else None
