"""The last of what a callee said, and clips cut from it."""

from __future__ import annotations

import struct
from typing import Final

from dialer.speech.engine import SAMPLE_RATE_HZ

KEPT_MS: Final = 20_000
"""A transcript reaches back 15 s at most (`dialer.speech.hearing.JOIN_SPAN_MS`); the rest is what surrounds it."""
BEFORE_MS: Final = 1_000
AFTER_MS: Final = 500

_BYTES_PER_MS: Final = SAMPLE_RATE_HZ * 2 // 1_000


class Recent:
    """The last `KEPT_MS` of one stream's slin; times are milliseconds from its first sample."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._start = 0  # byte of the stream that `_kept` begins with

    def add(self, pcm: bytes) -> None:
        """What was heard next."""
        self._kept += pcm
        surplus = len(self._kept) - KEPT_MS * _BYTES_PER_MS
        # cut now and then, not with each frame: it moves all that is kept
        if surplus > 2_000 * _BYTES_PER_MS:
            del self._kept[:surplus]
            self._start += surplus

    def clip(self, start_ms: int, end_ms: int, following: bytes = b"") -> bytes:
        """A WAV file of a span with what surrounds it, as far as it is kept; `following` was heard after all that was
        added."""
        begin = max(0, (start_ms - BEFORE_MS) * _BYTES_PER_MS - self._start)
        end = max(begin, (end_ms + AFTER_MS) * _BYTES_PER_MS - self._start)
        pcm = bytes(self._kept[begin:end])
        missing = end - max(begin, len(self._kept))
        return wav(pcm + following[: max(0, missing)])


def wav(pcm: bytes) -> bytes:
    """Slin as a WAV file (RIFF, 16-bit PCM, mono, 8 kHz)."""
    return (
        struct.pack("<4sI4s4sI", b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16)
        + struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * 2, 2, 16)
        + struct.pack("<4sI", b"data", len(pcm))
        + pcm
    )
