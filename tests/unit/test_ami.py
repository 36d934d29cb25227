"""The AMI layer against a peer on real TCP that behaves badly."""

from __future__ import annotations

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.ami import Event, checked
from dialer.errors import AmiRefused, AmiUnavailable, UnsafeText
from tests.unit.ami_peer import BANNER, Frame, Peer, packet, success


async def test_action_returns_its_response() -> None:
    """An action sends its fields after the login and returns the response to it."""
    async with Peer() as peer, peer.ami() as ami:
        await ami.ready()
        response = await ami.action("Hangup", {"Channel": "PJSIP/egress-00000001", "Cause": "21"})
        frame = await peer.got("Hangup")
    assert response.get("message") == "so be it"
    assert (frame["Channel"], frame["Cause"]) == ("PJSIP/egress-00000001", "21")
    assert [frame["Action"] for frame in peer.frames] == ["Login", "Hangup"]


@pytest.mark.parametrize(
    "value",
    [
        "1\r\nAction: Originate",
        "1\nChannel: PJSIP/900@trunk",
        "1\r",
        "1\x00",
        "1\x1b[2J",
        "１２３",
        "a\u2028b",
        "x" * 1025,
    ],
)
async def test_value_that_could_begin_another_action_is_refused(value: str) -> None:
    """Nothing of an action goes out when one of its values holds a line break, NUL or anything but printable ASCII."""
    async with Peer() as peer, peer.ami() as ami:
        await ami.ready()
        with pytest.raises(UnsafeText, match="`Channel`"):
            await ami.action("Hangup", {"Channel": value})
        await ami.action("Ping")
    assert [frame["Action"] for frame in peer.frames] == ["Login", "Ping"]


@pytest.mark.parametrize("key", ["", "Chan nel", "Channel:", "Channel\r\nX", "9x"])
def test_key_that_is_no_word_is_refused(key: str) -> None:
    """A field's name is a word, so it cannot carry a value or a line of its own."""
    with pytest.raises(UnsafeText):
        checked({key: "1"})


@given(st.text(max_size=40))
def test_whatever_passes_stays_on_one_line(value: str) -> None:
    """A value that is accepted holds no character that ends a line in any reading."""
    try:
        checked({"Key": value})
    except UnsafeText:
        return
    assert len(value.splitlines() or [""]) == 1
    assert "\x00" not in value


async def test_action_name_is_checked_too() -> None:
    """An action's name cannot smuggle a second line."""
    async with Peer() as peer, peer.ami() as ami:
        await ami.ready()
        with pytest.raises(UnsafeText):
            await ami.action("Ping\r\nAction: Originate")
    assert len(peer.frames) == 1


async def test_disconnected_send_is_a_clear_error() -> None:
    """Before any connection an action fails at once with `AmiUnavailable` that names the switch, and leaves nothing."""
    peer = Peer()
    await peer.listen()
    await peer.vanish()
    async with peer.ami() as ami:
        with pytest.raises(AmiUnavailable, match="`pbx`"):
            await ami.action("Ping")
        with pytest.raises(AmiUnavailable, match="not connected"):
            await ami.ready()


async def test_login_refused_is_reported() -> None:
    """A wrong secret makes `ready` fail with the switch's reason, and no action is sent afterwards."""

    def refuse(_: Peer, frame: Frame) -> bytes:
        return packet(Response="Error", ActionID=frame["ActionID"], Message="Authentication failed")

    async with Peer(refuse) as peer, peer.ami() as ami:
        with pytest.raises(AmiUnavailable, match="Authentication failed"):
            await ami.ready()
        assert not ami.connected.is_set()
        await peer.got("Login", 2)  # it keeps trying: the administrator may mend the secret
        assert "s3cret" not in ami.problem
    assert {frame["Action"] for frame in peer.frames} == {"Login"}


async def test_reconnect_never_replays_an_originate() -> None:
    """An originate that was under way when the connection broke fails, and the next connection does not send it."""

    def answer(peer: Peer, frame: Frame) -> bytes | None:
        if frame["Action"] != "Originate":
            return success(peer, frame)
        peer.drop()
        return None

    async with Peer(answer) as peer, peer.ami() as ami:
        await ami.ready()
        with pytest.raises(AmiUnavailable, match="lost"):
            await ami.action("Originate", {"Channel": "PJSIP/1001"})
        await peer.got("Login", 2)
        peer.send(packet(Event="FullyBooted", Status="Fully Booted"))  # panoramisk replays on this event
        await asyncio.wait_for(ami.connected.wait(), 5)
        await ami.action("Ping")
    assert len(peer.of("Originate")) == 1


async def test_switch_that_restarts_is_reached_again() -> None:
    """After the port was closed and opened again the connection comes back unaided, and the hooks run again."""
    ran = asyncio.Semaphore(0)

    async def hook() -> None:
        ran.release()

    async with Peer() as peer, peer.ami() as ami:
        ami.on_connected(hook)
        await ami.ready()
        await ran.acquire()
        await peer.vanish()
        await peer.listen()
        await asyncio.wait_for(ran.acquire(), 10)
        assert (await ami.action("Ping")).get("response") == "Success"


async def test_silent_peer_is_noticed_by_pings() -> None:
    """A peer that takes everything and answers nothing after the login is given up and connected anew."""

    def answer(peer: Peer, frame: Frame) -> bytes | None:
        return success(peer, frame) if frame["Action"] == "Login" else None

    async with Peer(answer) as peer, peer.ami(ping_s=0.02, patience_s=0.05):
        await peer.got("Login", 2)
    assert peer.of("Ping")


async def test_wait_for_an_answer_is_bounded() -> None:
    """An action that the switch never answers ends with `AmiUnavailable`; the connection stays."""

    def answer(peer: Peer, frame: Frame) -> bytes | None:
        return None if frame["Action"] == "Hangup" else success(peer, frame)

    async with Peer(answer) as peer, peer.ami() as ami:
        await ami.ready()
        with pytest.raises(AmiUnavailable, match="in time"):
            await ami.action("Hangup", {"Channel": "x"}, within_s=0.02)
        await ami.action("Ping")
    assert len(peer.of("Login")) == 1


async def test_permission_denied_is_another_error_than_no_connection() -> None:
    """What the switch refuses raises `AmiRefused` with its message, made printable."""

    def answer(peer: Peer, frame: Frame) -> bytes:
        if frame["Action"] == "Login":
            return success(peer, frame)
        return packet(Response="Error", ActionID=frame["ActionID"], Message="Permission\x1b[31m denied")

    async with Peer(answer) as peer, peer.ami() as ami:
        await ami.ready()
        with pytest.raises(AmiRefused, match=r"Permission\\x1b"):
            await ami.action("Originate")


async def test_events_reach_handlers_in_order_and_off_ends_it() -> None:
    """Handlers get the events that they asked for, in order, until taken off; one that raises costs no other."""
    seen: list[str] = []
    done = asyncio.Event()

    def broken(_: Event) -> None:
        raise RuntimeError("mine")

    def note(event: Event) -> None:
        seen.append(event.get("UNIQUEID"))
        if event.name == "End":
            done.set()

    async with Peer() as peer, peer.ami() as ami:
        ami.on(["Newstate"], broken)
        off = ami.on(["Newstate"], note)
        ami.on(["End"], note)
        await ami.ready()
        peer.send(b"".join(packet(Event="Newstate", Uniqueid=str(n)) for n in range(3)))
        peer.send(packet(Event="Other", Uniqueid="x") + packet(Event="End", Uniqueid="end"))
        await asyncio.wait_for(done.wait(), 5)
        off()
        done.clear()
        peer.send(packet(Event="Newstate", Uniqueid="late") + packet(Event="End", Uniqueid="end"))
        await asyncio.wait_for(done.wait(), 5)
    assert seen == ["0", "1", "2", "end", "end"]


@pytest.mark.parametrize(
    "noise",
    [
        b"\r\n\r\n",
        b"no colon at all\r\n\r\n",
        b": : :\r\n\r\n",
        b"\xff\xfe\x00\r\n\r\n",
        b"Event: \r\n\r\n",
        b"Event: A\r\nEvent: B\r\n\r\n",
        b"Response: Success\r\n\r\n",
        b"Response: Success\r\nActionID: nobody\r\nMessage: a\r\nMessage: b\r\n\r\n",
        b"Response: Follows\r\n\r\n",
    ],
)
async def test_malformed_frame_costs_itself_alone(noise: bytes) -> None:
    """A frame without sense neither ends the connection nor hides what follows."""
    async with Peer() as peer, peer.ami() as ami:
        await ami.ready()
        peer.send(noise)
        assert (await ami.action("Ping")).get("response") == "Success"
    assert len(peer.of("Login")) == 1


async def test_response_whose_message_comes_twice_does_not_hang_the_caller() -> None:
    """A response with two messages is one response, whose messages are joined."""

    def answer(peer: Peer, frame: Frame) -> bytes:
        if frame["Action"] != "Odd":
            return success(peer, frame)
        return f"Response: Success\r\nActionID: {frame['ActionID']}\r\nMessage: a\r\nMessage: b\r\n\r\n".encode()

    async with Peer(answer) as peer, peer.ami() as ami:
        await ami.ready()
        assert await ami.listing("Odd") == []
        assert (await ami.action("Odd")).get("message") == "a\nb"


async def test_character_cut_between_two_segments_is_whole() -> None:
    """Text in UTF-8 arrives as it was even when a segment ends within a character."""
    seen: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
    async with Peer() as peer, peer.ami() as ami:
        ami.on(["Named"], seen.set_result)
        await ami.ready()
        raw = "Event: Named\r\nName: 王\r\n\r\n".encode()
        peer.send(raw[:-6])
        await ami.action("Ping")  # the first part has been read by now
    assert not seen.done()
    async with Peer() as peer, peer.ami() as ami:
        ami.on(["Named"], seen.set_result)
        await ami.ready()
        for byte in raw:
            peer.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await asyncio.wait_for(seen, 5)).get("name") == "王"


async def test_frame_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that never ends its frame loses the connection once the limit is reached; memory stays bounded."""
    monkeypatch.setattr("agi.ami._FRAME_LIMIT", 4096)
    async with Peer() as peer, peer.ami() as ami:
        await ami.ready()
        peer.send(b"x" * 10_000)
        await peer.got("Login", 2)


async def test_listing_collects_the_events_between_start_and_complete() -> None:
    """A list action returns its events; an error answer raises instead of waiting for a list."""

    def answer(peer: Peer, frame: Frame) -> bytes:
        ident = frame["ActionID"]
        if frame["Action"] == "Denied":
            return packet(Response="Error", ActionID=ident, Message="Permission denied")
        if frame["Action"] != "CoreShowChannels":
            return success(peer, frame)
        return (
            packet(Response="Success", ActionID=ident, EventList="start", Message="Channels will follow")
            + packet(Event="CoreShowChannel", ActionID=ident, Uniqueid="1")
            + packet(Event="CoreShowChannel", ActionID=ident, Uniqueid="2")
            + packet(Event="CoreShowChannelsComplete", ActionID=ident, EventList="Complete", ListItems="2")
        )

    async with Peer(answer) as peer, peer.ami() as ami:
        await ami.ready()
        assert [event.get("uniqueid") for event in await ami.listing("CoreShowChannels")] == ["1", "2"]
        with pytest.raises(AmiRefused):
            await ami.listing("Denied")


async def test_banner_missing_or_odd_is_survived() -> None:
    """A peer that is no AMI at all leaves `ready` with an error in bounded time."""

    def mute(_: Peer, __: Frame) -> None:
        return None

    async with Peer(mute, banner=b"SSH-2.0-OpenSSH\r\n") as peer, peer.ami(patience_s=0.05) as ami:
        with pytest.raises(AmiUnavailable):
            await ami.ready()


@pytest.mark.parametrize("when", ["at once", "after login", "while waiting to reconnect"])
async def test_close_leaves_no_task_and_no_socket(when: str) -> None:
    """Whatever the moment, after `close` no task of the connection is left; a leaked socket would warn."""
    before = asyncio.all_tasks()
    lost = asyncio.Event()

    async def hook() -> None:
        try:
            await asyncio.Future()
        finally:
            lost.set()

    async with Peer(banner=BANNER) as peer:
        ami = peer.ami(first_wait_s=60)
        ami.on_connected(hook)
        ami.start()
        if when != "at once":
            await ami.ready()
        if when == "while waiting to reconnect":
            await peer.got("Login")
            await asyncio.sleep(0)  # the hook starts
            peer.drop()
            await asyncio.wait_for(lost.wait(), 5)
        await ami.close()
        await ami.close()
    assert {task for task in asyncio.all_tasks() - before if "ami" in task.get_name()} == set()
    gc.collect()
