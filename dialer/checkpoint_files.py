"""Checkpoints in files: a signed note by itself, or the one in a bundle."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

from dialer.errors import FileError

_LONGEST = 1_000_000
_MEMBER = "checkpoint"


def checkpoint_text(file: Path) -> str:
    """The text of the checkpoint in a file; whether it is one is to be seen. Raises `FileError`."""
    try:
        with file.open("rb") as stream:
            head = stream.read(_LONGEST + 1)
            data = _in_bundle(stream, file) if head[:4] == b"PK\x03\x04" else head
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
        raise FileError(f"`{file}` cannot be read: {problem}", "check its name and its rights") from error
    if len(data) > _LONGEST:
        raise FileError(f"`{file}` is too long for a checkpoint", "give a signed note or a bundle")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"`{file}` holds no checkpoint", "give a signed note or a bundle") from error


def _in_bundle(stream: io.BufferedReader, file: Path) -> bytes:
    try:
        with zipfile.ZipFile(stream) as bundle, bundle.open(_MEMBER) as member:
            return member.read(_LONGEST + 1)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise FileError(f"`{file}` is no bundle, or a damaged one: it has no checkpoint", "give it whole") from error
