"""Audio: WAV formats, frames, the doubling of the rate, Whisper's spectrogram."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from dialer.errors import FileError
from dialer.speech.frames import Frames
from dialer.speech.mel import log_mel
from dialer.speech.moonshine import prepared
from dialer.speech.resample import Samples, Upsampler, floats, upsample
from dialer.speech.wav import read_wav


def tone(hertz: float, seconds: float = 0.5, rate: int = 8_000) -> bytes:
    """A sine as slin."""
    times = np.arange(int(seconds * rate)) / rate
    return (10_000 * np.sin(2 * np.pi * hertz * times)).astype("<i2").tobytes()


def spectrum(samples: Samples, rate: int) -> dict[int, float]:
    """Energy by band of 100 Hz, as a share of all."""
    power = np.square(np.abs(np.fft.rfft(samples * np.hanning(samples.size))))
    bands = (np.fft.rfftfreq(samples.size, 1 / rate) // 100 * 100).astype(int)
    return {int(band): float(power[bands == band].sum() / power.sum()) for band in np.unique(bands)}


def wav(number: int, rate: int, bits: int, data: bytes, *, channels: int = 1, size: int | None = None) -> bytes:
    """A WAV file."""
    form = struct.pack("<HHIIHH", number, channels, rate, rate * bits // 8, bits // 8, bits)
    if number == 0xFFFE:
        form += struct.pack("<HHIH", 22, bits, 4, 7) + bytes(14)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    chunks += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def samples_of(tmp_path: Path, content: bytes) -> list[int]:
    """What the reader makes of a file."""
    file = tmp_path / "a.wav"
    file.write_bytes(content)
    return [int(sample) for sample in np.frombuffer(read_wav(file), dtype="<i2")]


@pytest.mark.parametrize(("hertz", "image"), [(300, 7_700), (1_000, 7_000), (3_000, 5_000)])
def test_doubling_keeps_the_tone_and_makes_no_image(hertz: int, image: int) -> None:
    """A tone of telephone speech stays where it is; its mirror above 4 kHz is 60 dB below."""
    doubled = upsample(tone(hertz))
    found = spectrum(doubled, 16_000)
    assert doubled.size == 8_000
    assert sum(found.get(band, 0.0) for band in (hertz - 100, hertz)) > 0.99
    assert sum(found.get(band, 0.0) for band in (image - 100, image)) < 1e-6


def test_doubling_has_no_delay_as_a_whole() -> None:
    """Every other sample of the doubled piece is the piece itself."""
    pcm = tone(440)
    assert np.array_equal(upsample(pcm)[::2], floats(pcm))


def test_doubling_in_pieces_is_doubling_as_a_whole() -> None:
    """However a stream is cut, the samples are the same."""
    samples = floats(tone(700))
    pieces, at, upsampler = [], 0, Upsampler()
    for length in (1, 7, 160, 0, 3, 800, 3_029):
        pieces.append(upsampler.feed(samples[at : at + length]))
        at += length
    assert at == samples.size
    np.testing.assert_allclose(np.concatenate(pieces), Upsampler().feed(samples), atol=1e-6)


def test_nothing_can_be_doubled() -> None:
    """An empty piece gives an empty piece."""
    assert upsample(b"").size == 0


def test_frames_wait_for_their_rest() -> None:
    """Bytes that are no whole frame wait for more; none is lost or changed."""
    frames = Frames()
    audio = bytes(range(256)) * 5
    cut = [*frames.cut(audio[:100]), *frames.cut(audio[100:700]), *frames.cut(b""), *frames.cut(audio[700:])]
    assert cut == [audio[:320], audio[320:640], audio[640:960], audio[960:1280]]


def test_ulaw_is_decoded_as_g711_says(tmp_path: Path) -> None:
    """Extremes, both zeros and a middle value of µ-law."""
    codes = bytes([0x00, 0x80, 0x7F, 0xFF, 0x0F, 0xBE])
    assert samples_of(tmp_path, wav(7, 8_000, 8, codes)) == [-32_124, 32_124, 0, 0, -16_764, 2_108]


def test_alaw_is_decoded_as_g711_says(tmp_path: Path) -> None:
    """Extremes and the smallest steps of A-law."""
    codes = bytes([0x2A, 0xAA, 0x55, 0xD5, 0x54, 0xD4])
    assert samples_of(tmp_path, wav(6, 8_000, 8, codes)) == [-32_256, 32_256, -8, 8, -24, 24]


def test_pcm_is_taken_as_it_is(tmp_path: Path) -> None:
    """16 bits at 8 kHz are what streams carry."""
    pcm = tone(440)
    assert samples_of(tmp_path, wav(1, 8_000, 16, pcm)) == np.frombuffer(pcm, dtype="<i2").tolist()


def test_pcm_at_16_khz_is_halved_without_aliases(tmp_path: Path) -> None:
    """A tone below 4 kHz stays; one above is gone and is not folded down."""
    low, high = tone(1_000, rate=16_000), tone(5_000, rate=16_000)
    kept = np.array(samples_of(tmp_path, wav(1, 16_000, 16, low)))
    gone = np.array(samples_of(tmp_path, wav(1, 16_000, 16, high)))
    assert kept.size == 4_000
    np.testing.assert_allclose(kept[200:-200], np.frombuffer(tone(1_000), dtype="<i2")[200:-200], atol=20)
    assert np.abs(gone[200:-200]).max() < 20


def test_extensible_header_is_read(tmp_path: Path) -> None:
    """The format's number may stand in the extension."""
    assert samples_of(tmp_path, wav(0xFFFE, 8_000, 8, b"\x00\x80")) == [-32_124, 32_124]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_size_that_a_pipe_left_open_is_the_rest(tmp_path: Path, size: int) -> None:
    """Data of unknown size go to the file's end."""
    assert samples_of(tmp_path, wav(7, 8_000, 8, b"\x00\x80", size=size)) == [-32_124, 32_124]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is no WAV file"),
        (b"RIFX0000WAVE", "is no WAV file"),
        (b"RIFF0000WAVE", "without format or data"),
        (wav(7, 8_000, 8, b"\x00" * 8)[:-3], "ends before its data does"),
        (wav(7, 8_000, 8, b""), "holds no audio"),
        (wav(1, 44_100, 16, b"\x00" * 8), "has format 1, 16 bits, 44100 Hz"),
        (wav(3, 8_000, 32, b"\x00" * 8), "has format 3, 32 bits, 8000 Hz"),
        (wav(1, 8_000, 16, b"\x00" * 8, channels=2), "has 2 channels"),
        (b"RIFF0000WAVEfmt \x02\0\0\0ab", "has a format chunk of 2 bytes"),
        (b"RIFF0000WAVEdata\x02\0\0\0ab", "without format or data"),
    ],
)
def test_bad_wav_is_one_clear_error(tmp_path: Path, content: bytes, problem: str) -> None:
    """Whatever is wrong with a file is said with its name."""
    with pytest.raises(FileError, match=problem) as raised:
        samples_of(tmp_path, content)
    assert "a.wav" in str(raised.value)


def test_missing_wav_is_one_clear_error(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(FileError, match=r"none\.wav` cannot be read"):
        read_wav(tmp_path / "none.wav")


@pytest.mark.parametrize(("hertz", "band"), [(200, 4), (1_000, 26), (3_000, 54)])
def test_spectrogram_shows_a_tone_in_its_band(hertz: float, band: int) -> None:
    """The loudest of Whisper's 80 bands is the one around the tone: 37 Hz a band up to 1 kHz, then logarithmic."""
    spectrogram = log_mel(upsample(tone(hertz)), 100)
    assert spectrogram.shape == (80, 100)
    assert abs(int(spectrogram[:, 25].argmax()) - band) <= 1
    assert spectrogram[:, 90].max() < spectrogram[:, 25].max() - 1.9


def test_moonshine_hears_quiet_speech_louder_and_silence_after_it() -> None:
    """A quiet piece is raised to a quarter of full scale, a loud one is not; 0.3 s of silence follow."""
    loud = upsample(tone(1_000))
    raised, kept = prepared(loud * np.float32(0.05)), prepared(loud * np.float32(2))
    assert raised.size == loud.size + 4_800
    assert not raised[-4_800:].any()
    assert np.abs(raised).max() == pytest.approx(0.25)
    assert np.abs(kept[:-4_800]).max() == pytest.approx(0.61 * 0.74, rel=0.05)
    assert prepared(loud[:0]).size == 0
