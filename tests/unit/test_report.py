"""Reports of evidence: what they say, that nothing in them is more than text, and that their picture can be read."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pypdfium2  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dialer.bundle_rules import Version, rules_of
from dialer.bundles import Stretch
from dialer.policy.facts import Basis, CallKind
from dialer.ports_bundles import Matter
from dialer.ports_registers import ConsentRecord, NewConsent
from dialer.report import render, render_stretch
from dialer.report.axis import Axis
from dialer.report.breaking import broken
from dialer.report.document import report_of
from dialer.report.drawing import svg
from dialer.report.html import page
from dialer.report.model import Para, Report
from dialer.report.timeline import clusters, timeline
from dialer.verdict import Language
from tests.dossiers import CALLEE, NOON, VERSION, call, dossier, large, matter, small
from tests.gate_world import packs

_HIDDEN = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


def words(report: Report) -> str:
    """Everything that a report's paragraphs and lists say."""
    return page(report).decode()


def text_of(pdf: bytes) -> str:
    """The words of a PDF."""
    with pypdfium2.PdfDocument(pdf) as document:
        return "\n".join(sheet.get_textpage().get_text_range() for sheet in document)


def warnings(about: Matter, language: Language = "en") -> list[str]:
    """What the report warns of."""
    report = report_of(dossier(about), language)
    return [b.text for section in report.sections for b in section.blocks if isinstance(b, Para) and b.warns]


@given(st.text(max_size=60) | st.sampled_from(["<script>alert(1)</script>", "]]>&lt;\u202e'\"--><!--", "{{ 7*7 }}"]))
@hypothesis_settings(max_examples=30, deadline=None)
def test_hostile_text_stays_text(text: str) -> None:
    """Whatever a caller says: no tag, no control and no direction-turning character of his is in page or picture."""
    made = dossier(small(text))
    html = page(report_of(made, "en")).decode()
    plain = page(report_of(dossier(small("harmless")), "en")).decode()
    assert re.findall(r"</?[a-zA-Z!][^\s>]*", html) == re.findall(r"</?[a-zA-Z!][^\s>]*", plain)
    assert not _HIDDEN.search(html)
    picture = svg(timeline(made.matter))
    assert not _HIDDEN.search(picture)
    ElementTree.fromstring(picture)  # noqa: S314 - our own


def test_a_pdf_says_what_the_page_says() -> None:
    """Number, words of the refusal, rule and source are in both PDFs, in their languages; the same content gives the
    same bytes."""
    made = dossier(small("stop \x1b[2J\u202e now \U0001f600 不要再打了"))
    files = render(made, ("en", "zh")).files
    assert files["report.zh.pdf"] == render(made, ("zh",)).files["report.zh.pdf"]
    english, chinese = text_of(files["report.en.pdf"]), text_of(files["report.zh.pdf"])
    for text in (english, chinese):
        assert f"+{CALLEE}" in text
        assert "stop \\x1b[2J\\u202e now \\U0001f600 不要再打了" in re.sub(r"\s+", " ", text)
        assert made.id in text
        assert "CN.refusal" in text
    assert "no call left after it" in english
    assert "此后没有呼出" in chinese
    assert "被叫明确拒绝后不得再次拨打" in chinese.replace("\r\n", "")
    assert "/ 4" in english


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_tells_whether_he_was_called_after_the_refusal(language: Language) -> None:
    """A marketing call after the refusal is a warning; a call before it, one that a consent allows, and one that is no
    marketing is none."""
    quiet = small()
    assert warnings(quiet, language) == []
    late = replace(quiet, calls=[*quiet.calls, call(3, NOON + timedelta(days=3))])
    (told,) = warnings(replace(late, entries=matter(late.calls, [], [], [], "x").entries), language)
    assert "3" in told
    agreed = NewConsent(CALLEE, "acme", "marketing", Basis.WRITTEN, (CallKind.LIVE,), NOON + timedelta(days=1), lifts=1)
    lifted = replace(late, consents=[ConsentRecord(2, agreed, None, NOON, "test")])
    assert not [each for each in warnings(lifted, language) if each.startswith(("Refusal", "拒绝"))]
    exempt = [*quiet.calls, replace(call(3, NOON + timedelta(days=3)), reasons=("NON_MARKETING",))]
    assert not [w for w in warnings(replace(late, calls=exempt), language) if w.startswith(("Refusal", "拒绝"))]


def test_without_a_chinese_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Chinese PDF is left out, and that is said; the English one shows what it has no letters for as escapes."""
    monkeypatch.setattr("dialer.report.pdf.chinese_font", lambda: None)
    made = render(dossier(small("不要 stop")), ("en", "zh"))
    assert [file for file, _ in made.left_out] == ["report.zh.pdf"]
    assert "report.zh.html" in made.files
    assert "\\u4e0d\\u8981 stop" in text_of(made.files["report.en.pdf"])


def test_a_decision_that_is_erased() -> None:
    """Its call is still told of; that what it rested on is erased is a warning, not a gap."""
    about = small()
    entries = [replace(e, salt=None, payload=None) if e.kind == "decision" else e for e in about.entries]
    erased = replace(about, entries=entries)
    assert len(warnings(erased)) == 3
    assert "What these entries said is erased: 1, 2." in words(report_of(dossier(erased), "en"))


def test_another_pack_is_installed() -> None:
    """When the packs in force were others than those installed, the report and the records say which."""
    about = small()
    assert rules_of(about, packs()).versions == (Version(VERSION),)
    older = replace(about, calls=[replace(each, rule_version="CN@2020-01-01+admin:abcdef01") for each in about.calls])
    versions = {each.cited: each.differs for each in rules_of(older, packs()).versions}
    assert versions["CN@2020-01-01+admin:abcdef01"] == (f"CN@2020-01-01 -> {VERSION}", "admin:abcdef01 -> admin:none")
    assert "CN@2020-01-01" in warnings(older)[0]


def test_every_built_in_rule_has_words() -> None:
    """Each built-in rule that the gate can cite is explained in both languages."""
    dialer = Path(__file__).parents[2] / "dialer"
    files = [*(dialer / "policy").glob("*.py"), dialer / "gate.py", dialer / "switches.py", dialer / "calls.py"]
    cited = {found for file in files for found in re.findall(r'"(core\.[a-z_]+)"', file.read_text("utf-8"))}
    assert len(cited) > 10
    about = small()
    entries = matter([replace(about.calls[1], reasons=tuple(cited))], [], [], [], "x").entries
    said = [replace(e, payload=_grounds(sorted(cited))) if e.kind == "decision" else e for e in entries]
    rules = rules_of(replace(about, entries=said), packs())
    assert {each.id for each in rules.texts if each.id in cited and each.english and each.chinese} == cited


def _grounds(rules: list[str]) -> str:
    listed = ",".join(f'["REFUSED","{rule}",""]' for rule in rules)
    return f'{{"facts":null,"verdict":{{"grounds":[{listed}]}}}}'


@given(st.lists(_INSTANTS, max_size=40))
@hypothesis_settings(max_examples=60, deadline=None)
def test_the_axis_keeps_the_order(instants: list[datetime]) -> None:
    """A later instant never stands to the left of an earlier one, and none leaves the picture."""
    axis = Axis(instants, 100.0, 700.0)
    places = [axis.place(at) for at in sorted(instants)]
    assert places == sorted(places)
    assert all(99.9 <= place <= 700.1 for place in places)


@given(st.lists(st.floats(100, 700), max_size=500))
@hypothesis_settings(max_examples=60, deadline=None)
def test_marks_do_not_overlap(places: list[float]) -> None:
    """However many events: each is counted once, and marks stand at least nine points apart."""
    groups = clusters(places)
    assert sum(count for _, count in groups) == len(places)
    assert all(right - left >= 9 for (left, _), (right, _) in pairwise(groups))


def test_a_picture_of_many_events() -> None:
    """Five hundred calls are one picture of bounded height, and every label lies within it."""
    drawing = timeline(large())
    assert drawing.height < 400
    assert len(drawing.shapes) < 600
    picture = ElementTree.fromstring(svg(drawing))  # noqa: S314 - our own
    labels = picture.findall("{http://www.w3.org/2000/svg}text")
    assert labels
    assert all(
        0 < float(each.attrib["x"]) < drawing.width and 0 < float(each.attrib["y"]) < drawing.height for each in labels
    )


@given(st.text(max_size=120), st.integers(2, 40))
@hypothesis_settings(max_examples=80, deadline=None)
def test_lines_are_no_wider_than_the_column(text: str, width: int) -> None:
    """No line is too wide, nothing but spaces at a line's end is lost."""
    lines = broken(text, width, lambda part: float(len(part)))
    assert all(len(line) <= width for line in lines.split("\n"))
    assert re.sub(r"[ \n]", "", lines) == re.sub(r"[ \n]", "", text)


def test_chinese_lines_break_well() -> None:
    """A line never begins with a comma, and a date is not cut."""
    lines = broken("已于 2026-10-21 撤回，同意。", 10, lambda part: float(len(part))).split("\n")
    assert "2026-10-21" in lines
    assert not any(line.startswith(("，", "。")) for line in lines)


def test_a_stretch_is_told() -> None:
    """The report of a stretch says what was found, and what it proves, in the language asked for."""
    stretch = Stretch({"cli": "+862161234567"}, 3, 9, summary={"zh": ["没有呼叫。"]}, title={"zh": "查询"})
    files = render_stretch(stretch, dossier(Matter(small().scope), subject={"trace": stretch.subject}), ("zh",)).files
    html = files["report.zh.html"].decode()
    assert "没有呼叫。" in html
    assert "+862161234567" in html
    assert "permit.redeemed" in text_of(files["report.zh.pdf"])
