"""Prompts that the service itself plays to callees: WAV files by language and name.

Heedline's own are in the package (`agi/dialplan/sounds`); a file of the same name in the home folder's `sounds/en` or
`sounds/zh` takes its place, and others there are messages that the dialplan may ask for by name.
"""

from __future__ import annotations

import logging
import re
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dialer.verdict import Language

log = logging.getLogger(__name__)

OFFER: Final = "heedline-offer"
"""Tells the callee by which key he refuses; what is played when no message is named."""
RECORDED: Final = "heedline-refusal-recorded"
FAILED: Final = "heedline-refusal-failed"

_LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LONGEST_S = 600
# Of all prompts together, 8 kHz slin: they are kept in memory.
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Prompts:
    """Slin (8 kHz, 16-bit, mono) by language and name."""

    pcm: Mapping[tuple[Language, str], bytes] = field(default_factory=dict)

    def find(self, name: str, language: Language) -> bytes:
        """A prompt in the callee's language, else in another; empty when there is none."""
        return next((self.pcm[key] for other in (language, *_LANGUAGES) if (key := (other, name)) in self.pcm), b"")


def load_prompts(folders: Sequence[Path]) -> Prompts:
    """Read every prompt of these folders; the first folder wins. It blocks.

    What is no WAV file of 8 kHz, 16 bits and one channel is left out, with a line in the log.
    """
    found: dict[tuple[Language, str], bytes] = {}
    room = _MOST_BYTES
    for folder in folders:
        for language in _LANGUAGES:
            for file in sorted((folder / language).glob("*.wav")):
                if not _NAME.fullmatch(file.stem) or (language, file.stem) in found:
                    continue
                pcm = _read(file)
                if pcm is None or len(pcm) > room:
                    continue
                room -= len(pcm)
                found[language, file.stem] = pcm
    return Prompts(found)


def _read(file: Path) -> bytes | None:
    try:
        with wave.open(str(file), "rb") as opened:
            form = (opened.getframerate(), opened.getsampwidth(), opened.getnchannels())
            frames = opened.getnframes()
            if form != (8_000, 2, 1) or frames > _LONGEST_S * 8_000:
                raise wave.Error(f"{form[0]} Hz, {8 * form[1]} bits, {form[2]} channels, {frames} samples")
            pcm = opened.readframes(frames)
    except Exception as error:  # the standard library trips over torn files in many ways
        log.warning(
            "prompt `%s` is left out: %s; give 8 kHz 16-bit mono PCM of ten minutes at most",
            file,
            str(error) or type(error).__name__,
        )
        return None
    return pcm[: len(pcm) // 2 * 2]
