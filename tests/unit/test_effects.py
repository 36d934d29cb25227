"""A refusal's effects, on switches and a store that do as each test tells them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from agi.effects import NOT_CUT, RefusalEffects
from agi.follow import Follower
from dialer.attempts import AttemptLog
from dialer.errors import StoreUnavailable
from dialer.policy.conduct import Conduct
from dialer.ports_refusals import CallParty, OpenCall, ReviewRecord
from tests.acceptance.ami_lab import MemoryStore
from tests.unit.ami_peer import Frame, Peer, packet, success

CALLEE, OTHER = 447700900123, 447700900124
ORDERED = "heedline-0123456789abcdef"


@dataclass
class Calls:
    """The refused calls that are out, and the parties between whom a refusal stands; `away` times it has a fault."""

    open: list[OpenCall] = field(default_factory=list)
    parties: set[tuple[int, str]] = field(default_factory=set)
    away: int = 0
    fault: Exception = field(default_factory=lambda: StoreUnavailable("away"))
    asked: list[Collection[int] | None] = field(default_factory=list)

    async def refused_calls(self, callees: Collection[int] | None) -> list[OpenCall]:
        self.asked.append(callees)
        if self.away:
            self.away -= 1
            raise self.fault
        return [call for call in self.open if callees is None or call.callee in callees]

    async def refused_parties(self, parties: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
        return self.parties & set(parties)

    async def call_party(self, attempt: int) -> CallParty | None:
        raise NotImplementedError

    async def sellers_showing(self, number: str) -> list[str | None]:
        raise NotImplementedError

    async def reviews(self, *, decided: bool = False, limit: int = 100) -> list[ReviewRecord]:
        raise NotImplementedError


def listing(frame: Frame, *channels: dict[str, str]) -> bytes:
    """The answer to an action that lists."""
    ident = frame["ActionID"]
    events = [packet(Event=frame["Action"], ActionID=ident, **channel) for channel in channels]
    start = packet(Response="Success", ActionID=ident, EventList="start", Message="follows")
    return start + b"".join(events) + packet(Event="Complete", ActionID=ident, EventList="Complete")


@dataclass
class Switch:
    """One switch that lists its `channels` and says to a hang-up what `hang_up` does."""

    channels: list[dict[str, str]] = field(default_factory=list)
    hang_up: Callable[[Peer, Frame], bytes | None] = success
    peer: Peer = field(init=False)

    def __post_init__(self) -> None:
        self.peer = Peer(self._answer)

    def _answer(self, peer: Peer, frame: Frame) -> bytes | None:
        match frame["Action"]:
            case "Status":
                wanted = frame.get("Channel")
                return listing(frame, *(each for each in self.channels if wanted in (None, each["Uniqueid"])))
            case "CoreShowChannels":
                return listing(frame, *({"Uniqueid": each["Uniqueid"]} for each in self.channels))
            case "Hangup":
                return self.hang_up(peer, frame)
        return success(peer, frame)

    def dial(self, attempt: int, unique_id: str) -> None:
        """The dialplan says that it dials."""
        self.peer.send(packet(Event="UserEvent", UserEvent="HeedlineDial", Attempt=str(attempt), Uniqueid=unique_id))

    def answer(self, unique_id: str) -> None:
        """The callee answers."""
        self.peer.send(packet(Event="Newstate", Uniqueid=unique_id, ChannelState="6"))

    async def hung_up(self, times: int = 1) -> list[tuple[str, str]]:
        """Wait for so many hang-ups; each one's channel and cause."""
        await self.peer.got("Hangup", times)
        return [(frame["Channel"], frame["Cause"]) for frame in self.peer.of("Hangup")]


@dataclass
class World:
    """Two switches that are followed, and what there is to be cut."""

    pbx: Switch
    egress: Switch
    calls: Calls
    alarms: MemoryStore
    conducts: dict[int, Conduct]
    effects: RefusalEffects
    followers: list[Follower]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that nobody announces."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 # nobody announces it
                await asyncio.sleep(0)

    async def saw(self, attempt: int, unique_id: str, *, answered: bool = False) -> None:
        """Wait until a follower knows of a leg."""
        await self.until(
            lambda: any(
                leg.unique_id == unique_id and leg.answered == answered
                for follower in self.followers
                for leg in follower.legs((attempt,))
            )
        )

    async def looked(self, times: int) -> None:
        """Wait until the store was asked so often."""
        await self.until(lambda: len(self.calls.asked) >= times)


@asynccontextmanager
async def world(pbx: Switch | None = None, egress: Switch | None = None) -> AsyncIterator[World]:
    """Both are connected, and were looked through once."""
    pbx, egress = pbx or Switch(), egress or Switch()
    store, calls, conducts = MemoryStore(), Calls(), dict[int, Conduct]()
    async with AsyncExitStack() as stack:
        followers = []
        attempts = await stack.enter_async_context(AttemptLog(store, now))
        for switch in (pbx, egress):
            await stack.enter_async_context(switch.peer)
            ami = switch.peer.ami(first_wait_s=0.01)
            followers.append(Follower(ami, attempts, now))
        effects = RefusalEffects(followers, calls, conducts.get, store, now, confirm_s=0)
        await stack.enter_async_context(effects)
        for follower in followers:
            await stack.enter_async_context(follower.ami)
            await follower.ami.ready()
        for switch in (pbx, egress):
            await switch.peer.got("Status")
        connected = World(pbx, egress, calls, store, conducts, effects, followers)
        await connected.until(lambda: effects._news.empty and all(search.empty for search in effects._searches))
        yield World(pbx, egress, calls, store, conducts, effects, followers)


def now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


def call(attempt: int = 7, callee: int = CALLEE, *, answered: bool = False) -> OpenCall:
    """A call that is out."""
    return OpenCall(attempt, callee, "acme", answered, dialled=True)


async def test_a_ringing_call_is_hung_up_on_every_switch() -> None:
    """Both its legs, by their unique ids, with cause 21; another's call is left."""
    async with world() as it:
        it.calls.open = [call(), call(8, OTHER)]
        for switch, attempt, unique_id in ((it.pbx, 7, "1.1"), (it.egress, 7, "2.1"), (it.egress, 8, "2.2")):
            switch.dial(attempt, unique_id)
            await it.saw(attempt, unique_id)
        it.effects.refused(str(CALLEE))
        assert await it.pbx.hung_up() == [("1.1", "21")]
        assert await it.egress.hung_up() == [("2.1", "21")]
        assert (it.effects.stats.bound, it.effects.stats.failed) == (1, 0)


@pytest.mark.parametrize("told_by", ["events", "store"])
async def test_an_answered_call_goes_on_unless_the_conduct_ends_it(told_by: str) -> None:
    """Of two talks that were refused the one whose pack says `always` ends, with cause 16."""
    async with world() as it:
        it.conducts |= {
            CALLEE: Conduct("", "", "9", "announcements", "en"),
            OTHER: Conduct("", "", "9", "always", "en"),
        }
        it.calls.open = [call(7, answered=told_by == "store"), call(8, OTHER, answered=told_by == "store")]
        for attempt, unique_id in ((7, "1.1"), (8, "1.2")):
            it.pbx.dial(attempt, unique_id)
            if told_by == "events":
                it.pbx.answer(unique_id)
            await it.saw(attempt, unique_id, answered=told_by == "events")
        it.effects.refused("*")
        assert await it.pbx.hung_up() == [("1.2", "16")]


async def test_a_call_whose_switch_has_not_spoken_yet_is_hung_up_when_it_does() -> None:
    """The call was out before the refusal, and its event came after it; a call of another attempt goes on."""
    async with world() as it:
        it.calls.open = [call()]
        it.effects.refused(str(CALLEE))
        await it.egress.peer.got("Status", 2)
        it.egress.dial(8, "2.2")
        it.egress.dial(7, "2.1")
        assert await it.egress.hung_up() == [("2.1", "21")]
        assert it.alarms.alarms == []


async def test_a_switch_that_was_away_is_caught_up_with() -> None:
    """While no switch could be asked there is one alarm, however many refusals come; on reconnection the call is cut by
    what the dialplan noted on its leg, though no event of it was heard."""
    async with world() as it:
        for switch in (it.pbx, it.egress):
            await switch.peer.vanish()
        await it.until(lambda: not any(follower.ami.connected.is_set() for follower in it.followers))
        it.calls.open = [call()]
        asked = len(it.calls.asked)
        it.effects.refused(str(CALLEE))
        await it.looked(asked + 1)
        it.effects.refused(str(CALLEE))
        await it.looked(asked + 2)
        await it.alarms.until(lambda: len(it.alarms.alarms) == 1)
        assert (it.alarms.alarms[0].kind, it.alarms.alarms[0].channel) == (NOT_CUT, "attempt 7")
        caller = {"Uniqueid": "1.0", "Application": "Dial", "ChannelState": "4", "Variable": "HEEDLINE_ATTEMPT=7"}
        called = {"Uniqueid": "1.1", "Application": "AppDial", "ChannelState": "5", "Variable": "HEEDLINE_ATTEMPT=7"}
        other = {**called, "Uniqueid": "1.2", "Variable": "HEEDLINE_ATTEMPT=(null)"}
        it.pbx.channels = [caller, other, called]
        await it.pbx.peer.listen()
        assert await it.pbx.hung_up() == [("1.1", "21")]
        assert len(it.alarms.alarms) == 1


def refusing(text: str) -> Callable[[Peer, Frame], bytes]:
    """A switch that refuses hang-ups so."""
    return lambda _, frame: packet(Response="Error", ActionID=frame["ActionID"], Message=text)


@pytest.mark.parametrize(
    ("pbx", "egress", "alarms"),
    [
        ("Permission denied", "Permission denied", 1),
        ("Permission denied", "", 0),
        ("No such channel", "No such channel", 0),
        ("No such channel", "Permission denied", 0),
    ],
)
async def test_a_call_that_no_switch_takes_down_raises_the_alarm(pbx: str, egress: str, alarms: int) -> None:
    """One switch is enough, and a channel that is gone already needs none."""
    sides = [Switch(hang_up=refusing(text) if text else success) for text in (pbx, egress)]
    async with world(*sides) as it:
        it.calls.open = [call()]
        for side, unique_id in zip(sides, ("1.1", "2.1"), strict=True):
            side.dial(7, unique_id)
            await it.saw(7, unique_id)
        it.effects.refused(str(CALLEE))
        for side in sides:
            await side.hung_up()
        if alarms:
            await it.alarms.until(lambda: len(it.alarms.alarms) == 1)
        await it.effects.__aexit__()
        assert [alarm.kind for alarm in it.alarms.alarms] == [NOT_CUT] * alarms
        assert it.effects.stats.failed == alarms


async def test_a_store_that_is_away_is_asked_again() -> None:
    """What was to be looked up is not forgotten, nor what came meanwhile."""
    async with world() as it:
        it.calls.open, it.calls.away = [call(), call(8, OTHER)], 2
        for attempt, unique_id in ((7, "1.1"), (8, "1.2")):
            it.pbx.dial(attempt, unique_id)
            await it.saw(attempt, unique_id)
        asked = len(it.calls.asked)
        it.effects.refused(str(CALLEE))
        await it.looked(asked + 1)
        it.effects.refused(str(OTHER))
        assert sorted(await it.pbx.hung_up(2)) == [("1.1", "21"), ("1.2", "21")]
        assert set(it.calls.asked[-1] or ()) == {CALLEE, OTHER}


@pytest.mark.parametrize("payload", ["*", None, "", "+447700900123", "9" * 40, "１２３４"])
async def test_what_is_no_number_stands_for_all(payload: str | None) -> None:
    """A bulk import, a reconnection and what is not understood make all calls looked at."""
    async with world() as it:
        asked = len(it.calls.asked)
        it.effects.refused(payload)
        await it.looked(asked + 1)
        assert it.calls.asked[asked] is None


def agent(unique_id: str = ORDERED, **changes: str) -> dict[str, str]:
    """An agent's phone that rings for a call to CALLEE."""
    plain = {"Uniqueid": unique_id, "ChannelState": "5", "CallerIDNum": f"+{CALLEE}", "Application": "AppDial2"}
    return {**plain, "Variable": "HEEDLINE_SELLER=acme", **changes}


@pytest.mark.parametrize("told", ["listing", "events"])
async def test_agents_phones_that_ring_in_vain_are_hung_up(told: str) -> None:
    """Only our own originates, to that callee, for the refused seller, not yet answered and on no declared route;
    whether the switch told of them as they began, or when it was asked for all of its channels."""
    ours = [ORDERED[:-1] + digit for digit in "012345"]
    async with world() as it:
        it.pbx.channels = [
            agent(ours[0]),
            agent("1795500000.1"),
            agent(ours[1], CallerIDNum=f"+{OTHER}"),
            agent(ours[2], Variable="HEEDLINE_SELLER=other"),
            agent(ours[3], ChannelState="6"),
            agent(ours[4], Variable="HEEDLINE_SELLER=acme\r\nVariable: HEEDLINE_ROUTE=clinic"),
            agent(ours[5], Variable="HEEDLINE_SELLER=acme\r\nVariable: HEEDLINE_ROUTE=(null)"),
        ]
        it.calls.parties = {(CALLEE, "acme")}
        if told == "events":
            for channel in it.pbx.channels:
                it.pbx.peer.send(packet(Event="Newchannel", Uniqueid=channel["Uniqueid"], ChannelState="0"))
            it.pbx.dial(9, "1.9")
            await it.saw(9, "1.9")  # and so what came before it
        it.effects.refused(str(CALLEE) if told == "events" else "*")
        assert await it.pbx.hung_up(2) == [(ours[0], "21"), (ours[5], "21")]
        it.pbx.channels, it.calls.parties = it.pbx.channels[2:5], {(CALLEE, "acme"), (OTHER, "acme")}
        it.effects.refused(str(OTHER))
        assert (await it.pbx.hung_up(3))[2:] == [(ours[1], "21")]
        await it.until(lambda: it.effects.stats.cancelled == 3)
        assert it.effects.stats.cut == 0


async def test_a_switch_is_not_asked_for_all_its_channels_when_its_events_have_told() -> None:
    """A refusal of a call whose leg is known lists nothing; one of a call that is not known lists once a switch."""
    async with world() as it:
        it.calls.open = [call()]
        it.pbx.dial(7, "1.1")
        await it.saw(7, "1.1")
        it.effects.refused(str(CALLEE))
        await it.pbx.hung_up()
        before = len(it.egress.peer.of("Status"))
        it.calls.open = [call(8, OTHER)]
        it.effects.refused(str(OTHER))
        await it.egress.peer.got("Status", before + 1)
        assert len(it.egress.peer.of("Status")) == before + 1


async def test_a_fault_of_ours_does_not_end_the_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the store that nobody foresaw, and a conduct that cannot be told, cost no call its cut."""
    monkeypatch.setattr("agi.effects._LONGEST_WAIT_S", 0.01)
    async with world() as it:
        it.calls.open, it.calls.away, it.calls.fault = [call()], 1, RuntimeError("a fault of ours")
        it.conducts[CALLEE] = "no conduct"  # type: ignore[assignment] # that is the fault
        it.pbx.dial(7, "1.1")
        await it.saw(7, "1.1")
        it.effects.refused(str(CALLEE))
        assert await it.pbx.hung_up() == [("1.1", "21")]
