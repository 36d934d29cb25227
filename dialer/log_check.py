"""Is the log still the one that was signed? Asked before every signature, in the transaction that locks the log."""

from __future__ import annotations

from dataclasses import dataclass

from dialer.errors import LogFault
from dialer.evidence.tiles import TileKey, Tiles, edge, needed
from dialer.last_signed import Intended, Signed
from dialer.log_keys import current
from dialer.ports_log import CheckpointRecord, KeyRecord, LogState, LogTransaction
from dialer.verifier.note import Checkpoint, Note, NoteFault, read_checkpoint, read_note, verify
from dialer.verifier.tree import EMPTY_ROOT, ProofFault

ROLLED_BACK = "log_rolled_back"
INCONSISTENT = "log_inconsistent"
RESTORE = (
    "stop the services and restore a newer backup; if there is none: "
    "`heedline evidence accept-restore --reason TEXT`, and the log says what was lost"
)
_TAMPERED = "rows were changed behind Heedline's back: run `heedline evidence fsck`, and restore a backup"


@dataclass(frozen=True, slots=True)
class Sound:
    """A log that may grow. `note` is its last checkpoint, None before the first; `tiles` those of its edge; `again`
    what was intended and must be done just so."""

    state: LogState
    keys: list[KeyRecord]
    key: KeyRecord
    checkpoint: Checkpoint
    note: Note | None
    tiles: dict[TileKey, bytes]
    again: Intended | None


async def examine(transaction: LogTransaction, last: Signed | None) -> Sound:
    """The log, against itself and against what this node signed `last`. Raises `LogFault` when it may not be signed."""
    state = await transaction.state()
    if state is None:
        raise no_log(last)
    keys = await transaction.keys()
    top, leaves = await transaction.last_checkpoint(), await transaction.leaves()
    size = top.size if top else 0
    if not state.size == leaves == size:
        raise LogFault(
            f"the log says that it has {state.size:,} leaves, has {leaves:,}, and its last checkpoint is of {size:,}",
            _TAMPERED,
        )
    tiles = await transaction.tiles(edge(size))
    key = current(state, keys)
    note = _checked(top, keys, _root(tiles, size)) if top else None
    checkpoint = Checkpoint(state.name, size, top.root if top else EMPTY_ROOT)
    again = await _compare(transaction, state, keys, checkpoint, last) if last else None
    return Sound(state, keys, key, checkpoint, note, tiles, again)


def no_log(last: Signed | None) -> LogFault:
    """There is no log in the database."""
    if last is None:
        return LogFault("there is no log yet", "run `heedline serve` once")
    size = last.checkpoint.size if last.checkpoint else 0
    return LogFault(
        f"the database has no log, but a checkpoint of {size:,} of `{last.key.name}` was signed: "
        "was an old backup restored, or another database named?",
        RESTORE,
        ROLLED_BACK,
    )


def _checked(top: CheckpointRecord, keys: list[KeyRecord], root: bytes) -> Note:
    """The last checkpoint: its text, its signature, the tiles' root."""
    signer = next((key for key in keys if key.id == top.key), None)
    try:
        note = read_note(top.note)
        if signer is None:
            raise NoteFault("its key is not in the database")
        verify(note, signer.verifier)
        if read_checkpoint(note.text) != Checkpoint(signer.name, top.size, top.root):
            raise NoteFault("its text says another thing than its row")
    except NoteFault as fault:
        raise LogFault(f"the last checkpoint, of {top.size:,}, is wrong: {fault}", _TAMPERED) from fault
    if root != top.root:
        raise LogFault(f"the tiles lead to another root than that of the last checkpoint, of {top.size:,}", _TAMPERED)
    return note


async def _compare(
    transaction: LogTransaction, state: LogState, keys: list[KeyRecord], top: Checkpoint, last: Signed
) -> Intended | None:
    """What must be done again. Raises `LogFault` when the log is not a continuation of what was signed."""
    signed, name = last.checkpoint, last.key.name
    size = signed.size if signed else 0
    if name != state.name:
        if name in [key.name for key in keys]:
            return None  # a restore was accepted: the log goes on under a name of its own
        raise LogFault(
            f"the database's log is `{state.name}`, but a checkpoint of {size:,} of `{name}` was signed: "
            "was an old backup restored, or another database named?",
            RESTORE,
            ROLLED_BACK,
        )
    if top.size < size:
        raise LogFault(
            f"the database's log ends at {top.size:,}, but a checkpoint of {size:,} was signed: "
            "was an old backup restored?",
            RESTORE,
            ROLLED_BACK,
        )
    if signed and signed.root != await _root_at(transaction, top, size):
        raise LogFault(
            f"the database's log is another one than that of which a checkpoint of {size:,} was signed", _TAMPERED
        )
    # One that is committed, or that another node overtook while this one was down, is not done again.
    return last.intended if last.intended and last.intended.base == top.size else None


async def _root_at(transaction: LogTransaction, top: Checkpoint, size: int) -> bytes:
    if size == top.size:
        return top.root
    return _root(await transaction.tiles(needed(lambda subtree: subtree(0, size))), size)


def _root(tiles: dict[TileKey, bytes], size: int) -> bytes:
    try:
        return Tiles(tiles).root(size)
    except ProofFault as fault:
        raise LogFault(f"the log's tiles are not whole: {fault}", _TAMPERED) from fault
