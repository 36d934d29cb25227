"""A node's gate and ears, a real database, three real Asterisks: what is said on a call, to its row in the database."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import wave
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from agi.ami import Ami
from agi.dialplan.render import DialplanSettings
from agi.egress import egress
from agi.follow import Follower
from agi.outbound import outbound
from agi.pbx.binary import AsteriskBinary
from agi.pbx.lab import Lab
from agi.server import Entry, Route, serve
from dialer.app import Database, Registers, clock, open_database, open_gate, open_refusal_store, open_registers
from dialer.attempts import AttemptLog
from dialer.config import load
from dialer.demo.places import consented
from dialer.ears import Ears, open_ears
from dialer.numbers import Number, parse
from dialer.ports_refusals import NewRefusal
from dialer.recording import Kept, Recorder
from dialer.speech.engine import Engine, Stream
from dialer.speech.wav import read_wav
from dialer.verdict import Outcome
from tests.acceptance.ami_lab import MemoryStore, ami_of
from tests.gate_world import PLACES, SELLER, TRUNK, World, furnish, packs

CLIPS = Path(__file__).parents[1] / "corpus" / "clips"
REFUSAL, HARMLESS = "enpos_039_1kokoro", "enneg_008_2kokoro"
SAYS_REFUSAL, SAYS_HARMLESS, PRESSES_KEY = "92", "93", "91"

_AGENT = """
[lab-speaking-agent]
exten => s,1,Answer()
 same => n,Wait(1)
 same => n,Playback({clip})
 same => n,UserEvent(AgentHasSpoken)
 same => n,Wait(3600)
"""


class Overheard:
    """An engine whose streams keep what they are fed; the recogniser itself is the one inside."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.fed: list[bytearray] = []

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def language(self) -> str:
        return self._engine.language

    @property
    def model(self) -> str:
        return self._engine.model

    def open(self, *, partials: bool) -> Stream:
        """A stream of the engine inside."""
        self.fed.append(bytearray())
        return _Overheard(self._engine.open(partials=partials), self.fed[-1])


class _Overheard:
    def __init__(self, stream: Stream, fed: bytearray) -> None:
        self._stream, self._fed = stream, fed

    def feed(self, pcm: bytes) -> Any:
        self._fed += pcm
        return self._stream.feed(pcm)

    def close(self) -> Any:
        return self._stream.close()


def likeness(heard: bytes, said: bytes) -> float:
    """The greatest normalised correlation of `said` with any stretch of `heard`; 1 where it is the same, about 0.1
    where it is something else."""
    if len(heard) < len(said):
        heard = heard.ljust(len(said), b"\0")
    long, short = (np.frombuffer(pcm, dtype="<i2").astype(float) for pcm in (heard, said))
    size = 1 << (len(long) + len(short)).bit_length()
    products = np.fft.irfft(np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size)), size)
    starts = len(long) - len(short) + 1
    energy = np.concatenate(([0.0], np.cumsum(long**2)))
    norms = np.sqrt(np.maximum(energy[len(short) :] - energy[: -len(short)], 1.0)) * np.linalg.norm(short)
    return float(np.max(np.abs(products[:starts]) / np.maximum(norms[:starts], 0.01 * norms.max())))


class EarsLab(Lab):
    """The lab with an agent who says a refusal himself."""

    agent_clip: Path

    def _configure(self) -> None:
        super()._configure()
        files = dict(self.pbx.files)
        files["extensions.conf"] += _AGENT.format(clip=self.agent_clip.with_suffix(""))
        self.pbx.files = files


@dataclass
class Stage:
    """Everything that a test of the ears touches."""

    lab: EarsLab
    ears: Ears
    engine: Overheard
    world: World
    recorder: Watched
    database: Database
    clips: Mapping[str, bytes]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def callee(self, ending: str) -> str:
        """A callee who agreed, and behaves by the last two digits."""
        while True:
            number = self.world.fresh()[:-2] + ending
            if isinstance(parse(number), Number):
                await self.world.consent(number)
                return number

    async def call(self, fields: Sequence[tuple[str, str]], kind: str = "live") -> str:
        """Start a call by these fields of an originate; the unique id of its first side, which has answered."""
        variables = {"SELLER": SELLER, "TRUNK": TRUNK, "KIND": kind}
        more = [("Variable", f"__HEEDLINE_{name}={value}") for name, value in variables.items()]
        shown = ("CallerID", f"<{self.world.place.presented}>")
        self.lab.carrier.manager.events.clear()
        self.lab.pbx.manager.events.clear()
        ident = f"ears-{next(self.numbers)}"
        ours = [("ChannelId", ident), ("OtherChannelId", f"{ident}-2"), ("Async", "true")]
        response = await self.lab.pbx.manager.originate([*fields, *more, shown, *ours], within=40)
        assert response["Response"] == "Success"
        return ident

    async def has_ended(self, ident: str) -> None:
        """Wait until a call is hung up, by whomever."""
        await self.lab.pbx.manager.expect(
            lambda event: event.get("Event") == "Hangup" and event.get("Uniqueid") == ident, 30
        )

    async def agent_calls(self, number: str, agent: str = "lab-agent") -> str:
        """An agent's call; his channel answers first."""
        return await self.call(
            [("Channel", f"Local/s@{agent}/n"), ("Context", "heedline-outbound"), ("Exten", number), ("Priority", "1")]
        )

    async def announce(self, number: str) -> str:
        """A prerecorded call."""
        called = f"Local/{number}@heedline-outbound/n"
        return await self.call(
            [("Channel", called), ("Context", "heedline-announce"), ("Exten", "s"), ("Priority", "1")], "prerecorded"
        )

    async def callee_has_spoken(self) -> None:
        """The callee's clip was played to its end."""
        await self.lab.carrier.manager.expect(
            lambda event: event.get("Application") == "Wait" and event.get("AppData") == "3600", 30
        )

    async def agent_has_spoken(self) -> None:
        """The agent's clip was played to its end."""
        await self.lab.pbx.manager.expect(lambda event: event.get("UserEvent") == "AgentHasSpoken", 30)

    async def end(self) -> None:
        """End every call; returns when all that was heard has been dealt with."""
        await self.lab.hang_up_all()
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing is listened to any more, and what was heard is kept."""
        parts = self.ears.parts
        assert parts is not None
        await until(lambda: not (parts.audio.stats.open or parts.listening.stats.open or parts.spoken._tasks))

    async def refusals(self, number: str) -> list[Refusal]:
        """The callee's refusals, as the database has them."""
        query = (
            "select r.how, r.attempt, r.artefact::text, s.code"
            " from refusals r left join sellers s on s.id = r.seller_id where callee = $1"
        )
        rows = await self.database.pool.fetch(query, int(number.lstrip("+")))
        return [Refusal(row["how"], row["code"], row["attempt"], json.loads(row["artefact"])) for row in rows]

    async def refused(self, number: str) -> Refusal:
        """Wait for the callee's one refusal."""
        await self.recorder.has_kept(int(number.lstrip("+")))
        (refusal,) = await self.refusals(number)
        return refusal


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row."""

    how: str
    seller: str
    attempt: int | None
    artefact: dict[str, Any]


class Watched(Recorder):
    """A node's recorder, of which a test knows what it kept."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._callees: set[int] = set()
        self._came = asyncio.Condition()

    async def keep(self, refusal: NewRefusal) -> Kept:
        """As a recorder does."""
        kept = await super().keep(refusal)
        async with self._came:
            self._callees.add(refusal.callee)
            self._came.notify_all()
        return kept

    async def has_kept(self, callee: int) -> None:
        """Wait until a refusal of this callee is kept."""
        async with asyncio.timeout(30), self._came:
            await self._came.wait_for(lambda: callee in self._callees)


async def until(holds: Callable[[], bool], within: float = 20) -> None:
    """Wait until something holds of counters, of whose changes nobody tells."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def english_world(registers: Registers) -> Any:
    """A place where English is spoken to callees, and it is a permitted hour."""
    now = datetime.now(UTC)
    wanted = (now, now + timedelta(minutes=20))
    place = next(
        place
        for place in PLACES
        if place.country != "CN" and all(consented(place, packs(), at).outcome is Outcome.ALLOW for at in wanted)
    )
    return furnish(registers, place)


@contextlib.asynccontextmanager
async def open_stage(
    folder: Path, dsn: str, asterisk: AsteriskBinary, engine: Engine, callee_key: str = "*5"
) -> AsyncIterator[Stage]:
    """All is up. The dialplan's own key is another than the policy's, so that 9 reaches the service as a key."""
    settings = load({"HEEDLINE_HOME": str(folder / "home"), "HEEDLINE_DATABASE_URL": dsn})
    settings = settings.model_copy(update={"speech": settings.speech.model_copy(update={"port": 0})})
    clips = {ending: _as_wav(folder, name) for ending, name in ((SAYS_REFUSAL, REFUSAL), (SAYS_HARMLESS, HARMLESS))}
    overheard = Overheard(engine)
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings))
        gate = await stack.enter_async_context(open_gate(settings, database))
        registers = open_registers(database, "service", gate.packs)
        world = await english_world(registers)
        recorder = await stack.enter_async_context(Watched(registers.refusals, settings.spool_folder))
        ears = await stack.enter_async_context(
            open_ears(
                settings,
                recorder=recorder,
                refusals=registers.refusals,
                calls=open_refusal_store(database),
                clock=clock,
                engines=[overheard],
            )
        )
        assert ears.parts is not None
        routes: dict[str, Entry | Route] = {
            "outbound": outbound(gate),
            "egress": egress(gate, TRUNK),
            "stream": ears.route,
        }
        server = await stack.enter_async_context(await serve("127.0.0.1", 0, routes))
        dialplan = DialplanSettings(
            f"127.0.0.1:{server.port}",
            deadline_s=1,
            callee_key=callee_key,
            audio=f"127.0.0.1:{ears.parts.audio.port}",
        )
        lab = EarsLab(asterisk, folder / "lab", dialplan, clips)
        lab.agent_clip = clips[SAYS_REFUSAL]
        await stack.enter_async_context(lab)
        attempts = await stack.enter_async_context(AttemptLog(MemoryStore(), clock))
        ami: Ami = ami_of(lab.pbx)
        ears.follow([Follower(ami, attempts, clock)])
        await stack.enter_async_context(ami)
        await ami.ready()
        said = {ending: read_wav(CLIPS / f"{path.stem}.wav") for ending, path in clips.items()}
        yield Stage(lab, ears, overheard, world, recorder, database, said)
        await lab.hang_up_all()


def _as_wav(folder: Path, name: str) -> Path:
    """A clip as 16-bit PCM, which the switch can play."""
    file = folder / f"{name}.wav"
    with wave.open(str(file), "wb") as written:
        written.setparams((1, 2, 8_000, 0, "NONE", ""))
        written.writeframes(read_wav(CLIPS / f"{name}.wav"))
    return file
