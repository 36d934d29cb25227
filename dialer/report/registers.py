"""Tables of what stands behind a matter: consents, refusals, near misses, complaints, numbers, rules, files, looks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dialer.bundle_records import Dossier
from dialer.ports_bundles import Entry
from dialer.report.calls import rule_words
from dialer.report.labels import label
from dialer.report.model import Block, Heading, Para, Section, Table, Words, instant, shown
from dialer.report.story import seconds, seller_name


def callee_section(dossier: Dossier, words: Words) -> Section | None:
    """Near misses and complaints; consents and refusals are told in the summary."""
    say, matter, blocks = words.say, dossier.matter, list[Block]()
    if matter.reviews:
        columns = [
            ("", 8),
            (say("When (UTC)", "时间（UTC）"), 20),
            (say("What was heard", "听到的内容"), 42),
            (say("Judged", "判定"), 30),
        ]
        blocks += [Heading(say("Near misses: words that may be a refusal", "疑似拒绝：可能是拒绝的话语"))]
        blocks += [Table(columns, [_review(each, words) for each in matter.reviews])]
    if matter.complaints:
        columns = [
            (say("Complaint", "投诉"), 19), (say("Received (UTC)", "收到时间（UTC）"), 18), (say("From", "来源"), 14),
            (say("What it says", "内容"), 32), (say("Answer, outcome", "答复、结果"), 17),
        ]  # fmt: skip
        blocks += [
            Heading(say("Complaints", "投诉")),
            Table(columns, [_complaint(each, words) for each in matter.complaints]),
        ]
    return Section(say("Near misses and complaints", "疑似拒绝与投诉"), blocks) if blocks else None


def _review(record: Any, words: Words) -> list[str]:
    spoken = record.review.artefact
    heard = f"{shown(spoken.transcript)}\n{seconds(spoken.start_ms)}–{seconds(spoken.end_ms)} s"
    judged = label("review", record.decision, words.language) if record.decision else words.say("open", "待判定")
    by = f"\n{instant(record.decided_at)}\n{shown(record.decided_by, 64)}" if record.decision else ""
    return [str(record.id), instant(record.review.at), heard, judged + by]


def _complaint(row: Mapping[str, Any], words: Words) -> list[str]:
    number = f"{row.get('id')}\n{shown(row.get('case_number'), 64)}"
    end = "\n".join(shown(row[name], 300) for name in ("answer", "outcome") if row.get(name))
    return [
        number,
        shown(row.get("received_at")),
        words.list([shown(row[each], 200) for each in ("source", "authority") if row.get(each)]),
        shown(row.get("text"), 1000),
        end or shown(None),
    ]


def numbers_section(dossier: Dossier, words: Words) -> Section | None:
    """The numbers that were presented and the right to them, sellers and trunks."""
    say, matter = words.say, dossier.matter
    if not matter.calls:
        return None
    columns = [
        (say("Number", "号码"), 18), (say("Trunk", "中继"), 16), (say("Holder", "号码使用权人"), 24),
        (say("For", "商家"), 18),        (say("Use", "用途"), 10), (say("Registered (UTC)", "登记时间（UTC）"), 14),
    ]  # fmt: skip
    rows = [
        [
            n.number,
            n.trunk,
            shown(n.holder, 200),
            seller_name(n.seller, dossier, words),
            shown(n.use, 100),
            instant(n.registered_at),
        ]
        for n in matter.numbers
    ]
    blocks: list[Block] = [Table(columns, rows)] if rows else []
    known = {(each.trunk, each.number) for each in matter.numbers}
    unknown = sorted(
        {(c.presented, c.trunk) for c in matter.calls if c.presented and (c.trunk, c.presented) not in known}
    )
    if unknown:
        shown_ones = words.list([f"{shown(number, 40)} / {shown(trunk, 64)}" for number, trunk in unknown[:30]])
        blocks.append(
            Para(
                say(
                    f"Not registered now, neither for this seller nor for another: {shown_ones}. Entries "
                    "`number.added` and `number.removed` tell what was.",
                    f"目前未登记：{shown_ones}。此前的登记见 number.added 与 number.removed 条目。",
                )
            )
        )
    blocks += _history(matter.entries, words)
    trunks = [
        [t.name, t.country, label("origin", t.origin.value, words.language), instant(t.created_at)]
        for t in matter.trunks
    ]
    if trunks:
        columns = [
            (say("Trunk", "中继"), 30),
            (say("Country", "国家"), 15),
            (say("Calls", "线路性质"), 30),
            (say("Registered (UTC)", "登记时间（UTC）"), 25),
        ]
        blocks.append(Table(columns, trunks))
    return Section(say("Presented numbers and the right to them", "显示号码及其使用权"), blocks) if blocks else None


def _history(entries: Any, words: Words) -> list[Block]:
    say, rows = words.say, []
    for entry in entries:
        if entry.kind in ("number.added", "number.removed") and entry.payload:
            said = json.loads(entry.payload)
            done = say("registered", "登记") if entry.kind == "number.added" else say("ended", "终止")
            whose = shown(said.get("seller") or "*", 64)
            rows.append(
                [
                    instant(entry.at),
                    done,
                    shown(said.get("number"), 40),
                    whose,
                    shown(said.get("holder"), 100),
                    shown(said.get("by"), 64),
                ]
            )
    columns = [
        (say("When (UTC)", "时间（UTC）"), 20), (say("What", "事项"), 12), (say("Number", "号码"), 20),
        (say("For", "商家"), 14),        (say("Holder", "使用权人"), 18), (say("By", "操作者"), 16),
    ]  # fmt: skip
    return [Table(columns, rows)] if rows else []


def rules_section(dossier: Dossier, words: Words) -> Section | None:
    """The rules that were cited, with their sources; then the others that decide on calls."""
    say, rules, blocks = words.say, dossier.rules, list[Block]()
    for version in rules.versions:
        if version.differs:
            changes = words.list([shown(each, 80) for each in version.differs])
            told = say(
                f"Decided by version {shown(version.cited, 200)}, but installed now: {changes}. The words below are "
                "those that are installed; what was decided, and by which rule ids, the entries tell.",
                f"裁决依据版本 {shown(version.cited, 200)}，但目前安装的已不同：{changes}。以下为现行文本；"
                "当时的裁决及规则编号以条目为准。",
            )
            blocks.append(Para(told, warns=True))
    if not rules.texts:
        return None
    columns = [
        (say("Rule", "规则"), 23),
        (say("What it says", "内容"), 35),
        (say("Source", "来源"), 28),
        (say("In force", "施行日期"), 14),
    ]
    for cited, title in ((True, say("Cited", "被援引")), (False, say("Also in force", "其他适用规则"))):
        rows = [_rule(each, words) for each in rules.texts if each.cited is cited]
        blocks += [Heading(title), Table(columns, rows)] if rows else []
    return Section(say("Rules", "规则"), blocks)


def _rule(rule: Any, words: Words) -> list[str]:
    source = (
        f"{shown(rule.source)}\n({label('authority', rule.authority, words.language)})" if rule.source else shown(None)
    )
    since, until = rule.effective_from, rule.effective_to
    dates = words.say(f"from {since}" if since else "", f"自 {since}" if since else "")
    dates += words.say(f"\nuntil {until}" if until else "", f"\n至 {until}" if until else "")
    version = f"\n{shown(rule.version, 60)}" if rule.version else ""
    return [f"{shown(rule.id, 80)}{version}", rule_words(rule, words), source, dates.strip() or shown(None)]


def looks_section(dossier: Dossier, words: Words) -> Section | None:
    """Who has looked at this person's data."""
    say, looks = words.say, ("lookup", "evidence.exported")
    found = [entry for entry in dossier.matter.entries if entry.kind in looks]
    rows = [[str(entry.id), instant(entry.at), *_look(entry, words)] for entry in found]
    if not rows:
        return None
    columns = [
        (say("Entry", "条目"), 10),
        (say("When (UTC)", "时间（UTC）"), 22),
        (say("By", "何人"), 22),
        (say("What", "查看内容"), 46),
    ]
    return Section(say("Who looked at it", "谁查看过"), [Table(columns, rows)])


def _look(entry: Entry, words: Words) -> list[str]:
    if entry.payload is None:
        return [words.say("erased", "已删除")] * 2
    said = json.loads(entry.payload)
    exported = words.say("made a bundle", "导出证据包")
    what = shown(said.get("what"), 100) if entry.kind == "lookup" else exported
    more = said.get("detail") if entry.kind == "lookup" else said.get("reason")
    return [shown(said.get("by"), 100), what + (f": {shown(more, 300)}" if more else "")]


def files_section(dossier: Dossier, words: Words) -> Section | None:
    """What is attached, and what should be and is not."""
    say = words.say
    if not dossier.attachments:
        return None
    columns = [
        (say("File", "文件"), 34),
        (say("Of", "属于"), 22),
        (say("Kind", "类型"), 16),
        (say("Here?", "是否在包中"), 28),
    ]
    rows = []
    for each in dossier.attachments:
        here = say(f"yes, {each.size} bytes", f"在，{each.size} 字节")
        if each.missing is not None:
            here = say("NO: ", "不在：") + label("missing", each.missing, words.language)
        rows.append(
            [f"files/{each.sha256}", words.list([shown(of, 60) for of in each.of]), shown(each.media_type, 60), here]
        )
    return Section(say("Files", "文件"), [Table(columns, rows)])


def erased_section(dossier: Dossier, words: Words) -> Section | None:
    """What was erased, when and why."""
    say, matter = words.say, dossier.matter
    gone = [entry.id for entry in matter.entries if entry.payload is None]
    rows = [_erasure(entry, words) for entry in matter.entries if entry.kind == "evidence.erased" and entry.payload]
    if not gone and not rows:
        return None
    ids = words.list([str(id) for id in gone[:40]]) + ("…" if len(gone) > 40 else "")
    told = say(
        f"What these entries said is erased: {ids}. That they were made, and when, stays proved.",
        f"以下条目的内容已被删除：{ids}。其存在与时间仍有证明。",
    )
    columns = [(say("Entry", "条目"), 12), (say("When (UTC)", "时间（UTC）"), 24), (say("Why", "原因"), 64)]
    return Section(say("Erased", "已删除"), [Para(told), Table(columns, rows)] if rows else [Para(told)])


def _erasure(entry: Entry, words: Words) -> list[str]:
    said = json.loads(entry.payload or "{}")
    basis, why = label("erased", said.get("basis"), words.language), said.get("reason")
    rules = [
        f"{shown(rule, 80)}: {shown(days, 20)} {words.say('days', '天')}" for rule, days in said.get("rules") or ()
    ]
    return [str(entry.id), instant(entry.at), "\n".join([basis, *([shown(why)] if why else []), *rules])]
