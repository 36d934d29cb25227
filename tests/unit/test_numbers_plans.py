"""The number plans: agreement with the library where it is exact, and the tables that correct it."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

import phonenumbers
import pytest
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType
from phonenumbers.tzdata import TIMEZONE_DATA

from dialer.numbering import areas, zones
from dialer.numbers import Number, NumberFault, from_e164_digits, parse

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
ZONE_TABLE = [  # country, zone
    (line.split("\t")[0], line.split("\t")[2])
    for line in files("tzdata.zoneinfo").joinpath("zone.tab").read_text("utf-8").splitlines()
    if not line.startswith("#")
]
ANTARCTIC = {"Antarctica/Macquarie", "Antarctica/Palmer"}

# Area codes where the library names a zone whose clock is wrong there.
CORRECTED = {
    "1689",  # Orlando's overlay is not in Central time
    "1867",  # the Yukon left Pacific time in 2020
    "1879",  # Puerto Rico's clock is the Labrador coast's in winter alone
    "1907",  # Honolulu's clock is Adak's in winter alone
}


@cache
def clock(name: str) -> tuple[object, ...]:
    """How a zone's offset runs through a year, to compare zones by what they do."""
    zone = zoneinfo.ZoneInfo(name)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return tuple((start + timedelta(days=7 * week)).astimezone(zone).utcoffset() for week in range(53))


def number(raw: str, country: str | None = None) -> Number:
    """`raw` as a number, or a failed test."""
    found = parse(raw, country)
    assert isinstance(found, Number), (raw, country, found)
    return found


def example_of(region: str, kind: int = PhoneNumberType.FIXED_LINE) -> str:
    """The library's example number of a country and kind, as E.164; empty when it has none."""
    example = phonenumbers.example_number_for_type(region, kind)
    return phonenumbers.format_number(example, PhoneNumberFormat.E164) if example else ""


def geographic_area_codes(*countries: str) -> dict[str, str]:
    """Every North American area code with a geographic number in one of the countries, and one such number."""
    found: dict[str, str] = {}
    for code in range(200, 1000):
        for exchange in ("234", "345", "555", "789"):
            candidate = phonenumbers.PhoneNumber(country_code=1, national_number=int(f"{code}{exchange}2345"))
            kind = phonenumbers.number_type(candidate)
            geographic = kind in (
                PhoneNumberType.FIXED_LINE,
                PhoneNumberType.MOBILE,
                PhoneNumberType.FIXED_LINE_OR_MOBILE,
            )
            if geographic and phonenumbers.region_code_for_number(candidate) in countries:
                found[str(code)] = f"+1{code}{exchange}2345"
    return found


@pytest.mark.parametrize("region", REGIONS)
def test_agrees_with_the_library(region: str) -> None:
    """For each country's example numbers: the same E.164 number from every way to write it, and the country is named.

    The national form of Argentine mobiles alone is refused: its 15 is not part of the number.
    """
    for kind in PhoneNumberType.values():
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
        international = phonenumbers.format_number(example, PhoneNumberFormat.INTERNATIONAL)
        national = phonenumbers.format_number(example, PhoneNumberFormat.NATIONAL)
        assert number(e164).e164 == e164
        assert region in number(e164).regions
        assert number(international).e164 == e164
        if (region, kind) == ("AR", PhoneNumberType.MOBILE):
            assert isinstance(parse(national, region), NumberFault)
        else:
            assert number(national, region).e164 == e164


@pytest.mark.parametrize("region", REGIONS)
def test_digits_without_plus_are_never_another_number(region: str) -> None:
    """A country's number with its code but no + is that number, or refused where it may be another one."""
    for kind in PhoneNumberType.values():
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
        found = parse(e164[1:], region)
        assert isinstance(found, NumberFault) or found.e164 == e164 or not found.is_e164


def test_every_area_code_has_its_state() -> None:
    """No geographic area code of the US, its territories or Canada is missing from the table."""
    codes = geographic_area_codes("US", "CA", "PR", "GU", "VI", "MP", "AS")
    assert len(codes) > 380
    assert [code for code in codes if not areas.of_area_code(code)] == []


def test_area_codes_lie_in_the_country_of_their_number() -> None:
    """A number's subdivisions are of its country, and those of territories carry the territory's own code."""
    for example in geographic_area_codes("US", "CA", "PR", "GU", "VI", "MP", "AS").values():
        found = number(example)
        (region,) = found.regions
        prefix = f"{region}-" if region in ("US", "CA") else f"US-{region}"
        assert all(subdivision.startswith(prefix) for subdivision in found.subdivisions), found


def test_every_state_and_province_has_an_area_code() -> None:
    """The fifty states, the district, five territories, ten provinces and three territories are all there."""
    found = {subdivision for subdivisions in areas.NORTH_AMERICA.values() for subdivision in subdivisions}
    assert len([name for name in found if name.startswith("US-")]) == 56
    assert len([name for name in found if name.startswith("CA-")]) == 13


def test_no_zone_of_an_area_code_is_lost() -> None:
    """An exchange's own zone is among the zones of its area code, under the same clock if not the same name."""
    for prefix, names in TIMEZONE_DATA.items():
        if len(prefix) < 4 or not prefix.startswith("1"):
            continue
        kept = zones.of_place(prefix[:4])
        lost = {clock(name) for name in names} - {clock(name) for name in kept}
        assert not lost or prefix[:4] in CORRECTED, (prefix, names, kept)


def test_overlays_share_their_zones() -> None:
    """Codes of one area have one set of zones, however old the code is."""
    overlays = ["208 986", "270 364", "402 531", "250 236 672 257 778", "306 639 474", "709 879", "418 581 367"]
    overlays += ["850 448", "812 930", "541 458", "423 729", "407 689", "212 646 332 917", "416 647 437 942"]
    for group in overlays:
        assert len({zones.of_place("1" + code) for code in group.split()}) == 1, group


def test_every_zone_name_is_current() -> None:
    """Each zone is one that zoneinfo knows and that the database's table of zones lists: no alias, no Etc/Unknown."""
    listed = {name for _, name in ZONE_TABLE}
    names = {name for prefix in TIMEZONE_DATA for name in zones.of_place(prefix)}
    names |= {name for code in range(1, 1000) for name in zones.of_country(str(code), "")}
    names |= set(zones.of_country("7", "KZ"))
    assert names <= listed
    assert names <= zoneinfo.available_timezones()
    assert len(names) > 250


def test_zones_are_those_of_the_country() -> None:
    """Every number's zones keep a clock that is kept somewhere in its country (the library has Paris for Algeria)."""
    for region in REGIONS:
        here = {clock(name) for country, name in ZONE_TABLE if country == region}
        example = example_of(region)
        if not here or not example or region in ("CC", "CX"):  # these share Western Australia's area code
            continue
        found = number(example)
        assert {clock(name) for name in found.zones} <= here, (region, found.zones)


def test_zones_of_mobiles_cover_the_country() -> None:
    """Where mobiles are tied to no place, every clock of these countries is among their zones."""
    for region in ("AU", "RU", "ES", "PT", "EC", "PF", "PG", "CD", "NZ", "MN", "KZ", "GB", "DE"):
        found = number(example_of(region, PhoneNumberType.MOBILE))
        here = {clock(name) for country, name in ZONE_TABLE if country == region and name not in ANTARCTIC}
        assert here <= {clock(name) for name in found.zones}, (region, found.zones)


def test_national_plans_of_every_country_answer() -> None:
    """Each country that the library knows can be a trunk's: its short forms are a number or a fault, never an error."""
    for region in REGIONS:
        for raw in ("1", "0", "00", "000", "110", "911", "0" * 32, "9" * 32, "123456789"):
            assert isinstance(parse(raw, region), Number | NumberFault)


def test_stored_digits_of_all_examples_return() -> None:
    """Each country's number survives storage as an integer, leading zeros of Italian and Ivorian numbers included."""
    for region in filter(example_of, REGIONS):
        found = number(example_of(region))
        assert from_e164_digits(found.digits) == found


@pytest.mark.parametrize("region", ["GB", "DE", "FR", "CN", "AU", "JP", "IN", "SE", "NL"])
def test_zero_after_country_code_is_refused(region: str) -> None:
    """`+44 020 ...` is no number where 0 is the national prefix: the library would drop the 0 and dial on."""
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    assert metadata.national_prefix == "0"
    example = example_of(region)
    code = str(phonenumbers.country_code_for_region(region))
    found = parse(f"+{code}0{example[1 + len(code) :]}")
    assert isinstance(found, NumberFault)
    assert found.fault == "extra_zero"
