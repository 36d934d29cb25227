"""Which engine hears a language: the packaged one, or what a model folder holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dialer.errors import SpeechError
from dialer.speech import moonshine, sherpa, vosk, whisper
from dialer.speech.engine import Engine

LANGUAGES: Final = ("en", "zh")


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What to load.

    `cache` is a folder for what is made of packaged weights (`speech` in the home folder); `model_dir` a folder with a
    model of sherpa-onnx, Vosk, or Whisper as CTranslate2 has it, instead of the packaged one.
    """

    language: str
    cache: Path
    model_dir: Path | None = None
    threads: int = 1


def load_engine(settings: EngineSettings) -> Engine:
    """Load the engine for a language; takes a second or so and blocks.

    Raises `SpeechError` that names the missing extra, folder or file.
    """
    language, folder = settings.language, settings.model_dir
    if language not in LANGUAGES:
        raise SpeechError(f"no recogniser for the language `{language[:16]}`", "use one of en, zh")
    if folder is None:
        if language == "en":
            return moonshine.load(settings.cache, threads=settings.threads)
        return whisper.load_packaged(settings.cache, language, threads=settings.threads)
    if not folder.is_dir():
        raise SpeechError(f"the model folder `{folder}` does not exist", "name the folder that holds the model's files")
    if vosk.is_folder(folder):
        return vosk.load(folder, language)
    if whisper.is_folder(folder):
        return whisper.load(folder, language, threads=settings.threads)
    return sherpa.load(folder, language, threads=settings.threads)
