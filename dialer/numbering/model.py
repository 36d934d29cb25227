"""Number and NumberFault, as data only; import them from `dialer.numbers`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NumberClass(StrEnum):
    """What kind of line a number reaches."""

    MOBILE = "mobile"
    FIXED = "fixed"
    FIXED_OR_MOBILE = "fixed_or_mobile"
    TOLL_FREE = "toll_free"
    PREMIUM = "premium"
    SHARED_COST = "shared_cost"
    VOIP = "voip"
    PERSONAL = "personal"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"
    SATELLITE = "satellite"
    INTERNATIONAL_SERVICE = "international_service"  # +800, +808, +979
    SHORT = "short"
    EMERGENCY = "emergency"
    PUBLIC_SERVICE = "public_service"  # 12321, 12315, 12345, 96110
    SERVICE_95 = "service_95"
    SERVICE_96 = "service_96"
    SERVICE_400 = "service_400"
    MESSAGE_PORT = "message_port"  # 106x
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """Why a text is no number; closed."""

    EMPTY = "empty"
    TOO_LONG = "too_long"  # over 32 characters of raw text
    CHARACTERS = "characters"  # anything but ASCII digits, one leading +, and separators
    EXTRA_ZERO = "extra_zero"
    LENGTH = "length"
    COUNTRY_UNKNOWN = "country_unknown"
    NOT_ASSIGNED = "not_assigned"  # well-formed, but no range of the number plan


@dataclass(frozen=True, slots=True)
class Number:
    """A number that was understood.

    `e164` begins with `+` for E.164 numbers; short and emergency codes are their bare digits (`110`), meaningful in
    `regions` alone. `regions` are ISO 3166-1, `subdivisions` ISO 3166-2 candidates (NANP area codes), `zones` IANA
    names; each holds every candidate, and an empty `zones` means unknown.
    """

    e164: str
    cls: NumberClass
    regions: tuple[str, ...]
    subdivisions: tuple[str, ...]
    zones: tuple[str, ...]

    @property
    def is_e164(self) -> bool:
        """Whether the number has an E.164 form; a short or emergency code has none."""
        return self.e164.startswith("+")

    @property
    def digits(self) -> int:
        """The E.164 digits as an integer (at most 15 digits, so a 64-bit column holds it), for storage.

        0 for a code without an E.164 form, so that `95588` is never taken for `+95588`; 0 is no number, and
        `from_e164_digits(0)` is a fault.
        """
        return int(self.e164[1:]) if self.is_e164 else 0


@dataclass(frozen=True, slots=True)
class NumberFault:
    """A text that is no number, and why. `raw` is clipped to 64 characters, with control characters escaped."""

    fault: Fault
    raw: str
