"""A folder of clips to judge recognisers by: `clips.tsv` and WAV files beside it or in `clips/`."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dialer.errors import FileError
from dialer.speech.wav import read_wav

INDEX: Final = "clips.tsv"
REQUIRED: Final = ("file", "refusal", "lang")


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording of a callee. `speech_end_s`: when he has finished, from the file's start; None when not known."""

    file: Path
    refusal: bool
    language: str
    speech_end_s: float | None
    text: str


def read_clips(folder: Path) -> list[Clip]:
    """The clips of a folder, every file looked into. Raises `FileError` that names the file and the line."""
    if not folder.is_dir():
        raise FileError(f"`{folder}` is no folder", f"name a folder with `{INDEX}`")
    index = folder / INDEX
    try:
        lines = index.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not UTF-8"
        raise FileError(f"`{index}` cannot be read: {why}", f"put `{INDEX}` there, tab-separated") from error
    # Quotation marks are part of what was said.
    table = list(csv.reader((line.replace("\0", "") for line in lines), delimiter="\t", quoting=csv.QUOTE_NONE))
    header = [name.strip() for name in table[0]] if table else []
    if missing := [name for name in REQUIRED if name not in header]:
        raise FileError(f"`{index}`: line 1 has no column `{missing[0]}`", f"columns needed: {', '.join(REQUIRED)}")
    clips = [
        _clip(folder, dict(zip(header, row, strict=False)), f"`{index}`: line {number}")
        for number, row in enumerate(table[1:], start=2)
        if any(cell.strip() for cell in row)
    ]
    if not clips:
        raise FileError(f"`{index}` lists no clips", "write one line a clip below the header")
    for clip in clips:
        read_wav(clip.file)
    return clips


def _clip(folder: Path, row: dict[str, str], where: str) -> Clip:
    values = {name: (row.get(name) or "").strip() for name in (*REQUIRED, "speech_end_s", "text")}
    if values["refusal"] not in {"0", "1"}:
        raise FileError(f"{where}: `refusal` is `{values['refusal'][:16]}`", "write 1 for a refusal, 0 for none")
    language = values["lang"].split("-")[0].casefold()
    if not language.isalpha() or len(language) > 8:
        raise FileError(f"{where}: `lang` is `{values['lang'][:16]}`", "write en or zh")
    return Clip(
        file=_find(folder, values["file"], where),
        refusal=values["refusal"] == "1",
        language=language,
        speech_end_s=_seconds(values["speech_end_s"], where),
        text=values["text"],
    )


def _find(folder: Path, name: str, where: str) -> Path:
    given = Path(name)
    if not name or given.is_absolute() or ".." in given.parts:
        raise FileError(f"{where}: `file` is `{name[:64]}`", "name a file in the folder")
    for place in (folder / "clips" / given, folder / given):
        if place.is_file():
            return place
    raise FileError(f"{where}: there is no `{name[:64]}` in the folder", "put the file into it, or into its `clips/`")


def _seconds(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < 86_400:
        raise FileError(f"{where}: `speech_end_s` is `{text[:16]}`", "write seconds from the file's start, or nothing")
    return seconds
