"""Artefacts of consents: forms, recordings, messages, kept under their SHA-256."""

from __future__ import annotations

import hashlib
import mimetypes
import os
from pathlib import Path

from dialer.errors import FileError
from dialer.ports_registers import Artefact

_BLOCK = 1024 * 1024


def keep(file: Path, folder: Path) -> Artefact:
    """Copy a file into `folder` (owner alone may read it) under the SHA-256 of what was copied.

    Memory does not grow with the file. Raises `FileError`.
    """
    digest = hashlib.sha256()
    draft = folder / f".{os.getpid()}.part"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        secret = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(secret, "wb") as copy, file.open("rb") as source:
            while block := source.read(_BLOCK):
                digest.update(block)
                copy.write(block)
            copy.flush()
            os.fsync(copy.fileno())
        kept = folder / digest.hexdigest()
        draft.replace(kept)
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
        raise FileError(
            f"artefact `{file}` cannot be kept: {problem}", "check its name, its rights and the disk"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return Artefact(digest.digest(), media_type, f"artefacts/{kept.name}")
