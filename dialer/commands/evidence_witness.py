"""`heedline evidence witness-key` and `witnesses`: this node as a witness, and the witnesses of this log."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dialer.commands.terminal import AsJson, answer, run, say, settings, table

if TYPE_CHECKING:
    from dialer.cosigning import WitnessState
    from dialer.timestamps import StampState
    from dialer.witness import Witnessed

    States = tuple[list[WitnessState], StampState | None, list[Witnessed]]


def witness_key() -> None:
    """Print the key with which this node cosigns other logs' checkpoints. It is made when there is none.

    Whoever keeps a log that this node is to witness puts it into `evidence.witnesses` there, with the address
    `http(s)://HOST:PORT/log/witness`; here his log's key goes into `evidence.witness_for`.

    Example: `heedline evidence witness-key`
    """
    from dialer import witness_key as keys

    typer.echo(str(keys.witness_key(settings().keys_folder).verifier))


def witnesses(
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask each witness and the time-stamping authority now; exits 1 on a problem.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """How the witnesses of this log do, the time-stamping authority, and the logs that this node witnesses.

    Example: `heedline evidence witnesses --ask`
    """
    cosigned, stamped, logs = run(_states(ask=ask))

    def text() -> None:
        if not (cosigned or stamped or logs):
            typer.echo(
                say(
                    "nobody witnesses this log: set `evidence.witnesses`, or `evidence.timestamp_url`",
                    "此日志没有见证：请设置 `evidence.witnesses` 或 `evidence.timestamp_url`",
                )
            )
        _print(cosigned, stamped, logs)

    document = {
        "witnesses": [asdict(each) for each in cosigned],
        "timestamps": asdict(stamped) if stamped else None,
        "witness_for": [asdict(each) for each in logs],
    }
    answer(as_json, document, text)
    problems = [each.problem for each in cosigned] + [each.problem for each in logs]
    if any(problems) or (stamped and stamped.problem):
        raise typer.Exit(1)


async def _states(*, ask: bool) -> States:
    from dialer.app import open_database
    from dialer.witness_node import open_witnesses

    chosen = settings()
    async with open_database(chosen) as database, open_witnesses(chosen, database) as witnessing:
        if ask:
            stamping = [witnessing.stamping.stamp()] if witnessing.stamping else []
            await asyncio.gather(*(each.ask() for each in witnessing.cosigning), *stamping)
        cosigned, stamped = await witnessing.states()
        return cosigned, stamped, await witnessing.witness.status() if witnessing.witness else []


def _print(cosigned: list[WitnessState], stamped: StampState | None, logs: list[Witnessed]) -> None:
    size, last = say("leaves", "叶数"), say("last", "最近一次")
    since, problem = say("not since", "自此未签"), say("problem", "问题")
    if cosigned:
        rows = [(each.name, each.url, each.size, each.at, each.since, each.problem) for each in cosigned]
        table([say("witness", "见证者"), say("address", "地址"), size, last, since, problem], rows)
    if stamped:
        row = (stamped.authority, stamped.size, stamped.at, stamped.since, stamped.problem)
        table([say("time-stamping authority", "时间戳机构"), size, last, since, problem], [row])
    if logs:
        table(
            [say("log witnessed here", "本节点见证的日志"), size, last, problem],
            [(each.name, each.size, each.at, each.problem) for each in logs],
        )
