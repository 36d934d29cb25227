"""A folder with a model of Vosk (Kaldi), which follows the audio as it comes; extra `vosk`."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dialer.errors import SpeechError
from dialer.speech import weights
from dialer.speech.engine import FRAME_MS, SAMPLE_RATE_HZ, Hypothesis
from dialer.speech.frames import Frames
from dialer.speech.offline import PARTIAL_EVERY_MS, printable

NAME: Final = "vosk"

ACOUSTIC: Final = ("am/final.mdl", "final.mdl")
"""Where a Vosk folder keeps its acoustic model, in the newer and the older layout."""


def is_folder(folder: Path) -> bool:
    """Whether a folder looks like one of Vosk's."""
    return any((folder / name).is_file() for name in ACOUSTIC)


def load(folder: Path, language: str) -> VoskEngine:
    """The engine of a folder. Raises `SpeechError` that names the extra or the folder."""
    try:
        package: Any = importlib.import_module("vosk")
    except ImportError as error:
        raise weights.missing_extra("vosk", f"the Vosk model folder `{folder}`") from error
    package.SetLogLevel(-1)
    try:
        model = package.Model(str(folder))
    except Exception as error:  # the package raises bare `Exception`
        raise SpeechError(
            f"Vosk cannot load the model folder `{folder}`: {error}", "copy the model's folder whole"
        ) from error
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return VoskEngine(language, weights.model_hash(files), package, model)


@dataclass(frozen=True, slots=True)
class VoskEngine:
    """A loaded Vosk model."""

    language: str
    model: str
    package: Any
    loaded: Any
    name: str = NAME

    def open(self, *, partials: bool) -> VoskStream:
        """A new stream; with `partials` its text so far comes every 0.5 s."""
        return VoskStream(self, partials=partials)


class VoskStream:
    """One callee's audio in Vosk."""

    def __init__(self, engine: VoskEngine, *, partials: bool) -> None:
        self._engine = engine
        self._partials = partials
        self._recogniser = engine.package.KaldiRecognizer(engine.loaded, SAMPLE_RATE_HZ)
        self._recogniser.SetWords(True)
        self._recogniser.SetPartialWords(True)
        self._frames = Frames()
        self._heard_ms = 0
        self._partial_ms = 0
        self._closed = False

    def feed(self, pcm: bytes) -> list[Hypothesis]:
        """Take audio; finals at Vosk's own endpoints, and the partials that fell due. Nothing once closed."""
        hypotheses: list[Hypothesis] = []
        for frame in () if self._closed else self._frames.cut(pcm):
            self._heard_ms += FRAME_MS
            if self._recogniser.AcceptWaveform(frame):
                hypotheses += self._hypothesis(self._recogniser.Result(), "text", "result", final=True)
            elif self._partials and self._heard_ms - self._partial_ms >= PARTIAL_EVERY_MS:
                self._partial_ms = self._heard_ms
                partial = self._recogniser.PartialResult()
                hypotheses += self._hypothesis(partial, "partial", "partial_result", final=False)
        return hypotheses

    def close(self) -> list[Hypothesis]:
        """The final of what was still being said. Idempotent."""
        if self._closed:
            return []
        self._closed = True
        return self._hypothesis(self._recogniser.FinalResult(), "text", "result", final=True)

    def _hypothesis(self, answer: str, text_key: str, words_key: str, *, final: bool) -> list[Hypothesis]:
        document = json.loads(answer)
        text = printable(document.get(text_key, ""))
        if not text:
            return []
        if self._engine.language == "zh":
            text = text.replace(" ", "")
        words = document.get(words_key) or [{"start": 0.0, "end": self._heard_ms / 1000}]
        start_ms, end_ms = int(words[0]["start"] * 1000), int(words[-1]["end"] * 1000)
        engine = self._engine
        return [Hypothesis(text, final, start_ms, max(start_ms, end_ms), engine.language, NAME, engine.model)]
