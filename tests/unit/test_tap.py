"""Taps of calls with agents: one a call, by the right action, and every failure counted, none raised."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from agi.ami import Ami, Event, checked
from agi.audio import AudioLimits, AudioServer
from agi.follow import Follower, LiveLeg
from agi.tap import Taps, TapStats
from dialer.attempts import AttemptLog
from dialer.errors import AmiRefused, AmiUnavailable, HeedlineError, UnsafeText
from dialer.speech.listening import Listening
from dialer.speech.spoken import SpokenRefusals
from tests.unit.audio_switch import PATIENT, Line, connected
from tests.unit.ears_world import Memory, now, until
from tests.unit.scripted import SILENCE, ScriptedEngine, spoken

LEG = LiveLeg(7, "1795500000.12", answered=True)


@dataclass
class Switch:
    """A manager interface that takes actions, or does not."""

    error: HeedlineError | None = None
    actions: list[dict[str, list[str]]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def action(self, name: str, fields: list[tuple[str, str]]) -> None:
        self.actions.append({"Action": [name], **checked(fields)})
        self.came.set()
        if self.error is not None:
            raise self.error


@dataclass
class Room:
    """All that a tap touches."""

    switch: Switch
    audio: AudioServer
    listening: Listening
    memory: Memory
    taps: Taps

    def answered(self, leg: LiveLeg = LEG) -> None:
        """The called leg was answered."""
        self.taps.answered(cast("Ami", self.switch), leg)

    async def variables(self) -> dict[str, str]:
        """What the originate sets."""
        await self.switch.came.wait()
        return dict(variable.split("=", 1) for variable in self.switch.actions[-1]["Variable"])

    async def comes_to(self, **stats: int) -> None:
        """Wait until the counters are these, and all others nought."""
        await until(lambda: self.taps.stats == TapStats(**stats))


@asynccontextmanager
async def room(
    folder: Path,
    *,
    error: HeedlineError | None = None,
    limits: AudioLimits = PATIENT,
    language: str = "en",
    max_streams: int = 10,
    within: float = 5,
) -> AsyncIterator[Room]:
    """Everything, with a switch that does what it is asked or raises."""
    memory = Memory()
    engine = ScriptedEngine(["please stop calling me", "not interested thanks"], language=language)
    async with (
        AudioServer("127.0.0.1", 0, limits) as audio,
        Listening({language: engine}, max_streams=max_streams) as listening,
    ):
        kept = SpokenRefusals(memory, memory, folder, now)
        taps = Taps(audio, listening, kept, memory.conduct, f"127.0.0.1:{audio.port}", party_within_s=within)
        yield Room(Switch(error), audio, listening, memory, taps)
        await taps.close()
        await audio.close()
        await kept.close()


@asynccontextmanager
async def connects(room: Room) -> AsyncIterator[Line]:
    """The switch does what it was asked: its other half connects."""
    ident = (await room.variables())["HEEDLINE_STREAM"]
    async with connected(room.audio, uuid.UUID(ident)) as line:
        await until(lambda: room.taps.stats.begun == 1)
        yield line


async def test_answered_call_is_tapped_and_its_refusal_kept(tmp_path: Path) -> None:
    """The switch is asked for one Local channel that hears the called leg and sends it here; what is said is kept, and
    then the tap ends."""
    async with room(tmp_path) as here:
        here.answered()
        async with connects(here) as line:
            await line.say(*[b"\x10\x01\x40" + (SILENCE + spoken(1))[at : at + 320] for at in range(0, 16_320, 320)])
            await here.memory.came.wait()
            await line.ended()
        (action,) = here.switch.actions
        variables = await here.variables()
        (kept,) = here.memory.kept
    assert (action["Action"], action["Channel"]) == (["Originate"], ["Local/hear@heedline-tap/n"])
    assert (action["Context"], action["Exten"], action["Async"]) == (["heedline-tap"], ["send"], ["true"])
    assert variables["__HEEDLINE_TAPPED"] == LEG.unique_id
    assert variables["HEEDLINE_AUDIO"] == f"127.0.0.1:{here.audio.port}"
    assert (kept.how, kept.call_id, kept.receipt) == ("spoken", LEG.unique_id, f"speech:{variables['HEEDLINE_STREAM']}")


async def test_near_miss_does_not_end_the_tap(tmp_path: Path) -> None:
    """After a near miss the callee is heard on, and his refusal still counts."""
    async with room(tmp_path) as here:
        here.answered()
        async with connects(here) as line:
            for number in (2, 1):
                said = SILENCE * 10 + spoken(number, 200)
                await line.say(*[b"\x10\x01\x40" + said[at : at + 320] for at in range(0, len(said), 320)])
            await line.ended()
    assert (len(here.memory.reviews), len(here.memory.kept)) == (1, 1)


async def test_call_has_one_tap(tmp_path: Path) -> None:
    """Told twice, or of a second leg of the same call, the switch is asked once."""
    async with room(tmp_path) as here:
        here.answered()
        here.answered(LiveLeg(7, "1795500000.14", answered=True))
        async with connects(here):
            here.answered()
        assert len(here.switch.actions) == 1
        assert here.taps.stats.answered == 1


@pytest.mark.parametrize("error", [AmiUnavailable("the connection was lost"), AmiRefused("no such context")])
async def test_switch_that_does_not_do_it_is_counted(tmp_path: Path, error: HeedlineError) -> None:
    """An originate that fails costs the listening: no stream is expected any more, no ear stays open."""
    async with room(tmp_path, error=error) as here:
        here.answered()
        await here.comes_to(answered=1, failed=1)
        await until(lambda: here.listening.stats.open == 0)
        ident = (await here.variables())["HEEDLINE_STREAM"]
        async with connected(here.audio, uuid.UUID(ident)) as line:
            await line.ended()
        assert here.taps.stats.begun == 0


async def test_stream_that_never_comes_is_counted(tmp_path: Path) -> None:
    """A switch that says yes and does nothing is a failure too."""
    async with room(tmp_path, limits=AudioLimits(arrival_s=0.05)) as here:
        here.answered()
        await here.comes_to(answered=1, failed=1)
        await until(lambda: here.listening.stats.open == 0)


async def test_calls_that_cannot_be_heard_are_counted_by_why(tmp_path: Path) -> None:
    """Nobody known, no database, no recogniser, no room in the budget or at the server: the switch is not asked."""
    async with room(tmp_path) as here:
        here.answered(LiveLeg(8, "1795500000.12", answered=True))
        await here.comes_to(answered=1, unknown=1)
        assert here.switch.actions == []
    async with room(tmp_path, within=0) as here:
        here.memory.away = 1
        here.answered()
        await here.comes_to(answered=1, unknown=1)
    async with room(tmp_path, language="zh") as here:
        here.answered()
        await here.comes_to(answered=1, unheard=1)
    async with room(tmp_path, max_streams=0) as here:
        here.answered()
        await here.comes_to(answered=1, shed=1)
    async with room(tmp_path, limits=AudioLimits(max_streams=0)) as here:
        here.answered()
        await here.comes_to(answered=1, shed=1)
        await until(lambda: here.listening.stats.open == 0)
        assert here.switch.actions == []


async def test_call_that_is_heard_elsewhere_is_left(tmp_path: Path) -> None:
    """A call that asks for a stream of its own has no tap: one that runs is ended, one to come is not begun."""
    async with room(tmp_path) as here:
        here.answered()
        async with connects(here) as line:
            here.taps.leave(7)
            await line.ended()
        here.answered()
        await here.comes_to(answered=2, begun=1, elsewhere=1)
        assert len(here.switch.actions) == 1


async def test_leaving_before_the_stream_came_expects_it_no_more(tmp_path: Path) -> None:
    """Between the originate and the stream a tap can be left too."""
    async with room(tmp_path) as here:
        here.answered()
        await here.switch.came.wait()
        here.taps.leave(7)
        await here.comes_to(answered=1, elsewhere=1)


@pytest.mark.parametrize("unique_id", ["", "1.2,o", "1.2)", "x\r\nAction: Originate", "${EVAL}", "1" * 121])
async def test_unique_id_that_is_none_is_never_sent(tmp_path: Path, unique_id: str) -> None:
    """Nothing but a unique id's own characters reaches the dialplan (rule 8)."""
    async with room(tmp_path) as here:
        here.answered(LiveLeg(7, unique_id, answered=True))
        await here.comes_to(answered=1, failed=1)
        assert here.switch.actions == []


@pytest.mark.parametrize("address", ["", "host", "host:port", "a,b:1", "127.0.0.1:4574,x", "[::1]:1)"])
async def test_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    """An address that could not stand in an application's argument is refused at the start."""
    async with room(tmp_path) as here:
        with pytest.raises(UnsafeText, match="no address"):
            Taps(here.audio, here.listening, cast("SpokenRefusals", None), here.memory.conduct, address)


# What the follower tells.


class _Ami:
    """Hands events to who asks for them."""

    name = "pbx"

    def on(self, names: object, handler: object) -> object:
        return lambda: None

    def on_connected(self, hook: object) -> None: ...


def event(name: str, **headers: str) -> Event:
    """An event of the called channel."""
    return Event(name, {key.lower(): value for key, value in {"Uniqueid": LEG.unique_id, **headers}.items()})


DIAL = event("UserEvent", UserEvent="HeedlineDial", Attempt="7", Where="pbx")
UP = event("Newstate", ChannelState="6")
ENDED = event("DialEnd", DestUniqueid=LEG.unique_id, DialStatus="ANSWER")
HANGUP = event("Hangup", Cause="16")


@pytest.mark.parametrize("events", [[DIAL, UP], [UP, DIAL], [DIAL, ENDED, UP, UP], [DIAL, UP, HANGUP, UP, DIAL]])
def test_follower_tells_of_an_answer_once(events: list[Event]) -> None:
    """In whatever order the switch says it, an answered leg of an attempt is told once."""
    legs: list[LiveLeg] = []
    follower = Follower(cast("Ami", _Ami()), AttemptLog(cast("object", None), now), now)  # type: ignore[arg-type]
    follower.on_answered(legs.append)
    for each in events:
        follower.handle(each)
    assert legs == [LEG]


@pytest.mark.parametrize("events", [[UP], [DIAL], [DIAL, event("Newstate", ChannelState="5")], [UP, HANGUP, DIAL]])
def test_follower_tells_of_no_answer_that_was_none(events: list[Event]) -> None:
    """A channel that is no attempt's, or was not answered, or is gone, is not told of."""
    legs: list[LiveLeg] = []
    follower = Follower(cast("Ami", _Ami()), AttemptLog(cast("object", None), now), now)  # type: ignore[arg-type]
    follower.on_answered(legs.append)
    for each in events:
        follower.handle(each)
    assert legs == []
