"""Raw text -> Number (E.164, class, regions, candidate time zones), or why not.

The text comes from dialplans, files and callers, so it is judged before it is understood (`numbering.lint`); what
cannot be understood exactly is a `NumberFault`, never an exception and never a guess. `numbering.plan` knows numbers
with a country code, `numbering.home` the ways in which a country dials.
"""

from __future__ import annotations

from functools import lru_cache

from dialer.numbering import home, lint, plan
from dialer.numbering.explain import cure, describe, problem
from dialer.numbering.model import Fault, Number, NumberClass, NumberFault

__all__ = ["Fault", "Number", "NumberClass", "NumberFault", "cure", "describe", "from_e164_digits", "parse", "problem"]

_REMEMBERED = 65_536  # texts; some 30 MB when full


def parse(raw: str, country: str | None = None) -> Number | NumberFault:
    """The number that `raw` names, or why it names none; no text raises.

    `country` (ISO 3166-1) is the trunk's: it gives meaning to national forms, short codes and the international prefix.
    Without it only `+` forms and 112 are understood. Results are remembered; the longest texts never are.
    """
    if len(raw) > lint.MAX_RAW:
        return NumberFault(Fault.TOO_LONG, lint.clip(raw))
    return _parse(raw, country)


def from_e164_digits(digits: int) -> Number | NumberFault:
    """The number whose `digits` were stored."""
    return parse(f"+{digits}")


@lru_cache(maxsize=_REMEMBERED)
def _parse(raw: str, country: str | None) -> Number | NumberFault:
    text = lint.read(raw)
    outcome = text if isinstance(text, Fault) else _understand(text, country)
    return NumberFault(outcome, lint.clip(raw)) if isinstance(outcome, Fault) else outcome


def _understand(text: lint.Dialled, country: str | None) -> Number | Fault:
    if text.international:
        return plan.international(text.digits)
    at = home.home(country) if country else None
    if at is not None:
        return home.dialled(text.digits, at)
    if text.digits == home.GSM_EMERGENCY:
        return Number(text.digits, NumberClass.EMERGENCY, (), (), ())
    return Fault.COUNTRY_UNKNOWN
