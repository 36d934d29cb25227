"""A folder with a model of sherpa-onnx, chosen by the administrator: streaming, offline or keyword spotting.

The library ends the whole process on a model that it cannot read. So a folder is first loaded in a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from dialer.errors import SpeechError
from dialer.speech import weights
from dialer.speech.folders import Kind, Layout, recognise
from dialer.speech.moonshine import decode, prepared, sherpa_onnx
from dialer.speech.offline import OfflineEngine
from dialer.speech.online import OnlineEngine

NAME: Final = "sherpa"

PROBE_SECONDS: Final = 180
"""A folder that is not loaded by then is not loaded."""

ENDPOINTS: Final[dict[str, Any]] = {
    "enable_endpoint_detection": True,
    "rule1_min_trailing_silence": 1.5,
    "rule2_min_trailing_silence": 0.6,
    "rule3_min_utterance_length": 12.0,
}
"""When a streaming model's utterance ends: seconds of silence without and with text, and the longest utterance."""

_ONLINE: Final = frozenset({Kind.ONLINE_TRANSDUCER, Kind.ONLINE_PARAFORMER, Kind.ONLINE_CTC, Kind.KEYWORD})


def load(folder: Path, language: str, *, threads: int = 1) -> OfflineEngine | OnlineEngine:
    """The engine of a folder. Raises `SpeechError` that names the extra, the folder or the missing file."""
    layout = recognise(folder)
    package = sherpa_onnx(f"the model folder `{folder}`")
    _probe(folder, language)
    recogniser = construct(package, layout, language, threads)
    model = weights.model_hash(layout.files.values())
    if layout.kind in _ONLINE:
        return OnlineEngine(NAME, language, model, recogniser, keywords=layout.kind is Kind.KEYWORD)
    if layout.kind in (Kind.MOONSHINE, Kind.MOONSHINE_MERGED):
        return OfflineEngine(NAME, language, model, lambda samples: decode(recogniser, prepared(samples)))
    return OfflineEngine(NAME, language, model, lambda samples: decode(recogniser, samples))


def construct(package: Any, layout: Layout, language: str, threads: int) -> Any:
    """The library's object for a model. It may end the process: see the module."""
    files = {role: str(file) for role, file in layout.files.items()}
    offline, online = package.OfflineRecognizer, package.OnlineRecognizer
    makers: dict[Kind, Callable[[], Any]] = {
        Kind.ONLINE_TRANSDUCER: lambda: online.from_transducer(**files, **ENDPOINTS, num_threads=threads),
        Kind.ONLINE_PARAFORMER: lambda: online.from_paraformer(**files, **ENDPOINTS, num_threads=threads),
        Kind.ONLINE_CTC: lambda: online.from_zipformer2_ctc(**files, **ENDPOINTS, num_threads=threads),
        Kind.KEYWORD: lambda: package.KeywordSpotter(
            **{("keywords_file" if role == "keywords" else role): file for role, file in files.items()},
            num_threads=threads,
        ),
        Kind.OFFLINE_TRANSDUCER: lambda: offline.from_transducer(**files, num_threads=threads),
        Kind.OFFLINE_PARAFORMER: lambda: offline.from_paraformer(
            paraformer=files["model"], tokens=files["tokens"], num_threads=threads
        ),
        Kind.OFFLINE_CTC: lambda: offline.from_zipformer_ctc(**files, num_threads=threads),
        Kind.SENSE_VOICE: lambda: offline.from_sense_voice(**files, language=language, num_threads=threads),
        Kind.WHISPER: lambda: offline.from_whisper(**files, language=language, num_threads=threads),
        Kind.MOONSHINE: lambda: offline.from_moonshine(**files, num_threads=threads),
        Kind.MOONSHINE_MERGED: lambda: offline.from_moonshine_v2(**files, num_threads=threads),
    }
    return makers[layout.kind]()


def _probe(folder: Path, language: str) -> None:
    """Load the folder in another process. Raises `SpeechError` with the library's last words."""
    command = [sys.executable, "-m", "dialer.speech.probe", str(folder), language]
    try:
        ended = subprocess.run(  # noqa: S603 - our own module; the folder is an argument, not a command
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _unusable(folder, f"it was not loaded in {PROBE_SECONDS} s") from None
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").split("\n")
        raise _unusable(folder, next((line.strip() for line in reversed(said) if line.strip()), "no word why")[:300])


def _unusable(folder: Path, why: str) -> SpeechError:
    return SpeechError(f"sherpa-onnx cannot load the model folder `{folder}`: {why}", "copy the model's folder whole")
