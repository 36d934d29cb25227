"""A note to a refusal, as it is kept: one line that can be shown, exported and imported again."""

from __future__ import annotations

import re

from dialer.errors import RegisterError
from dialer.hostile import printable

NOTE_LIMIT = 500
"""Characters of a note; the import's limit too."""
_SPACES = re.compile(r"\s+")


def kept_note(text: str) -> str | None:
    """The note on one line: breaks, tabs and wide spaces become spaces, invisible characters escapes, so that no
    refusal is lost for how its note was written. None: nothing is left. Raises `RegisterError` when it is too long."""
    kept = shown_note(text)
    if len(kept) > NOTE_LIMIT:
        raise RegisterError(f"the note has more than {NOTE_LIMIT} characters", "shorten it, or keep it as an artefact")
    return kept or None


def shown_note(text: str | None) -> str:
    """The note on one line, however it was recorded; never an error."""
    return printable(_SPACES.sub(" ", text or "").strip(), 8 * NOTE_LIMIT)
