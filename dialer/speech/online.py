"""Streaming recognisers and keyword spotters of sherpa-onnx: the model itself follows the audio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dialer.speech.engine import FRAME_BYTES, FRAME_MS, Hypothesis
from dialer.speech.frames import Frames
from dialer.speech.offline import PARTIAL_EVERY_MS, printable
from dialer.speech.resample import MODEL_RATE_HZ, Upsampler, floats

STEP_MS: Final = 100
"""So much audio is gathered before the model sees it."""

TAIL_MS: Final = 700
"""Silence after the last sample: a streaming model needs what comes after a word to be sure of it."""

KEYWORD_MS: Final = 2_000
"""A spotter does not say where its keyword started; so far back is what a person should hear."""


@dataclass(frozen=True, slots=True)
class OnlineEngine:
    """A loaded streaming model; `keywords` when it is a spotter, whose texts are its keywords."""

    name: str
    language: str
    model: str
    recogniser: Any
    keywords: bool = False

    def open(self, *, partials: bool) -> OnlineStream:
        """A new stream; with `partials` its text so far comes every 0.5 s. A spotter has finals alone."""
        return OnlineStream(self, partials=partials)


class OnlineStream:
    """One callee's audio in a streaming model."""

    def __init__(self, engine: OnlineEngine, *, partials: bool) -> None:
        self._engine = engine
        self._partials = partials and not engine.keywords
        self._stream = engine.recogniser.create_stream()
        self._upsampler = Upsampler()
        self._frames = Frames()
        self._gathered: list[bytes] = []
        self._heard_ms = 0
        self._base_ms = 0
        self._partial_ms = 0
        self._closed = False

    def feed(self, pcm: bytes) -> list[Hypothesis]:
        """Take audio; what the model makes of it so far. Nothing once closed."""
        if self._closed:
            return []
        hypotheses: list[Hypothesis] = []
        for frame in self._frames.cut(pcm):
            self._gathered.append(frame)
            if len(self._gathered) * FRAME_MS >= STEP_MS:
                hypotheses += self._step()
        return hypotheses

    def close(self) -> list[Hypothesis]:
        """The final of what was still being said. Idempotent."""
        if self._closed:
            return []
        self._closed = True
        hypotheses = self._step()
        heard_ms = self._heard_ms
        self._gathered = [bytes(FRAME_BYTES * TAIL_MS // FRAME_MS)]
        hypotheses += self._step(ending=True)
        self._heard_ms = heard_ms
        return hypotheses

    def _step(self, *, ending: bool = False) -> list[Hypothesis]:
        pcm = b"".join(self._gathered)
        self._gathered = []
        self._stream.accept_waveform(MODEL_RATE_HZ, self._upsampler.feed(floats(pcm)))
        if ending:
            self._stream.input_finished()
        else:
            self._heard_ms += len(pcm) * FRAME_MS // FRAME_BYTES
        return self._spotted() if self._engine.keywords else self._recognised(ending=ending)

    def _spotted(self) -> list[Hypothesis]:
        recogniser, hypotheses = self._engine.recogniser, []
        while recogniser.is_ready(self._stream):
            recogniser.decode_stream(self._stream)
            if keyword := printable(str(recogniser.get_result(self._stream))):
                hypotheses.append(self._hypothesis(keyword, max(0, self._heard_ms - KEYWORD_MS), final=True))
                recogniser.reset_stream(self._stream)
        return hypotheses

    def _recognised(self, *, ending: bool) -> list[Hypothesis]:
        recogniser = self._engine.recogniser
        while recogniser.is_ready(self._stream):
            recogniser.decode_stream(self._stream)
        final = ending or recogniser.is_endpoint(self._stream)
        due = self._partials and self._heard_ms - self._partial_ms >= PARTIAL_EVERY_MS
        if not final and not due:
            return []
        self._partial_ms = self._heard_ms
        text = printable(str(recogniser.get_result(self._stream)))
        hypotheses = [self._hypothesis(text, self._started(), final=final)] if text else []
        if final:
            recogniser.reset(self._stream)
            self._base_ms = self._heard_ms
        return hypotheses

    def _started(self) -> int:
        """When the first word came: the model counts from its last reset."""
        times = self._engine.recogniser.timestamps(self._stream)
        first_ms = int(times[0] * 1000) if times else 0
        return min(self._base_ms + max(0, first_ms), self._heard_ms)

    def _hypothesis(self, text: str, start_ms: int, *, final: bool) -> Hypothesis:
        engine = self._engine
        return Hypothesis(text, final, start_ms, self._heard_ms, engine.language, engine.name, engine.model)
