"""Mandarin, experimental: Whisper base in CTranslate2's format, from the extra `mandarin` or a folder.

CTranslate2 runs the network; the spectrogram and the tokens are made here, so that nothing heavier is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dialer.errors import SpeechError
from dialer.speech import weights
from dialer.speech.mel import HOP, log_mel
from dialer.speech.offline import OfflineEngine
from dialer.speech.resample import MODEL_RATE_HZ, Samples
from dialer.speech.segments import LONGEST_MS

NAME: Final = "whisper"

FRAMES: Final = 1_500
"""15 s: the longest segment fits, and it costs a third of Whisper's own 30 s without hearing worse."""

NO_SPEECH: Final = 0.6
UNLIKELY: Final = -1.5
"""A text of a lower mean log probability, where the model itself doubts that someone spoke, is imagined."""

BEAM: Final = 5
"""A fifth fewer wrong syllables than greedy search, for a twentieth more time: the encoder is what costs."""

TOKENS_A_SECOND: Final = 8
SPARE_TOKENS: Final = 8

_FILES: Final = ("model.bin", "config.json", "vocabulary.txt")
_MARKERS: Final = ("<|startoftranscript|>", "<|{language}|>", "<|transcribe|>", "<|notimestamps|>")

if LONGEST_MS * MODEL_RATE_HZ // 1_000 > FRAMES * HOP:
    raise AssertionError("a segment is longer than what Whisper is given")


def is_folder(folder: Path) -> bool:
    """Whether a folder looks like a Whisper model of CTranslate2's."""
    return all((folder / name).is_file() for name in _FILES)


def load_packaged(cache: Path, language: str, *, threads: int = 1) -> OfflineEngine:
    """The engine with the weights of the extra `mandarin`. Raises `SpeechError`."""
    _package()
    files = weights.whisper(cache)
    return _engine(files.folder, files.model, language, threads)


def load(folder: Path, language: str, *, threads: int = 1) -> OfflineEngine:
    """The engine of a folder with any Whisper model of CTranslate2's (80 mel bands). Raises `SpeechError`."""
    _package()
    return _engine(folder, weights.model_hash([folder / name for name in _FILES]), language, threads)


def _package() -> Any:
    try:
        importlib.import_module("webrtcvad")
        return importlib.import_module("ctranslate2")
    except ImportError as error:
        raise weights.missing_extra("mandarin", "speech recognition by Whisper") from error


def _engine(folder: Path, model: str, language: str, threads: int) -> OfflineEngine:
    package = _package()
    try:
        loaded = package.models.Whisper(
            str(folder), device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads
        )
        vocabulary = _vocabulary(folder / "vocabulary.txt")
        prompt = [vocabulary.index(marker.format(language=language)) for marker in _MARKERS]
        reader = _Reader(package, loaded, vocabulary, prompt)
    except (RuntimeError, ValueError, OSError) as error:
        raise SpeechError(f"the Whisper model in `{folder}` cannot be loaded: {error}", "copy it there anew") from error
    return OfflineEngine(NAME, language, model, reader.decode)


def _vocabulary(file: Path) -> list[str]:
    return file.read_text("utf-8").removesuffix("\n").split("\n")


class _Reader:
    """Decodes pieces with a loaded model; several threads may."""

    def __init__(self, package: Any, loaded: Any, vocabulary: list[str], prompt: list[int]) -> None:
        self._package = package
        self._loaded = loaded
        self._prompt = prompt
        self._tokens = token_bytes(vocabulary, vocabulary.index("<|endoftext|>"))

    def decode(self, samples: Samples) -> str:
        features = self._package.StorageView.from_array(log_mel(samples, FRAMES)[None])
        longest = SPARE_TOKENS + TOKENS_A_SECOND * samples.size // MODEL_RATE_HZ
        result = self._loaded.generate(
            features,
            [self._prompt],
            beam_size=BEAM,
            max_length=len(self._prompt) + longest,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        if result.no_speech_prob > NO_SPEECH and result.scores[0] < UNLIKELY:
            return ""
        return self._text(result.sequences_ids[0])

    def _text(self, numbers: Sequence[int]) -> str:
        spoken = b"".join(self._tokens[number] for number in numbers if number < len(self._tokens))
        return spoken.decode("utf-8", "replace")


def token_bytes(vocabulary: Sequence[str], count: int) -> list[bytes]:
    """The bytes of the first `count` tokens, which a byte-level vocabulary (GPT-2's) writes as printable characters.

    Bytes that are printable in Latin-1 stand for themselves, the others for the characters from U+0100 on, in order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    table = {chr(byte): byte for byte in printable} | {chr(0x100 + at): byte for at, byte in enumerate(others)}
    return [bytes(table.get(mark, 0x3F) for mark in token) for token in vocabulary[:count]]
