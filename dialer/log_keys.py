"""The log's keys: private ones are files of the nodes that seal; public ones, and what links them, are in the log."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from dialer.durable import write_durably
from dialer.errors import FileError, LogFault
from dialer.evidence.entries import canonical, instant
from dialer.ports import Clock
from dialer.ports_log import KeyRecord, LogState, LogStore, LogTransaction
from dialer.verifier.note import VerifierKey, verifier_key

KEY_LOST = "log_key_lost"


class KeyRing:
    """Private keys in one folder, `log-<8 hexadecimal digits of the key's hash>.key` each (Ed25519, PEM, PKCS #8)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, key: VerifierKey) -> Path:
        """Where this key's private half is, if it is here."""
        return self.folder / f"log-{key.hash.hex()}.key"

    def make(self, name: str) -> VerifierKey:
        """Make a key for the log of this name; when this returns its file is on the disk. Raises `FileError`."""
        private = Ed25519PrivateKey.generate()
        key = verifier_key(name, private)
        text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(self.file(key), text)
        except OSError as error:
            raise FileError(
                f"the log's key cannot be written to `{self.folder}`: {_why(error)}", "check the folder and its rights"
            ) from error
        return key

    def private(self, key: VerifierKey) -> Ed25519PrivateKey | None:
        """The private half; None when it is not here. Raises `LogFault` for a file that is not this key."""
        file = self.file(key)
        try:
            private = load_pem_private_key(file.read_bytes(), password=None)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise _unusable(file, str(error)) from error
        if not isinstance(private, Ed25519PrivateKey) or verifier_key(key.name, private) != key:
            raise _unusable(file, f"it is not the key `{key.id}`")
        return private


@dataclass(frozen=True, slots=True)
class LogKeys:
    """Making and changing the log's keys; `by` is who does, for evidence."""

    store: LogStore
    ring: KeyRing
    clock: Clock
    by: str

    async def ensure_log(self) -> None:
        """Make the log, unless there is one; of nodes that do so at once one makes it. Raises `FileError`."""
        async with self.store.transaction() as transaction:
            await transaction.make_alone()
            if await transaction.state() is None:
                name = new_name()
                await self.install(transaction, self.ring.make(name), "log.key_added", {}, is_new=True)

    async def rotate(self) -> tuple[VerifierKey, VerifierKey]:
        """A new key in place of the present one, both of which are returned; each has signed that it is so.

        Raises `LogFault` when the present key is not here, `FileError`.
        """
        async with self.store.transaction() as transaction:
            await transaction.make_alone()
            state = await transaction.state()
            if state is None:
                raise LogFault("there is no log yet", "run `heedline serve` once")
            old = current(state, await transaction.keys()).verifier
            if (private_old := self.ring.private(old)) is None:
                raise missing(self.ring, old)
            new = self.ring.make(state.name)
            private_new = self.ring.private(new)
            if private_new is None:
                raise missing(self.ring, new)
            text = rotation_text(old, new)
            told = {
                "old": str(old),
                "by_old": _base64(private_old.sign(text)),
                "by_new": _base64(private_new.sign(text)),
            }
            await self.install(transaction, new, "log.key_rotated", told)
        return old, new

    async def install(
        self, transaction: LogTransaction, key: VerifierKey, kind: str, told: dict[str, Any], *, is_new: bool = False
    ) -> None:
        """The log has this key, and its name, from now on; an entry says so. `is_new`: the log is made with it."""
        now = self.clock()
        about = {"name": key.name, "key": str(key)} if kind == "log.key_added" else {"new": str(key)}
        payload = canonical({"kind": kind, "at": instant(now), "by": self.by, **about, **told})
        entry = await transaction.witness(now, kind, payload)
        id = await transaction.add_key(key.name, key.public, now, self.by, entry)
        await (transaction.make if is_new else transaction.use_key)(key.name, id)


def new_name() -> str:
    """A name that no other log has."""
    return f"heedline/{secrets.token_hex(4)}"


def rotation_text(old: VerifierKey, new: VerifierKey) -> bytes:
    """What both keys sign when one takes the other's place."""
    return f"heedline key rotation v1\n{old}\n{new}\n".encode()


def current(state: LogState, keys: list[KeyRecord]) -> KeyRecord:
    """The key that signs now. Raises `LogFault` when the log names none that there is."""
    for key in keys:
        if key.id == state.key and key.name == state.name:
            return key
    raise LogFault(f"the log `{state.name}` has no key {state.key}", "run `heedline evidence fsck`")


def missing(ring: KeyRing, key: VerifierKey) -> LogFault:
    """This node does not hold the key."""
    return LogFault(
        f"the log's key `{key.id}` is not here: there is no `{ring.file(key)}`",
        "if no other node seals, restore the file from a backup; if it is gone for good: "
        "`heedline evidence accept-restore --reason TEXT` makes a new key, and the log says so",
        KEY_LOST,
    )


def _unusable(file: Path, why: str) -> LogFault:
    return LogFault(f"`{file}` cannot be used: {why}", "restore the file from a backup", KEY_LOST)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
