"""`heedline demo`: three real switches, real calls, and a table of what the gate made of them."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from dialer import config
from dialer.commands.terminal import AsJson, language
from dialer.errors import ConfigError

if TYPE_CHECKING:
    from dialer.config import Settings
    from dialer.demo.proof import Proof
    from dialer.demo.rows import Row
    from dialer.demo.stage import Stage

_HEADINGS = {
    "en": ("path", "situation", "number", "verdict", "reasons", "INVITEs", "refusal", ""),
    "zh": ("路径", "情形", "号码", "裁决", "理由", "INVITE 数", "拒绝", ""),
}
_WIDTHS = (12, 33, 16, 8, 44, 8, 13, 6)


def demo(
    stay: Annotated[bool, typer.Option("--stay", help="Stay up after the table, until Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put real calls through the gate on three real Asterisks: the PBX, the egress, and the carrier with its callees.

    INVITEs are counted where they would arrive, at the carrier. At the end the evidence of one call is exported as a
    bundle and verified without database and network. Everything runs on loopback addresses, in a database of its own;
    nobody is called. Exits 0 when every row is as it should be and the bundle is proven, else 1.
    """
    settings = config.load()
    if settings.database.url:
        raise ConfigError(
            "the demonstration makes a database of its own and does not touch yours", "unset HEEDLINE_DATABASE_URL"
        )
    right = asyncio.run(_run(settings, stay, as_json))
    raise typer.Exit(0 if right else 1)


async def _run(settings: Settings, stay: bool, as_json: bool) -> bool:
    from dialer.demo.stage import open_stage

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        if task is not None:
            loop.add_signal_handler(number, task.cancel)
    say = _quiet if as_json else _say
    rows: list[Row] = []
    proof: Proof | None = None
    try:
        async with open_stage(settings, say) as stage:
            if not as_json:
                typer.echo(_line(_HEADINGS[language()]))
            async for row in stage.calls.rows():
                rows.append(row)
                if not as_json:
                    typer.echo(_line(_cells(row)))
            proof = await _prove(stage, rows)
            _close(rows, proof, as_json)
            if stage.calls.unheard:
                say(f"no callee spoke, because English is not heard: {stage.calls.unheard}")
            if stay:
                _next_steps(stage)
                await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not stay or not rows:
            raise KeyboardInterrupt from None
        say("stopping")
    return bool(rows) and all(row.right for row in rows) and proof is not None and proof.right


async def _prove(stage: Stage, rows: list[Row]) -> Proof | None:
    from dialer.demo.proof import prove, worth_proving

    row = worth_proving(rows)
    return await prove(stage.config, stage.folder, row) if row is not None else None


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _quiet(_: str) -> None:
    """Programs read one document and nothing else."""


def _cells(row: Row) -> tuple[str, ...]:
    from dialer.demo.rows import RING_BACK

    verdict = row.outcome or ("-" if row.path == RING_BACK else "no answer")
    mark = "ok" if row.right else "WRONG"
    return (
        row.path,
        row.situation,
        row.number,
        verdict,
        " ".join(row.reasons) or "-",
        str(row.invites),
        row.refusal or "-",
        mark,
    )


def _line(cells: tuple[str, ...]) -> str:
    from dialer.commands.terminal import padded

    return "  ".join(padded(cell, width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _close(rows: list[Row], proof: Proof | None, as_json: bool) -> None:
    wrong = [row.situation for row in rows if not row.right]
    if as_json:
        keys = ("path", "situation", "number", "outcome", "reasons", "invites", "refusal", "decision", "right")
        table = [{key: getattr(row, key) for key in keys} for row in rows]
        bundle = proof and asdict(proof)
        typer.echo(json.dumps({"rows": table, "bundle": bundle}, ensure_ascii=False, default=str))
        return
    if wrong:
        typer.echo(f"\n{len(wrong)} of {len(rows)} rows are not as they should be: {', '.join(wrong)}")
    else:
        stopped = sum(not row.invites for row in rows if row.outcome or not row.refusal)
        told = sum(bool(row.refusal) for row in rows)
        typer.echo(
            f"\n{len(rows)} rows as they should be; {stopped} calls did not reach the carrier, {told} callees refused."
        )
    if proof is None:
        typer.echo("no call was made whose evidence could be exported")
    elif proof.right:
        typer.echo(
            f"evidence of the call `{proof.situation}` (decision {proof.call}): {proof.entries} entries, "
            f"verified offline against the root of {proof.size} leaves\n  {proof.file}"
        )
    else:
        typer.echo(f"the evidence in {proof.file} does not verify: {proof.said}")


def _next_steps(stage: Stage) -> None:
    home = os.environ.get("HEEDLINE_HOME")
    export = f"  export HEEDLINE_HOME={home}\n" if home else ""
    typer.echo(
        f"""
Everything is still up; Ctrl-C stops it. In another terminal, from this folder, try:

{export}  export HEEDLINE_CONFIG={stage.config}
  . .venv/bin/activate
  heedline status
  heedline check {stage.calls.callees.unconsented} --seller demo
  heedline consent add {stage.calls.callees.unconsented} --seller demo --basis express
  heedline evidence verify {stage.folder}/evidence.zip
  heedline policy explain {stage.calls.callees.asleep} --seller demo
  heedline originate {stage.calls.callees.unconsented} --seller demo --trunk {stage.trunk} \\
      --from {stage.presented} --agent PJSIP/1001
  heedline doctor"""
    )
