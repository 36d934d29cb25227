"""Announcements: what is played, what is heard meanwhile, and what the dialplan is answered."""

from __future__ import annotations

import tempfile
import uuid
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.announce import Announcements
from agi.audio import AudioLimits, AudioServer
from agi.stream import StreamRequest, stream
from dialer.ports_refusals import KeyArtefact, Prompt
from dialer.prompts import FAILED, OFFER, RECORDED, Prompts, load_prompts
from dialer.recording import Kept
from dialer.speech.listening import Listening
from dialer.speech.spoken import SpokenRefusals
from tests.unit.agi_switch import lab, request
from tests.unit.audio_switch import PATIENT, Line, audio, connected, frame
from tests.unit.ears_world import CALLEE, Memory, now, until
from tests.unit.scripted import SILENCE, ScriptedEngine, spoken

ASKED = StreamRequest(7, f"+{CALLEE}", "", "1795500000.9")


def sound(number: int, frames: int = 3) -> bytes:
    """A prompt that is known again."""
    return number.to_bytes(2, "little") * 160 * frames


PLAYED = {OFFER: sound(11), "spring-sale": sound(12), RECORDED: sound(13), FAILED: sound(14)}
PROMPTS = Prompts({("en", name): pcm for name, pcm in PLAYED.items()})


@dataclass
class Room:
    """All that an announcement touches."""

    audio: AudioServer
    memory: Memory
    announcements: Announcements
    elsewhere: list[int]


@asynccontextmanager
async def room(
    folder: Path,
    *,
    prompts: Prompts = PROMPTS,
    answer_s: float = 30,
    max_streams: int = 10,
    limits: AudioLimits = PATIENT,
) -> AsyncIterator[Room]:
    """Everything; an answer is waited for as long as `answer_s` when all was said."""
    memory = Memory()
    engine = ScriptedEngine(["please stop calling me", "not interested thanks"])
    elsewhere: list[int] = []
    async with (
        AudioServer("127.0.0.1", 0, limits) as server,
        Listening({"en": engine}, max_streams=max_streams) as listening,
    ):
        kept = SpokenRefusals(memory, memory, folder, now)
        announcements = Announcements(
            server, listening, kept, memory, memory.conduct, prompts, now,
            elsewhere=elsewhere.append, answer_s=answer_s,
        )  # fmt: skip
        yield Room(server, memory, announcements, elsewhere)
        await server.close()
        await announcements.close()
        await kept.close()


async def heard(line: Line) -> list[str]:
    """The prompts that are played up to the end, each by its name as often as it begins; silence left out."""
    names = {pcm[:2]: name for name, pcm in PLAYED.items()}
    order: list[str] = []
    while (came := await line.hear()) is not None and came[0] == 0x10:
        name = names.get(came[1][:2])
        if name is not None and (not order or order[-1] != name):
            order.append(name)
    return order


@asynccontextmanager
async def playing(here: Room, asked: StreamRequest = ASKED) -> AsyncIterator[tuple[uuid.UUID, Line]]:
    """A call that is connected to its stream."""
    ident = here.announcements.announce(asked)
    assert ident is not None
    async with connected(here.audio, ident) as line:
        yield ident, line


async def test_message_is_played_then_the_offer_then_the_end(tmp_path: Path) -> None:
    """A callee who does nothing hears all; after a while the stream ends, with all said, and nothing is recorded."""
    async with (
        room(tmp_path, answer_s=0.01) as here,
        playing(here, replace(ASKED, message="spring-sale")) as (ident, line),
    ):
        assert await heard(line) == ["spring-sale", OFFER]
        assert here.announcements.said_all(ident)
    assert here.memory.kept == []
    assert here.elsewhere == [7]


async def test_key_is_a_refusal_and_is_confirmed(tmp_path: Path) -> None:
    """The callee's key stops the playing, is kept with what offered it, and he hears that; other keys do nothing."""
    async with (
        room(tmp_path, prompts=Prompts({**PROMPTS.pcm, ("en", OFFER): sound(11, 3_000)})) as here,
        playing(here) as (ident, line),
    ):
        await line.say(frame(0x03, b"1"), frame(0x03, b"9"), frame(0x03, b"9"))
        order = await heard(line)
        assert order[-1] == RECORDED
        assert here.announcements.said_all(ident)
        (kept,) = here.memory.kept
    assert (kept.callee, kept.seller, kept.how, kept.attempt) == (CALLEE, "acme", "keyed", 7)
    assert (kept.artefact, kept.receipt) == (KeyArtefact("9", Prompt.ANNOUNCEMENT), f"key:{ident}")
    assert kept.call_id == "1795500000.9"


async def test_words_are_a_refusal_and_are_confirmed(tmp_path: Path) -> None:
    """What he says while the message plays counts like a key; a key after it makes no second refusal."""
    async with room(tmp_path) as here, playing(here) as (ident, line):
        said = spoken(1, 400) + SILENCE * 5
        await line.say(*[audio(said[at : at + 320]) for at in range(0, len(said), 320)])
        await here.memory.came.wait()
        await line.say(frame(0x03, b"9"))
        assert (await heard(line))[-1] == RECORDED
    (kept,) = here.memory.kept
    assert (kept.how, kept.receipt) == ("spoken", f"speech:{ident}")


async def test_refusal_that_is_spooled_is_confirmed(tmp_path: Path) -> None:
    """On the node's disk it binds too: he hears the same."""
    async with room(tmp_path) as here, playing(here) as (_, line):
        here.memory.where = Kept.SPOOLED
        await line.say(frame(0x03, b"9"))
        assert (await heard(line))[-1] == RECORDED


async def test_refusal_that_is_not_kept_is_not_confirmed(tmp_path: Path) -> None:
    """When it cannot be kept, or it is not known whose call it is, he is told so and never that it was recorded."""
    async with room(tmp_path) as here:
        here.memory.full = True
        async with playing(here) as (_, line):
            await line.say(frame(0x03, b"9"))
            assert (await heard(line))[-1] == FAILED
        here.memory.full, here.memory.parties = False, {}
        async with playing(here) as (_, line):
            await line.say(frame(0x03, b"9"))
            order = await heard(line)
        assert order[-1] == FAILED
        assert RECORDED not in order
        assert here.announcements.stats.failed == 2
    assert here.memory.kept == []


async def test_near_miss_does_not_stop_the_message(tmp_path: Path) -> None:
    """What may be a refusal is put before a person, and the announcement goes on."""
    async with room(tmp_path, answer_s=0.3) as here, playing(here) as (_, line):
        said = spoken(2, 400)
        await line.say(*[audio(said[at : at + 320]) for at in range(0, len(said), 320)])
        assert await heard(line) == [OFFER]
        await here.memory.came.wait()
    assert (here.memory.kept, len(here.memory.reviews)) == ([], 1)


async def test_key_just_before_the_hang_up_counts(tmp_path: Path) -> None:
    """A callee who presses and hangs up has refused; the stream had not said all."""
    async with room(tmp_path) as here, playing(here) as (ident, line):
        await line.say(frame(0x03, b"9"), frame(0x00))
        await here.memory.came.wait()
        await line.ended()
        assert not here.announcements.said_all(ident)
    assert len(here.memory.kept) == 1


async def test_words_that_are_recognised_after_the_end_count(tmp_path: Path) -> None:
    """Speech lags: what he said before he hung up is kept though the stream is over."""
    async with room(tmp_path) as here, playing(here) as (_, line):
        await line.say(audio(spoken(101, 20)), frame(0x00))
        await here.memory.came.wait()
    assert [kept.how for kept in here.memory.kept] == ["spoken"]


async def test_without_an_ear_keys_still_count(tmp_path: Path) -> None:
    """A stream that is not listened to, for the load, is counted, and its keys are heard."""
    async with room(tmp_path, max_streams=0) as here, playing(here) as (_, line):
        await line.say(frame(0x03, b"9"))
        assert (await heard(line))[-1] == RECORDED
        assert here.announcements.stats.unheard == 1


@pytest.mark.parametrize(
    "asked",
    [
        replace(ASKED, number="+4420794609"),  # no number
        replace(ASKED, number="+12127361234"),  # no pack covers him here
        replace(ASKED, message="no-such-message"),
    ],
)
async def test_call_that_cannot_be_served_gets_no_stream(tmp_path: Path, asked: StreamRequest) -> None:
    """The dialplan plays by itself then, and the call stays tapped as any other."""
    async with room(tmp_path) as here:
        assert here.announcements.announce(asked) is None
        assert here.elsewhere == []
    async with room(tmp_path, limits=AudioLimits(max_streams=0)) as here:
        assert here.announcements.announce(ASKED) is None
        assert here.elsewhere == []


# The entry point.


class Announcer:
    """Gives one stream, and has said all in one."""

    IDENT = uuid.UUID("0b3c2a4e-1111-4000-8000-000000000001")

    def __init__(self) -> None:
        self.asked: list[StreamRequest] = []

    def announce(self, request: StreamRequest) -> uuid.UUID | None:
        self.asked.append(request)
        return self.IDENT

    def said_all(self, stream: uuid.UUID) -> bool:
        return stream == self.IDENT


async def answer(announcer: Announcer, *args: str) -> str:
    """What the channel is told, through a real FastAGI server."""
    async with lab({"stream": stream(announcer)}) as server:
        return (await server.call(request("stream", *args)))["HEEDLINE_STREAM"]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("7", "+442079460992"), str(Announcer.IDENT)),
        (("7", "442079460992", "", ""), str(Announcer.IDENT)),
        (("7", "+442079460992", "", "custom/spring-sale"), str(Announcer.IDENT)),
        (("7", "+442079460992", str(Announcer.IDENT)), "done"),
        (("7", "+442079460992", str(uuid.UUID(int=3))), ""),
        (("7", "+442079460992", "done"), ""),
        (("", "+442079460992"), ""),
        (("0", "+442079460992"), ""),
        (("7",), ""),
        (("7", "invalid"), ""),
        (("٧", "+442079460992"), ""),
        (("7", "+442079460992", "", "../../etc/passwd"), ""),
        (("7", "+442079460992", "", "a b"), ""),
        ((), ""),
    ],
)
async def test_channel_is_told_its_stream_or_none(args: tuple[str, ...], expected: str) -> None:
    """A call with an attempt and a number gets a stream, one whose stream said all hears `done`, all else nothing."""
    assert await answer(Announcer(), *args) == expected


async def test_message_is_known_by_its_last_part() -> None:
    """The switch's folder of a sound is its own; the service knows the name."""
    announcer = Announcer()
    await answer(announcer, "7", "+442079460992", "", "custom/en/spring-sale")
    assert announcer.asked == [StreamRequest(7, "+442079460992", "spring-sale", "1790000000.123")]


# Prompts.


def write(file: Path, rate: int = 8_000, frames: int = 100, channels: int = 1) -> None:
    """A WAV file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as opened:
        opened.setparams((channels, 2, rate, 0, "NONE", ""))
        opened.writeframes(b"\1\2" * frames * channels)


def test_ones_own_prompt_takes_the_place_of_the_packaged(tmp_path: Path) -> None:
    """The first folder wins, by language and name; another language's prompt is better than none."""
    for number, folder in enumerate(("own", "packaged"), 1):
        write(tmp_path / folder / "en" / "heedline-offer.wav", frames=number)
    write(tmp_path / "packaged" / "zh" / "other.wav", frames=9)
    prompts = load_prompts([tmp_path / "own", tmp_path / "missing", tmp_path / "packaged"])
    assert prompts.find("heedline-offer", "en") == b"\1\2"
    assert prompts.find("heedline-offer", "zh") == b"\1\2"
    assert prompts.find("other", "en") == b"\1\2" * 9
    assert prompts.find("none", "en") == b""


def test_file_that_is_no_prompt_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another rate, two channels, no WAV file or an odd name: left out with a line that says what to give."""
    write(tmp_path / "en" / "fast.wav", rate=16_000)
    write(tmp_path / "en" / "both.wav", channels=2)
    write(tmp_path / "en" / "good.wav")
    write(tmp_path / "en" / "od d.wav")
    (tmp_path / "en" / "torn.wav").write_bytes(b"RIFF\1")
    assert set(load_prompts([tmp_path]).pcm) == {("en", "good")}
    assert caplog.text.count("give 8 kHz 16-bit mono PCM") == 3


@given(st.binary(max_size=200))
def test_any_bytes_are_a_prompt_or_left_out(content: bytes) -> None:
    """A file of a person's own never ends the start of a node."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "en"
        folder.mkdir()
        (folder / "x.wav").write_bytes(b"RIFF" + len(content).to_bytes(4, "little") + b"WAVE" + content)
        assert all(len(pcm) % 2 == 0 for pcm in load_prompts([Path(name)]).pcm.values())


async def test_closing_waits_for_what_is_being_kept(tmp_path: Path) -> None:
    """A key that came last is kept before the end."""
    async with room(tmp_path) as here, playing(here) as (_, line):
        await line.say(frame(0x03, b"9"))
        await until(lambda: here.announcements.stats.refused == 1)
    assert len(here.memory.kept) == 1
