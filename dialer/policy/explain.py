"""explain(facts, pack, now): every rule in force that concerns a call, whether it permits, and why, in words.

For people who ask why a call was or would be decided so. It runs the checks that `decide` runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from dialer.numbers import Number
from dialer.policy import checks
from dialer.policy.call import Call
from dialer.policy.caps import counted
from dialer.policy.compiled import Pack
from dialer.policy.decide import core_grounds, incomplete_grounds, unregulated, unruled_grounds
from dialer.policy.facts import Facts
from dialer.policy.fields import Text, duration_text
from dialer.policy.schema import CapRule, ConductRule, ConsentRule, RetentionRule, Rule, WindowRule
from dialer.verdict import PERMISSIVE, Ground


@dataclass(frozen=True, slots=True)
class RuleFinding:
    """What one rule says of one call.

    `rule` is a pack's rule id or a built-in one (`core.seller`); built-in rules appear only when they speak, with an
    empty `authority` and `source`. `permits` is false exactly when `grounds` forbid. `why` says it for people.
    """

    rule: str
    kind: str
    permits: bool
    why: Text
    grounds: tuple[Ground, ...] = ()
    text: Text | None = None
    authority: str = ""
    source: str = ""
    confidence: str = ""


def explain(facts: Facts, pack: Pack | None, now: datetime) -> tuple[RuleFinding, ...]:
    """The findings of the built-in rules that speak, then of every rule in force that concerns the call."""
    bypass = unregulated(facts)
    if bypass is not None:
        return tuple(_built_in([bypass]))
    findings = list(_built_in(core_grounds(facts)))
    if not isinstance(facts.callee, Number):
        return tuple(findings)
    findings += _built_in(unruled_grounds(facts, pack))
    if pack is None:
        return tuple(findings)
    call = Call(facts, pack.plan(facts), now)
    findings += _built_in(incomplete_grounds(call))
    findings += [_finding(rule, grounds, _why(rule, grounds, call)) for rule, grounds in checks.every(call)]
    first, last = call.dates
    findings += [
        _finding(rule, (), _recorded(rule))
        for rule in call.plan.rules
        if isinstance(rule, (RetentionRule, ConductRule)) and rule.in_force(first, last)
    ]
    return tuple(findings)


def _built_in(grounds: Iterable[Ground]) -> Iterable[RuleFinding]:
    for ground in grounds:
        yield RuleFinding(ground.rule, "core", ground.reason in PERMISSIVE, _words((ground,)), (ground,))


def _finding(rule: Rule, grounds: tuple[Ground, ...], why: Text) -> RuleFinding:
    return RuleFinding(
        rule.id, rule.kind, not grounds, why, grounds, rule.text, rule.authority, rule.source, rule.confidence
    )


def _words(grounds: tuple[Ground, ...]) -> Text:
    """The grounds as one sentence in each language; the particulars are in English in both."""
    english = [ground.reason.text() + (f" ({ground.detail})" if ground.detail else "") for ground in grounds]
    chinese = [ground.reason.text("zh") + (f"（{ground.detail}）" if ground.detail else "") for ground in grounds]
    return Text(en="; ".join(english)[:500], zh="；".join(chinese)[:500])


def _why(rule: Rule, grounds: tuple[Ground, ...], call: Call) -> Text:
    if grounds:
        return _words(grounds)
    if call.exempt(rule):
        bases = ", ".join(sorted({consent.basis.value for consent in call.consents_in_force()}))
        return Text(en=f"a consent in force exempts ({bases})", zh=f"有效同意豁免本规则（{bases}）")
    match rule:
        case ConsentRule() if call.consents_in_force():
            ids = ", ".join(str(consent.id) for consent in call.consents_in_force())
            return Text(en=f"consent {ids} is in force", zh=f"同意记录 {ids} 有效")
        case WindowRule():
            times = ", ".join(f"{local:%a %H:%M} in {local.tzinfo}" for local in call.local)
            return Text(en=f"within permitted hours ({times})"[:500], zh=f"在允许时段内（{times}）"[:500])
        case CapRule():
            used = sum(at > call.now - rule.window for at in counted(rule, call.facts))
            share = f"{used}/{rule.limit}, {duration_text(rule.window)}"
            return Text(en=f"there is room ({share})", zh=f"尚有余量（{share}）")
    return Text(en="nothing speaks against the call", zh="未发现不允许呼叫的情形")


def _recorded(rule: RetentionRule | ConductRule) -> Text:
    if isinstance(rule, RetentionRule):
        return Text(en=f"keep each {rule.of} for {rule.days} days at least", zh=f"{rule.of} 至少保存 {rule.days} 天")
    return Text(
        en=f"no condition of the call; during it `{rule.key}` is `{rule.value}`"[:500],
        zh=f"不影响是否可以呼叫；通话中 `{rule.key}` 为 `{rule.value}`"[:500],
    )
