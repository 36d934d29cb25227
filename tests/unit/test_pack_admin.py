"""The administrator's policy: it tightens freely, and loosens only with a reason that is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dialer.errors import PackError
from dialer.policy.decide import decide
from dialer.policy.pack import PackSet, load_admin
from dialer.verdict import Outcome, Reason
from tests.unit.policy_world import CALLEE, NOON, call, pack_set, window

TIGHTEN = """
[[tighten]]
pack = "XX"
[tighten.rule]
id = "XX.admin.morning"
kind = "window"
days = {every_day = [["09:00", "11:00"]]}
holidays = "as_weekday"
"""
LOOSEN = """
[[loosen]]
rule = "XX.window"
reason = "agreed in the contracts"
by = "A. Li"
since = 2026-03-04
"""
REPLACEMENT = """
[loosen.replacement]
id = "XX.window"
kind = "window"
authority = "project_default"
days = {every_day = [["11:00", "13:00"]]}
holidays = "as_weekday"
"""


def _outcome(packs: PackSet, now: datetime = NOON) -> Outcome:
    return decide(call(), packs.for_callee(CALLEE), now).outcome


def test_a_tightening_forbids_what_the_pack_permits() -> None:
    """A rule of the administrator's holds beside the pack's, and the version says that something was changed."""
    packs = pack_set(window())
    tightened = packs.with_admin(load_admin(TIGHTEN, "policy.toml"))
    assert _outcome(packs) is Outcome.ALLOW
    assert _outcome(tightened) is Outcome.DEFER
    pack = tightened.for_callee(CALLEE)
    assert pack is not None
    assert pack.version.startswith("XX@1+admin:")
    assert tightened.loosenings == ()


def test_a_rule_of_the_administrators_says_so() -> None:
    """Its authority is `administrator`, also where it claims to be a project default."""
    admin = load_admin(LOOSEN + REPLACEMENT, "policy.toml")
    assert admin.loosen[0].replacement is not None
    assert admin.loosen[0].replacement.authority == "administrator"
    assert load_admin(TIGHTEN, "policy.toml").tighten[0].rule.authority == "administrator"


def test_a_loosening_holds_from_its_date_and_is_kept() -> None:
    """The day before the rule still forbids; from `since` on its replacement alone does."""
    packs = pack_set(window(hours=[["09:00", "11:00"]])).with_admin(load_admin(LOOSEN + REPLACEMENT, "policy.toml"))
    assert _outcome(packs, datetime(2026, 3, 3, 4, 0, tzinfo=UTC)) is Outcome.DEFER
    assert _outcome(packs, NOON) is Outcome.ALLOW
    assert _outcome(packs, datetime(2026, 3, 4, 2, 0, tzinfo=UTC)) is Outcome.DEFER
    assert [(each.rule, each.by) for each in packs.loosenings] == [("XX.window", "A. Li")]


def test_a_loosening_without_replacement_ends_the_rule() -> None:
    """Nothing of the rule holds from `since` on."""
    packs = pack_set(window(hours=[])).with_admin(load_admin(LOOSEN, "policy.toml"))
    assert _outcome(packs) is Outcome.ALLOW


def test_a_pack_that_lost_its_refusal_rule_allows_nothing() -> None:
    """Loosening the rule on refusals away closes the pack instead of opening it."""
    admin = load_admin(LOOSEN.replace("XX.window", "XX.refusal"), "policy.toml")
    verdict = decide(call(), pack_set().with_admin(admin).for_callee(CALLEE), NOON)
    assert verdict.reasons == (Reason.PACK_UNAVAILABLE,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            LOOSEN.replace('reason = "agreed in the contracts"\n', ""),
            "policy.toml: loosen.1.reason: is missing; add it",
        ),
        (LOOSEN.replace('by = "A. Li"\n', ""), "loosen.1.by: is missing"),
        (LOOSEN.replace("since = 2026-03-04\n", ""), "loosen.1.since: is missing"),
        (LOOSEN.replace("agreed in the contracts", ""), "loosen.1.reason: `` is no text of the right length"),
        (TIGHTEN.replace("11:00", "08:00"), "rule `XX.admin.morning`: days.mon: the end `08:00` is not after"),
        (TIGHTEN + 'colour = "red"', "rule `XX.admin.morning`: colour: unknown key"),
        ("[[relax]]", "policy.toml: relax: unknown key"),
    ],
)
def test_a_policy_that_is_not_understood_is_refused(text: str, said: str) -> None:
    """A loosening needs reason, person and date; nothing unknown is skipped."""
    with pytest.raises(PackError) as caught:
        load_admin(text, "policy.toml")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TIGHTEN.replace('"XX"', '"YY"'), "there is no pack `YY`; name one of `XX`"),
        (LOOSEN.replace("XX.window", "XX.windows"), "rule `XX.windows`: pack `XX` has no such rule"),
        (LOOSEN + LOOSEN, "rule `XX.window`: it is loosened twice"),
        (TIGHTEN.replace("XX.admin.morning", "XX.window"), "rule `XX.window`: id: another rule has it too"),
        (TIGHTEN.replace("XX.admin.morning", "YY.morning"), "rule `YY.morning`: id: does not begin with the pack's id"),
        (LOOSEN.replace("XX.window", "XX.refusal") + REPLACEMENT, "kind: `window` cannot stand for `refusal`"),
        (LOOSEN + REPLACEMENT.replace('"XX.window"', '"XX.consent"'), "rule `XX.consent`: id: another rule has it too"),
    ],
)
def test_a_policy_must_fit_the_packs(text: str, said: str) -> None:
    """What names a pack or rule that does not exist, or clashes with one, is an error and not ignored."""
    packs = pack_set(window())
    with pytest.raises(PackError) as caught:
        packs.with_admin(load_admin(text, "policy.toml"))
    assert said in str(caught.value)
    assert caught.value.cure
