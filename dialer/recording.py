"""Recording in a running node, where nobody can be asked to try again: what the database does not take now is kept on
disk until it does.

A refusal that waits is not recorded, but it was heard: this node allows nothing to its callee meanwhile (`withholds`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

from dialer.durable import write_durably
from dialer.errors import FileError, HeedlineError, RegisterError, StoreUnavailable
from dialer.evidence.entries import canonical
from dialer.ports_refusals import NewRefusal, NewReview, Recorded, read_artefact
from dialer.refusals import document_of

log = logging.getLogger(__name__)

_PATIENCE_S = 0.5
_RETRY_S = 0.5
# Files of other processes on the same folder, and of those that died.
_LOOK_S = 5.0
_REVIEWS_WAITING = 1_000


class Kept(StrEnum):
    """Where a refusal is now."""

    RECORDED = "recorded"  # in the database: it binds everywhere
    SPOOLED = "spooled"  # on this node's disk: it binds on this node, and is recorded as soon as the database answers


class Records(Protocol):
    """What `dialer.refusals.Refusals` does for a recorder."""

    async def record(self, refusal: NewRefusal) -> Recorded: ...

    async def review(self, review: NewReview) -> int: ...


@dataclass(slots=True)
class RecorderStats:
    """Counters since the start. `waiting` is now; `garbled` files are left aside, with the ending `.bad`."""

    recorded: int = 0
    spooled: int = 0
    replayed: int = 0
    waiting: int = 0
    garbled: int = 0
    impossible: int = 0
    reviews: int = 0
    reviews_lost: int = 0


class Recorder:
    """Keeps refusals. Use it as an async context manager: what was left in `folder` is recorded from then on.

    `patience_s` bounds the wait for the database, `retry_s` is the time between tries; seconds.
    """

    def __init__(
        self, refusals: Records, folder: Path, *, patience_s: float = _PATIENCE_S, retry_s: float = _RETRY_S
    ) -> None:
        self.stats = RecorderStats()
        self._refusals, self._folder = refusals, folder
        self._patience_s, self._retry_s = patience_s, retry_s
        self._waiting: dict[str, NewRefusal] = {}
        self._withheld: Counter[int] = Counter()
        self._spooled = asyncio.Event()
        self._reviews: asyncio.Queue[NewReview] = asyncio.Queue(_REVIEWS_WAITING)
        self._late: set[asyncio.Task[Any]] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def keep(self, refusal: NewRefusal) -> Kept:
        """Record a refusal, or put it on disk. It needs a receipt, by which it can be told twice.

        Raises `RegisterError` for one that can never be recorded, `FileError` when neither the database nor the disk
        takes it: it is then not kept.
        """
        if refusal.receipt is None:
            raise RegisterError("a refusal to be kept has no receipt", "give it one")
        task = asyncio.create_task(self._refusals.record(refusal))
        done, _ = await asyncio.wait({task}, timeout=self._patience_s)
        # A statement on a server that hangs cannot be called off; it may still succeed, and is known by its receipt.
        if done:
            try:
                task.result()
            except StoreUnavailable as error:
                log.warning("a refusal waits on disk: %s", error)
            else:
                self.stats.recorded += 1
                return Kept.RECORDED
        else:
            self._late.add(task)
            task.add_done_callback(self._forget)
        await asyncio.to_thread(self._write, refusal)
        self._take(self._name(refusal), refusal)
        self.stats.spooled += 1
        self._spooled.set()
        return Kept.SPOOLED

    async def review(self, review: NewReview) -> None:
        """Put a near miss before a person, sooner or later. Never raises; too many that wait are counted as lost."""
        try:
            self._reviews.put_nowait(review)
        except asyncio.QueueFull:
            self.stats.reviews_lost += 1

    def withholds(self, callee: int) -> bool:
        """Whether a refusal of this callee (E.164 digits) waits on this node's disk."""
        return callee in self._withheld

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._make_folder)
        await self._read_folder()
        self._tasks = [asyncio.create_task(self._replay()), asyncio.create_task(self._put_reviews())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (*self._tasks, *self._late):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._late, return_exceptions=True)
        if self._reviews.qsize():
            log.error("%d near misses were not written", self._reviews.qsize())

    async def _replay(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._retry_s if self._waiting else _LOOK_S):
                    await self._spooled.wait()
                    self._spooled.clear()
            try:
                await self._read_folder()
                for name, refusal in list(self._waiting.items()):
                    await self._again(name, refusal)
            except StoreUnavailable:
                await asyncio.sleep(self._retry_s)
            except Exception:  # a fault of ours must not end the replaying
                log.exception("refusals on disk are not recorded for now")
                await asyncio.sleep(_LOOK_S)

    async def _again(self, name: str, refusal: NewRefusal) -> None:
        """Record one that waits. Raises `StoreUnavailable`."""
        try:
            await self._refusals.record(refusal)
        except StoreUnavailable:
            raise
        except HeedlineError as error:
            log.error("a refusal on disk, `%s`, can never be recorded: %s", name, error)
            self.stats.impossible += 1
            await asyncio.to_thread(self._set_aside, name)
        else:
            self.stats.replayed += 1
            await asyncio.to_thread((self._folder / name).unlink, missing_ok=True)
        self._drop(name)

    async def _put_reviews(self) -> None:
        while True:
            review = await self._reviews.get()
            while True:
                try:
                    await self._refusals.review(review)
                    self.stats.reviews += 1
                    break
                except StoreUnavailable:
                    await asyncio.sleep(self._retry_s)
                except Exception:
                    log.exception("a near miss cannot be written")
                    self.stats.reviews_lost += 1
                    break

    # The folder: one file a refusal, named by its receipt's hash, that appears whole or not at all.

    def _name(self, refusal: NewRefusal) -> str:
        return f"{hashlib.sha256((refusal.receipt or '').encode()).hexdigest()}.json"

    def _take(self, name: str, refusal: NewRefusal) -> None:
        if name not in self._waiting:
            self._withheld[refusal.callee] += 1
        self._waiting[name] = refusal
        self.stats.waiting = len(self._waiting)

    def _drop(self, name: str) -> None:
        refusal = self._waiting.pop(name, None)
        self.stats.waiting = len(self._waiting)
        if refusal is not None:
            self._withheld[refusal.callee] -= 1
            self._withheld += Counter()  # without those that reached nought

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._late.discard(task)
        if not task.cancelled():
            task.exception()  # it was told as spooled; the replay finds out what became of it

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"`{self._folder}` cannot be made: {_why(error)}", "check its rights") from error

    def _write(self, refusal: NewRefusal) -> None:
        text = canonical({"version": 1, "receipt": refusal.receipt, "refusal": document_of(refusal)})
        file = self._folder / self._name(refusal)
        try:
            write_durably(file, text.encode())
        except OSError as error:
            raise FileError(f"`{file}` cannot be written: {_why(error)}", "check the disk") from error

    async def _read_folder(self) -> None:
        """Take in what others left, and forget what another process has recorded meanwhile."""
        names = await asyncio.to_thread(self._list)
        for name in set(self._waiting) - names:
            self._drop(name)
        for name in sorted(names - set(self._waiting)):
            try:
                refusal = read_refusal((self._folder / name).read_text("utf-8"))  # a few hundred bytes
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as error:
                log.error("`%s` holds no refusal and is set aside: %s", self._folder / name, error)
                self.stats.garbled += 1
                await asyncio.to_thread(self._set_aside, name)
            else:
                self._take(name, refusal)

    def _list(self) -> set[str]:
        try:
            return {file.name for file in self._folder.iterdir() if file.suffix == ".json"}
        except OSError as error:
            raise FileError(f"`{self._folder}` cannot be read: {_why(error)}", "check its rights") from error

    def _set_aside(self, name: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / name).rename(self._folder / f"{name}.bad")


def read_refusal(text: str) -> NewRefusal:
    """A refusal as a spool file holds it. Raises `ValueError`."""
    try:
        document = json.loads(text)
        fields = document["refusal"]
        return NewRefusal(
            int(fields["callee"].removeprefix("+")),
            fields["seller"],
            fields["how"],
            datetime.fromisoformat(fields["at"]),
            fields["call_id"],
            fields["agent"],
            fields["note"],
            fields["attempt"],
            read_artefact(fields["artefact"]),
            str(document["receipt"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a field is missing or of another kind: {error}") from error


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
