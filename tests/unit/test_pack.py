"""Packs: what is accepted, what is not and in which words, and how packs combine for a callee."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from dialer.errors import HeedlineError, PackError
from dialer.numbers import Fault, Number, NumberClass, NumberFault
from dialer.policy.facts import Address
from dialer.policy.pack import PackSet, load_pack, load_packs
from dialer.policy.schema import WindowRule
from tests.unit.policy_world import CALLEE, cap, pack_file, pack_set, rule, window

TEXT = """
id = "XX"
version = "1"
regions = ["CN"]
name = {en = "Test", zh = "测试"}
notice = {en = "Not legal advice.", zh = "非法律意见。"}
calendar = {country = "CN", verified_through = 2026-12-31}

[[rules]]
id = "XX.consent"
kind = "consent"
authority = "law"
source = "a test"
confidence = "high"
text = {en = "A rule.", zh = "规则。"}
model = "opt_in"
bases = ["written"]
max_age_days = {written = 30}

[[rules]]
id = "XX.window"
kind = "window"
authority = "law"
source = "a test"
confidence = "high"
effective_from = 2026-01-01
effective_to = 2027-01-01
text = {en = "A rule.", zh = "规则。"}
days = {weekdays = [["09:00", "12:00"], ["14:00", "20:00"]], sat = [["10:00", "24:00"]], sun = []}
holidays = "closed"
also_zones = ["Asia/Shanghai"]
"""


def test_a_good_pack_is_read_whole() -> None:
    """Shorthands of weekdays expand, times become minutes, and `24:00` is the end of the day."""
    window_rule = load_pack(TEXT, "XX.toml").rules[1]
    assert isinstance(window_rule, WindowRule)
    assert window_rule.days.fri == ((540, 720), (840, 1200))
    assert window_rule.days.sat == ((600, 1440),)
    assert window_rule.days.sun == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('model = "opt_in"', 'model = "opt_in"\nlimit = 3', "rule `XX.consent`: limit: unknown key; correct"),
        ('version = "1"', 'version = "1"\ncolour = 1', "XX.toml: colour: unknown key; correct"),
        ("[[rules]]\nid", "[[rulez]]\nid", "rulez: unknown key"),
        ('["14:00", "20:00"]', '["11:00", "20:00"]', "days.mon: `11:00`-`20:00` overlaps `09:00`-`12:00`"),
        ('["14:00", "20:00"]', '["08:00", "08:30"]', "days.mon: `08:00` comes after `09:00`"),
        (
            '["14:00", "20:00"]',
            '["14:00", "13:00"]',
            "rule `XX.window`: days.mon: the end `13:00` is not after the start",
        ),
        ('["14:00", "20:00"]', '["14:00", "14:00"]', "days.mon: the end `14:00` is not after the start"),
        ('["14:00", "20:00"]', '["14:00", "24:01"]', "days.mon: `24:01` is no time of day; write it as `HH:MM`"),
        ('["14:00", "20:00"]', '["14:00"]', "days.mon: `['14:00']` is no pair of times"),
        ('["14:00", "20:00"]', "[840, 1200]", "days.mon: `840` is no time of day"),
        ("sun = []", "sunday = []", "rule `XX.window`: days.sunday: unknown key"),
        (", sun = []", "", "rule `XX.window`: days.sun: is missing; add it"),
        ("sun = []", "sun = [], mon = []", "days: the hours of `mon` are given twice"),
        ("sun = []", "sun = [], holiday = []", "days.holiday: unknown key"),
        ('"Asia/Shanghai"', '"Asia/Peking"', "also_zones.1: `Asia/Peking` is no known time zone; use an IANA name"),
        ('"Asia/Shanghai"', '"../../etc/passwd"', "also_zones.1: `../../etc/passwd` is no known time zone"),
        ('holidays = "closed"', 'holidays = "shut"', "holidays: `shut` is not understood"),
        ('holidays = "closed"', "", "holidays: is missing"),
        ('bases = ["written"]', 'bases = ["oral"]', "rule `XX.consent`: bases.1: `oral` is not one of"),
        ("{written = 30}", "{written = 0}", "max_age_days.written: `0` is too small"),
        ("{written = 30}", "{written = true}", "max_age_days.written: `True` is no whole number"),
        ('kind = "consent"', 'kind = "assent"', "rule `XX.consent`: kind: `assent` is not one of"),
        ("\ndays = {", "\ndays = 1 #", "rule `XX.window`: days: `1` is no table"),
        ('kind = "consent"', "", "rule `XX.consent`: kind: is missing"),
        ("2027-01-01", "2026-01-01", "rule `XX.window`: `effective_to` 2026-01-01 is not after"),
        ("2027-01-01", '"soon"', "rule `XX.window`: effective_to: `soon` is no date"),
        ("2027-01-01", "2027-02-30", "XX.toml: not TOML:"),
        ('id = "XX.window"', 'id = "XX.consent"', "rule `XX.consent`: id: another rule has it too"),
        ('id = "XX.window"', 'id = "YY.window"', "rule `YY.window`: id: does not begin with the pack's id; begin it"),
        ('id = "XX.window"', "", "rule `number 2`: id: is missing"),
        ('authority = "law"', 'authority = "rumour"', "authority: `rumour` is not one of"),
        ('authority = "law"', 'authority = "administrator"', "authority: `administrator` is no authority of a pack"),
        ('zh = "规则。"', 'fr = "règle"', "rule `XX.consent`: text.fr: unknown key"),
        (
            'regions = ["CN"]',
            'regions = ["China"]',
            "XX.toml: regions.1: `China` has the wrong form; write it like `CN`",
        ),
        ('country = "CN"', 'country = "ZZ"', "calendar: no holidays are known for `ZZ`"),
        ("calendar = {", "#", "rule `XX.window`: holidays: the pack has no calendar to ask; add a `calendar`"),
        ("\ndays = {", "\ndayz = {", "rule `XX.window`: dayz: unknown key"),
    ],
)
def test_a_bad_pack_is_refused_in_words_that_name_the_place_and_the_cure(old: str, new: str, said: str) -> None:
    """Each fault is one line that begins with the file and names rule, field, what is wrong and the cure."""
    assert old in TEXT
    with pytest.raises(PackError) as caught:
        load_pack(TEXT.replace(old, new), "XX.toml")
    message = str(caught.value)
    assert message.startswith("XX.toml: ")
    assert said in message
    assert "\n" not in message
    assert caught.value.cure


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (cap(window="1w"), "`1w` is no duration"),
        (cap(window="0h"), "`0h` is no duration"),
        (cap(limit=0), "greater than or equal to 1"),
        (rule("refusal"), "it must say how long a refusal bars, once"),
        (rule("refusal", bars="forever", bars_days=3), "it must say how long a refusal bars, once"),
        (rule("refusal", bars="forever", exempt_bases=["written"]), "cannot set a refusal aside"),
        (rule("caller_number"), "it allows and denies nothing"),
        (rule("caller_number", denied_classes=["landline"]), "Input should be 'mobile'"),
        (rule("caller_number", denied_prefixes=["06*"]), "`06*` has the wrong form"),
        (rule("callee_number", denied_classes=[]), "at least 1 item"),
        (window(subdivisions=["Florida"]), "`Florida` has the wrong form"),
        (window(industries=["gambling"]), "Input should be 'finance'"),
        (window(eve=[["10:00", "09:00"]]), "the end `09:00` is not after the start `10:00`"),
        (rule("list", list="Bad Name", interval_days=31), "`Bad Name` has the wrong form"),
        (rule("retention", of="rumour", days=3), "Input should be 'decision'"),
    ],
)
def test_every_kind_of_rule_refuses_what_it_does_not_understand(bad: dict[str, object], said: str) -> None:
    """No kind of rule accepts a value that would decide nothing."""
    with pytest.raises(ValueError, match="validation error") as caught:
        pack_file(bad)
    assert said in str(caught.value)


def test_errors_are_heedlines_own() -> None:
    """A pack's error can be caught as any error of the product, and its text joins problem and cure."""
    error = PackError("it is wrong", "mend it")
    assert isinstance(error, HeedlineError)
    assert str(error) == "it is wrong; mend it"


def _write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def test_two_packs_may_not_cover_one_region(tmp_path: Path) -> None:
    """Which of two packs would hold must never depend on the order of files."""
    twin = TEXT.replace('"XX', '"YY')
    with pytest.raises(PackError, match=r"YY.toml: regions: `CN` is also covered by XX.toml"):
        load_packs(_write(tmp_path, XX=TEXT, YY=twin))


def test_only_one_pack_may_cover_the_rest(tmp_path: Path) -> None:
    """Two packs without regions are refused."""
    rest = TEXT.replace('regions = ["CN"]', "regions = []")
    with pytest.raises(PackError, match="`the rest` is also covered by"):
        load_packs(_write(tmp_path, XX=rest, YY=rest.replace('"XX', '"YY')))


def test_two_packs_may_not_share_an_id(tmp_path: Path) -> None:
    """An id names one file."""
    with pytest.raises(PackError, match="is also the id of"):
        load_packs(_write(tmp_path, XX=TEXT, YY=TEXT))


def test_a_folder_without_packs_is_an_error(tmp_path: Path) -> None:
    """No packs at all is never taken for `no rules`."""
    with pytest.raises(PackError, match="there are no policy packs"):
        load_packs(tmp_path)
    with pytest.raises(PackError, match="cannot be read"):
        load_packs(tmp_path / "nowhere")
    (tmp_path / "XX.toml").write_bytes("# 策略".encode("gbk"))
    with pytest.raises(PackError, match="cannot be read"):
        load_packs(tmp_path)


def test_a_callee_in_two_regions_is_held_to_both_packs() -> None:
    """The version names both packs, and an address that is not verified adds its region."""
    other = pack_file(id="YY", regions=["US"], rules=[rule("consent", id="YY.consent", model="opt_out")])
    packs = PackSet([pack_file(), other])
    both = packs.for_callee(CALLEE, Address("US-NY", ("America/New_York",)))
    assert both is not None
    assert both.version == "XX@1+YY@1"
    assert [each.id for each in both.rules_in_force(date(2026, 1, 1))] == ["XX.consent", "XX.refusal", "YY.consent"]


def test_a_verified_address_replaces_the_numbers_region() -> None:
    """Only the pack of the address holds then."""
    other = pack_file(id="YY", regions=["US"], rules=[rule("consent", id="YY.consent", model="opt_out")])
    pack = PackSet([pack_file(), other]).for_callee(CALLEE, Address("US-NY", (), verified=True))
    assert pack is not None
    assert pack.version == "YY@1"


def test_a_region_that_nothing_covers_has_no_pack() -> None:
    """Without a pack for the rest there is None, also when another candidate region is covered."""
    packs = pack_set()
    abroad = Number("+33612345678", NumberClass.MOBILE, ("FR",), (), ("Europe/Paris",))
    assert packs.for_callee(abroad, None) is None
    assert packs.for_callee(abroad, Address("CN", ())) is None
    assert packs.for_callee(NumberFault(Fault.EMPTY, ""), None) is None


def test_the_pack_for_the_rest_covers_the_rest() -> None:
    """A region without a pack, and a number of no region, get the pack without regions."""
    packs = PackSet([pack_file(regions=[])])
    for regions in (("FR",), ()):
        pack = packs.for_callee(Number("+80012345678", NumberClass.INTERNATIONAL_SERVICE, regions, (), ()), None)
        assert pack is not None
        assert pack.version == "XX@1"


def test_packs_are_compiled_once_for_a_place() -> None:
    """Asking again for the same place gives the same object."""
    packs = pack_set()
    assert packs.for_callee(CALLEE, None) is packs.for_callee(CALLEE, None)


def _ids(packs: PackSet, *subdivisions: str, region: str = "US") -> list[str]:
    number = Number("+12125550123", NumberClass.FIXED, (region,), subdivisions, ("America/New_York",))
    pack = packs.for_callee(number, None)
    assert pack is not None
    return [each.id for each in pack.rules_in_force(date(2026, 3, 4)) if each.kind == "window"]


def test_rules_of_a_subdivision_hold_where_the_callee_may_be_in_it() -> None:
    """Any candidate counts; with none known every subdivision of a country where he may be does."""
    overlay = window("florida", subdivisions=["US-FL"])
    packs = pack_set(overlay, regions=["US", "PR"], calendar={"country": "US", "verified_through": "2026-12-31"})
    assert _ids(packs, "US-NY") == []
    assert _ids(packs, "US-NY", "US-FL") == ["XX.window.florida"]
    assert _ids(packs) == ["XX.window.florida"]
    assert _ids(packs, region="PR") == []


def test_rules_end_and_begin_on_their_dates() -> None:
    """`effective_from` is the first day in force and `effective_to` the first day out of force."""
    packs = pack_set(window(effective_from="2026-03-01", effective_to="2026-04-01"))
    pack = packs.for_callee(CALLEE, None)
    assert pack is not None
    days = [date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 31), date(2026, 4, 1)]
    assert ["XX.window" in [each.id for each in pack.rules_in_force(day)] for day in days] == [False, True, True, False]


def test_the_longest_cap_is_known() -> None:
    """A pack and a set say how far back attempts must be loaded."""
    packs = pack_set(cap("a", window="24h"), cap("b", window="30d"), cap("c", window="5m"))
    pack = packs.for_callee(CALLEE, None)
    assert pack is not None
    assert pack.longest_cap() == packs.longest_cap() == timedelta(days=30)
    assert pack_set().longest_cap() == timedelta(0)


def test_the_packs_that_are_shipped_load_and_cover_the_rest() -> None:
    """Every shipped pack is valid, and there is a rule for every region on Earth."""
    packs = load_packs()
    assert {"CN", "US", "default"} <= {pack.id for pack in packs.packs}
    assert packs.for_callee(Number("+5511912345678", NumberClass.MOBILE, ("BR",), (), ()), None) is not None
