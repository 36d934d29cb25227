"""This node as a witness of other logs (C2SP tlog-witness; cosignatures of Ed25519 as C2SP tlog-cosignature says).

For each log it remembers in a file the newest checkpoint that it has cosigned, as a note that bears its own
cosignature: what was not signed by this witness's key is not believed. It cosigns nothing that does not begin with what
it cosigned last, writes to the disk before it answers, and takes one request at a time for each log. When the file is
not to be read, it cosigns nothing of this log.

A log is known by its name and its keys (`evidence.witness_for`). A new key of a log that is known is not trusted on the
old one's word: while both sign, the old one suffices, and then the witness's operator adds the new one to the setting.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dialer.durable import write_durably
from dialer.errors import ConfigError, FileError
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.verifier.note import (
    ED25519,
    Checkpoint,
    Note,
    NoteFault,
    Signature,
    VerifierKey,
    read_checkpoint,
    read_key,
    read_note,
    verify,
)
from dialer.verifier.tree import EMPTY_ROOT, HASH_SIZE, ProofFault, check_consistency
from dialer.witness_key import WitnessKey, held, make_folder

log = logging.getLogger(__name__)

REQUEST_LIMIT = 128 * 1024
"""Bytes of a request: sixteen signatures of any kind and a proof take less."""
SIZE_KIND = "text/x.tlog.size"
_PLAIN = "text/plain"
_LONGEST_PROOF = 63
_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with. `kind` is the body's media type."""

    status: int
    text: str
    kind: str = _PLAIN


class Refused(Exception):
    """A request that is not granted."""

    def __init__(self, status: int, text: str, kind: str = _PLAIN) -> None:
        super().__init__(text)
        self.answer = Answer(status, f"{text}\n", kind)


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request: `proof` is said to lead from the tree of `old` leaves to the checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A log that is witnessed: the newest checkpoint that was cosigned. `problem`: why nothing more is."""

    name: str
    size: int | None
    at: datetime | None
    problem: str


def read_request(body: bytes) -> AddCheckpoint:
    """A request from its body. Raises `Refused` (400)."""
    try:
        head, gap, signed = body.decode("utf-8").partition("\n\n")
        if len(body) > REQUEST_LIMIT or not gap:
            raise Refused(400, "a request is `old SIZE`, the lines of a proof, an empty line, and a signed checkpoint")
        first, *lines = head.split("\n")
        word, _, size = first.partition(" ")
        if word != "old" or not _is_size(size):
            raise Refused(400, "the first line is `old` and the size of a log")
        if len(lines) > _LONGEST_PROOF:
            raise Refused(400, f"a proof has at most {_LONGEST_PROOF} lines")
        note = read_note(signed)
        return AddCheckpoint(int(size), tuple(_hash(line) for line in lines), note, read_checkpoint(note.text))
    except UnicodeDecodeError:
        raise Refused(400, "the request is not UTF-8") from None
    except NoteFault as fault:
        raise Refused(400, printable(str(fault))) from None


def signatures_of(request: AddCheckpoint, logs: Mapping[str, Sequence[VerifierKey]]) -> tuple[Signature, ...]:
    """The signatures on the checkpoint by keys of its log. Raises `Refused` (404, 403)."""
    keys = logs.get(request.checkpoint.origin)
    if keys is None:
        raise Refused(404, "this log is not known here; the witness's operator adds its key to `evidence.witness_for`")
    found: list[Signature] = []
    for signature in request.note.signatures:
        for key in keys:
            if (signature.name, signature.key_hash) == (key.name, key.hash):
                with _refused(403):
                    verify(Note(request.note.text, (signature,)), key)
                found.append(signature)
    if not found:
        raise Refused(403, "no key that is known here has signed it; `evidence.witness_for` takes a log's new keys")
    return tuple(found)


def judge(request: AddCheckpoint, last: Checkpoint | None) -> None:
    """Whether the checkpoint follows the one that was cosigned last. Raises `Refused` (400, 409, 422)."""
    size, root = (last.size, last.root) if last else (0, EMPTY_ROOT)
    if request.old > request.checkpoint.size:
        raise Refused(400, f"the checkpoint's size is less than {request.old}")
    if request.old != size:
        raise Refused(409, str(size), SIZE_KIND)
    with _refused(422):
        check_consistency(size, request.checkpoint.size, root, request.checkpoint.root, request.proof)


class Witness:
    """The witness whose state is in `folder`. `logs`: keys by log's name."""

    def __init__(self, folder: Path, key: WitnessKey, logs: Mapping[str, Sequence[VerifierKey]], clock: Clock) -> None:
        self._folder, self._key, self._logs, self._clock = folder, key, logs, clock
        self._turns = {name: asyncio.Lock() for name in logs}

    async def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign, or say why not. When it answers 200 the checkpoint is on the disk."""
        try:
            request = read_request(body)
            verified = signatures_of(request, self._logs)
            async with self._turns[request.checkpoint.origin]:
                return await asyncio.to_thread(self._add, request, verified)
        except Refused as refused:
            return refused.answer
        except (FileError, OSError) as error:
            log.error("the witness did not cosign a checkpoint of `%s`: %s", request.checkpoint.origin, error)
            return Answer(500, "this witness's record of the log cannot be read or written; ask its operator\n")

    async def checkpoint(self, digest: str) -> str | None:
        """The newest cosigned checkpoint of the log whose name has this SHA-256 (hexadecimal); None when there is none.
        Raises `FileError`."""
        for name in self._logs:
            if log_digest(name) == digest:
                note = await asyncio.to_thread(self._read, name)
                return str(note) if note else None
        return None

    async def status(self) -> list[Witnessed]:
        """Each log that is witnessed."""
        return await asyncio.to_thread(lambda: [self._state(name) for name in self._logs])

    def _add(self, request: AddCheckpoint, verified: Sequence[Signature]) -> Answer:
        name, text = request.checkpoint.origin, request.note.text
        make_folder(self._folder)
        with held(self._file(name).with_suffix(".lock")):
            known = self._read(name)
            last = read_checkpoint(known.text) if known else None
            try:
                judge(request, last)
            except Refused:
                self._keep_fork(request, verified, last)
                raise
            signature = self._key.cosign(text, self._clock())
            write_durably(self._file(name), str(Note(text, (*verified, signature))).encode())
        return Answer(200, f"{signature}\n")

    def _keep_fork(self, request: AddCheckpoint, verified: Sequence[Signature], last: Checkpoint | None) -> None:
        """Two signed roots of one size prove what the log did: the first such checkpoint is kept beside the other."""
        offered = request.checkpoint
        if last is None or offered.size != last.size or offered.root == last.root:
            return
        log.error("`%s` has signed two different roots of %d leaves: it was rewritten", offered.origin, offered.size)
        file = self._file(offered.origin).with_suffix(".fork")
        if not file.exists():
            write_durably(file, str(Note(request.note.text, tuple(verified))).encode())

    def _read(self, name: str) -> Note | None:
        """What was cosigned last of a log. Raises `FileError` for a file that this witness did not write."""
        file = self._file(name)
        try:
            note = read_note(file.read_bytes().decode("utf-8"))
            verify(note, self._key.verifier)
            if read_checkpoint(note.text).origin != name:
                raise NoteFault("it is of another log")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, NoteFault) as error:
            raise FileError(
                f"`{file}`, which says what was cosigned last of `{name}`, cannot be used: {error}",
                "restore it and `witness.key` from a backup of the same moment or later; nothing of this log is "
                "cosigned meanwhile",
            ) from error
        return note

    def _state(self, name: str) -> Witnessed:
        try:
            note = self._read(name)
        except FileError as error:
            return Witnessed(name, None, None, str(error))
        fork = self._file(name).with_suffix(".fork")
        problem = f"it has signed two different roots of one size: see `{fork}`" if fork.exists() else ""
        if note is None:
            return Witnessed(name, None, None, problem)
        return Witnessed(name, read_checkpoint(note.text).size, verify(note, self._key.verifier), problem)

    def _file(self, name: str) -> Path:
        return self._folder / f"{log_digest(name)}.checkpoint"


def read_logs(keys: Sequence[str]) -> dict[str, tuple[VerifierKey, ...]]:
    """What `evidence.witness_for` says: keys by log's name. Raises `ConfigError`."""
    logs: dict[str, tuple[VerifierKey, ...]] = {}
    for text in keys:
        try:
            key = read_key(text)
        except NoteFault as fault:
            raise ConfigError(
                f"`evidence.witness_for`: {fault}", "`heedline evidence key` prints the key of a log, on its node"
            ) from fault
        if key.algorithm != ED25519:
            raise ConfigError(
                f"`evidence.witness_for`: `{printable(key.id)}` is the key of a witness, not of a log",
                "`heedline evidence key` prints the key of a log, on its node",
            )
        logs[key.name] = (*logs.get(key.name, ()), key)
    return logs


@contextlib.contextmanager
def _refused(status: int) -> Iterator[None]:
    """What is wrong with a note or a proof is the answer."""
    try:
        yield
    except (NoteFault, ProofFault) as fault:
        raise Refused(status, printable(str(fault))) from None


def _hash(line: str) -> bytes:
    with contextlib.suppress(binascii.Error, ValueError):
        found = base64.b64decode(line, validate=True)
        if len(found) == HASH_SIZE and base64.b64encode(found).decode() == line:
            return found
    raise Refused(400, "a line of the proof is no hash in base64")


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS and (text == "0" or text[0] != "0")


def log_digest(name: str) -> str:
    """By what a log is named in addresses and files: SHA-256 of its name, hexadecimal (C2SP tlog-witness)."""
    return hashlib.sha256(name.encode()).hexdigest()
