"""`heedline doctor`: is the gate on the switches, can it be bypassed, does what it needs work?"""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, answer, language, run, say, settings
from dialer.errors import ConfigError, DatabaseError

if TYPE_CHECKING:
    from agi.findings import Finding
    from dialer.config import Ami, Settings


def doctor(
    pbx: Annotated[str | None, typer.Option("--pbx", metavar="NAME", help="One switch. Default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Examine the live switches, the gate and the database; nothing is changed and no call is made.

    Exit code: 0 nothing fails (there may be warnings), 1 something does.

    \b
    Examples:
      heedline doctor
      heedline doctor --pbx egress --json
    """
    from agi.findings import Level

    known = settings()
    findings = run(_examine(known, _chosen(known, pbx)))
    failed = any(finding.level is Level.FAIL for finding in findings)
    document: dict[str, Any] = {"healthy": not failed, "findings": [finding.as_json() for finding in findings]}
    answer(as_json, document, lambda: _tell(findings))
    raise typer.Exit(1 if failed else 0)


def _chosen(known: Settings, name: str | None) -> tuple[Ami, ...]:
    if name is None:
        return known.ami
    found = tuple(switch for switch in known.ami if switch.name == name)
    if not found:
        names = ", ".join(switch.name for switch in known.ami) or say("none", "无")
        raise typer.BadParameter(f"`{name[:64]}` is no switch of the settings ({names})", param_hint="--pbx")
    return found


async def _examine(known: Settings, switches: tuple[Ami, ...]) -> list[Finding]:
    from agi.doctor import Patient, examine, probe_gate
    from agi.findings import Finding, Level
    from dialer.app import ami_address, clock

    deadline_s = known.agi.deadline_ms / 1000
    findings: list[Finding] = []
    if not switches:
        findings.append(Finding("settings.ami", Level.FAIL, "", {}))
        findings.append(await probe_gate(f"{known.agi.host}:{known.agi.port}", deadline_s))
    for switch in switches:
        try:
            patient = Patient(ami_address(switch), switch.role, switch.trunks)
        except ConfigError as error:
            findings.append(Finding("ami.connected", Level.FAIL, switch.name, {"problem": error.problem}))
        else:
            findings += await examine(patient, clock, deadline_s)
    return [*findings, await _database(known)]


async def _database(known: Settings) -> Finding:
    from agi.findings import Finding, Level
    from dialer.app import open_database

    try:
        async with open_database(known):
            return Finding("database", Level.OK, "", {})
    except DatabaseError as error:
        return Finding("database", Level.FAIL, "", {"problem": error.problem})


def _tell(findings: list[Finding]) -> None:
    words = {"ok": ("ok", "正常"), "warn": ("warn", "警告"), "fail": ("FAIL", "失败")}
    spoken = language()
    for finding in findings:
        where = f"{finding.switch}: " if finding.switch else ""
        typer.echo(f"{say(*words[finding.level.value]):5} {where}{finding.text(spoken)}")
        if cure := finding.cure(spoken):
            typer.echo(f"      -> {cure}")
