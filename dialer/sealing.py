"""Sealing: entries that were committed get their leaves, in the order of commits, and a signed checkpoint covers them.

One transaction a step: lock the log, examine it, take what waits, grow the tree, remember outside the database what is
about to be signed, publish. The event loop is the gate's too, so the work is done in short stretches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from dialer.errors import HeedlineError, LogFault
from dialer.evidence.tiles import Growth, TileKey, Tiles
from dialer.last_signed import Intended, LastSigned, Signed, add_ranges
from dialer.log_check import RESTORE, ROLLED_BACK, Sound, examine
from dialer.log_keys import LogKeys, current, missing
from dialer.ports import Clock
from dialer.ports_attempts import Alarm, AlarmStore
from dialer.ports_log import CheckpointRecord, LogStore, LogTransaction, Waiting
from dialer.verifier.leaf import leaf_data
from dialer.verifier.note import Checkpoint, Note, VerifierKey, read_checkpoint, sign
from dialer.verifier.tree import ProofFault, check_consistency, consistency_path, leaf_hash

log = logging.getLogger(__name__)

# Leaves that are hashed at a stretch: about a millisecond.
_STRETCH = 200
_ROWS, _TILES = 5_000, 64
_BATCH, _LARGEST_BATCH = 10_000, 50_000
# Between looks at a log to which nothing is added: by whoever seals it, and by those who would in its place.
_EXAMINE_S, _FOLLOW_S = 10.0, 1.0
# After a step that took longer than this, what came meanwhile would be sealed late if it waited for its turn.
_SLOW_S = 0.2
# A node that holds no key says nothing while another seals.
_PATIENCE = timedelta(seconds=30)
_FSCK = "run `heedline evidence fsck`"


@dataclass(slots=True)
class SealingStats:
    """How sealing does. `here`: this node holds the key; `leads`: it seals; `sealed` entries since its start.
    `waiting` and `oldest` are of a moment ago; `problem` is empty while all is well."""

    size: int = 0
    checkpoint_at: datetime | None = None
    key: VerifierKey | None = None
    here: bool = False
    leads: bool = False
    sealed: int = 0
    waiting: int = 0
    oldest: datetime | None = None
    problem: str = ""
    alarmed: set[str] = field(default_factory=set)


class Sealer:
    """Seals one log with the keys of this node."""

    def __init__(self, store: LogStore, keys: LogKeys, last: LastSigned, alarms: AlarmStore, clock: Clock) -> None:
        self.stats = SealingStats()
        self._store, self._keys, self._last, self._alarms, self._clock = store, keys, last, alarms, clock
        self._batch = _BATCH
        self._some_are_gone = self._more_waits = False
        self._examined = float("-inf")

    async def ready(self) -> bool:
        """The log is there (made, if it was not), and its key is here. Raises `StoreUnavailable`, `LogFault`,
        `FileError`."""
        state = await self._store.state()
        if state is None:
            if (last := await asyncio.to_thread(self._last.read)) is not None:
                await self._examine(last)
            await self._keys.ensure_log()
            state = await self._store.state()
        if state is None:
            return False
        self.stats.key = current(state, await self._store.keys()).verifier
        self.stats.here = self._keys.ring.private(self.stats.key) is not None
        if self.stats.checkpoint_at is None:
            await self._see_latest()
        return self.stats.here

    async def look(self) -> None:
        """Whether sealing could go on here; nothing is made or sealed. Raises as `ready` does, and when the key is not
        here although something waits."""
        last = await asyncio.to_thread(self._last.read)
        state = await self._store.state()
        if state is not None:
            self.stats.key = current(state, await self._store.keys()).verifier
            self.stats.here = self._keys.ring.private(self.stats.key) is not None
            if not self.stats.here:
                await self._complain()
        if state is not None or last is not None:
            await self._examine(last)

    async def _complain(self) -> None:
        """Raises `LogFault` when another node should seal, and none does."""
        await self._waits()
        key, oldest, now = self.stats.key, self.stats.oldest, self._clock()
        await self._see_latest()
        if key is None or oldest is None or now - max(oldest, self.stats.checkpoint_at or oldest) < _PATIENCE:
            return
        if not self.stats.here:
            raise missing(self._keys.ring, key)
        raise LogFault(
            f"entries have waited since {oldest:%Y-%m-%d %H:%M:%S}Z, and another node that holds the key does not seal",
            "see `heedline evidence status` and the log on that node; if it hangs, stop it",
            "log_not_sealed",
        )

    async def _examine(self, last: Signed | None) -> None:
        async with self._store.transaction() as transaction:
            await examine(transaction, last)

    async def seal(self) -> int:
        """Seal what waits now; how many entries. Raises `StoreUnavailable`, `LogFault`, `FileError`."""
        sealed = await self.step()
        while self._more_waits:
            sealed += await self.step()
        return sealed

    async def step(self) -> int:
        """Seal at most one batch; how many entries. Raises `StoreUnavailable`, `LogFault`, `FileError`."""
        began = monotonic()
        async with self._store.transaction() as transaction:
            last = await asyncio.to_thread(self._last.read)
            sound = await examine(transaction, last)
            self._examined, self._more_waits = began, False
            taken = await self._take(transaction, sound)
            if not taken:
                self.stats.size = sound.checkpoint.size
                return 0
            note = await self._publish(transaction, sound, taken)
        await asyncio.to_thread(self._last.settle, note)
        self.stats.sealed += len(taken)
        is_full = len(taken) >= self._batch
        self._more_waits = is_full or sound.again is not None or monotonic() - began > _SLOW_S
        self._batch = min(2 * self._batch, _LARGEST_BATCH) if is_full else _BATCH
        return len(taken)

    async def _take(self, transaction: LogTransaction, sound: Sound) -> Sequence[Waiting]:
        """What is sealed now: what was to be before a crash, or what has waited longest."""
        if sound.again is not None:
            entries = await asyncio.to_thread(sound.again.entries)
            taken = await transaction.take_these(entries)
            if len(taken) != len(entries):
                raise _lost(sound.again)
            return taken
        taken = await transaction.take(self._batch, present=self._some_are_gone)
        gone = next((waiting.entry for waiting in taken if waiting.at is None), None)
        if gone is not None:
            self._some_are_gone = True  # the next step leaves them where they are
            raise LogFault(
                f"entry {gone} waits to be sealed and is gone: it was deleted behind Heedline's back",
                "run `heedline evidence fsck`, and restore a backup that has it",
                "log_entry_lost",
            )
        return taken

    async def _publish(self, transaction: LogTransaction, sound: Sound, taken: Sequence[Waiting]) -> Note:
        before = sound.checkpoint
        growth = Growth(before.size, sound.tiles)
        entries: list[int] = []
        ranges: list[tuple[int, int]] = []
        for first in range(0, len(taken), _STRETCH):
            stretch = taken[first : first + _STRETCH]
            growth.extend([leaf_hash(leaf_data(*waiting)) for waiting in stretch])
            ids = [waiting.entry for waiting in stretch]
            entries += ids
            add_ranges(ranges, ids)
            await asyncio.sleep(0)
        after = Checkpoint(sound.state.name, growth.size, growth.finish())
        _check_growth(before, after, {**sound.tiles, **growth.changed})
        if sound.again is None:
            intended = Intended(before.size, after, tuple(ranges))
            await asyncio.to_thread(self._last.write, replace(_committed(sound), intended=intended))
        elif after != sound.again.checkpoint:
            raise _lost(sound.again)
        note = await self._sign(transaction, sound, after)
        for first in range(0, len(entries), _ROWS):
            await transaction.append(before.size + first, entries[first : first + _ROWS])
        changed = list(growth.changed.items())
        for first in range(0, len(changed), _TILES):
            await transaction.put_tiles(dict(changed[first : first + _TILES]))
        now = self._clock()
        await transaction.publish(CheckpointRecord(after.size, after.root, now, sound.key.id, str(note)))
        self.stats.size, self.stats.checkpoint_at = after.size, now
        return note

    async def _sign(self, transaction: LogTransaction, sound: Sound, checkpoint: Checkpoint) -> Note:
        """Signed by the present key, and by each earlier one of this name whose successor is not in the log yet."""
        announced = await transaction.announced()
        signers, is_linked = [sound.key], sound.key.id in announced
        for key in reversed([key for key in sound.keys if key.id < sound.key.id and key.name == sound.key.name]):
            if is_linked:
                break
            signers.append(key)
            is_linked = key.id in announced
        note = Note(checkpoint.text(), ())
        for key in signers:
            private = self._keys.ring.private(key.verifier)
            if private is not None:
                note = note.with_signatures(sign(note.text, key.name, private))
            elif key is sound.key:
                raise missing(self._keys.ring, key.verifier)
            else:
                log.warning("the key `%s` is not here, so it does not sign beside its successor", key.verifier.id)
        return note

    async def run(self) -> None:
        """Seal what waits; of a log that may not be signed raise the alarm, once. Raises as `seal` does."""
        async with self._told():
            if await self._waits() or monotonic() - self._examined > _EXAMINE_S:
                await self.seal()
                await self._waits()
            if self.stats.waiting and self._some_are_gone and self.stats.oldest is None:
                return  # the problem is told already
            self._some_are_gone = False
            self.stats.problem = ""
            self.stats.alarmed.clear()

    async def attend(self) -> bool:
        """Whether this node may seal, as `ready` does; says so when nobody seems to. Raises as `ready` does."""
        async with self._told():
            if await self.ready():
                return True
            await self._complain()
            self.stats.problem = ""
            return False

    async def follow(self) -> None:
        """While another node seals: see now and then that the log goes on, and keep how far. Raises as `seal` does."""
        if monotonic() - self._examined < _FOLLOW_S:
            return
        async with self._told():
            async with self._store.transaction() as transaction:
                last = await asyncio.to_thread(self._last.read)
                sound = await examine(transaction, last)
                self._examined = monotonic()
                if sound.again is None and (signed := _committed(sound)) and signed != last:
                    await asyncio.to_thread(self._last.write, signed)
            await self._complain()
            self.stats.problem = ""

    async def _see_latest(self) -> None:
        latest = await self._store.latest()
        if latest is not None:
            self.stats.size, self.stats.checkpoint_at = latest.size, latest.at

    async def _waits(self) -> bool:
        """Whether anything waits; what does is in the stats."""
        queue = await self._store.queue()
        self.stats.waiting, self.stats.oldest = queue.count, queue.oldest
        return queue.count > 0

    @contextlib.asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        """What goes wrong is in the status; what may not be signed raises the alarm."""
        try:
            yield
        except LogFault as fault:
            await self._alarm(fault)
            raise
        except HeedlineError as error:
            self.stats.problem = str(error)
            raise

    async def _alarm(self, fault: LogFault) -> None:
        """Say that sealing has stopped: in the status, and once as an alarm with its entry."""
        self.stats.problem = str(fault)
        if fault.kind in self.stats.alarmed:
            return
        try:
            await self._alarms.raise_alarm(Alarm(self._clock(), fault.kind, "", fault.problem))
        except HeedlineError:
            return  # told the next time
        self.stats.alarmed.add(fault.kind)

    def status(self) -> dict[str, Any]:
        """For `/status` and for people; of a moment ago."""
        stats = self.stats
        return {
            "size": stats.size,
            "checkpoint_at": stats.checkpoint_at and stats.checkpoint_at.isoformat(),
            "key": stats.key and stats.key.id,
            "key_here": stats.here,
            "leads": stats.leads,
            "sealed": stats.sealed,
            "waiting": stats.waiting,
            "oldest_waiting_s": stats.oldest and round((self._clock() - stats.oldest).total_seconds(), 3),
            "problem": stats.problem,
        }


def _committed(sound: Sound) -> Signed:
    """The log's last checkpoint as what was signed last, where it is of the log's present name."""
    of_this_name = sound.note is not None and read_checkpoint(sound.note.text).origin == sound.state.name
    return Signed(sound.key.verifier, sound.note if of_this_name else None, None)


def _check_growth(before: Checkpoint, after: Checkpoint, tiles: dict[TileKey, bytes]) -> None:
    """The log after the step begins with the log before it, by a proof as a verifier would check it."""
    try:
        path = consistency_path(before.size, after.size, Tiles(tiles).subtree)
        check_consistency(before.size, after.size, before.root, after.root, path)
    except ProofFault as fault:
        raise LogFault(f"the log of {before.size:,} leaves did not grow as it must: {fault}", _FSCK) from fault


def _lost(again: Intended) -> LogFault:
    return LogFault(
        f"a checkpoint of {again.checkpoint.size:,} was signed, but the database has no more what it covers "
        f"beyond {again.base:,}: was an old backup restored?",
        RESTORE,
        ROLLED_BACK,
    )
