"""Delivering refusals to webhooks, in every node: at least once, in no certain order, and never in a call's way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from dialer.errors import StoreUnavailable
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_webhooks import Claimed, DeliveryStore, Fate, Outcome, Sender
from dialer.webhook_messages import backoff, refusal_message

log = logging.getLogger(__name__)

# Nobody says so when a delivery becomes due by another node's death, or while nothing is heard of the database.
_LOOK_S = 30.0
_AFTER_FAILURE_S = 5.0
# What is due and yet not to be had is being claimed by another node at this moment.
_LEAST_S = 0.05
# On top of the time that sending takes: for recording its outcome.
_LEASE_MARGIN_S = 30.0
_CLOSING_S = 2.0


@dataclass(slots=True)
class DeliveryStats:
    """Since this node's start: deliveries that arrived, tries that failed, deliveries given up. `waiting` is what all
    nodes still have to deliver, None while the database does not say."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0
    waiting: int | None = None


class Deliverer:
    """Delivers from entering the context until leaving it.

    `sending_s` is the longest that the sender takes, `give_up_h` how many hours a delivery is tried. `at_once` are on
    their way together, `each` of them to one webhook, so that a slow one does not keep the others waiting. `chance`
    (0 to 1) spreads the tries.
    """

    def __init__(
        self,
        store: DeliveryStore,
        sender: Sender,
        clock: Clock,
        agent: str,
        *,
        sending_s: float,
        give_up_h: float,
        at_once: int = 8,
        each: int = 2,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.stats = DeliveryStats()
        self._store, self._sender, self._clock, self._agent = store, sender, clock, agent
        self._lease = timedelta(seconds=sending_s + _LEASE_MARGIN_S)
        self._give_up = timedelta(hours=give_up_h)
        self._at_once, self._each, self._chance = at_once, each, chance
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._news = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Something may be due."""
        self._news.set()

    async def status(self) -> DeliveryStats:
        """The figures, with what waits now."""
        try:
            self.stats.waiting = (await self._store.backlog()).waiting
        except StoreUnavailable:
            self.stats.waiting = None
        return self.stats

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep(), name="deliverer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """What is on its way may arrive within a moment; the rest is left to other nodes, or to the next start."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSING_S)
        left = dict(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if left:
            with contextlib.suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(_CLOSING_S):
                    await self._store.release(list(left.values()))

    async def deliver_due(self) -> None:
        """Deliver what is due until nothing is, and see each try to its end. Raises `StoreUnavailable`."""
        while True:
            self._news.clear()
            await self._start_due()
            if self._running:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            elif not self._news.is_set():  # else one has ended meanwhile, and made room for another
                return

    async def _keep(self) -> None:
        while True:
            self._news.clear()
            wait_s = _AFTER_FAILURE_S
            try:
                await self._start_due()
                wait_s = await self._until_due()
            except StoreUnavailable as error:
                log.warning("webhooks are not told: %s", error)
            except Exception:  # a fault of ours must not end the telling
                log.exception("webhooks are not told")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()

    async def _start_due(self) -> int:
        """Begin as many deliveries as there is room for; how many."""
        started = 0
        while (room := self._at_once - len(self._running)) > 0:
            claimed = await self._store.claim(self._busy(), self._each, room, self._lease)
            if not claimed:
                break
            started += len(claimed)
            for each in claimed:
                self._running[asyncio.create_task(self._deliver(each), name=f"delivery {each.id}")] = each
        return started

    async def _until_due(self) -> float:
        """Seconds; when there is no room the end of a delivery is news."""
        if len(self._running) >= self._at_once:
            return _LOOK_S
        full = [webhook for webhook, running in self._busy().items() if running >= self._each]
        wait = await self._store.next_due(full)
        return _LOOK_S if wait is None else min(max(wait.total_seconds(), _LEAST_S), _LOOK_S)

    def _busy(self) -> Counter[int]:
        return Counter(claimed.webhook_id for claimed in self._running.values())

    async def _deliver(self, claimed: Claimed) -> None:
        try:
            await self._record(claimed, await self._send(claimed))
        except StoreUnavailable as error:
            log.warning("what became of delivery %d is not recorded, so it is made again: %s", claimed.id, error)
        except Exception:
            log.exception("delivery %d", claimed.id)
        finally:
            self._running = {task: each for task, each in self._running.items() if each is not claimed}
            self._news.set()

    async def _send(self, claimed: Claimed) -> Outcome:
        try:
            return await self._sender.send(refusal_message(claimed, self._clock(), self._agent))
        except Exception as error:  # else it would be made again and again, and never be given up
            log.exception("delivery %d", claimed.id)
            return Outcome(Fate.FAILED, None, f"a fault of Heedline: {printable(str(error), 100)}")

    async def _record(self, claimed: Claimed, outcome: Outcome) -> None:
        match outcome.fate:
            case Fate.DELIVERED:
                first = await self._store.delivered(claimed, outcome.status)
                self.stats.delivered += first
                return
            case Fate.GONE:
                dead = await self._store.gone(claimed, outcome)
            case Fate.FAILED:
                again = backoff(claimed.tries, self._chance())
                dead = int(await self._store.failed(claimed, outcome, again, self._give_up))
        self.stats.failed += 1
        self.stats.dead += dead
        if dead:
            log.warning("webhook `%s` is told no more of %d refusals: %s", claimed.webhook, dead, outcome.error)
