"""Number -> every candidate time zone: the prefixes of `phonenumbers`, with the corrections of `zones.toml`.

The library answers with one exchange's zone where an area code has several; numbers move within their area code, so a
North American number has all zones of its code. The table is built once, at import; a look-up takes the longest prefix.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from phonenumbers.tzdata import TIMEZONE_DATA

Zones = tuple[str, ...]

_NANP = "1"
_NANP_AREA = 4  # digits: the country code 1 and three of the area code


def of_place(digits: str) -> Zones:
    """The zones of a number tied to a place. `digits`: E.164 without `+`. Empty: unknown."""
    for length in range(min(_LONGEST, len(digits)), 0, -1):
        zones = _TABLE.get(digits[:length])
        if zones is not None:
            return zones
    return ()


def of_country(calling_code: str, region: str) -> Zones:
    """The zones of a number tied to no place (toll-free; mobiles in most countries): all of its country's."""
    return _REGIONS.get(region) or _TABLE.get(calling_code, ())


def _build(data: Mapping[str, Any]) -> dict[str, Zones]:
    aliases: dict[str, str] = data["aliases"]
    table = {prefix: _tidy(aliases.get(zone, zone) for zone in zones) for prefix, zones in TIMEZONE_DATA.items()}
    table = _whole_area_codes(table)
    for correction in data["correction"]:
        for prefix in correction["prefixes"]:
            _correct(table, prefix, correction)
    table[_NANP] = _tidy(zone for prefix, zones in table.items() if prefix.startswith(_NANP) for zone in zones)
    return table


def _whole_area_codes(table: Mapping[str, Zones]) -> dict[str, Zones]:
    merged: dict[str, Zones] = {}
    for prefix, zones in table.items():
        key = prefix[:_NANP_AREA] if prefix.startswith(_NANP) else prefix
        merged[key] = _tidy((*merged.get(key, ()), *zones))
    return merged


def _correct(table: dict[str, Zones], prefix: str, correction: Mapping[str, Any]) -> None:
    if "set" in correction:
        table[prefix] = _tidy(correction["set"])
        return
    under = [key for key in table if key.startswith(prefix)]
    if "replace" in correction:
        for key in under:
            del table[key]
        table[prefix] = _tidy(correction["replace"])
        return
    if prefix not in table:
        table[prefix] = next((table[prefix[:n]] for n in range(len(prefix), 0, -1) if prefix[:n] in table), ())
        under.append(prefix)
    for key in under:
        table[key] = _tidy((*table[key], *correction["add"]))


def _tidy(zones: Iterable[str]) -> Zones:
    return tuple(sorted(set(zones)))


_DATA = tomllib.loads(files(__package__).joinpath("zones.toml").read_text("utf-8"))
_TABLE = _build(_DATA)
_REGIONS = {region: _tidy(zones) for region, zones in _DATA["regions"].items()}
_LONGEST = max(map(len, _TABLE))
