"""Whisper's log-mel spectrogram (Radford et al. 2022, section 2.2): 80 Slaney bands of 25 ms windows every 10 ms."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dialer.speech.resample import MODEL_RATE_HZ, Samples

BANDS: Final = 80
WINDOW: Final = 400
HOP: Final = 160
"""Samples from one window to the next."""

_LINEAR_HZ: Final = 200 / 3
_BREAK_HZ: Final = 1_000.0
_BREAK_MEL: Final = _BREAK_HZ / _LINEAR_HZ
_LOG_STEP: Final = np.log(6.4) / 27


def log_mel(samples: Samples, frames: int) -> NDArray[np.float32]:
    """The spectrogram (`BANDS` x `frames`) of 16 kHz audio, which silence fills up to `frames`."""
    wanted = frames * HOP
    audio = np.zeros(wanted, dtype=np.float32)
    audio[: min(wanted, samples.size)] = samples[:wanted]
    audio = np.pad(audio, WINDOW // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(audio, WINDOW)[::HOP][:frames]
    power = np.square(np.abs(np.fft.rfft(windows * _HANN, axis=1)))
    levels = np.log10(np.maximum(_FILTERS @ power.T, 1e-10))
    spectrogram: NDArray[np.float32] = ((np.maximum(levels, levels.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return np.ascontiguousarray(spectrogram)


def _mel(hertz: float) -> float:
    if hertz < _BREAK_HZ:
        return hertz / _LINEAR_HZ
    return float(_BREAK_MEL + np.log(hertz / _BREAK_HZ) / _LOG_STEP)


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.where(mel >= _BREAK_MEL, above, mel * _LINEAR_HZ)


def _filter_bank() -> NDArray[np.float32]:
    """Triangles between neighbouring mel points, each of unit area."""
    points = _hertz(np.linspace(0.0, _mel(MODEL_RATE_HZ / 2), BANDS + 2))
    distance = points[:, None] - np.linspace(0.0, MODEL_RATE_HZ / 2, WINDOW // 2 + 1)[None, :]
    widths = np.diff(points)[:, None]
    triangles = np.maximum(0.0, np.minimum(-distance[:-2] / widths[:-1], distance[2:] / widths[1:]))
    return (triangles * (2.0 / (points[2:] - points[:-2]))[:, None]).astype(np.float32)


_FILTERS: Final = _filter_bank()
_HANN: Final = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
