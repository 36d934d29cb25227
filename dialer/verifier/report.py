"""What a verification found, as data, as text for people and as JSON for programs. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .words import Words

MOST_SHOWN = 50
"""Findings of one degree that are kept; the rest are counted."""


class Degree(StrEnum):
    """How much a finding weighs."""

    FALSE = "false"
    WARNING = "warning"
    RIGHT = "right"


class Check(StrEnum):
    """What was checked."""

    FILE = "file"
    MANIFEST = "manifest"
    CHECKPOINT = "checkpoint"
    KEY = "key"
    ENTRY = "entry"
    PROOF = "proof"
    PAYLOAD = "payload"
    ERASURE = "erasure"
    EXPORT = "export"
    STRETCH = "stretch"
    COSIGNATURE = "cosignature"
    TIMESTAMP = "timestamp"
    CONSISTENCY = "consistency"


@dataclass(frozen=True, slots=True)
class Place:
    """Where: a file, and the entry in it where there is one."""

    file: str
    line: int | None = None
    index: int | None = None
    entry: int | None = None
    kind: str | None = None

    def words(self) -> Words:
        """The place, for people."""
        if self.entry is not None:
            return Words(
                f"entry {self.entry} (index {self.index}, {self.kind})",
                f"条目 {self.entry}（索引 {self.index}，{self.kind}）",
            )
        if self.line is not None:
            return Words(f"{self.file}, line {self.line}", f"{self.file} 第 {self.line} 行")
        return Words(self.file, self.file)

    def document(self) -> dict[str, Any]:
        """The place, for programs."""
        given = {"file": self.file, "line": self.line, "index": self.index, "entry": self.entry, "kind": self.kind}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    degree: Degree
    check: Check
    place: Place
    said: Words


@dataclass
class Report:
    """All that was found in one file; `about`: what the file says that it is."""

    about: Words | None = None
    subject: str = ""
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[Degree] = field(default_factory=Counter)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        """Whether nothing is false."""
        return not self.counts[Degree.FALSE]

    @property
    def exit_code(self) -> int:
        """0 when all is right, 1 when something is false."""
        return 0 if self.is_right else 1

    def of(self, degree: Degree) -> list[Finding]:
        """The findings of that degree that were kept."""
        return [finding for finding in self.findings if finding.degree is degree]

    def false(self, check: Check, place: Place, said: Words) -> None:
        """Something is not as it must be."""
        self._add(Finding(Degree.FALSE, check, place, said))

    def warn(self, check: Check, place: Place, said: Words) -> None:
        """Something that whoever relies on the file must know."""
        self._add(Finding(Degree.WARNING, check, place, said))

    def right(self, check: Check, place: Place, said: Words) -> None:
        """Something was proven."""
        self._add(Finding(Degree.RIGHT, check, place, said))

    def _add(self, finding: Finding) -> None:
        self.counts[finding.degree] += 1
        if self.counts[finding.degree] <= MOST_SHOWN:
            self.findings.append(finding)

    def document(self, language: str) -> dict[str, Any]:
        """For programs; texts in the language."""
        listed = {
            f"{degree.value}": [
                {"check": f.check.value, "where": f.place.document(), "text": f.said.by(language)}
                for f in self.of(degree)
            ]
            for degree in Degree
        }
        counts = {degree.value: self.counts[degree] for degree in Degree}
        return {"right": self.is_right, "counts": counts, "facts": self.facts, "findings": listed}

    def lines(self, language: str) -> list[str]:
        """For people: what it is, what is proven, then warnings, then what is false, then the conclusion."""
        shown = [_ABOUT.by(language) + self.about.by(language)] if self.about else []
        for degree, mark in _MARKS:
            found = self.of(degree)
            if degree is Degree.RIGHT and not self.is_right:
                found = []
            shown += [_line(finding, mark.by(language), language) for finding in found]
            if (rest := self.counts[degree] - len(self.of(degree))) and found:
                shown.append(f"{mark.by(language)}{Words(f'… and {rest} more', f'……另有 {rest} 条').by(language)}")
        shown.append(self._conclusion().by(language))
        return shown

    def _conclusion(self) -> Words:
        if not self.is_right:
            count = self.counts[Degree.FALSE]
            return Words(
                f"FALSE: {count} things are not as they must be"
                if count > 1
                else "FALSE: 1 thing is not as it must be",
                f"不实：有 {count} 处不符",
            )
        if warnings := self.counts[Degree.WARNING]:
            return Words(f"right, with {warnings} warning{'s' * (warnings > 1)}", f"属实，但有 {warnings} 条警告")
        return Words("right", "属实")


_ABOUT = Words("about:   ", "关于：")
_MARKS = (
    (Degree.RIGHT, Words("right:   ", "属实：")),
    (Degree.WARNING, Words("WARNING: ", "警告：")),
    (Degree.FALSE, Words("FALSE:   ", "不实：")),
)


def _line(finding: Finding, mark: str, language: str) -> str:
    return f"{mark}{finding.place.words().by(language)}: {finding.said.by(language)}"
