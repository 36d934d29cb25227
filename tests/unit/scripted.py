"""A recogniser whose callees say what the test writes into their audio, and audio for it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field

from dialer.speech.engine import FRAME_BYTES, FRAME_MS, Hypothesis

SILENCE = bytes(FRAME_BYTES)
NOISE = b"\xff\x7f" * (FRAME_BYTES // 2)
"""A frame of speech that means nothing by itself."""
MODEL = "5" * 64


def says(number: int) -> bytes:
    """A frame in which the line of this number (from 1) is said to its end."""
    return number.to_bytes(2, "little") * (FRAME_BYTES // 2)


def spoken(number: int, ms: int = 1_000) -> bytes:
    """A line with noise before it, so that it lasts so long."""
    return NOISE * (ms // FRAME_MS - 1) + says(number)


@dataclass
class ScriptedEngine:
    """Says `lines[n - 1]` as a final when a frame of `says(n)` comes, after the audio since the last silence.

    Partials, where wanted, are the line as it stands. A frame of `says(FAULT)` makes the stream raise. `gate`, when it
    is cleared, holds every stream up; `entered` is set when one was fed.
    """

    lines: list[str]
    name: str = "scripted"
    language: str = "en"
    model: str = MODEL
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    opened: list[bool] = field(default_factory=list)
    fed: int = 0
    _progress: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.gate.set()

    def open(self, *, partials: bool) -> ScriptedStream:
        """A stream; it is remembered whether partials were wanted."""
        self.opened.append(partials)
        return ScriptedStream(self, partials)

    def took(self, size: int) -> None:
        """So many more bytes were fed."""
        with self._progress:
            self.fed += size
            self._progress.notify_all()

    async def has_taken(self, size: int) -> None:
        """Wait until so many bytes were fed to all streams together."""

        def wait() -> bool:
            with self._progress:
                return self._progress.wait_for(lambda: self.fed >= size, 30)

        assert await asyncio.to_thread(wait)


FAULT = 999


class ScriptedStream:
    """One call's."""

    def __init__(self, engine: ScriptedEngine, partials: bool) -> None:
        self._engine, self._partials = engine, partials
        self._now_ms = self._start_ms = 0
        self._speaks = False
        self._pending = 0
        self._closed = False

    def feed(self, pcm: bytes) -> list[Hypothesis]:
        assert len(pcm) % FRAME_BYTES == 0, "an engine is fed whole frames"
        self._engine.entered.set()
        self._engine.gate.wait(30)
        found: list[Hypothesis] = []
        for at in range(0, len(pcm), FRAME_BYTES):
            found += self._frame(int.from_bytes(pcm[at : at + 2], "little"))
        self._engine.took(len(pcm))
        return found

    def close(self) -> list[Hypothesis]:
        """A line that was being said without its end is said now."""
        closed, self._closed = self._closed, True
        return [] if closed or not self._pending else [self._hypothesis(self._pending, final=True)]

    def _frame(self, number: int) -> list[Hypothesis]:
        self._now_ms += FRAME_MS
        if number == 0:
            self._speaks = False
            return []
        if not self._speaks:
            self._speaks, self._start_ms = True, self._now_ms - FRAME_MS
        if number == FAULT:
            raise RuntimeError("the model is broken")
        if 1 <= number <= len(self._engine.lines):
            self._speaks = False
            return [self._hypothesis(number, final=True)]
        if 100 < number <= 100 + len(self._engine.lines):  # said, but not to its end
            self._pending = number - 100
            return [self._hypothesis(self._pending, final=False)] if self._partials else []
        return []

    def _hypothesis(self, number: int, *, final: bool) -> Hypothesis:
        engine = self._engine
        text = engine.lines[number - 1]
        return Hypothesis(text, final, self._start_ms, self._now_ms, engine.language, engine.name, engine.model)
