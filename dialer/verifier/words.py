"""What is said to people, in both languages; and the fault that carries it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Words:
    """One sentence in English and in Chinese."""

    english: str
    chinese: str

    def by(self, language: str) -> str:
        """The sentence in `en` or `zh`."""
        return self.chinese if language == "zh" else self.english


class Fault(ValueError):
    """Something that was given is not as it must be; `str()` is the English sentence."""

    def __init__(self, english: str, chinese: str = "") -> None:
        super().__init__(english)
        self.said = Words(english, chinese or english)


def shown(text: str) -> str:
    """Foreign text for a terminal or a page: clipped, and without anything that steers a terminal."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:_SHOWN])
    return safe + "…" if len(text) > _SHOWN else safe
