"""Fetches the refusals that a switch has kept in its own AstDB, because no service answered when a key was pressed.

The dialplan writes an entry before it tells the service, and deletes it when it was answered. What is found there is
recorded by its receipt, so whatever was told already is known. An entry is deleted by the switch itself, if it is still
the same (context `heedline-recorded`), and only once it is in the database. What cannot be read is left for a person.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, Self

from agi.ami import Ami, Event
from agi.dialplan.variables import HEEDLINE_CALLEE, HEEDLINE_SELLER
from agi.refusal import Outcome, Status, Told
from dialer.errors import AmiRefused, AmiUnavailable, HeedlineError
from dialer.hostile import printable

log = logging.getLogger(__name__)

FAMILY = "heedline-refusal"
"""The family of AstDB in which the dialplan keeps them."""

_EVERY_S = 30.0
_WITHIN_S = 30.0
_FORGET = "Local/s@heedline-recorded/n"
# An entry's value, in the order of the dialplan; its key has the callee and the seller.
_VALUES = ("receipt", "attempt", "how", "prompt", "key", "epoch", "agent", "did", "call_id")
_KEY = re.compile(rf"/{FAMILY}/([^/]+)/([^/]*)")
# Of entries that were complained of.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of AstDB. `told` None: it cannot be read, and `fault` says why."""

    key: str
    value: str
    told: Told | None
    fault: str = ""


def read_entry(key: str, value: str) -> Entry:
    """An entry as AMI shows it. Whatever stands there, this returns."""
    found = _KEY.fullmatch(key)
    parts = value.split(":")
    if found is None or len(parts) != len(_VALUES):
        return Entry(key, value, None, "it has other parts")
    values = dict(zip(_VALUES, parts, strict=True)) | {"number": found[1], "seller": found[2]}
    try:
        return Entry(key, value, Told.read(values))
    except ValueError as error:
        return Entry(key, value, None, str(error))


async def entries(ami: Ami) -> list[Entry]:
    """All that a switch has kept. Raises `AmiUnavailable`, and `AmiRefused` when it may not be read."""
    try:
        found = await ami.listing("DBGetTree", {"Family": FAMILY}, within_s=_WITHIN_S)
    except AmiRefused as error:
        if "not found" in str(error).lower():  # there is no such family: nothing was ever kept
            return []
        raise
    return [read_entry(event.get("Key"), event.get("Val")) for event in found]


class Keyed(Protocol):
    """What `agi.refusal.KeyedRefusals` does here."""

    async def keep(self, told: Told) -> Outcome:
        """Keep it. Raises `HeedlineError` when it is to be told again."""


@dataclass(slots=True)
class SpoolStats:
    """Counters since the start. `waiting` and `garbled` are of the last look: entries that are not in the database yet,
    and entries that never will be unless a person mends them."""

    fetched: int = 0
    waiting: int = 0
    garbled: int = 0


class Spool:
    """Fetches from one switch, of role `pbx`: after each login, when it says that it keeps one, and every `every_s`
    seconds. Construct it before `ami` is started, and use it as an async context manager."""

    def __init__(self, ami: Ami, keyed: Keyed, *, every_s: float = _EVERY_S) -> None:
        self.stats = SpoolStats()
        self._ami, self._keyed, self._every_s = ami, keyed, every_s
        self._news = asyncio.Event()
        self._complained: set[tuple[str, str]] = set()
        self._off = ami.on(["UserEvent"], self._event)
        ami.on_connected(self._connected)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_fetching())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._off()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _event(self, event: Event) -> None:
        if event.get("UserEvent") == "HeedlineRefusalKept":
            self._news.set()

    async def _connected(self) -> None:
        self._news.set()

    async def _keep_fetching(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._every_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            if self._ami.connected.is_set():
                await self._guarded(self.fetch())

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (AmiUnavailable, AmiRefused) as error:
            log.error("refusals kept by `%s` are not fetched: %s", self._ami.name, error)
        except Exception:  # a fault of ours must not end the fetching
            log.exception("refusals kept by `%s` are not fetched", self._ami.name)

    async def fetch(self) -> None:
        """Look once. Raises `AmiUnavailable` and `AmiRefused`."""
        waiting = garbled = 0
        for entry in await entries(self._ami):
            if entry.told is None or (status := await self._keep(entry, entry.told)) is Status.INVALID:
                garbled += 1
                self._complain(entry)
            elif status is Status.RECORDED:
                self.stats.fetched += 1
                await self._forget(entry.told)
            else:
                waiting += 1
        self.stats.waiting, self.stats.garbled = waiting, garbled

    async def _keep(self, entry: Entry, told: Told) -> Status:
        try:
            return (await self._keyed.keep(told)).status
        except HeedlineError as error:
            log.warning("`%s` of `%s` stays there for now: %s", printable(entry.key), self._ami.name, error)
            return Status.FAILED

    async def _forget(self, told: Told) -> None:
        """Have the switch delete the entry, unless another refusal has taken its place."""
        ident = f"heedline-recorded-{secrets.token_hex(8)}"
        variables = {HEEDLINE_CALLEE: told.number, HEEDLINE_SELLER: told.seller, "HEEDLINE_RECEIPT": told.receipt}
        await self._ami.action(
            "Originate",
            [
                ("Channel", _FORGET),
                ("Application", "Hangup"),
                ("Async", "true"),
                ("ChannelId", ident),
                ("OtherChannelId", f"{ident}-2"),
                *(("Variable", f"{name}={value}") for name, value in variables.items()),
            ],
        )

    def _complain(self, entry: Entry) -> None:
        """Once of each."""
        if (entry.key, entry.value) in self._complained or len(self._complained) >= _REMEMBERED:
            return
        self._complained.add((entry.key, entry.value))
        log.error(
            "`%s` of `%s` is no refusal that can be recorded (%s): `%s`",
            printable(entry.key, 120), self._ami.name, entry.fault or "no number", printable(entry.value, 200),
        )  # fmt: skip
