"""The default for English: Moonshine tiny-en, read by sherpa-onnx.

91 calls a core at 241 MB when only finals are asked for; the weights (MIT) come with the extra `speech`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

from dialer.errors import SpeechError
from dialer.speech import weights
from dialer.speech.offline import OfflineEngine
from dialer.speech.resample import MODEL_RATE_HZ, Samples

NAME: Final = "moonshine"


def load(cache: Path, *, threads: int = 1) -> OfflineEngine:
    """The engine. Raises `SpeechError` that names the extra or the file."""
    files = weights.moonshine(cache)
    try:
        recogniser = sherpa_onnx("speech recognition in English").OfflineRecognizer.from_moonshine_v2(
            encoder=str(files.encoder), decoder=str(files.decoder), tokens=str(files.tokens), num_threads=threads
        )
    except (RuntimeError, ValueError) as error:
        raise SpeechError(f"Moonshine cannot be loaded: {error}", "install the extra `speech` again") from error
    return OfflineEngine(NAME, "en", files.model, lambda samples: decode(recogniser, samples))


def sherpa_onnx(what: str) -> Any:
    """The package, imported now that it is needed. Raises `SpeechError` that names the extra."""
    try:
        importlib.import_module("webrtcvad")
        return importlib.import_module("sherpa_onnx")
    except ImportError as error:
        raise weights.missing_extra("speech", what) from error


def decode(recogniser: Any, samples: Samples) -> str:
    """What an offline recogniser of sherpa-onnx makes of a piece."""
    stream = recogniser.create_stream()
    stream.accept_waveform(MODEL_RATE_HZ, samples)
    recogniser.decode_stream(stream)
    return str(stream.result.text)
