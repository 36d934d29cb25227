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

UNLIKELY: Final = -1.1
"""A text of a lower mean log probability was imagined into noise. What was said in the development clips scored above
-1.05, and what was made of noise below -1.5."""

CONTEXT: Final = {
    "zh": "喂，你好，请问你是哪位？现在不方便，明天再打给我。我考虑一下，可以。"
    "不要再打电话给我了。别再打了。以后不要再打过来。请不要再联系我。别打扰我，别骚扰我。我不需要，没兴趣。我要退订，取消订阅。"
    "请把我的号码删掉。把我从名单里去掉。拉进黑名单。不想再接到你们的电话。谢谢，再见。"
}
"""What Whisper is told that it heard before: the words of such calls, refusals and others, in simplified characters. It
decides between words that sound alike. Half as many syllables of the development refusals were wrong with it."""

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
        reader = _Reader(package, loaded, vocabulary, language)
    except (RuntimeError, ValueError, OSError) as error:
        raise SpeechError(f"the Whisper model in `{folder}` cannot be loaded: {error}", "copy it there anew") from error
    return OfflineEngine(NAME, language, model, reader.decode, finals_alone=True)


def _vocabulary(file: Path) -> list[str]:
    return file.read_text("utf-8").removesuffix("\n").split("\n")


class _Reader:
    """Decodes pieces with a loaded model; several threads may."""

    def __init__(self, package: Any, loaded: Any, vocabulary: list[str], language: str) -> None:
        self._package = package
        self._loaded = loaded
        self._tokens = token_bytes(vocabulary, vocabulary.index("<|endoftext|>"))
        start = [vocabulary.index(marker.format(language=language)) for marker in _MARKERS]
        before = token_numbers(CONTEXT.get(language, ""), self._tokens)
        self._prompt = [vocabulary.index("<|startofprev|>"), *before, *start] if before else start

    def decode(self, samples: Samples) -> str:
        features = self._package.StorageView.from_array(log_mel(samples, FRAMES)[None])
        longest = SPARE_TOKENS + TOKENS_A_SECOND * samples.size // MODEL_RATE_HZ
        result = self._loaded.generate(
            features,
            [self._prompt],
            beam_size=BEAM,
            max_length=len(self._prompt) + longest,
            return_scores=True,
        )[0]
        return "" if result.scores[0] < UNLIKELY else self._text(result.sequences_ids[0])

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


def token_numbers(text: str, tokens: Sequence[bytes]) -> list[int]:
    """A text as tokens, always the longest that fits; Whisper's own merges differ in places, to no harm in context."""
    numbers = {token: number for number, token in reversed(list(enumerate(tokens)))}
    longest = max(map(len, tokens), default=0)
    rest, found = text.encode(), []
    while rest:
        length = next((length for length in range(min(longest, len(rest)), 0, -1) if rest[:length] in numbers), 0)
        if not length:
            raise ValueError("a byte has no token")
        found.append(numbers[rest[:length]])
        rest = rest[length:]
    return found
