"""Digits without `+`, as dialled in one country -> Number: short codes, international prefix, national form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from phonenumbers import (
    SUPPORTED_REGIONS,
    PhoneMetadata,
    PhoneNumber,
    country_code_for_region,
    is_emergency_number,
    is_valid_short_number_for_region,
)

from dialer.numbering import china, plan, zones
from dialer.numbering.model import Fault, Number, NumberClass

# The emergency code of every GSM network (3GPP TS 22.101), wherever it is.
GSM_EMERGENCY = "112"

# Countries that changed their national prefix and still hear the old one.
_OTHER_PREFIXES = {"BY": ("80", "0"), "LT": ("0",)}

# International prefixes that name a carrier (`17909 00`, `14 11 0011`) are a choice that is not the dialler's to make.
_PLAIN_INTERNATIONAL = re.compile(r"0[0-9]*|810|119")
_LONGEST_INTERNATIONAL = 6

_LONGEST_SHORT = 9  # digits; outside China, whose codes have their own table


@dataclass(frozen=True, slots=True)
class Home:
    """How one country dials."""

    region: str
    calling_code: str
    national_prefixes: tuple[str, ...]
    international_prefix: re.Pattern[str]


@lru_cache(maxsize=512)
def home(country: str) -> Home | None:
    """The dialling rules of an ISO 3166-1 country (either case), or None when no plan for it is known."""
    region = country.upper()
    if region not in SUPPORTED_REGIONS:
        return None
    metadata = PhoneMetadata.metadata_for_region(region)
    if metadata is None or metadata.international_prefix is None:
        return None
    prefix = metadata.national_prefix
    return Home(
        region=region,
        calling_code=str(country_code_for_region(region)),
        national_prefixes=((prefix,) if prefix else ()) + _OTHER_PREFIXES.get(region, ()),
        international_prefix=re.compile(metadata.international_prefix),
    )


def dialled(digits: str, at: Home) -> Number | Fault:
    """The number that these digits reach when dialled there, or why there is none."""
    code = _code(digits, at)
    if code is not None:
        return code
    abroad = _abroad(digits, at)
    if isinstance(abroad, Number):
        return abroad
    inland = _inland(digits, at)
    if isinstance(inland, Number):
        return inland
    if len(digits) <= _LONGEST_SHORT and _is_short(digits, at):
        return _bare(digits, NumberClass.SHORT, at)
    return inland if abroad is None else abroad


def _code(digits: str, at: Home) -> Number | None:
    """An emergency code, or one of China's service codes."""
    if at.region == "CN":
        cls = china.bare_code(digits)
        return None if cls is None else _bare(digits, cls, at)
    if digits == GSM_EMERGENCY or (len(digits) < 7 and is_emergency_number(digits, at.region)):
        return _bare(digits, NumberClass.EMERGENCY, at)
    return None


def _bare(digits: str, cls: NumberClass, at: Home) -> Number:
    return Number(digits, cls, (at.region,), (), zones.of_country(at.calling_code, at.region))


def _is_short(digits: str, at: Home) -> bool:
    zeros = len(digits) - len(str(int(digits)))
    number = PhoneNumber(
        country_code=int(at.calling_code),
        national_number=int(digits),
        italian_leading_zero=zeros > 0,
        number_of_leading_zeros=zeros,
    )
    return is_valid_short_number_for_region(number, at.region)


def _abroad(digits: str, at: Home) -> Number | Fault | None:
    """The number behind an international prefix; None when the digits begin with none.

    Where prefixes of different lengths fit (Hong Kong's 00, 001, 008) and lead to different numbers, neither is taken.
    """
    found: dict[str, Number] = {}
    fault: Fault | None = None
    for length in range(1, min(_LONGEST_INTERNATIONAL, len(digits)) + 1):
        prefix = digits[:length]
        if not (at.international_prefix.fullmatch(prefix) and _PLAIN_INTERNATIONAL.fullmatch(prefix)):
            continue
        outcome = plan.international(digits[length:])
        if isinstance(outcome, Number):
            found[outcome.e164] = outcome
        elif fault is None:
            fault = outcome
    if len(found) > 1:
        return Fault.COUNTRY_UNKNOWN
    return next(iter(found.values()), fault)


def _inland(digits: str, at: Home) -> Number | Fault:
    """The number in national form, with or without the national prefix, or with the country's own code in front.

    Where two readings are numbers (`4915123456789` in Germany: a mobile with its country code, or a landline in Aurich)
    neither is taken.
    """
    found: dict[str, Number] = {}
    faults: list[Fault] = []
    for form in _national_forms(digits, at):
        outcome = plan.international(form)
        if isinstance(outcome, Fault):
            faults.append(outcome)
        elif at.region == "CN" and digits.startswith("0") and not china.takes_zero(form[2:], outcome.cls):
            return Fault.EXTRA_ZERO
        else:
            found[outcome.e164] = outcome
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        return Fault.COUNTRY_UNKNOWN
    extra_zero = at.region == "CN" and digits.startswith("0") and china.bare_code(digits[1:]) is not None
    return Fault.EXTRA_ZERO if extra_zero or Fault.EXTRA_ZERO in faults else faults[0]


def _national_forms(digits: str, at: Home) -> list[str]:
    """What the digits may mean, as E.164 digits; at least one."""
    code = at.calling_code
    forms = [code + digits[len(p) :] for p in at.national_prefixes if digits.startswith(p) and digits != p]
    if not (forms and digits.startswith("0")):  # no national number begins with 0 where 0 is the national prefix
        forms.append(code + digits)
    if digits.startswith(code):
        forms.append(digits)
    return forms
