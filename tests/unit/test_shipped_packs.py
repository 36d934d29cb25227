"""The shipped policy packs, as data: what each rule says about itself, and that overlays only tighten."""

from __future__ import annotations

import re

import pytest

from dialer.policy.packset import load_packs
from dialer.policy.schema import CapRule, ConductRule, ConsentRule, PackFile, Rule, WindowRule
from dialer.policy.windows import intersect

PACKS = {pack.id: pack for pack in load_packs().packs}
RULES = [rule for pack in PACKS.values() for rule in pack.rules]
SECTORS = ("finance", "property", "health", "recruitment_tourism")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def _id(rule: Rule) -> str:
    return rule.id


def test_jurisdictions() -> None:
    """Thirteen jurisdictions and the strict default are shipped."""
    assert set(PACKS) == {"CN", "US", "GB", "IN", "AU", "CA", "FR", "DE", "ES", "IT", "JP", "SG", "HK", "default"}


@pytest.mark.parametrize("rule", RULES, ids=_id)
def test_rule_says_what_it_rests_on(rule: Rule) -> None:
    """A project default says that it is one, memory is of low confidence, and each text is in its language."""
    assert rule.authority != "project_default" or rule.source.startswith("Project default")
    assert rule.authority != "project_default" or rule.confidence == "low"
    assert "from memory" not in rule.source or rule.confidence == "low"
    assert CHINESE.search(rule.text.zh)
    assert not CHINESE.search(rule.text.en)
    assert rule.text.en.endswith(".")
    assert rule.text.zh.endswith("。")


@pytest.mark.parametrize("pack", PACKS.values(), ids=lambda pack: pack.id)
def test_pack_is_complete(pack: PackFile) -> None:
    """Each pack rules on consent to both kinds of call, refusals, hours, numbers and evidence, and offers a key."""
    kinds = {rule.kind for rule in pack.rules}
    assert {"consent", "refusal", "window", "caller_number", "callee_number", "retention", "conduct"} <= kinds
    for kind in ("live", "prerecorded"):
        assert any(rule.kind == "consent" and (not rule.call_kinds or kind in rule.call_kinds) for rule in pack.rules)
    assert any(rule.kind == "refusal" and rule.bars == "forever" and rule.lifted_by_consent for rule in pack.rules)
    assert {rule.of for rule in pack.rules if rule.kind == "retention"} >= {"decision", "consent"}
    keys = {rule.key: rule.value for rule in pack.rules if isinstance(rule, ConductRule)}
    assert keys["refusal_key"] == "9"
    assert "|" in str(keys["refusal_phrases"])
    assert "advice" in pack.notice.en


def _chinese(kind: type[Rule], sector: str | None) -> list[Rule]:
    wanted = () if sector is None else (sector,)
    return [
        each for each in PACKS["CN"].rules if isinstance(each, kind) and each.industries == wanted and not each.purposes
    ]


@pytest.mark.parametrize("sector", SECTORS)
def test_sector_has_fewer_hours(sector: str) -> None:
    """A sector's hours lie within everybody's on each weekday, are fewer in the week, and holidays are closed."""
    (base,), (own,) = _chinese(WindowRule, None), _chinese(WindowRule, sector)
    assert isinstance(base, WindowRule)
    assert isinstance(own, WindowRule)
    for all_, its in zip(base.days.by_weekday, own.days.by_weekday, strict=True):
        assert intersect(its, all_) == its
    assert own.days.by_weekday != base.days.by_weekday
    assert own.holidays == "closed"


@pytest.mark.parametrize("sector", SECTORS)
def test_sector_has_a_lower_cap(sector: str) -> None:
    """A sector's monthly cap is lower than everybody's."""
    everybody = min(cap.limit for cap in _chinese(CapRule, None) if isinstance(cap, CapRule) and cap.window.days == 30)
    (own,) = _chinese(CapRule, sector)
    assert isinstance(own, CapRule)
    assert own.window.days == 30
    assert own.limit < everybody


def test_health_needs_writing() -> None:
    """Medical and health food accept a written consent alone."""
    (own,) = _chinese(ConsentRule, "health")
    assert isinstance(own, ConsentRule)
    assert own.bases == ("written",)
