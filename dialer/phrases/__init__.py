"""Whether what was said is a refusal: transcript -> `Heard`. Pure."""

from __future__ import annotations

from dialer.phrases.chinese import judge_chinese
from dialer.phrases.english import judge_english
from dialer.phrases.meaning import NOTHING, Heard, Meaning

__all__ = ["LONGEST", "Heard", "Meaning", "judge"]

LONGEST = 2_000
"""Characters of a transcript that are read; speech segments of 12 s hold far fewer."""


def judge(transcript: str, language: str) -> Heard:
    """Judge a transcript in `language`: `en` or `zh`, or a tag that begins so (`en-GB`, `zh-Hant-TW`).

    Never raises; any other language is NOTHING. Only the first `LONGEST` characters are read, so that hostile text
    costs a bounded time.
    """
    primary = language[:16].replace("_", "-").partition("-")[0].strip().lower()
    text = transcript[:LONGEST]
    if primary == "en":
        return judge_english(text)
    if primary in ("zh", "yue", "cmn"):
        return judge_chinese(text)
    return NOTHING
