"""A report as plain data, in one language: sections of blocks, which a page and a PDF show alike. Pure.

Whatever came from a caller, a header or a file goes through `shown` before it gets here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dialer.hostile import printable
from dialer.report.drawing import Drawing
from dialer.verdict import Language

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Para:
    """A paragraph; `warns` when a reader must not miss it, `small` for what explains."""

    text: str
    warns: bool = False
    small: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A list of sentences."""

    sentences: Sequence[str]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Names with their values."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns with their widths (shares of the page), and rows of cells; line breaks separate a cell's lines."""

    columns: Sequence[tuple[str, int]]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture."""

    drawing: Drawing


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A line to type."""

    text: str


Block = Para | Items | Pairs | Table | Figure | Heading | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A part with its title."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report. `running` stands at the head of each page."""

    language: Language
    title: str
    subtitle: str
    running: str
    made_at: datetime
    sections: Sequence[Section] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences in one language."""

    language: Language

    def say(self, english: str, chinese: str) -> str:
        """The sentence in the language."""
        return chinese if self.language == "zh" else english

    def list(self, parts: Sequence[str]) -> str:
        """Several things, one after the other."""
        return ("、" if self.language == "zh" else ", ").join(parts) or NOTHING


def shown(value: Any, limit: int = 500) -> str:
    """Anything, as one line that is safe to show: control characters, invisible ones and those that turn the direction
    of writing become escapes. Nothing is shown as a dash."""
    match value:
        case None | "":
            return NOTHING
        case datetime():
            return instant(value)
        case bytes():
            return value.hex()
    return printable(str(value), limit)


def instant(at: datetime | None) -> str:
    """To the second, in UTC, which the report says once."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else NOTHING
