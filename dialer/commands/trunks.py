"""`heedline trunk`: lines to carriers, and the numbers that may be presented on them."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import importing
from dialer.commands.terminal import AsJson, answer, group, language, opened, pairs, run, say, table, writing

if TYPE_CHECKING:
    from dialer.ports_registers import NumberRecord, TrunkRecord

app = group("Trunks: lines to carriers, and the numbers that may be presented on each and by whom.")
number = group("Numbers that may be presented on a trunk.")
app.add_typer(number, name="number")

Name = Annotated[str, typer.Argument(help="The trunk's name.", metavar="NAME")]
TrunkName = Annotated[str, typer.Argument(help="The trunk's name.", metavar="TRUNK")]
NumberText = Annotated[
    str, typer.Argument(help="The number, international or as the trunk's country writes it.", metavar="NUMBER")
]
Seller = Annotated[str | None, typer.Option("--seller", help="The seller that may present it.", metavar="CODE")]
COLUMNS = ["trunk", "number", "holder", "seller", "use"]


class Origin(StrEnum):
    """Where a trunk's calls come from or go to."""

    DOMESTIC = "domestic"
    INTERNATIONAL = "international"
    MIXED = "mixed"


@app.command()
def add(
    name: Name,
    country: Annotated[str, typer.Option(help="Country of the trunk (ISO 3166-1).", metavar="CC")],
    origin: Annotated[Origin, typer.Option(help="Where its calls come from or go to.")],
    as_json: AsJson = False,
) -> None:
    """Register a trunk.

    \b
    Example:
      heedline trunk add carrier --country CN --origin domestic
    """
    from dialer.policy.facts import TrunkOrigin

    async def work() -> TrunkRecord:
        async with opened() as (_, registers):
            return await registers.trunks.add(name, country, TrunkOrigin(origin.value))

    trunk = run(work())
    answer(as_json, asdict(trunk), lambda: typer.echo(say(f"trunk `{name}` is registered", f"已登记中继 `{name}`")))


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a trunk and the numbers that may be presented on it."""

    async def work() -> tuple[TrunkRecord, list[NumberRecord]]:
        async with opened() as (_, registers):
            return await registers.trunks.show(name)

    trunk, numbers = run(work())

    def text() -> None:
        pairs([(key, value) for key, value in asdict(trunk).items() if key != "id"])
        _table(numbers)

    answer(as_json, {**asdict(trunk), "numbers": [asdict(each) for each in numbers]}, text)


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List all trunks."""

    async def work() -> list[TrunkRecord]:
        async with opened() as (_, registers):
            return await registers.trunks.all()

    found = run(work())
    answer(
        as_json,
        [asdict(trunk) for trunk in found],
        lambda: table(
            [say("name", "名称"), say("country", "国家"), say("origin", "方向")],
            [[trunk.name, trunk.country, trunk.origin] for trunk in found],
        ),
    )


@app.command()
def export(output: importing.Output = None) -> None:
    """Write the numbers of all trunks as CSV, in the form that `trunk number import` reads."""
    from dialer.exports import write_row

    async def work() -> None:
        async with opened() as (_, registers):
            found = await registers.trunks.numbers()
        with writing(output) as stream:
            write_row(stream, COLUMNS)
            for each in found:
                write_row(stream, [each.trunk, each.number, each.holder, each.seller or "*", each.use])

    run(work())


@number.command("add")
def number_add(
    trunk: TrunkName,
    number: NumberText,
    holder: Annotated[str, typer.Option(help="Who holds the number, as its carrier knows him.")],
    seller: Seller = None,
    any_seller: Annotated[bool, typer.Option("--any-seller", help="Every seller may present it.")] = False,
    use: Annotated[str, typer.Option(help="What it is used for, in words.", metavar="TEXT")] = "",
    as_json: AsJson = False,
) -> None:
    """Register a number that may be presented on a trunk.

    \b
    Examples:
      heedline trunk number add carrier 02079460999 --holder "Acme Ltd" --seller acme
      heedline trunk number add carrier 95588 --holder "Bank" --any-seller
    """
    if (seller is None) != any_seller:
        raise typer.BadParameter("give either `--seller CODE` or `--any-seller`", param_hint="--seller")

    async def work() -> str:
        async with opened() as (_, registers):
            return await registers.trunks.add_number(trunk, number, holder, seller, use, language())

    canonical = run(work())
    answer(
        as_json,
        {"trunk": trunk, "number": canonical, "seller": seller, "holder": holder, "use": use},
        lambda: typer.echo(say(f"`{canonical}` may be presented on `{trunk}`", f"`{canonical}` 可在 `{trunk}` 上显示")),
    )


@number.command("remove")
def number_remove(
    trunk: TrunkName,
    number: NumberText,
    seller: Seller = None,
    any_seller: Annotated[bool, typer.Option("--any-seller", help="Only the registration for every seller.")] = False,
    as_json: AsJson = False,
) -> None:
    """End a number's registration on a trunk: for one seller, or for all when none is named."""
    if seller is not None and any_seller:
        raise typer.BadParameter("give `--seller CODE` or `--any-seller`, not both", param_hint="--seller")

    async def work() -> int:
        async with opened() as (_, registers):
            everyone = seller is None and not any_seller
            return await registers.trunks.remove_number(trunk, number, seller, everyone, language())

    count = run(work())
    answer(
        as_json,
        {"trunk": trunk, "removed": count},
        lambda: typer.echo(say(f"registrations ended: {count}", f"已取消登记：{count}")),
    )


@number.command("import")
def number_import(
    file: importing.File,
    encoding: importing.Encoding = "utf-8",
    partial: importing.Partial = False,
    errors: importing.Errors = None,
    as_json: AsJson = False,
) -> None:
    """Register numbers from a CSV file with the columns trunk, number, holder, seller and (optional) use.

    In the column seller `*` means every seller.

    \b
    Example:
      heedline trunk number import numbers.csv
    """
    importing.run_import(
        "numbers", file, encoding, errors, as_json, lambda imports, sheet: imports.numbers(sheet, partial=partial)
    )


def _table(numbers: list[NumberRecord]) -> None:
    rows: list[list[Any]] = [[each.number, each.seller or "*", each.holder, each.use or None] for each in numbers]
    table([say("number", "号码"), say("seller", "商家"), say("holder", "持有人"), say("use", "用途")], rows)
