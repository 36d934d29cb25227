"""A dossier as a report in one language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dialer.bundle_records import Dossier
from dialer.bundles import Stretch
from dialer.report import calls, registers
from dialer.report.model import Block, Code, Figure, Pairs, Para, Report, Section, Words, instant, shown
from dialer.report.story import summary
from dialer.report.timeline import timeline
from dialer.verdict import Language


def report_of(dossier: Dossier, language: Language) -> Report:
    """The report of a callee, a call or a complaint."""
    words = Words(language)
    say, matter = words.say, dossier.matter
    picture = timeline(matter, language)
    sections = [
        Section(
            say("About this bundle", "关于本证据包"), [Pairs(_head(dossier, words)), Para(_times(words), small=True)]
        ),
        Section(say("Timeline", "时间线"), [Figure(picture)]),
        Section(say("Summary", "摘要"), summary(dossier, words)),
        registers.callee_section(dossier, words),
        calls.calls_section(dossier, words),
        calls.details_section(dossier, words),
        registers.numbers_section(dossier, words),
        registers.rules_section(dossier, words),
        registers.looks_section(dossier, words),
        registers.files_section(dossier, words),
        registers.erased_section(dossier, words),
        Section(say("How to verify this bundle", "如何验证本证据包"), _verify(dossier, words)),
    ]
    return _report(dossier, words, say("Evidence", "证据报告"), [each for each in sections if each])


def stretch_report(stretch: Stretch, dossier: Dossier, language: Language) -> Report:
    """The report of a stretch of the log."""
    words = Words(language)
    say = words.say
    proof = say(
        f"This bundle holds every leaf of the log from index {stretch.start} to before {stretch.end}, and the hashes "
        f"that lead from them to the signed root: none is left out. Those of kind {words.list(stretch.kinds)} are "
        "opened. No call leaves for the carrier without such an entry, so what is not among them did not happen.",
        f"本证据包含有日志中序号自 {stretch.start} 起至 {stretch.end} 之前的每一片叶子，以及由其推至已签名根的散列："
        f"无一遗漏。其中类型为 {words.list(stretch.kinds)} 的条目均已公开内容。没有这样的条目就没有呼出，"
        "因此其中没有的，就没有发生。",
    )
    found: list[Block] = [Para(shown(each, 1000)) for each in stretch.summary.get(language, ())]
    sections = [
        Section(
            say("About this bundle", "关于本证据包"), [Pairs(_head(dossier, words)), Para(_times(words), small=True)]
        ),
        *([Section(say("What was found", "查得结果"), found)] if found else []),
        Section(say("What this proves", "证明了什么"), [Para(proof)]),
        Section(say("How to verify this bundle", "如何验证本证据包"), _verify(dossier, words)),
    ]
    title = stretch.title.get(language) or say("Evidence of calls", "呼叫证据报告")
    return _report(dossier, words, title, sections)


def _report(dossier: Dossier, words: Words, title: str, sections: list[Section]) -> Report:
    whose = _subject(dossier.subject, words)
    running = f"{title} · {whose} · {dossier.id}"
    return Report(words.language, title, whose, shown(running, 120), dossier.made_at, sections)


def _subject(subject: Mapping[str, Any], words: Words) -> str:
    say = words.say
    if "number" in subject:
        return shown(subject["number"], 40)
    if "call" in subject:
        return say(f"call {shown(subject['call'], 100)}", f"呼叫 {shown(subject['call'], 100)}")
    if "complaint" in subject:
        return say(f"complaint {subject['complaint']}", f"投诉 {subject['complaint']}")
    asked = subject.get("trace", {})
    return words.list([f"{shown(name, 40)} {shown(value, 100)}" for name, value in asked.items() if value is not None])


def _head(dossier: Dossier, words: Words) -> list[tuple[str, str]]:
    say, log = words.say, dossier.log
    callee = dossier.matter.scope.callee
    pairs = [(say("Subject", "对象"), _subject(dossier.subject, words))]
    if callee is not None and "number" not in dossier.subject:
        pairs.append((say("Callee", "被叫"), f"+{callee}"))
    pairs += [
        (say("Made", "制作时间"), f"{instant(dossier.made_at)} UTC"),
        (say("By", "制作者"), f"{shown(dossier.by, 100)}, Heedline {shown(dossier.version, 40)}"),
        (say("Reason", "事由"), shown(dossier.reason)),
        (say("Bundle", "证据包编号"), dossier.id),
        (say("Log", "日志"), shown(log.name, 200)),
        (
            say("Log when gathered", "汇集时的日志"),
            say(f"{log.size} leaves, root {log.root}", f"{log.size} 片叶子，根 {log.root}")
            if log.size
            else shown(None),
        ),
    ]
    return [*pairs, *((say("Key of the log", "日志公钥"), shown(key, 300)) for key in log.keys)]


def _times(words: Words) -> str:
    return words.say(
        "All times are UTC unless another zone is named. Text that came from switches, files or callers is shown "
        "with control "
        "characters as escapes.",
        "除另有注明外，时间均为 UTC。来自交换机、文件或来电者的文字，其控制字符以转义形式显示。",
    )


def _verify(dossier: Dossier, words: Words) -> list[Block]:
    say = words.say
    key = shown(dossier.log.keys[-1], 300) if dossier.log.keys else "KEY"
    return [
        Para(
            say(
                "Nobody need believe this report. Each statement rests on entries of a log whose root is signed; "
                "this report, the records and the attached files are bound to it by their hashes, in the entry of "
                "this export. The program `heedline-verify` checks all of it without network and without the "
                "operator; it needs Python and the package `cryptography`.",
                "无须相信本报告。每一项陈述都基于日志条目，日志的根带有签名；本报告、"
                "记录与附件的散列写在本次导出的条目中，从而与日志绑定。程序 heedline-verify 可在没有网络、"
                "不依赖运营者的情况下核验全部内容，只需 Python 与 cryptography 软件包。",
            )
        ),
        Code(f"heedline-verify BUNDLE.zip --key '{key}'"),
        Para(
            say(
                "Get the key by another way than this bundle, for instance from the operator's published checkpoint "
                "page or from an earlier bundle; the one above is only what this installation says of itself. The "
                "bundle's own checkpoint, later than the one named in this report, is in the file `checkpoint`.",
                "公钥应从本证据包以外的途径取得，例如运营者公布的检查点页面或更早的证据包；"
                "上面的公钥只是本系统的自述。本证据包的检查点晚于报告中所列者，见文件 checkpoint。",
            )
        ),
    ]
