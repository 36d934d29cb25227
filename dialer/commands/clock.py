"""`heedline clock`: whether the gate trusts the clock, and the cure when it was ahead."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.terminal import AsJson, actor, answer, group, opened, pairs, run, say

if TYPE_CHECKING:
    from dialer.app import Registers
    from dialer.clocks import Clocks, Witness

app = group("The clock: calls are refused while it is behind the latest decision.")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Say when the latest decision was made, and whether this machine's clock is behind it.

    Example: `heedline clock show`
    """

    async def work() -> Witness:
        async with opened() as (_, registers):
            return await _clocks(registers).witness()

    found = run(work())
    values = [
        (say("latest decision", "最近一次裁决"), found.latest),
        (say("this machine's clock", "本机时钟"), found.now),
        (say("trusted", "可信"), found.trusted),
    ]
    document = {"latest": found.latest, "now": found.now, "trusted": found.trusted}
    answer(as_json, document, lambda: pairs(values))


@app.command()
def accept(
    reason: Annotated[str, typer.Option(help="Why the clock is right now; evidence keeps it.", metavar="TEXT")],
    as_json: AsJson = False,
) -> None:
    """Accept the clock as it is now, when it was wrongly in the future before. That is evidence.

    Decisions that were made until now no longer say what time it is. Running nodes take it up at their next decision;
    nothing need be restarted. Attempts keep the times that they were recorded with: who was called while the clock was
    ahead counts as called until then under the caps.

    Example: `heedline clock accept --reason "time server was wrong until 10:20, see ticket 4711"`
    """

    async def work() -> Witness:
        async with opened() as (_, registers):
            return await _clocks(registers).accept(reason)

    before = run(work())
    latest = f"{before.latest:%Y-%m-%d %H:%M:%S}Z"
    text = say(
        f"accepted: decisions up to {before.decision}, the latest of {latest}, no longer say what time it is",
        f"已接受当前时钟：编号 {before.decision} 及以前的裁决（{latest}）不再作为时间依据",
    )
    answer(as_json, {"decision": before.decision, "latest": before.latest}, lambda: typer.echo(text))


def _clocks(registers: Registers) -> Clocks:
    from dialer.app import clock
    from dialer.clocks import Clocks

    return Clocks(registers.store, clock, actor())
