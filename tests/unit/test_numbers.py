"""Numbers: the corpus, the hostile texts, and what holds for every text."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dialer.numbers import Fault, Number, NumberClass, NumberFault, describe, from_e164_digits, parse

CORPUS = tomllib.loads((Path(__file__).parents[1] / "corpus" / "numbers.toml").read_text("utf-8"))["case"]
COUNTRIES = ["CN", "US", "GB", "IT", "DE", "AU", "HK", "RU", "JP", "AR", "HU", "SG", "WS", "XX", "", None]


def example_numbers() -> list[str]:
    """An E.164 number of every country and kind that the library has an example of."""
    examples = (
        phonenumbers.example_number_for_type(region, kind)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in phonenumbers.PhoneNumberType.values()
    )
    return [phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164) for found in examples if found]


countries = st.sampled_from(COUNTRIES)
number_like = st.text(alphabet="0123456789+ -.()/", max_size=34)
digit_texts = st.text(alphabet="0123456789", min_size=1, max_size=20)
prefixed = st.tuples(
    st.sampled_from(["+86", "+861", "0086", "0", "1", "+1", "+39", "+44", "95", "400", "106", "011", "00", ""]),
    digit_texts,
).map("".join)
# Digits that are, or nearly are, numbers of every country and kind: examples of the library with their ends replaced.
plausible = st.builds(
    lambda example, tail: example[: len(example) - len(tail)] + tail,
    st.sampled_from(example_numbers()),
    st.text(alphabet="0123456789", max_size=5),
)
any_text = st.one_of(st.text(max_size=80), number_like, prefixed, plausible)


def named(case: dict[str, Any]) -> str:
    """The case as pytest shows it."""
    return f"{case['raw'].encode('unicode_escape').decode()[:40]}@{case.get('country', '')}"


def bare(text: str) -> str:
    """The ASCII digits of a text."""
    return "".join(character for character in text if character in "0123456789")


def number(raw: str, country: str | None = None) -> Number:
    """`raw` as a number, or a failed test."""
    found = parse(raw, country)
    assert isinstance(found, Number), found
    return found


@pytest.mark.parametrize("case", CORPUS, ids=named)
def test_corpus(case: dict[str, Any]) -> None:
    """A text means what its case says: number, class, places and zones, or the fault."""
    found = parse(case["raw"], case.get("country"))
    if "fault" in case:
        assert isinstance(found, NumberFault)
        assert found.fault == case["fault"]
        return
    assert isinstance(found, Number), found
    assert (found.e164, found.cls) == (case["e164"], case["class"])
    assert found.regions == tuple(case.get("regions", found.regions))
    assert set(case.get("regions_include", ())) <= set(found.regions)
    assert found.subdivisions == tuple(case.get("subdivisions", found.subdivisions))
    assert found.zones == tuple(case.get("zones", found.zones))
    assert set(case.get("zones_include", ())) <= set(found.zones)


def test_corpus_covers_every_class_and_fault() -> None:
    """No fault is without a case, and no class but those that few countries have."""
    assert {case["fault"] for case in CORPUS if "fault" in case} == set(Fault)
    rare = {NumberClass.VOIP, NumberClass.PAGER, NumberClass.VOICEMAIL, NumberClass.SHARED_COST}
    assert {case["class"] for case in CORPUS if "class" in case} >= set(NumberClass) - rare


@given(any_text, countries)
def test_no_text_raises(raw: str, country: str | None) -> None:
    """Every text is a number or a fault, whatever the country."""
    assert isinstance(parse(raw, country), Number | NumberFault)


@given(any_text, st.text(max_size=3))
def test_no_country_raises(raw: str, country: str) -> None:
    """A country that does not exist is no error either."""
    assert isinstance(parse(raw, country), Number | NumberFault)


@given(any_text, countries)
def test_digits_agree(raw: str, country: str | None) -> None:
    """An accepted text holds the number's digits whole: they end it, and before them stand prefixes alone."""
    found = parse(raw, country)
    if not isinstance(found, Number):
        return
    digits = bare(raw)
    if raw.strip().startswith("+"):
        assert found.e164 == "+" + digits
    elif not found.is_e164:
        assert found.e164 == digits
    else:
        code = len(str(phonenumbers.parse(found.e164).country_code))
        assert digits.endswith(found.e164[1 + code :])


@example("30000000000000", "DE")  # a plan that allows more digits than E.164
@given(any_text, countries)
def test_a_number_parses_to_itself(raw: str, country: str | None) -> None:
    """What parse understood it understands again: E.164 without a country, codes in their own, digits from storage."""
    found = parse(raw, country)
    if not isinstance(found, Number):
        return
    if found.is_e164:
        assert parse(found.e164) == found
        assert parse(found.e164, "IT") == found
        assert from_e164_digits(found.digits) == found
        assert 0 < found.digits < 10**15
    else:
        assert parse(found.e164, country) == found
        assert found.digits == 0


@given(st.one_of(prefixed, plausible), countries, st.data())
def test_separators_change_nothing(raw: str, country: str | None, data: st.DataObject) -> None:
    """Spaces, hyphens, dots and slashes between digits leave the result as it is."""
    separator = st.sampled_from(["", "", "", " ", "-", ".", "/", " - "])
    separated = raw[0] + "".join(
        (data.draw(separator) if before != "+" else "") + digit for before, digit in pairwise(raw)
    )
    plain, found = parse(raw, country), parse(separated, country)
    if len(separated) <= 32:
        assert found == plain or isinstance(found, NumberFault)
        assert isinstance(found, NumberFault) == isinstance(plain, NumberFault)


@given(st.text(max_size=200), countries)
def test_fault_is_fit_to_log(raw: str, country: str | None) -> None:
    """A fault's text is short, printable and can be encoded, whatever was sent."""
    found = parse(raw, country)
    if isinstance(found, NumberFault):
        assert len(found.raw) <= 64
        assert found.raw.isprintable()
        found.raw.encode("utf-8")


@given(st.integers())
def test_no_stored_integer_raises(digits: int) -> None:
    """A stored integer is the number of those digits, or a fault."""
    found = from_e164_digits(digits)
    assert isinstance(found, NumberFault) or found.digits == digits


@pytest.mark.parametrize(
    "raw", ["9" * 500, "\0" * 500, "+" + "8" * 10_000, "\ud800" * 33, "()" * 1000, "1 " * 1_000_000]
)
def test_long_texts_are_refused_at_once(raw: str) -> None:
    """A text over 32 characters is too long before anything else is asked, and is not remembered."""
    from dialer import numbers  # noqa: PLC0415 (its cache is no part of the API)

    before = numbers._parse.cache_info().currsize
    found = parse(raw, "CN")
    assert isinstance(found, NumberFault)
    assert found.fault is Fault.TOO_LONG
    assert numbers._parse.cache_info().currsize == before


def test_memory_is_bounded() -> None:
    """The cache of texts has a limit."""
    from dialer import numbers  # noqa: PLC0415

    assert numbers._parse.cache_info().maxsize == 65_536


@pytest.mark.parametrize("position", range(15))
@pytest.mark.parametrize(
    "intruder", ["\n", "\0", "&", "@", ";", "x", "٣", "３", "\u200e", "+", ",", "#", "*", "$", "'"]
)
def test_one_foreign_character_is_enough(intruder: str, position: int) -> None:
    """A character that no number has makes the text a fault, wherever it stands."""
    whole = "+8613800138000"
    found = parse(whole[:position] + intruder + whole[position:], "CN")
    assert isinstance(found, NumberFault)
    assert found.fault is Fault.CHARACTERS


def test_control_characters_are_escaped() -> None:
    """A fault shows control characters as escapes, never raw, and cuts no escape in half."""
    found = parse("1\n\0\x1b\u202e", "CN")
    assert isinstance(found, NumberFault)
    assert found.raw == r"1\n\x00\x1b\u202e"
    long = parse("\0" * 100)
    assert isinstance(long, NumberFault)
    assert long.raw == r"\x00" * 16


def test_lone_surrogates_are_faults() -> None:
    """A text that cannot be encoded is refused, and its fault can be stored."""
    found = parse("1380013800\udc80", "CN")
    assert isinstance(found, NumberFault)
    assert found.raw == r"1380013800\udc80"


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_is_explained(fault: Fault) -> None:
    """Each fault has a sentence in both languages that shows the text and, after a colon, the cure."""
    example = NumberFault(fault, "{0}1380013800x")
    english, chinese = describe(example, "en"), describe(example, "zh")
    assert ": " in english
    assert not english.endswith(".")
    assert "：" in chinese
    assert english.isascii()
    if fault is not Fault.EMPTY:
        assert "`{0}1380013800x`" in english
        assert "`{0}1380013800x`" in chinese


def test_emergency_in_every_country() -> None:
    """112 is an emergency number on every trunk, so that no missing setting can stop that call."""
    for country in [*sorted(phonenumbers.SUPPORTED_REGIONS), "XX", "", None]:
        assert number("112", country).cls is NumberClass.EMERGENCY


def test_emergency_codes_are_the_countrys() -> None:
    """A country's own emergency codes are known, and are not emergencies elsewhere."""
    for code, country in [("911", "MX"), ("999", "HK"), ("000", "AU"), ("110", "JP"), ("111", "NZ"), ("190", "BR")]:
        assert number(code, country).cls is NumberClass.EMERGENCY
    for code, country in [("911", "GB"), ("110", "US"), ("000", "US"), ("120", "GB")]:
        found = parse(code, country)
        assert isinstance(found, NumberFault) or found.cls is not NumberClass.EMERGENCY


def test_codes_are_never_stored_as_numbers() -> None:
    """A short code has no E.164 digits: 9513123456 of China is not +95 1 312 3456 of Myanmar."""
    code = number("9513123456", "CN")
    assert not code.is_e164
    assert code.digits == 0
    assert isinstance(from_e164_digits(0), NumberFault)


@pytest.mark.parametrize(
    ("raw", "country", "first", "second"),
    [
        ("0016598765432", "HK", "+6598765432", "+16598765432"),  # 001 then Singapore, or 00 then Alabama
        ("4915123456789", "DE", "+4915123456789", "+494915123456789"),  # a mobile, or a landline in Aurich
    ],
)
def test_ambiguous_digits_are_refused(raw: str, country: str, first: str, second: str) -> None:
    """Where two readings of the digits are both numbers, neither is taken."""
    assert number(first) != number(second)
    found = parse(raw, country)
    assert isinstance(found, NumberFault)
    assert found.fault is Fault.COUNTRY_UNKNOWN
