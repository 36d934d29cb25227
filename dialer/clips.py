"""Clips of what callees said, each kept under the SHA-256 of its file: `ab/abcdef….wav`.

They are read by the service's own user alone.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from dialer.durable import sync_folder, write_durably
from dialer.errors import FileError

_NAME = re.compile(r"[0-9a-f]{64}")


def keep_clip(wav: bytes, folder: Path) -> str:
    """Keep a WAV file; its SHA-256 (hexadecimal). When this returns it is on the disk. Raises `FileError`."""
    name = hashlib.sha256(wav).hexdigest()
    place = folder / name[:2]
    try:
        for made in (folder, place):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(place / f"{name}.wav", wav)
        sync_folder(folder)
    except OSError as error:
        problem = f"a clip cannot be kept in `{folder}`: {(error.strerror or str(error)).lower()}"
        raise FileError(problem, "check its rights and the disk") from error
    return name


def clip_file(sha256: str, folder: Path) -> Path:
    """Where the clip of a hash is kept, whether or not it is. Raises `FileError` for what is no SHA-256."""
    if not _NAME.fullmatch(sha256):
        raise FileError(f"`{sha256[:80]!a}` is no SHA-256", "give the 64 hexadecimal digits of a refusal's clip")
    return folder / sha256[:2] / f"{sha256}.wav"


def read_clip(sha256: str, folder: Path) -> bytes:
    """The WAV file of a hash. Raises `FileError` when it is not there, cannot be read, or is not what was kept."""
    file = clip_file(sha256, folder)
    try:
        wav = file.read_bytes()
    except OSError as error:
        problem = f"clip `{file}` cannot be read: {(error.strerror or str(error)).lower()}"
        raise FileError(problem, "restore it from a copy of the clips' folder") from error
    if hashlib.sha256(wav).hexdigest() != sha256:
        raise FileError(f"clip `{file}` is not what was kept: its hash differs", "restore it from a copy")
    return wav
