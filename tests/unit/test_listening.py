"""Listening to many calls in worker threads: order, gaps, bounds, faults, and a budget that sheds visibly."""

from __future__ import annotations

import asyncio
import io
import logging
import time
import wave
from dataclasses import dataclass, field
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.phrases import Meaning
from dialer.speech.budget import BOUNDS, CALM_S, SETTLE_S, Budget, Level
from dialer.speech.ear import KEPT_S, QUEUE_S, Told
from dialer.speech.listening import Listening
from dialer.speech.recent import AFTER_MS, BEFORE_MS, KEPT_MS, Recent
from tests.unit.scripted import FAULT, MODEL, NOISE, SILENCE, ScriptedEngine, says, spoken

LINES = ["please stop calling me", "what a fine day", "i am not interested"]


@dataclass
class Heard:
    """What was told of one call."""

    told: list[Told] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, told: Told) -> None:
        self.told.append(told)
        self.came.set()


class Lines(logging.Handler):
    """Waits for so many lines in the listening's log that hold a text."""

    def __init__(self, text: str, count: int) -> None:
        super().__init__()
        self._text, self._count = text, count
        self.came = asyncio.Event()

    def __enter__(self) -> Self:
        logging.getLogger("dialer.speech.listening").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("dialer.speech.listening").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._count -= self._text in record.getMessage()
        if self._count <= 0:
            self.came.set()


def level_of(budget: Budget) -> Level:
    """The level now."""
    return budget.level


async def until(listening: Listening, open: int = 0) -> None:
    """Wait until no more ears than this are open."""
    while listening.stats.open > open:
        listening._fewer.clear()
        await listening._fewer.wait()


def samples(wav: bytes) -> bytes:
    """The audio of a WAV file that the standard library reads as 8 kHz, 16 bits, mono."""
    with wave.open(io.BytesIO(wav)) as opened:
        assert opened.getparams()[:3] == (1, 2, 8_000)
        return bytes(opened.readframes(opened.getnframes()))


async def test_refusal_is_told_on_the_loop_with_its_clip() -> None:
    """A refusal that is said comes back on the loop, with its words, its span, and the audio of it and around it."""
    heard = Heard()
    async with Listening({"en": ScriptedEngine(LINES)}) as listening:
        ear = listening.open("en", heard)
        assert ear is not None
        words = spoken(1, 600)
        ear.audio(SILENCE * 100)
        ear.audio(words)
        ear.audio(SILENCE * 100)
        ear.close()
        await until(listening)
    (told,) = heard.told
    found = told.detection
    assert (found.meaning, found.transcript, found.model) == (Meaning.REFUSAL, LINES[0], MODEL)
    assert (found.start_ms, found.end_ms) == (2_000, 2_600)
    around = samples(told.clip)
    assert around == SILENCE * (BEFORE_MS // 20) + words + SILENCE * (AFTER_MS // 20)


async def test_harmless_words_are_not_told_and_near_misses_are() -> None:
    """What is no refusal is not told; what may be one is told as a near miss."""
    heard = Heard()
    async with Listening({"en": ScriptedEngine(LINES)}) as listening:
        ear = listening.open("en", heard)
        assert ear is not None
        ear.audio(spoken(2) + SILENCE * 200 + spoken(3))
        ear.close()
        await until(listening)
    assert [told.detection.meaning for told in heard.told] == [Meaning.NEAR_MISS]


async def test_second_refusal_of_a_call_is_not_told() -> None:
    """A refusal is told once a call, however often it is said."""
    heard = Heard()
    async with Listening({"en": ScriptedEngine(LINES)}) as listening:
        ear = listening.open("en", heard)
        assert ear is not None
        for _ in range(5):
            ear.audio(spoken(1) + SILENCE * 100)
        ear.close()
        await until(listening)
    assert len(heard.told) == 1


async def test_audio_of_any_size_reaches_the_recogniser_in_whole_frames() -> None:
    """Pieces that are no whole frames are put together again, and the last one is filled up."""
    heard = Heard()
    engine = ScriptedEngine(LINES)
    async with Listening({"en": engine}) as listening:
        ear = listening.open("en", heard)
        assert ear is not None
        audio = SILENCE + spoken(3) + SILENCE
        for at in range(0, len(audio), 222):
            ear.audio(audio[at : at + 222])
        ear.audio(b"\0\0")
        ear.close()
        await until(listening)
    assert len(heard.told) == 1
    assert engine.fed == len(audio) + len(SILENCE)


async def test_line_that_is_cut_off_by_the_hang_up_counts() -> None:
    """What was being said when the call ended is recognised, and told after it."""
    heard = Heard()
    async with Listening({"en": ScriptedEngine(LINES)}, partials=False) as listening:
        ear = listening.open("en", heard)
        assert ear is not None
        ear.audio(says(101))
        ear.close()
        await until(listening)
    assert [told.detection.transcript for told in heard.told] == [LINES[0]]


async def test_silence_stands_for_audio_that_does_not_come() -> None:
    """When a callee sends nothing for more than 0.3 s, the recogniser gets silence: what he said ends by it."""
    engine = ScriptedEngine(LINES)
    async with Listening({"en": engine}) as listening:
        ear = listening.open("en", Heard())
        assert ear is not None
        ear.audio(SILENCE)
        await engine.has_taken(320 + 16_000)  # a second of silence that nobody sent
        ear.close()
        await until(listening)
    assert listening.stats.shed_s == 0


async def test_recogniser_that_fails_costs_its_call_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A stream that raises is given up and counted, once; other calls are heard."""
    broken, whole = Heard(), Heard()
    async with Listening({"en": ScriptedEngine(LINES)}) as listening:
        one, other = listening.open("en", broken), listening.open("en", whole)
        assert one is not None
        assert other is not None
        one.audio(says(FAULT) * 10)
        await until(listening, 1)
        one.audio(spoken(1))
        one.close()
        other.audio(spoken(1))
        other.close()
        await until(listening)
        assert (listening.stats.failed, listening.stats.open) == (1, 0)
    assert (len(broken.told), len(whole.told)) == (0, 1)
    assert "the model is broken" in caplog.text


async def test_queue_is_bounded_and_what_is_dropped_is_counted() -> None:
    """While a recogniser hangs, no more than its queue is kept of a call, and the newest of it; the loop goes on."""
    engine = ScriptedEngine(LINES)
    engine.gate.clear()
    heard = Heard()
    async with Listening({"en": engine}) as listening:
        ear = listening.open("en", heard)
        assert ear is not None
        for _ in range(60):
            ear.audio(SILENCE * 50)
            await asyncio.sleep(0)
        assert 60 - QUEUE_S - 1 <= listening.stats.shed_s <= 60 - KEPT_S
        ear.audio(spoken(1))
        engine.gate.set()
        ear.close()
        await until(listening)
    assert engine.fed <= (QUEUE_S + 4) * 16_000
    assert len(heard.told) == 1


async def test_words_on_both_sides_of_dropped_audio_are_not_joined() -> None:
    """What was said before and after a gap is not taken for one sentence: a pause stands for the gap."""
    engine = ScriptedEngine(["please stop", "calling me"])
    engine.gate.clear()
    heard = Heard()
    async with Listening({"en": engine}) as listening:
        ear = listening.open("en", heard)
        assert ear is not None
        ear.audio(spoken(1))
        await asyncio.to_thread(engine.entered.wait, 30)
        for _ in range(16):
            ear.audio(NOISE * 50)
        ear.audio(spoken(2))
        engine.gate.set()
        ear.close()
        await until(listening)
        assert listening.stats.shed_s > 0
    assert Meaning.REFUSAL not in [told.detection.meaning for told in heard.told]


async def test_streams_beyond_the_number_and_unknown_languages_are_shed() -> None:
    """A call that is not listened to is told so, and counted."""
    async with Listening({"en": ScriptedEngine(LINES)}, max_streams=1) as listening:
        assert listening.open("zh", Heard()) is None
        assert listening.open("en", Heard()) is not None
        assert listening.open("en", Heard()) is None
        assert listening.stats.shed_streams == 2


async def test_workers_take_calls_in_turn() -> None:
    """A call with a long queue does not keep another waiting until it is done."""
    engine = ScriptedEngine(LINES)
    engine.gate.clear()
    order: list[str] = []
    async with Listening({"en": engine}) as listening:
        one = listening.open("en", lambda told: order.append("long"))
        other = listening.open("en", lambda told: order.append("short"))
        assert one is not None
        assert other is not None
        for _ in range(13):
            one.audio(SILENCE * 50)
        one.audio(spoken(1))
        other.audio(spoken(1))
        engine.gate.set()
        for ear in (one, other):
            ear.close()
        await until(listening)
    assert order == ["short", "long"]


async def test_shedding_exchanges_the_recogniser_between_sentences() -> None:
    """At a lower level a call goes on without partials once nobody speaks, and nothing of it is lost."""
    engine = ScriptedEngine(LINES)
    heard = Heard()
    async with Listening({"en": engine}) as listening:
        ear = listening.open("en", heard)
        assert ear is not None
        ear.audio(spoken(2))
        await engine.has_taken(1)
        listening._budget.level = Level.FINALS
        ear.audio(SILENCE * 100)
        ear.audio(spoken(1))
        ear.close()
        await until(listening)
    assert engine.opened == [True, False]
    (told,) = heard.told
    assert (told.detection.start_ms, told.detection.end_ms) == (3_000, 4_000)


async def test_lag_sheds_load_visibly(caplog: pytest.LogCaptureFixture) -> None:
    """When audio waits too long the level falls, with a warning each time; at OFF new calls are counted, not taken."""
    engine = ScriptedEngine(LINES)
    engine.gate.clear()
    async with Listening({"en": engine}) as listening:
        ear = listening.open("en", Heard())
        assert ear is not None
        ear.audio(SILENCE * 50)
        with Lines("goes from", 2) as lines:
            await lines.came.wait()
        assert listening.open("en", Heard()) is None
        assert (listening.stats.shed_streams, listening.stats.level_changes) == (1, 2)
        assert listening.stats.lag_s > BOUNDS[Level.FINALS].shed_lag_s
        engine.gate.set()
    assert [record.levelname for record in caplog.records][:2] == ["WARNING", "WARNING"]
    assert "from `full` to `finals`" in caplog.text


async def test_overload_that_stays_gives_the_newest_calls_up() -> None:
    """While the lag stays at OFF the newest calls are given up, visibly, so that the oldest are heard in time."""
    engine = ScriptedEngine(LINES)
    engine.gate.clear()
    heard = Heard()
    async with Listening({"en": engine}) as listening:
        ears = [listening.open("en", heard if not number else Heard()) for number in range(4)]
        for ear in ears:
            assert ear is not None
            ear.audio(SILENCE * 50)
        with Lines("gives up 1 of 4", 1) as lines:
            await lines.came.wait()
        first, last = ears[0], ears[-1]
        assert first is not None
        assert last is not None
        assert (listening.stats.given_up, listening.stats.shed_streams) == (1, 1)
        shed = listening.stats.shed_s
        last.audio(SILENCE * 50)
        assert listening.stats.shed_s == shed + 1
        engine.gate.set()
        first.audio(spoken(1))
        for ear in ears:
            assert ear is not None
            ear.close()
        await until(listening)
    assert len(heard.told) == 1


async def test_loop_that_is_late_sheds_load() -> None:
    """Listening gives way to the calls on the same loop: when that is late, for whatever reason, the level falls."""
    async with Listening({"en": ScriptedEngine(LINES)}) as listening:
        with Lines("goes from", 1) as lines:
            await asyncio.sleep(0.15)  # until it ticks
            time.sleep(0.4)  # noqa: ASYNC251 - this is what is tested
            await lines.came.wait()
        assert listening.stats.late_s > 0.2
        assert listening.stats.level is Level.FINALS


async def test_two_hundred_calls_at_once_are_all_heard() -> None:
    """200 calls that all refuse are each told once, each with its own clip."""
    heard = [Heard() for _ in range(200)]
    async with Listening({"en": ScriptedEngine(LINES)}, workers=2) as listening:
        ears = [listening.open("en", each) for each in heard]
        for _ in range(5):
            for ear in ears:
                assert ear is not None
                ear.audio(SILENCE * 10)
            await asyncio.sleep(0)
        for number, ear in enumerate(ears, start=1_000):
            assert ear is not None
            ear.audio(number.to_bytes(2, "little") * 160 + says(1))
            ear.close()
        await until(listening)
        assert (listening.stats.told, listening.stats.shed_streams, listening.stats.shed_s) == (200, 0, 0.0)
    assert [len(each.told) for each in heard] == [1] * 200
    assert len({each.told[0].clip for each in heard}) == 200


# The budget, pure.


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 1)), max_size=200))
def test_level_moves_one_step_at_a_time_and_settles(measurements: list[tuple[float, float]]) -> None:
    """Whatever is measured: levels change by one step, never within the settling time, and never above the best."""
    budget = Budget()
    order = list(Level)
    last, changed_at = Level.FULL, -SETTLE_S
    for number, (lag, share) in enumerate(measurements):
        now = number * 0.5
        level = budget.measure(lag, share, now)
        if level is None:
            assert budget.level is last
            continue
        assert abs(order.index(level) - order.index(last)) == 1
        assert now - changed_at >= SETTLE_S
        last, changed_at = level, now


@given(st.floats(4.1, 60), st.floats(0, 1))
def test_a_lag_that_stays_turns_listening_off_and_calm_brings_it_back(lag: float, share: float) -> None:
    """A lag that lasts ends at OFF within seconds; calm that lasts ends at the best level there can be."""
    budget = Budget()
    for number in range(20):
        budget.measure(lag, share, number * 0.5)
    assert level_of(budget) is Level.OFF
    for number in range(80):
        budget.measure(0.0, 0.0, 100 + number * 0.5)
    assert level_of(budget) is Level.FULL


def test_load_that_finals_take_does_not_bring_partials_back() -> None:
    """At FINALS, a load that would be too much with partials keeps the level: it does not flap."""
    budget = Budget()
    budget.measure(0.1, 0.9, 0.0)
    assert level_of(budget) is Level.FINALS
    changes = [budget.measure(0.1, 0.3, 10 + number * 0.5) for number in range(200)]
    assert changes == [None] * 200


def test_without_partials_the_best_level_is_finals() -> None:
    """Calm never brings partials that are not wanted."""
    budget = Budget(Level.FINALS)
    budget.measure(9.0, 0.9, 0.0)
    assert level_of(budget) is Level.OFF
    for number in range(100):
        budget.measure(0.0, 0.0, 10 + number)
    assert level_of(budget) is Level.FINALS
    assert CALM_S < 90


# What was said last, pure.


@given(st.lists(st.integers(1, 4_000), max_size=60), st.integers(0, 60_000), st.integers(0, 15_000))
def test_clips_hold_what_was_said(lengths: list[int], start_ms: int, span_ms: int) -> None:
    """Of the last 20 s a clip is exactly the audio of its span with a second before and half a second after."""
    recent = Recent()
    stream = bytearray()
    for number, length in enumerate(lengths):
        pcm = number.to_bytes(2, "little") * (length * 8)
        recent.add(pcm)
        stream += pcm
    end_ms = start_ms + span_ms
    kept_from = max(0, len(stream) // 16 - KEPT_MS)
    if start_ms - BEFORE_MS < kept_from:
        return
    first, last = max(0, start_ms - BEFORE_MS) * 16, (end_ms + AFTER_MS) * 16
    assert samples(recent.clip(start_ms, end_ms)) == stream[first:last]


def test_memory_of_what_was_said_is_bounded() -> None:
    """However long a call is, a little more than 20 s of it are kept."""
    recent = Recent()
    for _ in range(3_000):
        recent.add(bytes(3_200))
    assert len(recent._kept) <= (KEPT_MS + 2_200) * 16
