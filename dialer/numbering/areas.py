"""Number -> candidate subdivisions (ISO 3166-2), by area code: the table of `areas.toml`."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from importlib.resources import files

_DATA = tomllib.loads(files(__package__).joinpath("areas.toml").read_text("utf-8"))


def _north_america() -> dict[str, tuple[str, ...]]:
    table: dict[str, list[str]] = defaultdict(list)
    for subdivision, codes in _DATA["north_america"].items():
        for code in codes:
            table[str(code)].append(subdivision)
    return {code: tuple(sorted(subdivisions)) for code, subdivisions in table.items()}


NORTH_AMERICA = _north_america()  # area code -> subdivisions
_LANDLINES = {prefix: tuple(subdivisions) for prefix, subdivisions in _DATA["landlines"].items()}
_LONGEST = max(map(len, _LANDLINES))


def of_area_code(code: str) -> tuple[str, ...]:
    """The subdivisions of a North American area code; empty for one outside the US and Canada, or tied to no place."""
    return NORTH_AMERICA.get(code, ())


def of_landline(digits: str) -> tuple[str, ...]:
    """The subdivisions of a landline elsewhere. `digits`: E.164 without `+`. Empty: no table for that country."""
    for length in range(min(_LONGEST, len(digits)), 0, -1):
        subdivisions = _LANDLINES.get(digits[:length])
        if subdivisions is not None:
            return subdivisions
    return ()
