"""`heedline check`: may this number be called? A dry run that writes nothing but that it was asked."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from dialer.commands.looking import asked_about
from dialer.commands.terminal import AsJson, Country, answer, language, parse_instant, run, say, settings
from dialer.errors import DatabaseError, HeedlineError, StoreUnavailable

if TYPE_CHECKING:
    from dialer.policy.facts import CallRequest, Facts
    from dialer.policy.schema import Rule
    from dialer.verdict import Ground, Verdict

EXIT_CODES = {"ALLOW": 0, "REFUSE": 3, "DEFER": 4}

Number = Annotated[str, typer.Argument(help="The number that would be called.", metavar="NUMBER")]
Seller = Annotated[str, typer.Option("--seller", help="On whose behalf.", metavar="CODE")]
Purpose = Annotated[str, typer.Option(help="What the call is for.")]
At = Annotated[
    str | None, typer.Option("--at", help="At what time (ISO 8601 with offset). Default: now.", metavar="ISO")
]


class Kind(StrEnum):
    """How the call speaks."""

    LIVE = "live"
    PRERECORDED = "prerecorded"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a dry run found. `facts` None: the gate could not answer, `error` says why."""

    verdict: Verdict
    at: datetime
    facts: Facts | None
    rules: dict[str, Rule]
    error: str = ""


def check(
    number: Number,
    seller: Seller,
    purpose: Purpose = "marketing",
    presented: Annotated[
        str | None, typer.Option("--from", help="The caller number that would be shown.", metavar="CLI")
    ] = None,
    trunk: Annotated[str | None, typer.Option(help="The trunk that would carry the call.", metavar="NAME")] = None,
    route: Annotated[str, typer.Option(help="The dialplan's route.", metavar="NAME")] = "",
    kind: Annotated[Kind, typer.Option(help="How the call speaks.")] = Kind.LIVE,
    country: Country = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """May this number be called? Says so with every reason and the rule behind it. Nothing is reserved or decided; that
    it was asked is an entry of the log.

    Exit code: 0 it may be called, 3 it must not be, 4 it may be later, 2 wrong usage. Without --from the caller number
    is not examined.

    \b
    Examples:
      heedline check +442079460123 --seller acme --from +442079460999 --trunk carrier
      heedline check 13800138000 --country CN --seller acme --at 2026-11-24T20:30+08:00 --json
    """
    from dialer.policy.facts import CallKind, CallRequest

    when = parse_instant(at, "--at") if at is not None else None
    request = CallRequest(
        callee=number,
        seller=seller,
        purpose=purpose,
        kind=CallKind(kind.value),
        trunk=trunk,
        route=route,
        presented=presented,
        path="check",
        country=checked_country_option(country),
    )
    checked = run(ask(request, when))
    if checked.error:
        typer.echo(f"{say('error', '错误')}: {checked.error}", err=True)
    answer(as_json, document(checked), lambda: _tell(checked, presented is not None))
    raise typer.Exit(EXIT_CODES[checked.verdict.outcome.value])


def checked_country_option(country: str | None) -> str | None:
    """The country in capitals; a usage error when it cannot be one."""
    from dialer.errors import RegisterError
    from dialer.registers import checked_country

    if country is None:
        return None
    try:
        return checked_country(country)
    except RegisterError as error:
        raise typer.BadParameter(str(error), param_hint="--country") from error


async def ask(request: CallRequest, at: datetime | None) -> Checked:
    """The gate's answer, or the refusal that its silence is."""
    from dialer.app import clock, open_database, open_gate

    when = at or clock()
    try:
        async with open_database(settings()) as database, open_gate(settings(), database) as gate:
            await asked_about("check", database, request)
            facts, verdict = await gate.check(request, when)
            rules = {rule.id: rule for pack in gate.packs.packs for rule in pack.rules}
            return Checked(verdict, when, facts, rules)
    except (DatabaseError, StoreUnavailable) as error:
        return _unavailable(when, error)
    except OSError as error:
        return _unavailable(when, StoreUnavailable(f"the database did not answer: {error}", "see `heedline status`"))


def _unavailable(at: datetime, error: HeedlineError) -> Checked:
    from dialer.verdict import Reason, refuse

    return Checked(refuse(Reason.GATE_UNAVAILABLE, "core.fail_closed"), at, None, {}, str(error))


def document(checked: Checked) -> dict[str, Any]:
    """The answer for programs: `outcome`, `reasons`, `until`, `rule_version`, then more."""
    from dialer.numbers import Number as Known

    verdict, facts = checked.verdict, checked.facts
    callee = facts.callee if facts else None
    known = callee if isinstance(callee, Known) else None
    return {
        "outcome": verdict.outcome.value,
        "reasons": [_reason(ground) for ground in verdict.grounds],
        "until": verdict.until,
        "rule_version": verdict.rule_version,
        "details": [ground.detail for ground in verdict.grounds],
        "number": known.e164 if known else None,
        "number_class": known.cls.value if known else None,
        "regions": list(known.regions) if known else [],
        "zones": list(_zones(facts)),
        "at": checked.at,
        "caller_number_examined": facts is not None and facts.presented is not None,
        "error": checked.error or None,
    }


def _reason(ground: Ground) -> dict[str, str]:
    return {"code": ground.reason.value, "text": ground.reason.text(language()), "rule": ground.rule}


def _zones(facts: Facts | None) -> tuple[str, ...]:
    """Where the callee may be, as the rules see it."""
    from dialer.policy.call import candidate_zones

    return tuple(str(zone) for zone in candidate_zones(facts)) if facts else ()


def _tell(checked: Checked, examined: bool) -> None:
    from dialer.messages import outcome_text

    verdict = checked.verdict
    typer.echo(f"{verdict.outcome.value}: {_callee_words(checked)}{outcome_text(verdict.outcome, language())}")
    for ground in verdict.grounds:
        detail = f" ({ground.detail})" if ground.detail else ""
        typer.echo(f"- {ground.reason.value}: {ground.reason.text(language())}{detail}")
        rule = checked.rules.get(ground.rule)
        typer.echo(f"  {say('rule', '规则')} {ground.rule}{': ' + rule.text.in_language(language()) if rule else ''}")
        if rule:
            typer.echo(f"  {say('source', '来源')} {rule.source} ({rule.authority}, {rule.confidence})")
    if verdict.until:
        typer.echo(f"{say('until', '可拨时间')}: {verdict.until.isoformat(timespec='seconds')}")
        for zone in _zones(checked.facts):
            typer.echo(f"  {verdict.until.astimezone(ZoneInfo(zone)).isoformat(timespec='seconds')} {zone}")
    if not examined:
        typer.echo(
            say("the caller number was not examined: give it with `--from`", "未检查主叫号码：请用 `--from` 指定")
        )
    if verdict.rule_version:
        typer.echo(f"{say('policy', '策略')}: {verdict.rule_version}")


def _callee_words(checked: Checked) -> str:
    from dialer.numbers import NumberFault, problem

    if checked.facts is None:
        return ""
    callee = checked.facts.callee
    if isinstance(callee, NumberFault):
        return f"`{callee.raw}` ({problem(callee.fault, language())}) "
    return f"{callee.e164} ({callee.cls}, {' '.join(callee.regions)}) "
