"""What a speech recogniser is to Heedline: an engine per process with a shared model, and a stream per call.

Audio is 8 kHz signed 16-bit little-endian mono ("slin"), as AudioSocket carries it. Both protocols block: they are used
in worker threads, one stream by one thread at a time; an engine's streams may be used by several threads at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

SAMPLE_RATE_HZ: Final = 8_000
FRAME_MS: Final = 20
FRAME_BYTES: Final = 320
"""Bytes of one 20 ms frame."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What an engine believes that the callee said. `start_ms` and `end_ms` are counted from the stream's first sample.

    A partial (`final` false) may be taken back by a later one of the same start. `model` is the SHA-256 (hexadecimal)
    over the model's files, `engine` their reader (`moonshine`, `whisper`, `sherpa`, `vosk`). `text` is hostile.
    """

    text: str
    final: bool
    start_ms: int
    end_ms: int
    language: str
    engine: str
    model: str


class Stream(Protocol):
    """One callee's audio."""

    def feed(self, pcm: bytes) -> list[Hypothesis]:
        """Take audio, any whole number of frames; what is known by it now."""

    def close(self) -> list[Hypothesis]:
        """No more audio comes: what was still being said. Idempotent."""


class Engine(Protocol):
    """A loaded model for one `language` (`en` or `zh`); `name` and `model` as in `Hypothesis`."""

    @property
    def name(self) -> str: ...

    @property
    def language(self) -> str: ...

    @property
    def model(self) -> str: ...

    def open(self, *, partials: bool) -> Stream:
        """A new stream; with `partials` hypotheses come while the callee still speaks."""
