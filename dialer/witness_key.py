"""The key with which this node cosigns other logs' checkpoints: `witness.key` in the keys' folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from dialer.durable import sync_folder, write_durably
from dialer.errors import FileError
from dialer.verifier.note import COSIGNATURE, Signature, VerifierKey, cosign, verifier_key

_FILE = "witness.key"
_PATIENCE_S, _PAUSE_S = 2.0, 0.01


@dataclass(frozen=True, slots=True)
class WitnessKey:
    """The key and the name under which it cosigns, which follows from it."""

    private: Ed25519PrivateKey

    @property
    def name(self) -> str:
        """The same for the same key, on whatever machine."""
        public = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"heedline-witness/{hashlib.sha256(public).hexdigest()[:8]}"

    @property
    def verifier(self) -> VerifierKey:
        """What others verify cosignatures with."""
        return verifier_key(self.name, self.private, COSIGNATURE)

    def cosign(self, text: str, at: datetime) -> Signature:
        """Cosign a checkpoint's text (C2SP tlog-cosignature, Ed25519)."""
        return cosign(text, self.name, self.private, at)


def witness_key(folder: Path) -> WitnessKey:
    """The key in this folder; it is made when there is none. Raises `FileError`."""
    file = folder / _FILE
    try:
        make_folder(folder)
        with held(folder / f".{_FILE}.lock"):
            if not file.exists():
                text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                write_durably(file, text)
            private = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(file, str(error)) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise _unusable(file, "it is no Ed25519 key")
    return WitnessKey(private)


def make_folder(folder: Path) -> None:
    """A folder for the owner alone, which survives a power cut. Raises `OSError`."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(folder.parent)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """A lock between threads and between processes, as its file's holder dies with it. Raises `OSError` after 2 s."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        ends = monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() > ends:
                    raise TimeoutError(f"`{lock}` is held by another process") from None
                sleep(_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def _unusable(file: Path, why: str) -> FileError:
    return FileError(
        f"the witness's key `{file}` cannot be used: {why}",
        "restore it from a backup; without one move it and the folder `witness` beside it away: "
        "then this node is another witness, and logs must be told its new key",
    )
