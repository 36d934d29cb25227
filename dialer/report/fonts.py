"""The font that a PDF embeds: it must have Chinese. Noto Sans SC (SIL Open Font License) is installed with Heedline;
else one of the system's is taken."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]

_PACKAGE, _FILE = "pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"
_SYSTEM = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/STHeiti Light.ttc",
    "C:/Windows/Fonts/msyh.ttc",
)
_SAMPLE = "同意拒绝呼叫证据链"


@cache
def chinese_font() -> Path | None:
    """A font file with Chinese characters, or None."""
    return next((file for file in _candidates() if _has_chinese(file)), None)


@cache
def characters(font: Path) -> frozenset[int]:
    """The code points that a font has glyphs for."""
    with TTFont(font, fontNumber=0, lazy=True) as read:
        return frozenset(read.getBestCmap() or {})


def _candidates() -> list[Path]:
    candidates = []
    if spec := find_spec(_PACKAGE):
        candidates = [Path(place) / _FILE for place in spec.submodule_search_locations or ()]
    candidates += [Path(place) for place in _SYSTEM]
    return [file for file in [*candidates, *_matched()] if file.is_file()]


def _matched() -> list[Path]:
    """What fontconfig names for Chinese, where it is installed."""
    program = shutil.which("fc-match")
    if program is None:
        return []
    try:
        asked = [program, "-f", "%{file}", "sans:lang=zh-cn"]
        named = subprocess.run(asked, capture_output=True, timeout=5, check=False)  # noqa: S603 - fixed arguments
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [Path(named.stdout.decode("utf-8", "replace"))] if named.stdout else []


def _has_chinese(file: Path) -> bool:
    try:
        return all(ord(character) in characters(file) for character in _SAMPLE)
    except (OSError, TTLibError, ValueError):
        return False
