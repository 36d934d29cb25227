"""Verdict, Outcome, Reason: what the gate answers, as data only.

A verdict is a value, never an exception. `Reason` is a closed set: every code has a sentence for people in English and
Chinese, and each reason that is reported cites the rule that it rests on (a `Ground`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

Language = Literal["en", "zh"]


class Outcome(StrEnum):
    """What a call may do now."""

    ALLOW = "ALLOW"
    REFUSE = "REFUSE"
    DEFER = "DEFER"


class Reason(StrEnum):
    """Why; closed. Member names are the codes that appear in JSON, on the channel and in evidence."""

    NO_CONSENT = "NO_CONSENT"
    CONSENT_EXPIRED = "CONSENT_EXPIRED"
    CONSENT_SCOPE = "CONSENT_SCOPE"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    REFUSED = "REFUSED"
    SUPPRESSED = "SUPPRESSED"
    LIST_STALE = "LIST_STALE"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    HOLIDAY = "HOLIDAY"
    ZONE_UNKNOWN = "ZONE_UNKNOWN"
    CAP_REACHED = "CAP_REACHED"
    CALLER_NUMBER_UNREGISTERED = "CALLER_NUMBER_UNREGISTERED"
    CALLER_NUMBER_CLASS = "CALLER_NUMBER_CLASS"
    CALLER_NUMBER_INVALID = "CALLER_NUMBER_INVALID"
    NUMBER_INVALID = "NUMBER_INVALID"
    NUMBER_CLASS = "NUMBER_CLASS"
    SELLER_UNKNOWN = "SELLER_UNKNOWN"
    SELLER_SUSPENDED = "SELLER_SUSPENDED"
    TRUNK_UNKNOWN = "TRUNK_UNKNOWN"
    PACK_UNAVAILABLE = "PACK_UNAVAILABLE"
    PERMIT_INVALID = "PERMIT_INVALID"
    GATE_UNAVAILABLE = "GATE_UNAVAILABLE"
    CLOCK_UNTRUSTED = "CLOCK_UNTRUSTED"
    NON_MARKETING = "NON_MARKETING"
    EMERGENCY = "EMERGENCY"

    def text(self, language: Language = "en") -> str:
        """The sentence for people."""
        english, chinese = _TEXTS[self]
        return chinese if language == "zh" else english


# Reasons that time alone cures: a call that meets only these is deferred, not refused.
TEMPORARY = frozenset({Reason.OUTSIDE_HOURS, Reason.HOLIDAY, Reason.CAP_REACHED})

# Reasons that accompany an ALLOW: they say on what ground the marketing rules were not applied.
PERMISSIVE = frozenset({Reason.NON_MARKETING, Reason.EMERGENCY})

_TEXTS: dict[Reason, tuple[str, str]] = {
    Reason.NO_CONSENT: ("no consent to marketing calls is on record", "没有该号码同意接听营销电话的记录"),
    Reason.CONSENT_EXPIRED: ("the consent has expired", "同意已过期"),
    Reason.CONSENT_SCOPE: (
        "the consent on record is for another seller, purpose or kind of call",
        "记录中的同意属于其他商家、用途或呼叫方式",
    ),
    Reason.CONSENT_WITHDRAWN: ("the consent was withdrawn", "同意已被撤回"),
    Reason.REFUSED: ("this person has refused such calls", "对方已明确拒绝此类来电"),
    Reason.SUPPRESSED: ("the number is on a suppression list", "该号码在谢绝来电名单上"),
    Reason.LIST_STALE: (
        "a suppression list that governs this number is missing or past its interval",
        "适用于该号码的谢绝来电名单缺失或已超过更新期限",
    ),
    Reason.OUTSIDE_HOURS: ("it is outside permitted hours where the callee is", "被叫所在地当前不在允许的拨打时段"),
    Reason.HOLIDAY: ("it is a holiday, or may be one, where the callee is", "被叫所在地当天是或可能是节假日"),
    Reason.ZONE_UNKNOWN: ("the callee's time zone is not known", "无法确定被叫所在时区"),
    Reason.CAP_REACHED: ("this person has been called as often as is permitted", "对该号码的呼叫次数已达上限"),
    Reason.CALLER_NUMBER_UNREGISTERED: (
        "the caller number is not registered for this seller on this trunk",
        "主叫号码未在该中继上登记给该商家使用",
    ),
    Reason.CALLER_NUMBER_CLASS: (
        "this class of caller number may not be used for such calls",
        "此类主叫号码不得用于此类呼叫",
    ),
    Reason.CALLER_NUMBER_INVALID: ("the caller number is missing or not a valid number", "主叫号码缺失或无效"),
    Reason.NUMBER_INVALID: ("the number is not a valid telephone number", "被叫号码无效"),
    Reason.NUMBER_CLASS: ("numbers of this class may not be called for marketing", "不得向此类号码拨打营销电话"),
    Reason.SELLER_UNKNOWN: ("the seller is not known", "未登记该商家"),
    Reason.SELLER_SUSPENDED: ("the seller is suspended", "该商家已被暂停"),
    Reason.TRUNK_UNKNOWN: ("the trunk is not known", "未登记该中继"),
    Reason.PACK_UNAVAILABLE: ("no policy pack in force covers this number", "没有适用于该号码的有效策略包"),
    Reason.PERMIT_INVALID: (
        "the permit is unknown, used, expired or for another call",
        "许可无效、已使用、已过期或不属于本次呼叫",
    ),
    Reason.GATE_UNAVAILABLE: ("the gate could not decide", "闸口无法作出裁决"),
    Reason.CLOCK_UNTRUSTED: ("the clock was set back", "系统时钟被回拨"),
    Reason.NON_MARKETING: ("the route is declared non-marketing", "该路由已声明为非营销用途"),
    Reason.EMERGENCY: ("emergency numbers are never blocked", "紧急号码永不拦截"),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """One reason with the rule it cites.

    `rule` is a rule's id in a policy pack (`CN.window.default`) or a built-in one (`core.refusal`). `detail` is a short
    English phrase with the particulars (`list `us-national-dnc` of 2026-09-01, interval 31 days`), for logs and people;
    it never decides anything.
    """

    reason: Reason
    rule: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer for one call.

    All grounds are reported, not the first. `until` is the next permitted instant (UTC) and is set exactly when the
    outcome is DEFER. `rule_version` names the packs and their versions that were in force.
    """

    outcome: Outcome
    grounds: tuple[Ground, ...]
    until: datetime | None = None
    rule_version: str = ""

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The codes, in the order of the grounds, each once."""
        return tuple(dict.fromkeys(ground.reason for ground in self.grounds))


def refuse(reason: Reason, rule: str, detail: str = "", rule_version: str = "") -> Verdict:
    """A refusal on one ground."""
    return Verdict(Outcome.REFUSE, (Ground(reason, rule, detail),), None, rule_version)
