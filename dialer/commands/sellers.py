"""`heedline seller`: the companies on whose behalf calls are made."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands import importing
from dialer.commands.terminal import AsJson, answer, group, opened, pairs, run, say, table, writing

if TYPE_CHECKING:
    from dialer.ports_registers import SellerRecord

app = group("Sellers: the companies on whose behalf calls are made.")

Code = Annotated[str, typer.Argument(help="The seller's code.", metavar="CODE")]


class Industry(StrEnum):
    """Industries with rules of their own."""

    FINANCE = "finance"
    PROPERTY = "property"
    HEALTH = "health"
    RECRUITMENT_TOURISM = "recruitment_tourism"


@app.command()
def add(
    code: Code,
    name: Annotated[str, typer.Option("--name", help="The company's name.")],
    industry: Annotated[Industry | None, typer.Option(help="Selects the industry's own rules.")] = None,
    as_json: AsJson = False,
) -> None:
    """Register a seller.

    \b
    Example:
      heedline seller add acme --name "Acme Ltd" --industry finance
    """

    async def work() -> SellerRecord:
        async with opened() as (_, registers):
            return await registers.sellers.add(code, name, industry.value if industry else "")

    _tell(run(work()), as_json, say(f"seller `{code}` is registered", f"已登记商家 `{code}`"))


@app.command()
def show(code: Code, as_json: AsJson = False) -> None:
    """Show a seller."""

    async def work() -> SellerRecord:
        async with opened() as (_, registers):
            return await registers.sellers.show(code)

    seller = run(work())
    answer(as_json, document(seller), lambda: pairs(list(document(seller).items())))


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List all sellers."""

    async def work() -> list[SellerRecord]:
        async with opened() as (_, registers):
            return await registers.sellers.all()

    found = run(work())
    answer(
        as_json,
        [document(seller) for seller in found],
        lambda: table(
            [say("code", "代码"), say("name", "名称"), say("industry", "行业"), say("suspended", "暂停")],
            [[seller.code, seller.name, seller.industry or None, seller.suspended] for seller in found],
        ),
    )


@app.command()
def suspend(code: Code, as_json: AsJson = False) -> None:
    """Suspend a seller: every call on its behalf is refused from now on."""
    _tell(run(_suspend(code, True)), as_json, say(f"seller `{code}` is suspended", f"已暂停商家 `{code}`"))


@app.command()
def resume(code: Code, as_json: AsJson = False) -> None:
    """End a seller's suspension."""
    _tell(run(_suspend(code, False)), as_json, say(f"seller `{code}` may call again", f"商家 `{code}` 已恢复"))


@app.command("import")
def import_file(
    file: importing.File,
    encoding: importing.Encoding = "utf-8",
    partial: importing.Partial = False,
    errors: importing.Errors = None,
    as_json: AsJson = False,
) -> None:
    """Register sellers from a CSV file with the columns code, name and (optional) industry.

    A seller that is registered already stays as it is.

    \b
    Example:
      heedline seller import sellers.csv
    """
    importing.run_import(
        "sellers", file, encoding, errors, as_json, lambda imports, sheet: imports.sellers(sheet, partial=partial)
    )


@app.command()
def export(output: importing.Output = None) -> None:
    """Write all sellers as CSV, in the form that `import` reads."""
    from dialer.exports import write_row

    async def work() -> None:
        async with opened() as (_, registers):
            found = await registers.sellers.all()
        with writing(output) as stream:
            write_row(stream, ["code", "name", "industry"])
            for seller in found:
                write_row(stream, [seller.code, seller.name, seller.industry])

    run(work())


async def _suspend(code: str, suspended: bool) -> SellerRecord:
    async with opened() as (_, registers):
        return await registers.sellers.suspend(code, suspended)


def _tell(seller: SellerRecord, as_json: bool, sentence: str) -> None:
    answer(as_json, document(seller), lambda: typer.echo(sentence))


def document(seller: SellerRecord) -> dict[str, Any]:
    """A seller for programs."""
    return asdict(seller)
