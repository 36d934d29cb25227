"""E.164 digits -> Number, by the number plans that `phonenumbers` holds.

The library's parser is not used: it drops zeros, prefixes and letters until something fits. Here the digits after the
country code must be the national significant number exactly, so what is understood is what will be dialled.
"""

from __future__ import annotations

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    PhoneNumber,
    PhoneNumberType,
    ValidationResult,
    is_number_type_geographical,
    is_possible_number_with_reason,
    is_valid_number_for_region,
    number_type,
)

from dialer.numbering import areas, china, kinds, zones
from dialer.numbering.model import Fault, Number, NumberClass

_CLASSES = {
    PhoneNumberType.FIXED_LINE: NumberClass.FIXED,
    PhoneNumberType.MOBILE: NumberClass.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberClass.FIXED_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: NumberClass.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: NumberClass.PREMIUM,
    PhoneNumberType.SHARED_COST: NumberClass.SHARED_COST,
    PhoneNumberType.VOIP: NumberClass.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: NumberClass.PERSONAL,
    PhoneNumberType.PAGER: NumberClass.PAGER,
    PhoneNumberType.UAN: NumberClass.UAN,
    PhoneNumberType.VOICEMAIL: NumberClass.VOICEMAIL,
}

# Country codes without a country (ITU-T E.164, list of assigned codes). 882 and 883 hold many networks, most of them
# maritime or machine-to-machine, so their class is unknown; Thuraya's satellites are +882 16.
_INTERNATIONAL = {
    "800": NumberClass.INTERNATIONAL_SERVICE,
    "808": NumberClass.INTERNATIONAL_SERVICE,
    "979": NumberClass.INTERNATIONAL_SERVICE,
    "870": NumberClass.SATELLITE,
    "881": NumberClass.SATELLITE,
    "878": NumberClass.PERSONAL,
    "882": NumberClass.UNKNOWN,
    "883": NumberClass.UNKNOWN,
    "888": NumberClass.UNKNOWN,
}
_NO_REGION = "001"  # how the library writes "no country"

_REGIONS = {str(code): regions for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()}
_NANP = "1"
_LONGEST = 15  # digits, the country code included (ITU-T E.164, 6.1); some plans in the library allow more
_NANP_GEOGRAPHIC = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_nanp_regions: dict[str, tuple[str, ...]] = {}  # geographic area code -> regions; at most 800 codes


def international(digits: str) -> Number | Fault:
    """The number that `+` and these digits name, or why there is none."""
    if len(digits) > _LONGEST:
        return Fault.LENGTH
    code = calling_code(digits)
    if code is None:
        return Fault.COUNTRY_UNKNOWN
    national = digits[len(code) :]
    if not national:
        return Fault.LENGTH
    kind = kinds.kind(code, national)
    number = None
    if kind is None:
        number = _library_number(code, national)
        kind = number_type(number)
    if kind == PhoneNumberType.UNKNOWN:
        return _why_not(code, national, _library_number(code, national))
    return _assigned(digits, code, national, number, kind)


def calling_code(digits: str) -> str | None:
    """The country code at the head of E.164 digits; no code is the beginning of another."""
    for length in (2, 1, 3):  # most are of two digits
        if (code := digits[:length]) in _REGIONS:
            return code
    return None


def _library_number(code: str, national: str) -> PhoneNumber:
    zeros = len(national) - len(str(int(national)))
    if not zeros:
        return PhoneNumber(country_code=int(code), national_number=int(national))
    return PhoneNumber(
        country_code=int(code),
        national_number=int(national),
        italian_leading_zero=True,
        number_of_leading_zeros=zeros,
    )


def _assigned(digits: str, code: str, national: str, number: PhoneNumber | None, kind: int) -> Number:
    service = china.service(national) if code == "86" else None
    regions = _regions(code, national, number, kind)
    if service is not None or is_number_type_geographical(kind, int(code)):
        zone_names = zones.of_place(digits)
    else:
        zone_names = zones.of_country(code, regions[0] if regions else "")
    return Number(
        e164="+" + digits,
        cls=service or _class(code, national, kind),
        regions=regions,
        subdivisions=_subdivisions(digits, code, national, kind),
        zones=zone_names,
    )


def _class(code: str, national: str, kind: int) -> NumberClass:
    if code in _INTERNATIONAL:
        thuraya = code == "882" and national.startswith("16")
        return NumberClass.SATELLITE if thuraya else _INTERNATIONAL[code]
    if code == "91" and national.startswith("160"):
        return NumberClass.UAN  # India's 1600 series of service calls, which the library takes for mobiles
    return _CLASSES.get(kind, NumberClass.UNKNOWN)


def _subdivisions(digits: str, code: str, national: str, kind: int) -> tuple[str, ...]:
    if code == _NANP:
        return areas.of_area_code(national[:3]) if kind in _NANP_GEOGRAPHIC else ()
    return areas.of_landline(digits) if kind == PhoneNumberType.FIXED_LINE else ()


def _regions(code: str, national: str, number: PhoneNumber | None, kind: int) -> tuple[str, ...]:
    candidates = _REGIONS[code]
    if len(candidates) == 1 or number is None:
        return () if candidates[0] == _NO_REGION else candidates
    if code != _NANP or kind not in _NANP_GEOGRAPHIC:
        return _valid_in(number, candidates)
    # A geographic area code belongs to one country, so the first number of it answers for all.
    area = national[:3]
    if area not in _nanp_regions:
        _nanp_regions[area] = _valid_in(number, candidates)
    return _nanp_regions[area]


def _valid_in(number: PhoneNumber, candidates: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(region for region in candidates if is_valid_number_for_region(number, region))


def _why_not(code: str, national: str, number: PhoneNumber) -> Fault:
    unpadded = national.lstrip("0")
    if unpadded and unpadded != national and number_type(_library_number(code, unpadded)) != PhoneNumberType.UNKNOWN:
        return Fault.EXTRA_ZERO
    if code == "86" and china.is_mobile_of_wrong_length(national):
        return Fault.LENGTH
    possible = is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    return Fault.NOT_ASSIGNED if possible else Fault.LENGTH
