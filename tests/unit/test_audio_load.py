"""200 calls at once: loopback AudioSocket connections, each listened to."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field

from agi.audio import AudioLimits, AudioServer, AudioStream, Outcome
from dialer.speech.ear import Ear, Told
from dialer.speech.listening import Listening
from tests.unit.audio_switch import audio, connected, frame
from tests.unit.ears_world import until
from tests.unit.scripted import SILENCE, ScriptedEngine, says

CALLS = 200


@dataclass
class Call:
    """A session that listens."""

    ear: Ear | None = None
    told: list[Told] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def begun(self, stream: AudioStream) -> None: ...

    def audio(self, pcm: bytes) -> None:
        assert self.ear is not None
        self.ear.audio(pcm)

    def key(self, digit: str) -> None:
        self.keys.append(digit)

    def ended(self, outcome: Outcome) -> None:
        assert self.ear is not None
        self.ear.close()
        self.outcomes.append(outcome)


async def test_two_hundred_streams_at_once_are_each_heard_and_counted() -> None:
    """200 connections speak at once: each refusal and each key arrives, with its own call's audio in its clip, each
    stream is one outcome, and no audio is lost."""
    calls = [Call() for _ in range(CALLS)]
    engine = ScriptedEngine(["please stop calling me"])
    async with (
        AudioServer("127.0.0.1", 0, AudioLimits(max_streams=CALLS)) as server,
        Listening({"en": engine}, max_streams=CALLS) as listening,
    ):

        async def switch(ident: uuid.UUID, mark: bytes) -> None:
            async with connected(server, ident) as line:
                await until(lambda: server.stats.accepted == CALLS)
                for said in (SILENCE, mark * 160, says(1)):
                    await line.say(*[audio(said)] * (1 if said == says(1) else 20))
                await line.say(frame(0x03, b"9"), frame(0x00))
                await line.ended()

        async with asyncio.TaskGroup() as switches:
            for number, call in enumerate(calls, start=1_000):
                call.ear = listening.open("en", call.told.append)
                ident = server.announce(call)
                assert ident is not None
                switches.create_task(switch(ident, number.to_bytes(2, "little")))
        await until(lambda: listening.stats.open == 0)
        assert (listening.stats.told, listening.stats.shed_s, server.stats.dropped_s) == (CALLS, 0.0, 0.0)
        assert (server.stats.ended[Outcome.HUNG_UP], server.stats.open) == (CALLS, 0)
    for number, call in enumerate(calls, start=1_000):
        assert (len(call.told), call.keys, call.outcomes) == (1, ["9"], [Outcome.HUNG_UP])
        assert number.to_bytes(2, "little") * 160 in call.told[0].clip
