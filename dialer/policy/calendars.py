"""Public holidays of countries and their subdivisions, year by year, from the `holidays` package.

Past the last verified day the package predicts: then a day that may be a holiday, or lie in a holiday week that is not
announced yet, is treated as one (see `kind_of`).
"""

from __future__ import annotations

from functools import lru_cache

import holidays


@lru_cache(maxsize=1)
def _countries() -> dict[str, list[str]]:
    return holidays.list_supported_countries()


def supported(country: str) -> bool:
    """Whether the holidays of that ISO 3166-1 country are known."""
    return country in _countries()
