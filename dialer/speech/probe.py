"""`python -m dialer.speech.probe FOLDER LANGUAGE`: load a sherpa-onnx folder and recognise a second of silence.

Run by `dialer.speech.sherpa` in a process of its own, because the library ends the process on a model that it cannot
read.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import numpy as np

from dialer.speech.folders import recognise
from dialer.speech.moonshine import sherpa_onnx
from dialer.speech.resample import MODEL_RATE_HZ
from dialer.speech.sherpa import construct

_ARGUMENTS: Final = 3


def main(arguments: list[str]) -> int:
    """0 when the model can be loaded and used. Else the library's own exit code or error."""
    if len(arguments) != _ARGUMENTS:
        print("usage: python -m dialer.speech.probe FOLDER LANGUAGE", file=sys.stderr)
        return 2
    layout = recognise(Path(arguments[1]))
    recogniser = construct(sherpa_onnx("a model folder"), layout, arguments[2], 1)
    stream = recogniser.create_stream()
    stream.accept_waveform(MODEL_RATE_HZ, np.zeros(MODEL_RATE_HZ, dtype=np.float32))
    if not hasattr(recogniser, "is_ready") or recogniser.is_ready(stream):
        recogniser.decode_stream(stream)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
