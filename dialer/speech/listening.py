"""Listening to many calls at once: their audio goes to worker threads, what was detected comes back to the loop.

Nothing here waits on the loop, and nothing of a call waits for it (rule 7). Audio waits in a bounded queue of its own
call; workers take the calls in turn, a little of each. A budget sheds load by the measured lag, visibly.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from dialer.speech.budget import BOUNDS, SETTLE_S, Budget, Level
from dialer.speech.ear import Ear, Told
from dialer.speech.engine import Engine

log = logging.getLogger(__name__)

_TICK_S = 0.1
# A tick that is this late says that the loop stood still: sockets hold audio that was not read yet.
_LATE_S = 0.15
_MEASURE_EVERY = 5  # ticks
# Calls share the loop: that it is late counts as so many times the lag of a recogniser.
_LATE_WEIGHT = 5
# While the lag stays, so small a part of the calls is given up at a time.
_GIVE_UP_PART = 8
# Load is averaged so long: a long decode is no overload.
_SHARE_S = 3.0
_JOIN_S = 5.0


@dataclass(slots=True)
class ListeningStats:
    """Counters since the start; `level`, `open`, `lag_s`, `late_s` and `share` are now.

    `late_s` is by how much the loop itself was late, for whatever reason: listening gives way to calls. `share` is the
    part of their time that the workers compute, 0 to 1. `shed_streams` were not taken, for their number or the load, or
    were given up (`given_up` of them) so that the others are heard; `shed_s` is audio, in seconds, that was not
    recognised: of streams given up, and what a full queue had no room for. `failed` streams ended because their
    recogniser failed.
    """

    level: Level = Level.FULL
    languages: dict[str, str] = field(default_factory=dict)
    open: int = 0
    opened: int = 0
    heard_s: float = 0.0
    shed_streams: int = 0
    given_up: int = 0
    shed_s: float = 0.0
    failed: int = 0
    told: int = 0
    lag_s: float = 0.0
    worst_lag_s: float = 0.0
    late_s: float = 0.0
    share: float = 0.0
    level_changes: int = 0


class Listening:
    """The ears of one process, on one running loop. Use it as an async context manager.

    `engines` are by language; one may be added while it runs (`equip`). `workers` threads recognise.
    """

    def __init__(
        self,
        engines: Mapping[str, Engine] | None = None,
        *,
        workers: int = 1,
        partials: bool = True,
        max_streams: int = 200,
    ) -> None:
        self.stats = ListeningStats()
        self._budget = Budget(Level.FULL if partials else Level.FINALS)
        self.stats.level = self._budget.level
        self._engines: dict[str, Engine] = {}
        self._max_streams, self._worker_count = max_streams, workers
        self._ears: dict[Ear, None] = {}  # in the order of their opening
        self._turns: queue.SimpleQueue[Ear | None] = queue.SimpleQueue()
        self._workers: list[threading.Thread] = []
        self._worked = [0.0] * workers  # seconds, each worker its own
        self._loads: list[tuple[float, float]] = []
        self._late = 0.0
        self._looked_at = self._lag_then = 0.0
        self._ticker: asyncio.Task[None] | None = None
        self._fewer = asyncio.Event()
        self._closed = False
        for engine in (engines or {}).values():
            self.equip(engine)

    def equip(self, engine: Engine) -> None:
        """Hear this engine's language from now on."""
        self._engines[engine.language] = engine
        self.stats.languages[engine.language] = engine.name

    def hears(self, language: str) -> bool:
        """Whether a language can be heard at all."""
        return language in self._engines

    def open(self, language: str, told: Callable[[Told], None]) -> Ear | None:
        """Listen to one more call. `told` is called on the loop, and must return at once.

        None: it is not listened to, because of its language, the number of streams or the load; that is counted.
        """
        engine = self._engines.get(language)
        room = len(self._ears) < self._max_streams and self._budget.level is not Level.OFF
        if engine is None or not room or self._closed:
            self.stats.shed_streams += 1
            return None
        ear = Ear(engine, told, self)
        self._ears[ear] = None
        self.stats.opened += 1
        self.stats.open = len(self._ears)
        return ear

    async def __aenter__(self) -> Listening:
        self._loop = asyncio.get_running_loop()
        for number in range(self._worker_count):
            thread = threading.Thread(target=self._work, args=(number,), name=f"listening {number}", daemon=True)
            thread.start()
            self._workers.append(thread)
        self._ticker = asyncio.create_task(self._tick_for_ever(), name="listening")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Recognise what is still queued, a few seconds at most, and stop."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.gather(self._ticker, return_exceptions=True)
        for ear in list(self._ears):
            ear.close()
        try:
            async with asyncio.timeout(_JOIN_S):
                while self._ears:
                    self._fewer.clear()
                    await self._fewer.wait()
        except TimeoutError:
            log.warning("%d calls were not listened to up to their end", len(self._ears))
        for _worker in self._workers:
            self._turns.put(None)  # a worker in a recogniser that hangs is left behind: it is a daemon

    # What an ear calls: the methods of `dialer.speech.ear.Desk`.

    @property
    def partials(self) -> bool:
        """Whether callees are recognised while they still speak."""
        return self._budget.level is Level.FULL

    def wants_turn(self, ear: Ear) -> None:
        """The ear has something to recognise, and is in no worker's hands. Any thread."""
        self._turns.put(ear)

    def shed(self, seconds: float) -> None:
        """Audio was not recognised; on the loop."""
        self.stats.shed_s += seconds

    def to_loop(self, call: Callable[[], None]) -> None:
        """Call on the loop, from a worker; nothing happens when the loop is gone."""
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            log.warning("what was heard came after the end")

    def tells(self, told: Callable[[Told], None], what: Told) -> None:
        """Deliver a detection; on the loop."""
        self.stats.told += 1
        try:
            told(what)
        except Exception:  # its fault is not the other calls'
            log.exception("what was heard could not be passed on")

    def left(self, ear: Ear, heard_s: float, failure: str) -> None:
        """An ear is done; on the loop. `failure` says why its recogniser failed, if it did."""
        self._ears.pop(ear, None)
        self._fewer.set()
        self.stats.open = len(self._ears)
        self.stats.heard_s += heard_s
        if failure:
            self.stats.failed += 1
            log.error("a stream is no longer listened to: %s", failure)

    # The workers' side.

    def _work(self, number: int) -> None:
        while (ear := self._turns.get()) is not None:
            self._worked[number] += ear.turn()

    # The loop's side.

    async def _tick_for_ever(self) -> None:
        count = 0
        due = self._loop.time()
        while True:
            due = max(due, self._loop.time()) + _TICK_S
            await asyncio.sleep(due - self._loop.time())
            count += 1
            late = self._loop.time() - due
            self._late = max(self._late, late)
            try:
                if late < _LATE_S:
                    self._fill_gaps()
                if count % _MEASURE_EVERY == 0:
                    self._measure()
            except Exception:  # a fault of ours must not end the listening
                log.exception("listening")

    def _fill_gaps(self) -> None:
        now = monotonic()
        for ear in self._ears:
            ear.fill_gap(now)

    def _measure(self) -> None:
        now = monotonic()
        lag = max((ear.lag(now) for ear in self._ears), default=0.0)
        self._loads.append((now, sum(self._worked)))
        while self._loads[0][0] < now - _SHARE_S:
            self._loads.pop(0)
        since, worked = self._loads[0]
        elapsed = (now - since) * self._worker_count
        share = (self._loads[-1][1] - worked) / elapsed if elapsed else 0.0
        stats = self.stats
        stats.lag_s, stats.share = round(lag, 3), round(share, 3)
        stats.worst_lag_s = max(stats.worst_lag_s, stats.lag_s)
        late, self._late = self._late, 0.0
        stats.late_s = round(late, 3)
        before = self._budget.level
        level = self._budget.measure(max(lag, _LATE_WEIGHT * late), share, now)
        if level is None:
            if before is Level.OFF and now - self._looked_at >= SETTLE_S:
                self._look_again(now, lag)
            return
        self._looked_at, self._lag_then = now, lag
        stats.level, stats.level_changes = level, stats.level_changes + 1
        log.warning(
            "listening goes from `%s` to `%s`: lag %.1f s, load %.0f %% of %d workers, %d streams, loop late %.2f s",
            before.value, level.value, lag, 100 * share, self._worker_count, len(self._ears), late,
        )  # fmt: skip

    def _look_again(self, now: float, lag: float) -> None:
        """Better some calls heard well than all badly: when the lag is not even falling, the newest give way."""
        falling, self._looked_at, self._lag_then = lag < self._lag_then, now, lag
        if falling or lag < BOUNDS[Level.FINALS].shed_lag_s:
            return
        heard = [ear for ear in self._ears if not ear.deaf]
        chosen = heard[-max(1, len(heard) // _GIVE_UP_PART) :] if heard else []
        for ear in chosen:
            ear.give_up()
        self.stats.shed_streams += len(chosen)
        self.stats.given_up += len(chosen)
        if chosen:
            log.warning("listening gives up %d of %d streams: lag %.1f s", len(chosen), len(heard), lag)
