"""A small world for the tests of the policy core: packs of a few rules, and a call to which nothing is objected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dialer.numbers import Number, NumberClass
from dialer.policy.admin import AdminPolicy
from dialer.policy.decide import decide
from dialer.policy.facts import Basis, Consent, Facts, PresentedNumber, Seller, Trunk, TrunkOrigin
from dialer.policy.pack import PackSet
from dialer.policy.schema import PackFile
from dialer.verdict import Reason, Verdict

ALL_DAY = [["00:00", "24:00"]]
NOON = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
"""A Wednesday, 12:00 in Shanghai; no holiday."""

CALLEE = Number("+8613800138000", NumberClass.MOBILE, ("CN",), (), ("Asia/Shanghai",))
CALLER = Number("95123", NumberClass.SERVICE_95, ("CN",), (), ())
GRANTED = datetime(2026, 1, 5, tzinfo=UTC)


def rule(kind: str, name: str = "", **fields: Any) -> dict[str, Any]:
    """One rule as TOML would give it; `fields` add or override."""
    return {
        "id": f"XX.{kind}{'.' if name else ''}{name}",
        "kind": kind,
        "authority": "law",
        "source": "a test",
        "confidence": "high",
        "text": {"en": "A rule.", "zh": "规则。"},
        **fields,
    }


CONSENT = rule("consent", model="opt_in")
REFUSAL = rule("refusal", bars="forever", lifted_by_consent=True)


def window(name: str = "", hours: Any = ALL_DAY, **fields: Any) -> dict[str, Any]:
    """A window rule with the same hours every day, unless `days` says otherwise."""
    return rule("window", name, **{"days": {"every_day": hours}, "holidays": "as_weekday", **fields})


def cap(name: str = "", limit: int = 1, window: str = "24h", **fields: Any) -> dict[str, Any]:
    """A cap rule over all attempts of the seller."""
    return rule(
        "cap", name, **{"limit": limit, "window": window, "per": "callee_seller", "counts": "attempts", **fields}
    )


def pack_file(*rules: dict[str, Any], **fields: Any) -> PackFile:
    """A pack of region CN with the id XX; with a consent and a refusal rule unless rules of that kind are given."""
    kinds = {each["kind"] for each in rules}
    base = [each for each in (CONSENT, REFUSAL) if each["kind"] not in kinds]
    data = {
        "id": "XX",
        "version": "1",
        "regions": ["CN"],
        "name": {"en": "Test", "zh": "测试"},
        "notice": {"en": "Not legal advice.", "zh": "非法律意见。"},
        "calendar": {"country": "CN", "verified_through": "2026-12-31"},
        "rules": [*base, *rules],
        **fields,
    }
    return PackFile.model_validate(data)


def pack_set(*rules: dict[str, Any], admin: AdminPolicy | None = None, **fields: Any) -> PackSet:
    """Only that pack, with an administrator's policy."""
    packs = PackSet([pack_file(*rules, **fields)])
    return packs if admin is None else packs.with_admin(admin)


def consent(id_: int = 1, **fields: Any) -> Consent:
    """An express consent for the call of `call`, open-ended."""
    given = {"seller": "acme", "purpose": "marketing", "basis": Basis.EXPRESS, "granted_at": GRANTED, **fields}
    return Consent(id_, **given)


def call(**fields: Any) -> Facts:
    """A live marketing call by `acme` to which nothing is objected at `NOON`; `fields` change it."""
    given = {
        "callee": CALLEE,
        "seller_code": "acme",
        "seller": Seller("acme"),
        "consents": (consent(),),
        "presented": PresentedNumber(CALLER, ("acme",)),
        "trunk": Trunk("carrier", "CN", TrunkOrigin.DOMESTIC),
        "trunk_asked": True,
        **fields,
    }
    return Facts(**given)


def verdict(facts: Facts, *rules: dict[str, Any], now: datetime = NOON, **pack: Any) -> Verdict:
    """The verdict on a call under a pack of these rules."""
    return decide(facts, pack_set(*rules, **pack).for_callee(facts.callee, facts.address), now)


def reasons(facts: Facts, *rules: dict[str, Any], now: datetime = NOON, **pack: Any) -> set[Reason]:
    """Its reasons."""
    return set(verdict(facts, *rules, now=now, **pack).reasons)
