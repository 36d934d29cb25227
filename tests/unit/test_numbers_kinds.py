"""The compiled plans say what the library says."""

from __future__ import annotations

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st

from dialer.numbering import kinds

_DESCS = ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "uan", "pager", "personal_number")
_OWN = {
    code: regions[0]
    for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
    if len(regions) == 1 and regions[0] != "001"
}
_EXAMPLES = [
    (code, desc.example_number)
    for code, region in _OWN.items()
    for name in _DESCS
    if (desc := getattr(phonenumbers.PhoneMetadata.metadata_for_region(region), name)) and desc.example_number
]


def _library(code: int, national: str) -> int:
    zeros = len(national) - len(str(int(national)))
    return phonenumbers.number_type(
        phonenumbers.PhoneNumber(
            country_code=code,
            national_number=int(national),
            italian_leading_zero=zeros > 0,
            number_of_leading_zeros=zeros or None,
        )
    )


def test_every_example_of_every_plan_is_of_the_librarys_kind() -> None:
    """For each country with a calling code of its own, and each kind of line that it has."""
    assert len(_EXAMPLES) > 500
    assert [(c, n) for c, n in _EXAMPLES if kinds.kind(str(c), n) != _library(c, n)] == []


@given(st.sampled_from(_EXAMPLES), st.lists(st.tuples(st.integers(0, 14), st.sampled_from("0123456789")), max_size=5))
def test_numbers_near_the_examples_are_of_the_librarys_kind(
    example: tuple[int, str], changes: list[tuple[int, str]]
) -> None:
    """Digits exchanged or added make the same of a number here and there, assigned or not."""
    code, national = example
    for at, digit in changes:
        national = national[:at] + digit + national[at + 1 :]
    assert kinds.kind(str(code), national) == _library(code, national)


def test_shared_calling_codes_are_left_to_the_library() -> None:
    """Whose number it is must be found out first."""
    assert [kinds.kind(code, "2125550100") for code in ("1", "44", "7", "39", "800")] == [None] * 5
