"""WAV files of telephone speech as 8 kHz slin: µ-law, A-law and 16-bit PCM, which is all that switches record.

The standard library's reader knows PCM alone, and `audioop` has left it (PEP 594).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dialer.errors import FileError
from dialer.speech.engine import SAMPLE_RATE_HZ

PCM: Final = 1
ALAW: Final = 6
ULAW: Final = 7
EXTENSIBLE: Final = 0xFFFE
"""The format's number stands in the extension then (RFC 2361, Microsoft's `WAVEFORMATEXTENSIBLE`)."""

LARGEST_BYTES: Final = 256 << 20
_UNKNOWN_SIZES: Final = frozenset({0, 0xFFFFFFFF})
"""What a program that writes into a pipe leaves as the size of the data."""

_CURE: Final = "give mono WAV: µ-law, A-law or 16-bit PCM at 8 kHz, or 16-bit PCM at 16 kHz"


@dataclass(frozen=True, slots=True)
class _Format:
    number: int
    channels: int
    rate: int
    bits: int


def read_wav(file: Path) -> bytes:
    """A file's audio as 8 kHz slin. Raises `FileError` that names the file and what is wrong with it."""
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise FileError(f"`{file}` is larger than {LARGEST_BYTES >> 20} MB", "give one clip a file")
        content = file.read_bytes()
    except OSError as error:
        raise FileError(
            f"`{file}` cannot be read: {(error.strerror or str(error)).lower()}", "see that it is there"
        ) from error
    form, data = _chunks(file, content)
    if form.channels != 1:
        raise FileError(f"`{file}` has {form.channels} channels", _CURE)
    pcm = _slin(file, form, data)
    if not pcm:
        raise FileError(f"`{file}` holds no audio", _CURE)
    return pcm


def _chunks(file: Path, content: bytes) -> tuple[_Format, bytes]:
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise FileError(f"`{file}` is no WAV file", _CURE)
    form: _Format | None = None
    at = 12
    while at + 8 <= len(content):
        name, size = content[at : at + 4], int.from_bytes(content[at + 4 : at + 8], "little")
        body = content[at + 8 : at + 8 + size]
        if name == b"fmt ":
            form = _format(file, body)
        elif name == b"data":
            if form is None:
                break
            if len(body) < size and size not in _UNKNOWN_SIZES:
                raise FileError(f"`{file}` ends before its data does", "copy the file again")
            return form, body or content[at + 8 :]
        at += 8 + size + size % 2
    raise FileError(f"`{file}` is a WAV file without format or data", "copy the file again")


def _format(file: Path, body: bytes) -> _Format:
    if len(body) < 16:
        raise FileError(f"`{file}` has a format chunk of {len(body)} bytes", "copy the file again")
    number, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if number == EXTENSIBLE and len(body) >= 26:
        number = int.from_bytes(body[24:26], "little")
    return _Format(number, channels, rate, bits)


def _slin(file: Path, form: _Format, data: bytes) -> bytes:
    match form:
        case _Format(number=7, rate=8_000, bits=8):
            return _ULAW[np.frombuffer(data, dtype=np.uint8)].tobytes()
        case _Format(number=6, rate=8_000, bits=8):
            return _ALAW[np.frombuffer(data, dtype=np.uint8)].tobytes()
        case _Format(number=1, rate=8_000, bits=16):
            return data[: len(data) // 2 * 2]
        case _Format(number=1, rate=16_000, bits=16):
            return _halved(data[: len(data) // 2 * 2])
    raise FileError(f"`{file}` has format {form.number}, {form.bits} bits, {form.rate} Hz", _CURE)


def _ulaw_table() -> NDArray[np.int16]:
    """ITU-T G.711 µ-law, all 256 codes as 16-bit samples."""
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype("<i2")


def _alaw_table() -> NDArray[np.int16]:
    """ITU-T G.711 A-law, all 256 codes as 16-bit samples."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype("<i2")


def _halved(pcm: bytes) -> bytes:
    """16 kHz to 8 kHz: a windowed sinc that passes up to 3.7 kHz, then every other sample."""
    taps = np.sinc(np.arange(-32, 33) * 3_700 / SAMPLE_RATE_HZ) * np.kaiser(65, 7.0)
    low = np.convolve(np.frombuffer(pcm, dtype="<i2"), taps / taps.sum(), mode="same")[::2]
    return np.clip(np.rint(low), -32_768, 32_767).astype("<i2").tobytes()


_ULAW: Final = _ulaw_table()
_ALAW: Final = _alaw_table()
