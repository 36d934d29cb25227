"""China's service codes: what `phonenumbers` calls invalid, fixed or shared cost, and Chinese rules treat apart.

Classes follow the Telecommunications Network Numbering Plan: 95 and 96 service codes, 400 numbers, 106 message ports,
12x public services. Bare codes are reachable only within China and have no E.164 form.
"""

from __future__ import annotations

import re

from dialer.numbering.model import NumberClass

# 112 is the GSM emergency code; 999 is Beijing's Red Cross ambulance; 95110 the coast guard; 12119 forest fires;
# 12395 rescue at sea. An emergency number is never blocked, so a doubtful one belongs here.
_EMERGENCY = frozenset({"110", "112", "119", "120", "122", "999", "95110", "12119", "12395"})
_POLICE_OF_ANOTHER_CITY = re.compile(r"0(?:10|2[0-9]|[3-9][0-9]{2})(?:110|119|120|122)")

# In order: the first that matches decides.
_BARE = (
    (re.compile(r"96110|12[0-3][0-9]{2}"), NumberClass.PUBLIC_SERVICE),
    (re.compile(r"95[0-9]{3,4}"), NumberClass.SERVICE_95),
    (re.compile(r"950[0-9]{4,6}|950[0-9]{9,12}|95[1-7][0-9]{4,12}"), NumberClass.SERVICE_95),
    (re.compile(r"96[0-9]{3,4}"), NumberClass.SERVICE_96),
    (re.compile(r"106[0-9]{1,17}"), NumberClass.MESSAGE_PORT),
    (re.compile(r"10[01][0-9]{2}|100[0-9]{4}|11[4-8][0-9]{0,3}|125[0-9]{2,3}"), NumberClass.SHORT),
)

# Services that the library knows with an E.164 form, though no foreign network reaches them.
_NATIONAL_SERVICE = (
    (re.compile(r"400[0-9]{7}"), NumberClass.SERVICE_400),
    (re.compile(r"950[0-9]{7,8}"), NumberClass.SERVICE_95),
)

# A service code behind an area code (`010 96156`): fewer digits than any subscriber number of the area has.
_AREA = r"(?:10|2[0-9]|[3-9][0-9]{2})"
_BEHIND_AREA = (
    (re.compile(_AREA + r"95[0-9]{3,4}"), NumberClass.SERVICE_95),
    (re.compile(_AREA + r"96[0-9]{3,4}"), NumberClass.SERVICE_96),
    (re.compile(_AREA + r"100[0-9]{2}"), NumberClass.SHORT),
    (re.compile(_AREA + r"123[0-9]{2}"), NumberClass.PUBLIC_SERVICE),
)


def bare_code(digits: str) -> NumberClass | None:
    """The class of a code dialled as it is within China (`110`, `95588`, `10690000`), or None when it is no code."""
    if digits in _EMERGENCY or _POLICE_OF_ANOTHER_CITY.fullmatch(digits):
        return NumberClass.EMERGENCY
    if digits[:1] not in ("1", "9"):
        return None
    return next((cls for pattern, cls in _BARE if pattern.fullmatch(digits)), None)


def service(national: str) -> NumberClass | None:
    """The class of a national significant number that is a service with an E.164 form, or None for a subscriber's."""
    if national.startswith("1") and len(national) == 11:  # a mobile, by far the most frequent
        return None
    found = next((cls for pattern, cls in _NATIONAL_SERVICE if pattern.fullmatch(national)), None)
    if found is None and len(national) <= 9:
        found = next((cls for pattern, cls in _BEHIND_AREA if pattern.fullmatch(national)), None)
    return found


def takes_zero(national: str, cls: NumberClass) -> bool:
    """Whether a `0` may stand before the number: it belongs before area codes, never before a mobile or a service."""
    return cls is NumberClass.FIXED or any(pattern.fullmatch(national) for pattern, _ in _BEHIND_AREA)


def is_mobile_of_wrong_length(national: str) -> bool:
    """Whether the digits begin like a mobile number (11 digits) but are too few or too many."""
    return len(national) != 11 and national[:1] == "1" and national[1:2] >= "3"
