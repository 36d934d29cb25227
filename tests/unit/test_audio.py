"""AudioSocket against peers on real TCP that behave badly: each connection is one counted outcome."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agi.audio import AudioLimits, AudioServer, Outcome
from tests.unit.audio_switch import FRAME, PATIENT, Broken, Memory, audio, books, connected, frame, streaming

IDENT = uuid.UUID(int=7)


def server(limits: AudioLimits = PATIENT) -> AudioServer:
    """A server on a free port of loopback."""
    return AudioServer("127.0.0.1", 0, limits)


async def test_stream_reaches_the_session_that_announced_it() -> None:
    """Audio and keys come to the session whole and in order, and the hang-up ends it once."""
    async with server() as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            await line.say(audio(), frame(0x03, b"9"), audio(b"\x01\x02"), frame(0x03, b"#"), frame(0x00))
            await session.over.wait()
    assert session.pcm == FRAME + b"\x01\x02"
    assert session.keys == ["9", "#"]
    assert session.outcomes == [Outcome.HUNG_UP]
    assert list(books(listening)) == [Outcome.HUNG_UP]
    assert (listening.stats.accepted, listening.stats.open) == (1, 0)


async def test_frames_may_come_byte_by_byte() -> None:
    """How TCP cuts the stream makes no difference."""
    async with server() as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            for byte in audio() + frame(0x03, b"5") + frame(0x00):
                await line.say(bytes([byte]))
            await session.over.wait()
    assert (bytes(session.pcm), session.keys) == (FRAME, ["5"])


BEFORE = [
    ("key before the UUID", frame(0x03, b"1"), Outcome.EARLY),
    ("audio before the UUID", audio(), Outcome.EARLY),
    ("unknown UUID", frame(0x01, IDENT.bytes), Outcome.UNKNOWN),
    ("UUID of 15 bytes", frame(0x01, bytes(15)), Outcome.LENGTH),
    ("UUID of 65,535 bytes", frame(0x01, b"", 65_535), Outcome.LENGTH),
    ("unknown type", frame(0x02), Outcome.KIND),
    ("hang-up", frame(0x00), Outcome.HUNG_UP),
    ("error", frame(0xFF, b"\x01"), Outcome.ERROR),
    ("SIP", b"OPTIONS sip:x SIP/2.0\r\n\r\n", Outcome.KIND),
    ("TLS", bytes.fromhex("160301020001000001fc0303"), Outcome.KIND),
]
AFTER = [
    ("a second UUID", frame(0x01, IDENT.bytes), Outcome.TWICE),
    ("audio of an odd number of bytes", frame(0x10, b"123"), Outcome.ODD),
    ("key of two characters", frame(0x03, b"12"), Outcome.LENGTH),
    ("key of none", frame(0x03), Outcome.LENGTH),
    ("key that no telephone has", frame(0x03, b"\n"), Outcome.KEY),
    ("key beyond ASCII", frame(0x03, b"\xb2"), Outcome.KEY),
    ("hang-up with a payload", frame(0x00, b"x"), Outcome.LENGTH),
    ("audio at 16 kHz", frame(0x12, bytes(640)), Outcome.KIND),
    ("unknown type", frame(0x7F, b"x"), Outcome.KIND),
    ("error with a reason", frame(0xFF, b"\x04"), Outcome.ERROR),
]


@pytest.mark.parametrize(("what", "data", "outcome"), BEFORE, ids=[row[0] for row in BEFORE])
async def test_peer_that_was_not_announced_is_closed(what: str, data: bytes, outcome: Outcome) -> None:
    """Whatever comes in place of an announced UUID closes the connection as one outcome."""
    async with server() as listening:
        async with connected(listening) as line:
            await line.say(data)
            await line.ended()
        assert list(books(listening)) == [outcome]


@pytest.mark.parametrize(("what", "data", "outcome"), AFTER, ids=[row[0] for row in AFTER])
async def test_stream_that_breaks_the_protocol_ends(what: str, data: bytes, outcome: Outcome) -> None:
    """A frame that may not come ends the stream as one outcome, of which the session is told once; nothing after it is
    heard."""
    async with server() as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            await line.say(audio(), data, audio(b"zz"))
            await session.over.wait()
            await line.ended()
    assert session.outcomes == [outcome]
    assert session.pcm == FRAME
    assert list(books(listening)) == [outcome]


async def test_uuid_is_good_for_one_connection() -> None:
    """A second connection with the same UUID is closed, and the first goes on."""
    async with server() as listening:
        session = Memory()
        ident = listening.announce(session)
        async with connected(listening, ident) as first, connected(listening, ident) as second:
            await second.ended()
            await first.say(frame(0x03, b"1"))
            await session.keyed.wait()
        assert listening.stats.ended[Outcome.UNKNOWN] == 1


async def test_announced_stream_that_never_comes_ends_too() -> None:
    """The session is told that nobody came, and the UUID is worth nothing afterwards."""
    async with server(AudioLimits(arrival_s=0.05, identify_s=60)) as listening:
        session = Memory()
        ident = listening.announce(session)
        await session.over.wait()
        async with connected(listening, ident) as line:
            await line.ended()
        assert session.outcomes == [Outcome.ABSENT]
        assert sorted(books(listening)) == [Outcome.ABSENT, Outcome.UNKNOWN]


async def test_silent_peer_is_cut() -> None:
    """A connection that says nothing is closed when it should have said who it is."""
    async with server(AudioLimits(arrival_s=60, identify_s=0.05)) as listening:
        async with connected(listening) as line:
            await line.ended()
        assert list(books(listening)) == [Outcome.SLOW]


async def test_streams_are_limited() -> None:
    """No more streams are announced than there may be, and peers that were not announced cannot pile up."""
    async with server(AudioLimits(max_streams=1, identify_s=60)) as listening:
        async with connected(listening) as _, connected(listening) as _, connected(listening) as third:
            await third.ended()
            assert listening.announce(Memory()) is None
        assert Outcome.NO_ROOM in books(listening)
        assert listening.stats.unannounced == 1


async def test_stream_that_is_silent_stays_and_is_kept_alive() -> None:
    """Without a word from the peer a silent frame goes to it at once and then each second, and the stream stays."""
    async with server() as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            heard = [await line.hear() for _ in range(3)]
            assert session.outcomes == []
    assert heard == [(0x10, bytes(320))] * 3


async def test_flood_is_dropped_and_then_cut() -> None:
    """Audio beyond 2 s ahead of the clock is dropped, and a peer 10 s ahead is cut."""
    async with server() as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            await line.say(*[audio(bytes(16_000))] * 40)
            await line.ended()
        assert session.outcomes == [Outcome.FLOOD]
        assert len(session.pcm) == 2 * 16_000
        assert listening.stats.dropped_s == pytest.approx(8, abs=0.6)


async def test_flood_of_keys_and_empty_frames_is_cut() -> None:
    """Frames that hold no time count for some: they cannot keep the service busy either."""
    async with server() as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            await line.say(*[audio(b"")] * 3_000)
            await line.ended()
        assert session.outcomes == [Outcome.FLOOD]


async def test_largest_frames_cost_bounded_memory() -> None:
    """A peer that announces 64 KiB and sends them slowly holds one frame, whatever it had sent before."""
    async with server(AudioLimits(flood_s=1e9)) as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            tracemalloc.start()
            for _ in range(200):
                await line.say(audio(bytes(65_534)))
            await line.say(frame(0x03, b"1"))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    assert peak < 3 * 1024 * 1024


async def test_session_that_raises_costs_its_stream_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of a session ends its stream; another goes on; the log has one line without a line break of its text."""
    async with server() as listening:
        broken, whole = Broken(), Memory()
        async with streaming(listening, broken) as one, streaming(listening, whole) as other:
            await one.say(audio())
            await one.ended()
            await other.say(frame(0x03, b"4"))
            await whole.keyed.wait()
            assert (broken.outcomes, whole.outcomes) == ([Outcome.FAULT], [])
    assert [record.exc_info for record in caplog.records] == [None] * len(caplog.records)
    assert all("\n" not in record.getMessage() for record in caplog.records)


async def test_what_is_played_comes_whole_and_paced() -> None:
    """A prompt arrives whole, the last frame filled with silence, no faster than it is spoken."""
    async with server() as listening:
        session = Memory()
        pcm = bytes(range(256)) * 10
        async with streaming(listening, session) as line:
            assert session.stream is not None
            await line.hear()
            began = asyncio.get_running_loop().time()
            playing = session.stream.play(pcm)
            frames = [await line.hear() for _ in range(8)]
            took = asyncio.get_running_loop().time() - began
            assert await playing is True
    assert frames == [(0x10, pcm[n : n + 320]) for n in range(0, 2_560, 320)]
    assert took >= 7 * 0.02 - 0.001


async def test_playing_stops_at_once() -> None:
    """After `stop_playing` nothing of the prompt is sent, and who waits for its end hears that it did not come."""
    async with server() as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            assert session.stream is not None
            playing = session.stream.play(b"\x01\x02" * 80_000)
            while await line.hear() != (0x10, b"\x01\x02" * 160):
                pass
            session.stream.stop_playing()
            assert await playing is False
            after = [await line.hear() for _ in range(3)]
            replaced = session.stream.play(b"\x01\x02" * 80_000)
            assert await session.stream.play(b"") is True
            assert await replaced is False
    assert after[-1] == (0x10, bytes(320))


async def test_hang_up_reaches_the_switch_even_while_it_sends() -> None:
    """Our hang-up arrives as a frame, though the peer's audio is under way, and the session is told once."""
    async with server() as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            assert session.stream is not None
            await line.say(*[audio()] * 20)
            session.stream.hang_up()
            session.stream.hang_up()
            await line.say(*[audio()] * 20)
            heard = [await line.hear() for _ in range(2)]
            assert await session.stream.play(FRAME) is False
    assert heard[-1] == (0x00, b"")
    assert session.outcomes == [Outcome.ENDED]


async def test_peer_that_reads_nothing_is_cut() -> None:
    """What is sent to a peer that takes nothing is bounded; then the stream ends."""
    async with server() as listening:
        session = Memory()
        async with streaming(listening, session) as line:
            assert session.stream is not None
            line.writer.transport.pause_reading()  # type: ignore[attr-defined] # a transport that reads
            session.stream._transport.set_write_buffer_limits(0)
            while not session.over.is_set():
                session.stream._send(audio(bytes(60_000)))
                await asyncio.sleep(0)
        assert session.outcomes == [Outcome.STUCK]


async def test_closing_ends_every_stream_and_every_announcement() -> None:
    """When the server closes, each session is told once, also of a stream that had not come."""
    listening = server()
    await listening.start()
    here, absent = Memory(), Memory()
    async with streaming(listening, here):
        listening.announce(absent)
        await listening.close()
        assert (here.outcomes, absent.outcomes) == ([Outcome.CLOSING], [Outcome.ABSENT])
        assert listening.announce(Memory()) is None
    await listening.close()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.builds(frame, st.sampled_from([0, 1, 3, 0x10, 0x11, 0xFF]), st.binary(max_size=40)),
            st.builds(frame, st.integers(0, 255), st.binary(max_size=20), st.integers(0, 65_535)),
            st.binary(max_size=60),
        ),
        max_size=12,
    ),
    st.integers(1, 97),
)
def test_any_bytes_come_to_one_outcome(pieces: list[bytes], cut: int) -> None:
    """Whatever is sent after the UUID, however cut: one outcome, told once, nothing left open, no exception."""

    async def run() -> None:
        faults: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        async with server() as listening:
            session = Memory()
            async with streaming(listening, session) as line:
                data = b"".join(pieces)
                for at in range(0, len(data), cut):
                    await line.say(data[at : at + cut])
                if line.writer.can_write_eof():
                    line.writer.close()
                await session.over.wait()
            assert len(session.outcomes) == 1
            assert list(books(listening)) == session.outcomes
            assert len(session.pcm) % 2 == 0
            assert listening.stats.open == 0
        gc.collect()
        assert faults == []

    asyncio.run(run())
