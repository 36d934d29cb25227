"""What the phrase matcher answers: plain values, shared by the languages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Meaning(StrEnum):
    """What a transcript means for the callee's wish to be called."""

    REFUSAL = "refusal"
    NEAR_MISS = "near_miss"  # may be one: a person decides
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Heard:
    """The judgement of one transcript. `phrase` is the part of the transcript that counted (empty for NOTHING), `rule`
    the name of the pattern that matched, for evidence."""

    meaning: Meaning
    phrase: str = ""
    rule: str = ""


NOTHING = Heard(Meaning.NOTHING)
