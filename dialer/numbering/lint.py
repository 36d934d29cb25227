"""Raw text -> bare digits, or the fault in it: the text is judged before any library is lenient with it.

A telephone-number library is built to find a number in whatever people write: it reads letters as keys, digits of every
script, extensions and URIs. Here the text comes from strangers and its digits are dialled, so only ASCII digits, one
leading `+` and plain separators pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dialer.numbering.model import Fault

MAX_RAW = 32  # characters; E.164 has 15 digits, the longest service code 20, and separators take the rest
_MAX_CLIP = 64

# Each repetition takes one digit, so matching is linear in the length of the text.
_SHAPE = re.compile(r" *\+? ?\(?[0-9](?:[ .()\-]{0,4}[0-9]|/[0-9])*\)? *")
_BRACKETS = re.compile(r"[^()]*(?:\([^()]*[0-9][^()]*\)[^()]*)*")
_NO_DIGIT = re.compile(r"[ .()\-/+]*")
_SEPARATORS = str.maketrans("", "", " .()-/+")


@dataclass(frozen=True, slots=True)
class Dialled:
    """The digits of a text, and whether a `+` stood before them."""

    digits: str
    international: bool


def read(raw: str) -> Dialled | Fault:
    """The digits of `raw`, or why it is refused. `raw` has at most `MAX_RAW` characters."""
    if raw.isascii() and raw.isdigit():
        return Dialled(raw, international=False)
    if _NO_DIGIT.fullmatch(raw):
        return Fault.EMPTY
    if not _SHAPE.fullmatch(raw) or not _BRACKETS.fullmatch(raw):
        return Fault.CHARACTERS
    return Dialled(raw.translate(_SEPARATORS), international="+" in raw)


def clip(raw: str) -> str:
    """`raw` fit to be logged and stored: whatever is not printable escaped, at most 64 characters, no half escape."""
    kept: list[str] = []
    room = _MAX_CLIP
    for character in raw[:_MAX_CLIP]:
        shown = character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        room -= len(shown)
        if room < 0:
            break
        kept.append(shown)
    return "".join(kept)
