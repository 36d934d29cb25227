"""What type of line a national number is, for countries that have a calling code to themselves.

The same answers as `phonenumbers.number_type`, from the library's own plans (a test holds the two together), but each
plan's patterns are compiled once and only those of the number's length are tried. Countries that share a calling code
are left to the library, which must first find out whose the number is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberType
from phonenumbers.phonemetadata import PhoneNumberDesc

_Match = Callable[[str], object]
_NO_REGION = "001"

# In the library's order: the first that fits.
_SPECIAL = (
    (PhoneNumberType.PREMIUM_RATE, "premium_rate"),
    (PhoneNumberType.TOLL_FREE, "toll_free"),
    (PhoneNumberType.SHARED_COST, "shared_cost"),
    (PhoneNumberType.VOIP, "voip"),
    (PhoneNumberType.PERSONAL_NUMBER, "personal_number"),
    (PhoneNumberType.PAGER, "pager"),
    (PhoneNumberType.UAN, "uan"),
    (PhoneNumberType.VOICEMAIL, "voicemail"),
)


@dataclass(frozen=True, slots=True)
class _Plan:
    """One country's patterns for numbers of one length."""

    general: _Match | None
    special: tuple[tuple[int, _Match], ...]
    fixed: _Match | None
    mobile: _Match | None


_plans: dict[tuple[str, int], _Plan | None] = {}


def kind(code: str, national: str) -> int | None:
    """A `PhoneNumberType`, or None when the calling code is not one country's own."""
    key = (code, len(national))
    try:
        plan = _plans[key]
    except KeyError:
        plan = _plans[key] = _compiled(code, len(national))
    if plan is None:
        return None
    if plan.general is None or not plan.general(national):
        return PhoneNumberType.UNKNOWN
    for found, match in plan.special:
        if match(national):
            return found
    fixed = plan.fixed is not None and bool(plan.fixed(national))
    mobile = plan.mobile is not None and bool(plan.mobile(national))
    if fixed:
        return PhoneNumberType.FIXED_LINE_OR_MOBILE if mobile else PhoneNumberType.FIXED_LINE
    return PhoneNumberType.MOBILE if mobile else PhoneNumberType.UNKNOWN


def _compiled(code: str, length: int) -> _Plan | None:
    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code), ())
    if len(regions) != 1 or regions[0] == _NO_REGION:
        return None
    metadata = PhoneMetadata.metadata_for_region(regions[0])
    if metadata is None:
        return None
    special = ((found, _match(getattr(metadata, name), length)) for found, name in _SPECIAL)
    return _Plan(
        _match(metadata.general_desc, length),
        tuple((found, match) for found, match in special if match is not None),
        _match(metadata.fixed_line, length),
        _match(metadata.mobile, length),
    )


def _match(desc: PhoneNumberDesc | None, length: int) -> _Match | None:
    """The pattern of a kind of number; None when none of this length can be of it."""
    if desc is None or not desc.national_number_pattern:
        return None
    # No lengths given: the general ones hold, and those were looked at before.
    if desc.possible_length and length not in desc.possible_length:
        return None
    return re.compile(desc.national_number_pattern).fullmatch
