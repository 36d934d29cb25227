"""Recognisers that decode a piece as a whole, fed by voice segmentation: Moonshine, Whisper, some of sherpa-onnx."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dialer.speech.engine import FRAME_MS, Hypothesis
from dialer.speech.frames import Frames
from dialer.speech.resample import Samples, upsample
from dialer.speech.segments import Segment, Segmenter

PARTIAL_EVERY_MS: Final = 500

Decode = Callable[[Samples], str]
"""A piece at 16 kHz -> its text; empty when there is none. Several threads may call it at once."""


@dataclass(frozen=True, slots=True)
class OfflineEngine:
    """A loaded model that decodes whole pieces."""

    name: str
    language: str
    model: str
    decode: Decode
    finals_alone: bool = False
    """A piece of any length costs the same: partials would cost more than a call may."""

    def open(self, *, partials: bool) -> OfflineStream:
        """A new stream; with `partials` the open segment is decoded every 0.5 s as far as it goes."""
        return OfflineStream(self, partials=partials and not self.finals_alone)


class OfflineStream:
    """One callee's audio, decoded a segment at a time."""

    def __init__(self, engine: OfflineEngine, *, partials: bool) -> None:
        self._engine = engine
        self._partials = partials
        self._frames = Frames()
        self._segmenter = Segmenter()
        self._since_partial_ms = 0
        self._closed = False

    def feed(self, pcm: bytes) -> list[Hypothesis]:
        """Take audio; the finals of segments that ended in it, and the partials that fell due. Nothing once closed."""
        if self._closed:
            return []
        hypotheses: list[Hypothesis] = []
        for frame in self._frames.cut(pcm):
            ended = self._segmenter.take(frame)
            if ended is not None:
                self._since_partial_ms = 0
                hypotheses += self._decoded(ended, final=True)
            elif self._partial_is_due():
                hypotheses += self._decoded(self._segmenter.so_far(), final=False)
        return hypotheses

    def close(self) -> list[Hypothesis]:
        """The final of what was still being said. Idempotent."""
        ended = None if self._closed else self._segmenter.close()
        self._closed = True
        return self._decoded(ended, final=True) if ended is not None else []

    def _partial_is_due(self) -> bool:
        if not (self._partials and self._segmenter.is_open):
            return False
        self._since_partial_ms += FRAME_MS
        if self._since_partial_ms < PARTIAL_EVERY_MS:
            return False
        self._since_partial_ms = 0
        return True

    def _decoded(self, segment: Segment, *, final: bool) -> list[Hypothesis]:
        engine = self._engine
        text = printable(engine.decode(upsample(segment.pcm)))
        if not text:
            return []
        return [Hypothesis(text, final, segment.start_ms, segment.end_ms, engine.language, engine.name, engine.model)]


def printable(text: str) -> str:
    """A recogniser's text without control and format characters, white space folded; models are other people's."""
    return " ".join("".join(mark if unicodedata.category(mark)[0] != "C" else " " for mark in text).split())
