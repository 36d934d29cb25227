"""Text from a caller, a header or a file is hostile: what is stored or shown of it is clipped and printable."""

from __future__ import annotations

LIMIT = 200


def printable(text: str, limit: int = LIMIT) -> str:
    """At most `limit` characters of `text`; control characters, lone surrogates and invisible ones become escapes.

    Plain text comes back as it is, so what was printable once stays the same.
    """
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:limit])
    return shown[:limit]
