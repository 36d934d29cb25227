"""Files that appear whole or not at all, for their owner alone, and survive a power cut."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def write_durably(file: Path, data: bytes) -> None:
    """Write a file in a folder that exists; when this returns it is on the disk. Raises `OSError`; then it is not
    there, or is as it was."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
        sync_folder(file.parent)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def sync_folder(folder: Path) -> None:
    """What is in a folder is on the disk, names too. Raises `OSError`."""
    entries = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(entries)
    finally:
        os.close(entries)
