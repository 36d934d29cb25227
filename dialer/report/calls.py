"""Each call of a matter: a table of all, and of those that matter most everything that is known, with the rules."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dialer.bundle_records import Dossier
from dialer.bundle_rules import RuleText, grounds_of
from dialer.ports_bundles import Call, Entry
from dialer.report.labels import cause, label, reason
from dialer.report.model import NOTHING, Block, Heading, Pairs, Para, Section, Table, Words, instant, shown

_MOST_DETAILED = 25


class Said:
    """What the entries say, by kind and subject."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: dict[tuple[str, int | None], Entry] = {(each.kind, each.subject): each for each in entries}

    def entry(self, kind: str, subject: int) -> Entry | None:
        """The last entry of that kind on that subject."""
        return self._entries.get((kind, subject))

    def payload(self, kind: str, subject: int) -> dict[str, Any]:
        """What it says; empty when there is none or it is erased."""
        entry = self.entry(kind, subject)
        return dict(json.loads(entry.payload)) if entry and entry.payload else {}


def calls_section(dossier: Dossier, words: Words) -> Section:
    """All calls in a table."""
    say, said = words.say, Said(dossier.matter.entries)
    columns = [
        (say("Call", "呼叫"), 8),
        (say("When (UTC)", "时间（UTC）"), 17),
        (say("For", "商家／用途"), 14),
        (say("Presented number, trunk", "显示号码、中继"), 18),
        (say("Verdict, and why", "裁决与理由"), 25),
        (say("What became of it", "呼叫结果"), 18),
    ]
    rows = [_row(call, dossier, said, words) for call in dossier.matter.calls]
    blocks: list[Block] = [Table(columns, rows)] if rows else [Para(say("No call is on record.", "没有呼叫记录。"))]
    return Section(say("Calls", "呼叫"), [*blocks, *_turned_away(dossier, words)])


def _turned_away(dossier: Dossier, words: Words) -> list[Block]:
    """Permits that were shown for this callee and were not good."""
    say, rows = words.say, []
    for entry in dossier.matter.entries:
        if entry.kind == "permit.rejected":
            said = json.loads(entry.payload) if entry.payload else {}
            rows.append(
                [str(entry.id), instant(entry.at), shown(said.get("presented"), 40), shown(said.get("by"), 100)]
            )
    columns = [
        (say("Entry", "条目"), 14),
        (say("When (UTC)", "时间（UTC）"), 26),
        (say("Presented number", "显示号码"), 28),
        (say("By", "来自"), 32),
    ]
    title = say("Calls that were turned away: their permits were not good", "被拦下的呼叫：许可无效")
    return [Heading(title), Table(columns, rows)] if rows else []


def _row(call: Call, dossier: Dossier, said: Said, words: Words) -> list[str]:
    facts = said.payload("decision", call.id).get("facts") or {}
    local = _local(call.at, facts)
    verdict = label("outcome", call.outcome, words.language)
    reasons = [reason(each, words.language) for each in call.reasons]
    return [
        str(call.id),
        instant(call.at) + (f"\n{local}" if local else ""),
        f"{shown(call.seller, 64)}\n{shown(call.purpose, 64)}",
        f"{shown(call.presented, 40)}\n{shown(call.trunk, 64)}",
        f"{verdict}\n{(words.say('; ', '；')).join(reasons)}" if reasons else verdict,
        "\n".join(_course(call, words)),
    ]


def _local(at: datetime, facts: Mapping[str, Any]) -> str:
    """The time where the callee is, when there is one zone alone."""
    zones = (facts.get("callee") or [None] * 5)[-1]
    if not isinstance(zones, list) or len(zones) != 1:
        return ""
    try:
        return f"{at.astimezone(ZoneInfo(str(zones[0]))):%H:%M} {shown(zones[0], 40)}"
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""


def _course(call: Call, words: Words) -> list[str]:
    """From the permit to the end, as far as it was seen."""
    say, lines = words.say, []
    if call.redeemed_at is None:
        return [say("did not leave", "未呼出") if call.outcome == "ALLOW" else NOTHING]
    if call.answered_at:
        lines.append(say("answered", "接通"))
        if call.ended_at:
            length = (call.ended_at - call.answered_at).total_seconds()
            lines[0] += say(f", {length:.0f} s", f"，{length:.0f} 秒")
    else:
        lines.append(say("not answered", "未接通") if call.ended_at else say("end not seen", "未见结束"))
    if call.cause is not None:
        lines.append(cause(call.cause, words.language))
    if call.sip_status is not None:
        lines.append(f"SIP {call.sip_status}")
    return lines


def details_section(dossier: Dossier, words: Words) -> Section | None:
    """Everything on each call; of many, on those that left, and then on the first ones."""
    calls = dossier.matter.calls
    if not calls:
        return None
    said, say = Said(dossier.matter.entries), words.say
    left = [call for call in calls if call.redeemed_at is not None]
    chosen = [*left, *(call for call in calls if call.redeemed_at is None)][:_MOST_DETAILED]
    blocks: list[Block] = []
    if len(chosen) < len(calls):
        told = say(
            f"Of {len(calls)} calls {len(chosen)} follow, first those that left; all are in entries.jsonl.",
            f"共 {len(calls)} 次呼叫，以下列出 {len(chosen)} 次，呼出者优先；全部见 entries.jsonl。",
        )
        blocks.append(Para(told, small=True))
    for call in sorted(chosen, key=lambda each: (each.at, each.id)):
        blocks += _card(call, dossier, said, words)
    return Section(say("Calls in detail", "呼叫详情"), blocks)


def _card(call: Call, dossier: Dossier, said: Said, words: Words) -> list[Block]:
    say, language = words.say, words.language
    verdict = label("outcome", call.outcome, language)
    blocks: list[Block] = [Heading(say(f"Call {call.id}: {verdict}", f"呼叫 {call.id}：{verdict}"))]
    entry = said.entry("decision", call.id)
    if entry is None or entry.payload is None:
        gone = say("What the decision rested on is erased.", "裁决所依据的内容已被删除。")
        return [*blocks, Para(gone, warns=True)]
    payload = said.payload("decision", call.id)
    pairs = [
        (say("Asked", "请求"), f"{instant(call.at)}, {shown(call.path, 20)}, {shown(call.call_id, 100)}"),
        (say("Dialled number", "被叫号码"), shown(call.callee_text, 64)),
        *_facts(payload.get("facts") or {}, words),
        (say("Rules in force", "适用规则版本"), shown(call.rule_version, 200)),
        *_grounds(entry, dossier, words),
        *([(say("Not before", "最早"), instant(call.until))] if call.until else []),
        *_steps(call, words),
        *_headers(said.payload("permit.redeemed", call.id) or payload.get("request") or {}, words),
    ]
    return [*blocks, Pairs(pairs)]


def _facts(facts: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """What was known when it was decided."""
    say = words.say
    if not facts:
        return [(say("Known then", "当时已知"), say("nothing: the decision failed", "无：裁决失败"))]
    consents = words.list([str(each[0]) for each in facts.get("consents", ())])
    refusals = words.list([str(each[0]) for each in facts.get("refusals", ())])
    earlier = len(facts.get("attempts", ()))
    known = say(
        f"consents {consents}; refusals {refusals}; earlier calls that count {earlier}",
        f"同意 {consents}；拒绝 {refusals}；计入的此前呼叫 {earlier}",
    )
    pairs = [(say("Known then", "当时已知"), known)]
    if facts.get("lists"):
        on = words.list([shown(each, 64) for each in facts.get("listed_on", ())])
        lists = words.list([f"{shown(name, 64)} ({shown(as_of, 10)})" for name, as_of in facts["lists"]])
        pairs.append(
            (say("Lists", "名单"), say(f"asked: {lists}; the number is on: {on}", f"已查：{lists}；在名单上：{on}"))
        )
    return pairs


def _grounds(entry: Entry, dossier: Dossier, words: Words) -> list[tuple[str, str]]:
    """Why, in words, with the rule and its source."""
    say, grounds = words.say, grounds_of(entry.payload)
    if not grounds:
        whole = say("every rule in force permitted the call (see the rules)", "所有适用规则均允许该呼叫（见规则表）")
        return [(say("Why", "理由"), whole)]
    pairs = []
    for code, rule, detail in grounds:
        why = reason(code, words.language) + (f" ({shown(detail, 200)})" if detail else "")
        text = dossier.rules.text(rule)
        cited = f"{shown(rule, 80)}{say(': ', '：')}{rule_words(text, words)}" if text else shown(rule, 80)
        source = text.source if text and text.source else ""
        line = why + say(". Rule ", "。规则 ") + cited + (say(" Source: ", "来源：") + shown(source) if source else "")
        pairs.append((say("Why", "理由"), line))
    return pairs


def rule_words(text: RuleText, words: Words) -> str:
    """What a rule says."""
    told = words.say(text.english, text.chinese)
    return shown(told, 1000) if told else words.say("its words are no longer installed", "规则文本已不在本系统中")


def _steps(call: Call, words: Words) -> list[tuple[str, str]]:
    say = words.say
    if call.redeemed_at is None:
        return []
    steps = [
        (say("permit used", "使用许可"), call.redeemed_at),
        (say("dialled", "拨出"), call.dialled_at),
        (say("ringing", "振铃"), call.ringing_at),
        (say("answered", "接听"), call.answered_at),
        (say("ended", "结束"), call.ended_at),
    ]
    course = words.list([f"{name} {at:%H:%M:%S}" for name, at in steps if at is not None])
    end = [
        cause(call.cause, words.language),
        f"SIP {call.sip_status}" if call.sip_status else "",
        call.dial_status or "",
    ]
    return [
        (say("Course", "经过"), f"{call.redeemed_at:%Y-%m-%d}: {course}"),
        (say("Cause, status", "原因、状态"), words.list([shown(each, 60) for each in end if each])),
        (say("Permit used by", "许可使用者"), shown(call.redeemed_by, 100)),
        (say("Carrier's Call-ID", "运营商侧 Call-ID"), shown(call.carrier_call_id, 200)),
    ]


def _headers(payload: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
    """What the switch's request said, as it came."""
    headers = payload.get("headers")
    if not headers:
        return []
    named = headers.items() if isinstance(headers, dict) else [_pair(each) for each in headers]
    lines = [f"{shown(name, 60)}: {shown(_plain(value), 300)}" for name, value in named]
    return [(words.say("SIP headers", "SIP 头域"), line) for line in lines]


def _pair(header: Any) -> tuple[str, Any]:
    if isinstance(header, list) and len(header) == 2:
        return str(header[0]), header[1]
    return "", header


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
