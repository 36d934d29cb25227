"""Where lines break: between words, between Chinese characters, never before what closes or after what opens. A word
that is wider than a line is cut. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

_OPENS = "（「『《〈【〔“‘"
_CLOSES = "，。；：、？！）」』》〉】〕”’…"
_WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_PIECE = re.compile(rf"[{_OPENS}]*(?:[{_WIDE}]|[^\s{_WIDE}{_OPENS}{_CLOSES}]+)?[{_CLOSES}]*[ ]*|.", re.DOTALL)


def broken(text: str, width: float, measure: Callable[[str], float]) -> str:
    """The text with a line break wherever a line would be wider than `width`."""
    return "\n".join(line for part in text.split("\n") for line in _lines(part, width, measure))


def _lines(text: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    line, used = "", 0.0
    for piece in _pieces(text, width, measure):
        wide = measure(piece)
        if line and used + measure(piece.rstrip(" ")) > width:
            yield line.rstrip(" ")
            line, used = "", 0.0
        line, used = line + piece, used + wide
    yield line.rstrip(" ")


def _pieces(text: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    for piece in _PIECE.findall(text):
        if not piece:
            continue
        if measure(piece.rstrip(" ")) <= width:
            yield piece
            continue
        part = ""
        for character in piece:
            if part and measure(part + character) > width:
                yield part
                part = ""
            part += character
        yield part
