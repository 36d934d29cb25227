"""Where the log's tiles are over HTTP, as C2SP tlog-tiles writes it: `tile/<L>/<N>[.p/<W>]`. Pure.

N is written in groups of three digits, each but the last with an `x` before it; W is the width of a partial tile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dialer.evidence.tiles import WIDTH

ENTRIES = -1
"""The level of bundles of entries."""
_PATH = re.compile(
    r"(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)
_TOP_LEVEL = 63
_GREATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TilePath:
    """A tile, or a bundle of entries, with its width: 256 when it is whole."""

    level: int
    index: int
    width: int = WIDTH

    def __str__(self) -> str:
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{level}/{_grouped(self.index)}{partial}"


def read_tile_path(text: str) -> TilePath | None:
    """The tile of a path after `tile/`; None when it is written otherwise than the one way, or cannot be."""
    found = _PATH.fullmatch(text)
    if found is None:
        return None
    level = ENTRIES if found["level"] == "entries" else int(found["level"])
    index, width = int(re.sub("[x/]", "", found["index"])), int(found["width"] or WIDTH)
    is_partial = found["width"] is not None
    if level > _TOP_LEVEL or index > _GREATEST or _grouped(index) != found["index"] or (is_partial and width >= WIDTH):
        return None
    return TilePath(level, index, width)


def _grouped(index: int) -> str:
    digits = str(index)
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
