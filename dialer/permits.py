"""Permits: what of one is stored, and how one is read. Pure."""

from __future__ import annotations

import re
from hashlib import sha256

# A number as a permit's answer gave it: E.164 with its plus, or a short code.
_CANONICAL = re.compile(r"\+?[0-9]{2,15}", re.ASCII)


def permit_hash(permit: str) -> bytes:
    """What is stored of a permit: enough to recognise it, too little to use it. Raises `ValueError` on other text."""
    token = bytes.fromhex(permit)
    if len(token) != 16 or len(permit) != 32:
        raise ValueError("a permit is 32 hexadecimal digits")
    return sha256(token).digest()[:16]


def is_canonical(number: str) -> bool:
    """Whether `number` could be one that an answer of the gate gave."""
    return bool(_CANONICAL.fullmatch(number))


def stranger_hash(text: str) -> bytes:
    """What evidence shows of a text that is no permit: never the hash of one, for those are of 16 bytes."""
    return sha256(b"no permit:" + text.encode("utf-8", "backslashreplace")).digest()[:16]
