"""What a refusal does to calls that are out: ringing ones are hung up, on whichever switch they are seen.

Told of a refusal, it asks the store which calls that refusal binds, and hangs up their called legs where the followers
know them. A call whose switch has not spoken of it yet is remembered and hung up on arrival. Phones of agents that
still ring for a call to that callee are hung up too. An answered call goes on unless the policy says otherwise.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Self

from agi.ami import Ami, Event
from agi.dialplan import variables as names
from agi.follow import Follower, LiveLeg
from agi.ringing import ASKED, UP, RingingAgents, party, variable
from dialer.errors import AmiRefused, AmiUnavailable, StoreUnavailable
from dialer.policy.conduct import Conduct
from dialer.ports import Clock
from dialer.ports_attempts import Alarm, AlarmStore
from dialer.ports_refusals import OpenCall, RefusalStore

log = logging.getLogger(__name__)

NOT_CUT = "refusal_not_cut"
# Q.850. The called leg of a ringing call ends with a CANCEL whatever the cause; 21 (call rejected) is what the agent's
# side then hears, as after the gate's own refusal. A call that was answered ends normally.
_CALL_REJECTED, _NORMAL = "21", "16"
_CALLED = "AppDial"  # what the action `Status` names the application of a leg that Dial called
_PATIENCE_S = 2.0
# A call that used its permit dials within moments, or never.
_REMEMBERED_S = 60.0
_MOST_REMEMBERED = 10_000
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 5.0
_DIGITS = re.compile(r"[0-9]{1,18}")


@dataclass(slots=True)
class EffectStats:
    """Counters since the start: refused calls that were out, their legs that were hung up (or gone by then), agents'
    phones that were spared a call in vain, calls that no switch took down."""

    bound: int = 0
    cut: int = 0
    cancelled: int = 0
    failed: int = 0


@dataclass(slots=True)
class _Bound:
    """A call that a refusal binds, remembered until an instant of the monotonic clock."""

    call: OpenCall
    ends: bool  # even when it was answered
    until: float
    alarmed: bool = False


class RefusalEffects:
    """Cuts refused calls on the switches of these followers. Use it as an async context manager.

    `conduct` says what the packs ask when a callee (E.164 digits) refuses; None: nothing is known. A talk that is to
    end ends after `confirm_s` seconds, unless the dialplan has ended it by then.
    """

    def __init__(
        self,
        followers: Sequence[Follower],
        calls: RefusalStore,
        conduct: Callable[[int], Conduct | None],
        alarms: AlarmStore,
        clock: Clock,
        *,
        confirm_s: float = 6.0,
    ) -> None:
        self.stats = EffectStats()
        self._confirm_s = confirm_s
        self._calls, self._conduct, self._alarms, self._clock = calls, conduct, alarms, clock
        self._followers = tuple(followers)
        self._news = _News()
        self._searches = [_News() for _ in followers]
        self._bound: dict[int, _Bound] = {}
        self._cutting: set[tuple[Ami, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        for follower in followers:
            follower.on_dialled(lambda leg, follower=follower: self._dialled(follower, leg))  # type: ignore[misc]
            follower.ami.on_connected(self._reconnected)

    def refused(self, callee: str | None) -> None:
        """Take note of a refusal: the callee's digits, as NOTIFY gives them; anything else stands for all callees.
        Never blocks."""
        self._news.add(int(callee) if callee is not None and _DIGITS.fullmatch(callee) else None)

    async def __aenter__(self) -> Self:
        self._start(self._look())
        for follower, search in zip(self._followers, self._searches, strict=True):
            self._start(self._search(follower.ami, search))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reconnected(self) -> None:
        """While a switch was away its calls could not be cut, and what it said was not heard."""
        self.refused(None)

    # Which calls.

    async def _look(self) -> None:
        wait = _FIRST_WAIT_S
        while True:
            callees = await self._news.take()
            try:
                self._act(await self._calls.refused_calls(callees), callees)
                wait = _FIRST_WAIT_S
            except StoreUnavailable as error:
                log.error("refused calls cannot be looked up for now: %s", error)
                self._news.put_back(callees)
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT_S)
            except Exception:  # a fault of ours must not end the looking
                log.exception("refused calls cannot be looked up for now")
                self._news.put_back(callees)
                await asyncio.sleep(_LONGEST_WAIT_S)

    def _act(self, found: Sequence[OpenCall], callees: frozenset[int] | None) -> None:
        for call in found:
            self._remember(call)
        attempts = {call.attempt for call in found}
        legs: dict[int, list[tuple[Follower, LiveLeg]]] = {attempt: [] for attempt in attempts}
        for follower in self._followers:
            for leg in follower.legs(attempts):
                legs[leg.attempt].append((follower, leg))
        for attempt, seen in legs.items():
            self._cut(self._bound[attempt], seen)
        # A listing of all channels costs a busy switch, and us, some time: only where events cannot have told.
        untold = any(not seen and not self._bound[attempt].call.answered for attempt, seen in legs.items())
        for search in self._searches:
            search.add_all(None if untold else callees)

    def _remember(self, call: OpenCall) -> None:
        now = monotonic()
        if call.attempt not in self._bound:
            self.stats.bound += 1
            while self._bound and (len(self._bound) >= _MOST_REMEMBERED or self._oldest().until < now):
                del self._bound[next(iter(self._bound))]
        earlier = self._bound.pop(call.attempt, None)
        alarmed = earlier is not None and earlier.alarmed
        self._bound[call.attempt] = _Bound(call, self._ends(call.callee), now + _REMEMBERED_S, alarmed)

    def _ends(self, callee: int) -> bool:
        """Whether even a talk is ended. What the packs say of one callee must not hold up the others."""
        try:
            conduct = self._conduct(callee)
            return conduct is not None and conduct.ends(announcement=False)
        except Exception:
            log.exception("what a refusal does to a talk is not known")
            return False

    def _oldest(self) -> _Bound:
        return next(iter(self._bound.values()))

    def _dialled(self, follower: Follower, leg: LiveLeg) -> None:
        """A leg is about to be dialled: is it one of a call that was refused meanwhile?"""
        bound = self._bound.get(leg.attempt)
        if bound is not None and bound.until >= monotonic():
            self._cut(bound, [(follower, leg)])

    # Cutting.

    def _cut(self, bound: _Bound, legs: Sequence[tuple[Follower, LiveLeg]]) -> None:
        """Hang up the legs, on every switch at once: the first to hear ends the call for all."""
        answered = bound.call.answered or any(leg.answered for _, leg in legs)
        if answered and not bound.ends:
            return
        fresh = [(f.ami, leg.unique_id) for f, leg in legs if (f.ami, leg.unique_id) not in self._cutting]
        if fresh:
            self._start(self._cut_all(bound, fresh, _NORMAL if answered else _CALL_REJECTED))
        elif not legs and (away := [f.ami.name for f in self._followers if not f.ami.connected.is_set()]):
            self._start(self._alarm(bound, f"the manager interface of `{'`, `'.join(away)}` is not connected"))

    async def _cut_all(self, bound: _Bound, legs: Sequence[tuple[Ami, str]], cause: str) -> None:
        if cause == _NORMAL:
            await asyncio.sleep(self._confirm_s)  # a key was pressed, perhaps: he hears that it counts
        faults = await asyncio.gather(*[self._hang_up(ami, unique_id, cause) for ami, unique_id in legs])
        self.stats.cut += faults.count(None)
        if None not in faults:
            await self._alarm(bound, "; ".join(fault for fault in faults if fault))

    async def _hang_up(self, ami: Ami, unique_id: str, cause: str) -> str | None:
        """None: it is gone, or will be at once; else why not."""
        key = (ami, unique_id)
        self._cutting.add(key)
        try:
            await ami.action("Hangup", {"Channel": unique_id, "Cause": cause}, within_s=_PATIENCE_S)
        except AmiRefused as error:
            return None if "no such channel" in str(error).lower() else str(error)
        except AmiUnavailable as error:
            return str(error)
        finally:
            self._cutting.discard(key)
        return None

    async def _alarm(self, bound: _Bound, problem: str) -> None:
        if bound.alarmed:
            return
        bound.alarmed = True
        self.stats.failed += 1
        attempt = bound.call.attempt
        log.error("attempt %d was refused while it rang and could not be hung up: %s", attempt, problem)
        try:
            await self._alarms.raise_alarm(Alarm(self._clock(), NOT_CUT, f"attempt {attempt}", problem))
        except StoreUnavailable as error:
            log.error("an alarm is not on record: %s", error)

    # Looking at a switch: for agents' phones that ring in vain, and (None) for calls that its events did not tell of.

    async def _search(self, ami: Ami, news: _News) -> None:
        agents = RingingAgents(ami)
        while True:
            await ami.connected.wait()
            callees = await news.take()
            try:
                await self._look_through(ami, agents, callees)
            except AmiRefused as error:
                log.warning("`%s` is not looked through for refused calls: %s", ami.name, error)
            except (AmiUnavailable, StoreUnavailable) as error:
                log.warning("`%s` is looked through for refused calls later: %s", ami.name, error)
                news.put_back(callees)
                await asyncio.sleep(_LONGEST_WAIT_S)
            except Exception:  # a fault of ours must not end the looking
                log.exception("`%s` is not looked through for refused calls", ami.name)

    async def _look_through(self, ami: Ami, agents: RingingAgents, callees: frozenset[int] | None) -> None:
        if callees is None:
            known = agents.unique_ids
            channels = await ami.listing("Status", {"Variables": ASKED})
            agents.listed(channels, known)
            for event in channels:
                self._untold(ami, event)
        else:
            told = await asyncio.gather(*[self._status(ami, unique_id) for unique_id in agents.unique_ids])
            channels = [event for events in told for event in events]
        ringing = {event.get("Uniqueid"): found for event in channels if (found := party(event))}
        wanted = {each for each in ringing.values() if callees is None or each[0] in callees}
        refused = await self._calls.refused_parties(wanted) if wanted else set()
        for unique_id, each in ringing.items():
            if each in refused and await self._hang_up(ami, unique_id, _CALL_REJECTED) is None:
                self.stats.cancelled += 1

    async def _status(self, ami: Ami, unique_id: str) -> list[Event]:
        """What the switch says of one channel; nothing when it is gone."""
        try:
            return await ami.listing("Status", {"Channel": unique_id, "Variables": ASKED})
        except AmiRefused:
            return []

    def _untold(self, ami: Ami, event: Event) -> None:
        """A leg of a refused call, by the attempt that the dialplan noted on it."""
        attempt, unique_id = variable(event, names.HEEDLINE_ATTEMPT), event.get("Uniqueid")
        if event.get("Application") != _CALLED or not _DIGITS.fullmatch(attempt):
            return
        if (bound := self._bound.get(int(attempt))) is None:
            return
        follower = next(follower for follower in self._followers if follower.ami is ami)
        if all(leg.unique_id != unique_id for leg in follower.legs((int(attempt),))):
            leg = LiveLeg(int(attempt), unique_id, event.get("ChannelState") == UP)
            self._cut(bound, [(follower, leg)])


class _News:
    """Callees to look at, gathered while the last ones are looked at; None for all."""

    def __init__(self) -> None:
        self._callees: set[int] = set()
        self._all = False
        self._came = asyncio.Event()

    def add(self, callee: int | None) -> None:
        """One more."""
        self.add_all(None if callee is None else (callee,))

    def add_all(self, callees: Collection[int] | None) -> None:
        """Some more."""
        if callees is None:
            self._all = True
        else:
            self._callees.update(callees)
        self._came.set()

    put_back = add_all

    @property
    def empty(self) -> bool:
        """Whether nobody is to be looked at."""
        return not self._came.is_set()

    async def take(self) -> frozenset[int] | None:
        """Wait for some; all that came."""
        await self._came.wait()
        self._came.clear()
        callees = None if self._all else frozenset(self._callees)
        self._callees, self._all = set(), False
        return callees
