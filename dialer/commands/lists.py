"""`heedline list`: suppression lists that someone else keeps, and the dry run over a file of numbers."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands import importing
from dialer.commands.scrub import scrub
from dialer.commands.terminal import (
    AsJson,
    Country,
    answer,
    group,
    opened,
    pairs,
    parse_day,
    run,
    say,
    table,
    writing,
)

if TYPE_CHECKING:
    from dialer.bulk import ImportReport, Imports
    from dialer.imports import Sheet
    from dialer.ports_registers import ListRecord

app = group("Suppression lists (national registers), and a dry run over a list of numbers.")
app.command("scrub")(scrub)

Name = Annotated[str, typer.Argument(help="The list's name, as the packs call it.", metavar="NAME")]


@app.command()
def add(
    name: Name,
    owner: Annotated[str, typer.Option(help="Who keeps it.")],
    prefix: Annotated[list[str], typer.Option(help="It governs numbers that begin so; may be repeated.", metavar="+1")],
    as_json: AsJson = False,
) -> None:
    """Register a suppression list. Until it is imported, calls that it governs are refused.

    \b
    Example:
      heedline list add us-national-dnc --owner "Federal Trade Commission" --prefix +1
    """

    async def work() -> ListRecord:
        async with opened() as (_, registers):
            return await registers.lists.add(name, owner, prefix)

    added = run(work())
    answer(as_json, asdict(added), lambda: typer.echo(say(f"list `{name}` is registered", f"已登记名单 `{name}`")))


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a list and its import in force."""

    async def work() -> ListRecord:
        async with opened() as (_, registers):
            return await registers.lists.show(name)

    found = run(work())
    answer(as_json, asdict(found), lambda: pairs([(key, value) for key, value in asdict(found).items() if key != "id"]))


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List all suppression lists."""

    async def work() -> list[ListRecord]:
        async with opened() as (_, registers):
            return await registers.lists.all()

    found = run(work())
    answer(
        as_json,
        [asdict(each) for each in found],
        lambda: table(
            [
                say("name", "名称"),
                say("owner", "所有者"),
                say("prefixes", "前缀"),
                say("as of", "日期"),
                say("entries", "条数"),
            ],
            [[each.name, each.owner, each.prefixes, each.as_of, each.entries] for each in found],
        ),
    )


@app.command("import")
def import_file(
    name: Name,
    file: importing.File,
    as_of: Annotated[str, typer.Option(help="The date at which its owner made it.", metavar="DATE")],
    country: Country = None,
    encoding: importing.Encoding = "utf-8",
    partial: importing.Partial = False,
    errors: importing.Errors = None,
    as_json: AsJson = False,
) -> None:
    """Replace a list whole and at once from a file: one number a line, or CSV with the column number.

    \b
    Example:
      heedline list import us-national-dnc dnc.txt --as-of 2026-11-20 --country US
    """
    date = parse_day(as_of, "--as-of")

    async def work(imports: Imports, sheet: Sheet) -> ImportReport:
        return await imports.listed(sheet, name, date, country=country, partial=partial)

    importing.run_import("listed", file, encoding, errors, as_json, work)


@app.command()
def export(name: Name, output: importing.Output = None) -> None:
    """Write the numbers on a list as CSV, in the form that `import` reads."""

    async def work() -> None:
        from dialer.exports import write_row

        async with opened() as (_, registers):
            await registers.lists.show(name)
            with writing(output) as stream:
                write_row(stream, ["number"])
                async for digits in registers.store.listed(name):
                    stream.write(f"+{digits}\n")

    run(work())
