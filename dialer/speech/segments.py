"""Where someone speaks in a stream: voice activity detection, and the pieces that a recogniser decodes as a whole."""

from __future__ import annotations

import importlib
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dialer.speech.engine import FRAME_BYTES, FRAME_MS, SAMPLE_RATE_HZ

AGGRESSIVENESS: Final = 3
"""webrtcvad's strictest mode: line noise is no voice."""

START_VOICED: Final = 5
START_WINDOW: Final = 6
"""A segment starts when 5 of 6 frames are voiced."""

PRE_ROLL_MS: Final = 300
HANG_MS: Final = 500
"""A segment ends after so much without voice."""

LONGEST_MS: Final = 12_000
"""A longer segment is cut at its quietest place within the last `CUT_WITHIN_MS`."""

CUT_WITHIN_MS: Final = 3_000

VOICE_RMS: Final = 2_000.0
"""Quieter speech than this (-24 dB of full scale) is raised to it for the detector, whose thresholds are absolute: it
cuts the soft ends of words off. Of development refusals 20 dB quieter 97 of 108 were recalled so, 63 without."""

MOST_GAIN: Final = 8.0
LEVEL_DECAY: Final = 0.995
"""What the speech's level keeps from one frame to the next: half of it is forgotten in 2.8 s."""

FIRST_RMS: Final = 1_500.0
"""The level that is taken for granted before anything was heard."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Speech with a little of what surrounds it; `start_ms` is counted from the stream's first sample."""

    pcm: bytes
    start_ms: int

    @property
    def end_ms(self) -> int:
        """The instant after its last sample."""
        return self.start_ms + len(self.pcm) * FRAME_MS // FRAME_BYTES


class Level:
    """Raises a quiet stream's frames; only the detector hears them so."""

    def __init__(self) -> None:
        self._rms = FIRST_RMS

    def raised(self, frame: bytes) -> bytes:
        """The frame, louder by what the loudest of the last seconds lacks."""
        samples = np.frombuffer(frame, dtype="<i2").astype(np.float32)
        rms = float(np.sqrt(np.mean(np.square(samples))))
        self._rms = max(rms, self._rms * LEVEL_DECAY, 1.0)
        gain = min(max(VOICE_RMS / self._rms, 1.0), MOST_GAIN)
        if gain == 1.0:
            return frame
        return bytes(np.clip(samples * gain, -32_768, 32_767).astype("<i2").tobytes())


class Segmenter:
    """Cuts one stream into segments. Frames go in one by one; a segment comes out when it has ended."""

    def __init__(self) -> None:
        self._voice: Any = importlib.import_module("webrtcvad").Vad(AGGRESSIVENESS)
        self._level = Level()
        self._before: deque[bytes] = deque(maxlen=PRE_ROLL_MS // FRAME_MS)
        self._recent: deque[bool] = deque(maxlen=START_WINDOW)
        self._frames: list[bytes] = []
        self._unvoiced = 0
        self._next_ms = 0
        self._start_ms = 0

    @property
    def is_open(self) -> bool:
        """Whether someone is speaking."""
        return bool(self._frames)

    def so_far(self) -> Segment:
        """The open segment as it is now; empty when none is open."""
        return Segment(b"".join(self._frames), self._start_ms)

    def take(self, frame: bytes) -> Segment | None:
        """Take the next 20 ms; the segment that has ended by it."""
        voiced = self._voice.is_speech(self._level.raised(frame), SAMPLE_RATE_HZ)
        self._next_ms += FRAME_MS
        if self._frames:
            return self._go_on(frame, voiced=voiced)
        self._before.append(frame)
        self._recent.append(voiced)
        if sum(self._recent) >= START_VOICED:
            self._frames = list(self._before)
            self._start_ms = self._next_ms - len(self._frames) * FRAME_MS
            self._unvoiced = 0
        return None

    def close(self) -> Segment | None:
        """No more audio: the segment that was open, if one was."""
        return self._end(len(self._frames)) if self._frames else None

    def _go_on(self, frame: bytes, *, voiced: bool) -> Segment | None:
        self._frames.append(frame)
        self._unvoiced = 0 if voiced else self._unvoiced + 1
        if self._unvoiced * FRAME_MS >= HANG_MS:
            return self._end(len(self._frames))
        if len(self._frames) * FRAME_MS >= LONGEST_MS:
            return self._end(self._quietest())
        return None

    def _end(self, count: int) -> Segment:
        """The segment of the first `count` frames; what is after them stays open as the next one's start."""
        ended = Segment(b"".join(self._frames[:count]), self._start_ms)
        self._frames = self._frames[count:]
        self._start_ms = ended.end_ms
        self._before.clear()
        self._recent.clear()
        return ended

    def _quietest(self) -> int:
        """The number of frames up to the quietest 100 ms near the end."""
        frames = self._frames[-CUT_WITHIN_MS // FRAME_MS :]
        samples = np.frombuffer(b"".join(frames), dtype="<i2").astype(np.float64)
        power = np.square(samples).reshape(len(frames), -1).sum(axis=1)
        around = np.convolve(power, np.ones(5), mode="valid")
        return len(self._frames) - len(frames) + int(around.argmin()) + 3
