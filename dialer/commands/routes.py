"""`heedline route`: routes that are declared non-marketing."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.terminal import AsJson, answer, group, opened, run, say, table

if TYPE_CHECKING:
    from dialer.ports_registers import RouteRecord

app = group("Routes that carry no marketing calls, and so bypass the marketing rules.")

Name = Annotated[str, typer.Argument(help="The route's name, as the dialplan gives it.", metavar="NAME")]


@app.command()
def add(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why its calls are no marketing; evidence keeps it.")],
    by: Annotated[str | None, typer.Option(help="Who declares it; default: you.", metavar="WHO")] = None,
    as_json: AsJson = False,
) -> None:
    """Declare a route non-marketing. That is evidence.

    \b
    Example:
      heedline route add appointment-reminders --reason "patients asked to be reminded" --by "A. Li"
    """
    from dialer.commands.terminal import actor, settings

    async def work() -> None:
        from dialer.app import open_database, open_registers

        async with open_database(settings()) as database:
            await open_registers(database, by or actor()).routes.declare(name, reason)

    run(work())
    answer(
        as_json,
        {"name": name, "reason": reason, "declared_by": by or actor()},
        lambda: typer.echo(say(f"route `{name}` is declared non-marketing", f"路由 `{name}` 已声明为非营销用途")),
    )


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the routes that are declared."""

    async def work() -> list[RouteRecord]:
        async with opened() as (_, registers):
            return await registers.routes.all()

    found = run(work())
    answer(
        as_json,
        [asdict(route) for route in found],
        lambda: table(
            [say("name", "名称"), say("reason", "理由"), say("declared by", "声明人"), say("at", "时间")],
            [[route.name, route.reason, route.declared_by, route.declared_at] for route in found],
        ),
    )


@app.command()
def remove(name: Name, as_json: AsJson = False) -> None:
    """Take a declaration back: the marketing rules bind the route's calls again."""

    async def work() -> None:
        async with opened() as (_, registers):
            await registers.routes.remove(name)

    run(work())
    answer(
        as_json,
        {"name": name, "removed": True},
        lambda: typer.echo(say(f"route `{name}` is no longer declared", f"路由 `{name}` 的声明已撤销")),
    )
