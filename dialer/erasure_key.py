"""The key under which refusals of erased people stay in force: a file of every node, never in the database.

A callee's hash is HMAC-SHA-256 (RFC 2104) of his E.164 digits in ASCII. Numbers are few enough to be tried one by one,
so whoever has both the key and the hashes can find them again: the two are kept apart.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dialer.durable import sync_folder, write_durably
from dialer.errors import ConfigError

NAME = "erasure.key"
_BYTES = 32

HashNumber = Callable[[int], bytes]
"""The hash of a callee (E.164 digits)."""


@dataclass(frozen=True, slots=True)
class KeyMark:
    """Which key hashes: its `fingerprint` (SHA-256), and the `node` that made it."""

    fingerprint: bytes
    node: str


class ErasureKey:
    """The key in a folder. It is read when it is first needed, and kept while it fits."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / NAME
        self._known: tuple[bytes, HashNumber] | None = None

    def hash_for(self, mark: KeyMark) -> HashNumber | None:
        """How numbers are hashed under the key of that mark; None when it is not here, or another is."""
        if self._known is None or self._known[0] != mark.fingerprint:
            try:
                key = self._read()
            except (OSError, ValueError):
                return None
            self._known = (fingerprint(key), hash_by(key))
        return self._known[1] if self._known[0] == mark.fingerprint else None

    def demand(self, mark: KeyMark) -> HashNumber:
        """The same. Raises `ConfigError` that names the file and the cure."""
        found = self.hash_for(mark)
        if found is None:
            raise self.lacking(mark)
        return found

    def lacking(self, mark: KeyMark) -> ConfigError:
        """What is wrong when the key is not here."""
        state = "is another key" if self._file.exists() else "is missing"
        return ConfigError(
            f"`{self._file}` {state}: without it the refusals of erased people cannot be seen",
            f"copy `{NAME}` from the node `{mark.node}`, which made it, or from its backup",
        )

    def made(self, mark: KeyMark | None) -> tuple[bytes, HashNumber]:
        """The fingerprint and the hash, for an erasure. The key is made when the database knows of none (`mark` None)
        and there is none here; when this returns it is on the disk. Raises `ConfigError`."""
        if mark is not None:
            return mark.fingerprint, self.demand(mark)
        try:
            if not self._file.exists():
                self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_durably(self._file, secrets.token_hex(_BYTES).encode() + b"\n")
                sync_folder(self._file.parent.parent)
            key = self._read()
        except OSError as error:
            problem = f"`{self._file}` cannot be made or read: {(error.strerror or str(error)).lower()}"
            raise ConfigError(problem, "check the rights of its folder and the disk") from error
        except ValueError as error:
            raise ConfigError(f"`{self._file}` is no key: {error}", "move it away; another is made") from error
        self._known = (fingerprint(key), hash_by(key))
        return self._known

    def _read(self) -> bytes:
        key = bytes.fromhex(self._file.read_text("ascii").strip())
        if len(key) != _BYTES:
            raise ValueError(f"it has {len(key)} bytes, not {_BYTES}")
        return key


def fingerprint(key: bytes) -> bytes:
    """By which a key is known without being told."""
    return hashlib.sha256(b"heedline erasure key v1\n" + key).digest()


def hash_by(key: bytes) -> HashNumber:
    """How numbers are hashed under a key."""

    def hash_number(callee: int) -> bytes:
        return hmac.digest(key, b"%d" % callee, "sha256")

    return hash_number
