"""`heedline originate`: start one call, through the gate."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.check import checked_country_option
from dialer.commands.terminal import AsJson, Country, answer, language, run, say, settings
from dialer.errors import ConfigError

if TYPE_CHECKING:
    from agi.originate import CallOutcome, Order
    from dialer.config import Ami

_EXIT_CODES = {"answered": 0, "refused": 3, "deferred": 4}


def originate(
    number: Annotated[str, typer.Argument(help="The number to call.", metavar="NUMBER")],
    seller: Annotated[str, typer.Option("--seller", help="On whose behalf.", metavar="CODE")],
    agent: Annotated[str, typer.Option("--agent", help="The agent's phone.", metavar="PJSIP/1001")],
    purpose: Annotated[str, typer.Option(help="What the call is for.")] = "marketing",
    presented: Annotated[str | None, typer.Option("--from", help="The caller number to show.", metavar="CLI")] = None,
    trunk: Annotated[str, typer.Option(help="The trunk that carries the call.", metavar="NAME")] = "",
    route: Annotated[str, typer.Option(help="The dialplan's route.", metavar="NAME")] = "",
    callee_first: Annotated[bool, typer.Option("--callee-first", help="Call the callee before the agent.")] = False,
    pbx: Annotated[str | None, typer.Option("--pbx", metavar="NAME", help="On which switch.")] = None,
    country: Country = None,
    as_json: AsJson = False,
) -> None:
    """Start a call by a switch's manager interface and wait for its outcome. The gate decides as on any call.

    Exit code: 0 answered, 3 refused, 4 refused for now, 1 any other failure, 2 wrong usage.

    \b
    Examples:
      heedline originate +442079460123 --seller acme --agent PJSIP/1001 --from +442079460999 --trunk carrier
      heedline originate 13800138000 --country CN --seller acme --agent PJSIP/1001 --callee-first --json
    """
    switch = _switch(pbx)
    order = _order(
        switch,
        number=_canonical(number, country, "NUMBER"),
        cli=_canonical(presented, country, "--from") if presented else "",
        seller=seller,
        agent=agent,
        purpose=purpose,
        trunk=trunk,
        route=route,
        callee_first=callee_first,
    )
    outcome = run(_call(switch, order))
    answer(as_json, document(outcome), lambda: _tell(outcome))
    raise typer.Exit(_EXIT_CODES.get(outcome.result.value, 1))


def _switch(name: str | None) -> Ami:
    """The switch to call on: the named one, or the first call centre's of the settings."""
    found = [one for one in settings().ami if (one.name == name if name else one.role == "pbx")]
    if found:
        return found[0]
    if name:
        raise typer.BadParameter(f"`{name[:64]}` is no switch of the settings", param_hint="--pbx")
    raise ConfigError(
        "no switch with the role `pbx` is in the settings",
        "add an `[[ami]]` section to heedline.toml; `heedline pbx install` prints one",
    )


def _canonical(text: str, country: str | None, option: str) -> str:
    """The number as the switch is given it; a usage error when it is none."""
    from dialer.numbers import NumberFault, describe, parse

    number = parse(text, checked_country_option(country))
    if isinstance(number, NumberFault):
        raise typer.BadParameter(describe(number, language()), param_hint=option)
    return number.e164


def _order(switch: Ami, **values: Any) -> Order:
    from agi.originate import Order
    from dialer.errors import UnsafeText

    try:
        return Order(**values, trunks=switch.trunks)
    except UnsafeText as error:
        raise typer.BadParameter(str(error)) from error


async def _call(switch: Ami, order: Order) -> CallOutcome:
    from agi.ami import Ami as Connection
    from agi.originate import originate as start
    from dialer.app import ami_address

    async with Connection(ami_address(switch)) as ami:
        await ami.ready()
        return await start(ami, order)


def document(outcome: CallOutcome) -> dict[str, Any]:
    """An outcome for programs."""
    from dialer.verdict import Reason

    known = {reason.value for reason in Reason}
    spoken = language()
    return {
        "result": outcome.result.value,
        "attempt": outcome.attempt,
        "reasons": [
            {"code": code, "text": Reason(code).text(spoken) if code in known else code} for code in outcome.reasons
        ],
        "cause": outcome.cause,
        "sip_status": outcome.sip_status,
        "detail": outcome.detail,
    }


def _tell(outcome: CallOutcome) -> None:
    words = {
        "answered": ("answered", "已接听"),
        "refused": ("refused by the gate", "被闸门拒绝"),
        "deferred": ("refused for now by the gate", "闸门暂不允许"),
        "busy": ("the callee is busy", "被叫忙"),
        "no_answer": ("the callee does not answer", "被叫无应答"),
        "failed": ("the call failed", "呼叫失败"),
    }
    shown = document(outcome)
    more = [outcome.detail] if outcome.detail else []
    more += [f"Q.850 {outcome.cause}"] if outcome.cause else []
    more += [f"SIP {outcome.sip_status}"] if outcome.sip_status else []
    typer.echo(say(*words[outcome.result.value]) + (f" ({', '.join(more)})" if more else ""))
    for reason in shown["reasons"]:
        typer.echo(f"  {reason['code']}: {reason['text']}")
