"""What a switch has kept is fetched once, whatever else stands in its database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.spool import Spool, entries, read_entry
from dialer.errors import AmiRefused, FileError
from dialer.ports_refusals import KeyArtefact, Prompt
from dialer.recording import Kept
from tests.unit.ami_peer import Answer, Frame, Peer, packet, success
from tests.unit.keyed_world import NOW, RECEIPT, MemoryCalls, World

CALLEE = "+4930123456"
KEY = f"/heedline-refusal/{CALLEE}/acme"
VALUE = f"{RECEIPT}:7:keyed:call:9:{int(NOW.timestamp()) - 60}:PJSIP/1001::1795500000.1"
clean = st.text(alphabet="0123456789abcdefghijklmnopqrstuvwxyzABCXYZ_.-+*/:,^|", max_size=60)


def switch(kept: Mapping[str, str] | Callable[[], Mapping[str, str]]) -> Answer:
    """A switch with these entries in its database."""

    def answer(peer: Peer, frame: Frame) -> bytes:
        if frame["Action"] != "DBGetTree":
            return success(peer, frame)
        ident = frame["ActionID"]
        found = kept() if callable(kept) else kept
        if not found:
            return packet(Response="Error", ActionID=ident, Message="Database entry not found")
        return (
            packet(Response="Success", ActionID=ident, EventList="start", Message="Result will follow")
            + b"".join(packet(Event="DBGetTreeResponse", ActionID=ident, Key=k, Val=v) for k, v in found.items())
            + packet(Event="DBGetTreeComplete", ActionID=ident, EventList="Complete", ListItems=str(len(found)))
        )

    return answer


async def test_kept_refusal_is_recorded_and_deleted_by_the_switch() -> None:
    """After the login the entry is recorded with all that it says, and the switch is asked to delete that very one."""
    world = World()
    async with Peer(switch({KEY: VALUE})) as peer:
        ami = peer.ami()
        async with Spool(ami, world.keyed) as spool, ami:
            frame = await peer.got("Originate")
            assert spool.stats.fetched == 1
    (kept,) = world.kept
    assert (kept.callee, kept.seller, kept.attempt, kept.receipt) == (4930123456, "acme", 7, RECEIPT)
    assert kept.artefact == KeyArtefact("9", Prompt.CALL)
    assert frame["Channel"] == "Local/s@heedline-recorded/n"
    assert frame["Variable"] == f"HEEDLINE_RECEIPT={RECEIPT}"  # the last of three
    assert frame["Action"] != "DBDel"


async def test_entry_and_answer_make_the_same_refusal() -> None:
    """Told by the channel and fetched from the entry, it is the same refusal to the last field."""
    spoken, fetched = World(calls=MemoryCalls(party=None)), World(calls=MemoryCalls(party=None))
    entry = read_entry(KEY, VALUE)
    assert entry.told is not None
    await spoken.keyed.keep(entry.told)
    async with Peer(switch({KEY: VALUE})) as peer:
        ami = peer.ami()
        async with Spool(ami, fetched.keyed), ami:
            await peer.got("Originate")
    assert spoken.kept == fetched.kept


@pytest.mark.parametrize("fails", ["spooled", "not kept"])
async def test_entry_stays_until_it_is_in_the_database(fails: str) -> None:
    """What is only on the node's disk, or nowhere, is left in the switch and counted as waiting."""
    world = World()
    if fails == "spooled":
        world.keeper.says = Kept.SPOOLED
    else:
        world.keeper.faults = [FileError("disk full")]
    async with Peer(switch({KEY: VALUE})) as peer, peer.ami() as ami:
        await ami.ready()
        spool = Spool(ami, world.keyed)
        await spool.fetch()
        assert (spool.stats.fetched, spool.stats.waiting, spool.stats.garbled) == (0, 1, 0)
        assert peer.of("Originate") == []
        world.keeper.says = Kept.RECORDED
        await spool.fetch()
        assert (spool.stats.fetched, spool.stats.waiting) == (1, 0)
        await peer.got("Originate")


async def test_garbled_entries_are_left_counted_and_complained_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Entries that are no refusal stay, hinder no other, and make one line each however often they are seen."""
    garbled = {"/heedline-refusal/x/acme": VALUE, KEY + "x": "nothing", f"/heedline-refusal/{CALLEE}/b": "a:b:c"}
    world = World()
    async with Peer(switch({**garbled, KEY: VALUE})) as peer, peer.ami() as ami:
        await ami.ready()
        spool = Spool(ami, world.keyed)
        with caplog.at_level(logging.ERROR, "agi.spool"):
            await spool.fetch()
            await spool.fetch()
        assert (spool.stats.garbled, spool.stats.fetched) == (3, 2)
        assert len(caplog.records) == 3
        assert len(peer.of("Originate")) == 2


async def test_switch_that_says_that_it_keeps_one_is_asked_at_once() -> None:
    """The user event makes the service look without waiting for its turn."""
    world, kept = World(), dict[str, str]()
    async with Peer(switch(lambda: kept)) as peer:
        ami = peer.ami()
        async with Spool(ami, world.keyed), ami:
            await peer.got("DBGetTree")
            kept[KEY] = VALUE
            peer.send(packet(Event="UserEvent", UserEvent="HeedlineRefusalKept"))
            await peer.got("Originate")
    assert len(world.kept) == 1


async def test_switch_is_asked_now_and_then() -> None:
    """Without any event the service looks again and again."""
    async with Peer(switch({})) as peer:
        ami = peer.ami()
        async with Spool(ami, World().keyed, every_s=0.01), ami:
            await peer.got("DBGetTree", 3)


async def test_nothing_kept_is_an_empty_list_and_a_refusal_is_an_error() -> None:
    """A family that does not exist is no entry; a switch that does not let us read is not taken for one."""

    def denied(peer: Peer, frame: Frame) -> bytes:
        if frame["Action"] == "DBGetTree":
            return packet(Response="Error", ActionID=frame["ActionID"], Message="Permission denied")
        return success(peer, frame)

    async with Peer(switch({})) as peer, peer.ami() as ami:
        await ami.ready()
        assert await entries(ami) == []
        peer.answer = denied
        with pytest.raises(AmiRefused, match="Permission denied"):
            await entries(ami)


async def test_fault_of_ours_does_not_end_the_fetching(caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody foresaw is logged, and the next look is taken."""

    class Broken:
        tries = 0

        async def keep(self, told: object) -> None:
            self.tries += 1
            raise RuntimeError("unforeseen")

    broken = Broken()
    async with Peer(switch({KEY: VALUE})) as peer:
        ami = peer.ami()
        async with Spool(ami, broken, every_s=0.01), ami:  # type: ignore[arg-type] # the point of the test
            async with asyncio.timeout(10):
                await peer.got("DBGetTree", 3)
    assert broken.tries >= 2
    assert "unforeseen" in caplog.text


@given(st.one_of(st.text(max_size=80), clean), st.one_of(st.text(max_size=200), clean))
def test_any_entry_is_read_or_garbled(key: str, value: str) -> None:
    """Whatever stands in AstDB, reading it returns; what is no refusal has no refusal, and says why."""
    entry = read_entry(key, value)
    assert (entry.told is None) == bool(entry.fault)
    hung = read_entry(f"/heedline-refusal/{CALLEE}/acme", value)
    assert (hung.told is None) == bool(hung.fault)


@given(st.integers(0, 10**18 - 1), st.integers(0, 10**11 - 1), st.sampled_from(["keyed", "agent", "inbound_call"]))
def test_every_entry_of_the_dialplans_making_is_read(attempt: int, epoch: int, how: str) -> None:
    """Whatever attempt, time and way: an entry as the dialplan writes it is a refusal."""
    told = read_entry(KEY, f"{RECEIPT}:{attempt}:{how}:call:*7:{epoch}::+4930:x-1.2").told
    assert told is not None
    assert (told.attempt, told.how, int(told.at.timestamp())) == (attempt, how, epoch)
