"""8 kHz slin to 16 kHz floats, as the recognisers want it: a windowed-sinc FIR, whole or as a stream."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""Samples between -1 and 1."""

MODEL_RATE_HZ: Final = 16_000

_REACH: Final = 16
"""Input samples on each side that an output sample is made of; 2 ms."""


def _half_sample_filter() -> Samples:
    """The taps that give the sample half-way between two: sinc under a Kaiser window, unity gain at 0 Hz."""
    offsets = np.arange(-_REACH, _REACH) + 0.5
    taps = np.sinc(offsets) * np.kaiser(2 * _REACH, 7.0)
    normalised: Samples = (taps / taps.sum()).astype(np.float32)
    return normalised


_TAPS: Final = _half_sample_filter()


def floats(pcm: bytes) -> Samples:
    """Signed 16-bit little-endian samples as floats; half a sample at the end is left out."""
    whole = len(pcm) // 2 * 2
    return np.frombuffer(pcm[:whole], dtype="<i2").astype(np.float32) / np.float32(32_768)


class Upsampler:
    """One stream's doubling of the rate; pieces give the same samples as the whole would, 2 ms late."""

    def __init__(self) -> None:
        self._tail: Samples = np.zeros(2 * _REACH - 1, dtype=np.float32)

    def feed(self, samples: Samples) -> Samples:
        """Twice as many samples as come in."""
        if not samples.size:
            return samples
        heard = np.concatenate((self._tail, samples))
        self._tail = heard[samples.size :]
        doubled = np.empty(2 * samples.size, dtype=np.float32)
        doubled[0::2] = heard[_REACH - 1 : _REACH - 1 + samples.size]
        doubled[1::2] = np.convolve(heard, _TAPS, mode="valid")
        return doubled


def upsample(pcm: bytes) -> Samples:
    """A whole piece at 16 kHz, without delay."""
    silence = np.zeros(_REACH, dtype=np.float32)
    return Upsampler().feed(np.concatenate((floats(pcm), silence)))[2 * _REACH :]
