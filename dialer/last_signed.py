"""What this node signed last, kept outside the database: a database that was set back is not signed anew.

`log.checkpoint` in the keys' folder holds the checkpoint that was committed last, and the one that was about to be. It
is written before a checkpoint is signed, in the transaction that holds the log's lock, and once more after the commit.
What was about to be names its entries: after a crash between the two the very same tree is made again, and no other.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fasteners

from dialer.durable import write_durably
from dialer.errors import FileError, LogFault
from dialer.verifier.note import Checkpoint, Note, NoteFault, VerifierKey, read_checkpoint, read_key, read_note

MEMORY_LOST = "log_memory_lost"
# The lock between processes does not hold among the threads of one.
_alone = threading.Lock()


@dataclass(frozen=True, slots=True)
class Intended:
    """A checkpoint that was about to be signed: on a log of `base` leaves, with the entries in `ranges` (first and last
    ids) besides."""

    base: int
    checkpoint: Checkpoint
    ranges: tuple[tuple[int, int], ...]

    def entries(self) -> list[int]:
        """The ids."""
        return [entry for first, last in self.ranges for entry in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Signed:
    """What was signed last, by `key`: `committed` is in the database, or was; `intended` may be."""

    key: VerifierKey
    committed: Note | None
    intended: Intended | None

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The committed one."""
        return read_checkpoint(self.committed.text) if self.committed else None


class LastSigned:
    """The file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "log.checkpoint"
        self._lock = folder / ".log.checkpoint.lock"

    def read(self) -> Signed | None:
        """What was signed last; None when there is no file. Raises `LogFault` when it cannot be read."""
        try:
            return _signed(json.loads(self.file.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LogFault(
                f"`{self.file}`, which says what was signed last, cannot be read: {error}",
                "restore it; if it is lost, move it away: then the database's newest checkpoint is taken for the last",
                MEMORY_LOST,
            ) from error

    def write(self, signed: Signed) -> None:
        """When this returns it is on the disk. Raises `FileError`."""
        with self._held():
            self._write(signed)

    def settle(self, note: Note) -> None:
        """What was intended is committed, unless something else is intended by now. Raises `FileError`, `LogFault`."""
        with self._held():
            signed = self.read()
            if signed and signed.intended and signed.intended.checkpoint.text() == note.text:
                self._write(Signed(signed.key, note, None))

    def _write(self, signed: Signed) -> None:
        intended = signed.intended and {
            "base": signed.intended.base,
            "text": signed.intended.checkpoint.text(),
            "entries": signed.intended.ranges,
        }
        committed = signed.committed and str(signed.committed)
        document = {"key": str(signed.key), "committed": committed, "intended": intended}
        write_durably(self.file, json.dumps(document).encode())

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone, fasteners.InterProcessLock(self._lock):
                yield
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise FileError(f"`{self.file}` cannot be written: {why}", "nothing is sealed until it can be") from error


def add_ranges(ranges: list[tuple[int, int]], entries: Sequence[int]) -> None:
    """Put ascending ids to those that are there, as first and last ids of stretches without a gap."""
    first, last = ranges.pop() if ranges else (entries[0], entries[0] - 1)
    for entry in entries:
        if entry != last + 1:
            ranges.append((first, last))
            first = entry
        last = entry
    ranges.append((first, last))


def _signed(document: Any) -> Signed:
    committed, intended = document["committed"], document["intended"]
    try:
        return Signed(
            read_key(document["key"]),
            read_note(committed) if committed is not None else None,
            Intended(
                int(intended["base"]),
                read_checkpoint(intended["text"]),
                tuple((int(first), int(last)) for first, last in intended["entries"]),
            )
            if intended is not None
            else None,
        )
    except (NoteFault, AttributeError) as error:
        raise ValueError(str(error)) from error
