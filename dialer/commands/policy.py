"""`heedline policy`: the rules in force, whether a pack is valid, and what each rule says of a call."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.check import At, Kind, Number, Purpose, Seller, checked_country_option
from dialer.commands.looking import asked_about
from dialer.commands.terminal import (
    AsJson,
    Country,
    answer,
    group,
    language,
    pairs,
    parse_instant,
    run,
    say,
    settings,
    table,
)
from dialer.errors import PackError

if TYPE_CHECKING:
    from datetime import datetime

    from dialer.policy.explain import RuleFinding
    from dialer.policy.facts import CallRequest
    from dialer.policy.pack import PackFile
    from dialer.policy.schema import Rule
    from dialer.verdict import Verdict

app = group("Policy: the rules of each jurisdiction, with what the administrator has changed.")


@app.command()
def show(
    pack: Annotated[str | None, typer.Argument(help="A pack's id, such as `CN`. Default: all.", metavar="PACK")] = None,
    as_json: AsJson = False,
) -> None:
    """Show all packs, or the rules of one with their sources.

    \b
    Examples:
      heedline policy show
      heedline policy show US --json
    """
    from dialer.app import load_policy

    packs = load_policy(settings()).packs
    if pack is None:
        _show_all(packs, as_json)
        return
    found = next((each for each in packs if each.id.lower() == pack.lower()), None)
    if found is None:
        known = ", ".join(each.id for each in packs)
        raise PackError(f"there is no pack `{pack[:40]}`", f"name one of {known}")
    answer(as_json, found.model_dump(mode="json"), lambda: _show_one(found))


@app.command()
def validate(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Packs or administrators' policies. Default: those in force.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check packs or an administrator's policy, and name every problem. Exit code 1 when there is one.

    \b
    Example:
      heedline policy validate my-pack.toml ~/.local/share/heedline/policy.toml
    """
    from dialer.policy_files import problems_in, problems_in_force

    problems: list[PackError] = []
    if files:
        for file in files:
            problems += problems_in(file)
    else:
        problems += problems_in_force(settings().policy_file)

    def text() -> None:
        for problem in problems:
            typer.echo(str(problem), err=True)
        if not problems:
            typer.echo(say("valid", "有效"))

    answer(
        as_json,
        {"valid": not problems, "problems": [{"problem": each.problem, "cure": each.cure} for each in problems]},
        text,
    )
    if problems:
        raise typer.Exit(1)


@app.command()
def explain(
    number: Number,
    seller: Seller,
    purpose: Purpose = "marketing",
    presented: Annotated[
        str | None, typer.Option("--from", help="The caller number that would be shown.", metavar="CLI")
    ] = None,
    trunk: Annotated[str | None, typer.Option(help="The trunk that would carry the call.", metavar="NAME")] = None,
    kind: Annotated[Kind, typer.Option(help="How the call speaks.")] = Kind.LIVE,
    country: Country = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Explain what each rule in force says of a call to this number. Writes nothing.

    \b
    Example:
      heedline policy explain +12025550123 --seller acme --at 2026-11-24T20:30-05:00
    """
    from dialer.policy.facts import CallKind, CallRequest

    when = parse_instant(at, "--at") if at is not None else None
    request = CallRequest(
        callee=number,
        seller=seller,
        purpose=purpose,
        kind=CallKind(kind.value),
        trunk=trunk,
        presented=presented,
        path="check",
        country=checked_country_option(country),
    )
    verdict, findings, asked = run(_explain(request, when))
    answer(as_json, _document(verdict, findings, asked), lambda: _tell(verdict, findings))


async def _explain(request: CallRequest, at: datetime | None) -> tuple[Verdict, tuple[RuleFinding, ...], datetime]:
    from dialer.app import clock, open_database, open_gate
    from dialer.policy.explain import explain as findings_of

    when = at or clock()
    async with open_database(settings()) as database, open_gate(settings(), database) as gate:
        await asked_about("policy explain", database, request)
        facts, verdict = await gate.check(request, when)
        return verdict, findings_of(facts, gate.packs.for_callee(facts.callee, facts.address), when), when


def _show_all(packs: tuple[PackFile, ...], as_json: bool) -> None:
    documents = [
        {
            "id": pack.id,
            "version": pack.version,
            "name": pack.name.in_language(language()),
            "regions": list(pack.regions),
            "rules": len(pack.rules),
        }
        for pack in packs
    ]
    answer(
        as_json,
        documents,
        lambda: table(
            ["id", say("version", "版本"), say("name", "名称"), say("regions", "地区"), say("rules", "规则数")],
            [[*list(document.values())] for document in documents],
        ),
    )


def _show_one(pack: PackFile) -> None:
    pairs(
        [
            ("id", pack.id),
            (say("version", "版本"), pack.version),
            (say("name", "名称"), pack.name.in_language(language())),
            (say("notice", "说明"), pack.notice.in_language(language())),
        ]
    )
    for rule in pack.rules:
        typer.echo(f"\n{rule.id} [{rule.kind}]{_dates(rule)}")
        typer.echo(f"  {rule.text.in_language(language())}")
        typer.echo(f"  {say('source', '来源')}: {rule.source} ({rule.authority}, {rule.confidence})")


def _dates(rule: Rule) -> str:
    since = f"{say(' from', ' 自')} {rule.effective_from}" if rule.effective_from else ""
    return since + (f"{say(' until', ' 至')} {rule.effective_to}" if rule.effective_to else "")


def _document(verdict: Verdict, findings: tuple[RuleFinding, ...], at: datetime) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome.value,
        "until": verdict.until,
        "rule_version": verdict.rule_version,
        "at": at,
        "rules": [
            {
                "rule": each.rule,
                "kind": each.kind,
                "permits": each.permits,
                "why": each.why.in_language(language()),
                "reasons": [ground.reason.value for ground in each.grounds],
                "text": each.text.in_language(language()) if each.text else None,
                "authority": each.authority or None,
                "source": each.source or None,
                "confidence": each.confidence or None,
            }
            for each in findings
        ],
    }


def _tell(verdict: Verdict, findings: tuple[RuleFinding, ...]) -> None:
    from dialer.messages import outcome_text

    typer.echo(f"{verdict.outcome.value}: {outcome_text(verdict.outcome, language())}")
    for each in findings:
        mark = say("permits", "允许") if each.permits else say("FORBIDS", "禁止")
        typer.echo(f"\n{each.rule} [{each.kind}] {mark}: {each.why.in_language(language())}")
        if each.text:
            typer.echo(f"  {each.text.in_language(language())}")
        if each.source:
            typer.echo(f"  {say('source', '来源')}: {each.source} ({each.authority}, {each.confidence})")
