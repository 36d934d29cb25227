"""The entry point `refusal`: whose refusal a key is, and what the switch is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi.refusal import ARGUMENTS as NAMES
from agi.refusal import Told, refusal
from dialer.errors import FileError, NotRegistered, ReceiptConflict, StoreUnavailable
from dialer.ports_refusals import CallParty, KeyArtefact, Prompt
from dialer.recording import Kept
from tests.unit.agi_switch import lab, request
from tests.unit.keyed_world import ARGUMENTS, NOW, PARTY, RECEIPT, MemoryCalls, World


async def told(world: World, **changes: str) -> Mapping[str, str]:
    """What the channel has when a switch has told of a refusal."""
    values = ARGUMENTS | changes
    async with lab({"refusal": refusal(world.keyed)}) as running:
        return await running.call(request("refusal", *(values[name] for name in NAMES)))


def ring_back(**changes: str) -> dict[str, str]:
    """Arguments of an inbound call."""
    plain = {"how": "inbound_call", "prompt": "callback", "attempt": "", "seller": "*", "did": "+493012345678"}
    return {**plain, "agent": "", **changes}


async def test_key_in_a_call_is_kept_with_all_that_is_known() -> None:
    """The refusal bears the attempt, its callee and seller, the key with its prompt, when it was pressed, and agent."""
    world = World()
    answer = await told(world)
    assert answer == {"REFUSAL_STATUS": "RECORDED", "REFUSAL_LANGUAGE": "en", "REFUSAL_HANGUP": "no"}
    (kept,) = world.kept
    assert (kept.callee, kept.seller, kept.how, kept.attempt, kept.receipt) == (4930123456, "acme", "keyed", 7, RECEIPT)
    assert kept.artefact == KeyArtefact("9", Prompt.CALL)
    assert (kept.at, kept.agent, kept.call_id) == (NOW - timedelta(seconds=60), "PJSIP/1001", "1795500000.1")


async def test_attempt_on_record_says_whose_it_is() -> None:
    """What the database knows of the attempt goes before what the switch says of callee and seller."""
    world = World()
    await told(world, number="+4930999999", seller="other")
    assert [(kept.callee, kept.seller) for kept in world.kept] == [(PARTY.callee, "acme")]


@pytest.mark.parametrize(
    "calls",
    [
        MemoryCalls(party=None),
        MemoryCalls(fault=StoreUnavailable("gone")),
        MemoryCalls(hangs=True),
        MemoryCalls(party=CallParty(8, 1, None, "", NOW)),
    ],
    ids=["unknown", "unavailable", "hangs", "another"],
)
async def test_without_the_attempt_the_switch_is_believed(calls: MemoryCalls) -> None:
    """A database that does not know the attempt, is gone or hangs costs nothing: the switch names callee and seller."""
    world = World(calls=calls)
    assert (await told(world))["REFUSAL_STATUS"] == "RECORDED"
    assert [(kept.callee, kept.seller) for kept in world.kept] == [(4930123456, "acme")]


@pytest.mark.parametrize("seller", ["", "*"])
async def test_without_a_seller_it_is_to_all(seller: str) -> None:
    """A refusal of which nobody knows to whom it was is one to all sellers."""
    world = World(calls=MemoryCalls(party=None))
    await told(world, seller=seller)
    assert [kept.seller for kept in world.kept] == [None]


async def test_unknown_seller_does_not_lose_the_refusal() -> None:
    """A seller that is not registered makes it a refusal to all, under a receipt of its own."""
    world = World(calls=MemoryCalls(party=None))
    world.keeper.faults = [NotRegistered("no seller `acme`")]
    assert (await told(world))["REFUSAL_STATUS"] == "RECORDED"
    assert [(kept.seller, kept.receipt) for kept in world.kept] == [(None, f"{RECEIPT}:all")]


async def test_receipt_that_is_known_otherwise_is_recorded() -> None:
    """The switch's receipt is of one press of a key, so what was recorded under it is this refusal."""
    world = World()
    world.keeper.faults = [ReceiptConflict("given before")]
    assert (await told(world))["REFUSAL_STATUS"] == "RECORDED"


@pytest.mark.parametrize(
    ("hang_up", "prompt", "ends"),
    [
        ("never", "announcement", "no"),
        ("announcements", "announcement", "yes"),
        ("announcements", "callback", "yes"),
        ("announcements", "call", "no"),
        ("announcements", "agent", "no"),
        ("always", "call", "yes"),
        ("always", "agent", "yes"),
    ],
)
async def test_policy_says_whether_the_call_ends(hang_up: str, prompt: str, ends: str) -> None:
    """A recording ends, and a talk goes on, as the callee's packs ask."""
    assert (await told(World(hang_up=hang_up), prompt=prompt))["REFUSAL_HANGUP"] == ends


async def test_spooled_is_said_as_such() -> None:
    """A refusal on the node's disk is not yet recorded, and the switch is told so."""
    world = World()
    world.keeper.says = Kept.SPOOLED
    assert (await told(world))["REFUSAL_STATUS"] == "SPOOLED"


async def test_refusal_that_is_not_kept_has_failed_in_the_callees_language() -> None:
    """When neither database nor disk take it the switch hears FAILED, and in which language to go on."""
    world = World()
    world.keeper.faults = [FileError("disk full")]
    assert await told(world) == {"REFUSAL_STATUS": "FAILED", "REFUSAL_LANGUAGE": "en", "REFUSAL_HANGUP": "no"}


@pytest.mark.parametrize(
    "changes",
    [
        {"how": "spoken"},
        {"receipt": ""},
        {"receipt": "../../x"},
        {"attempt": "x"},
        {"number": ""},
        {"number": "anonymous"},
        {"seller": "a/b"},
        {"epoch": "now"},
        {"number": "+4930123456 "},
    ],
)
async def test_what_is_no_refusal_is_invalid(changes: dict[str, str]) -> None:
    """Arguments without which it is nobody's refusal are answered INVALID, and nothing is kept."""
    world = World()
    assert (await told(world, **changes))["REFUSAL_STATUS"] == "INVALID"
    assert world.kept == []


@pytest.mark.parametrize("number", ["110", "+1", "0", "99999999999999999999"])
async def test_number_that_is_none_is_invalid(number: str) -> None:
    """What no callee can have, a short code among it, is INVALID when no attempt says more."""
    world = World(calls=MemoryCalls(party=None))
    assert (await told(world, number=number))["REFUSAL_STATUS"] == "INVALID"
    assert world.kept == []


@pytest.mark.parametrize("strange", [{"call_id": "pbx@site 1-2"}, {"agent": "Ann Å"}, {"key": "??"}, {"prompt": "x"}])
async def test_strange_detail_costs_itself_alone(strange: dict[str, str]) -> None:
    """What is told beside the refusal may be strange; the refusal is kept all the same."""
    world = World()
    assert (await told(world, **strange))["REFUSAL_STATUS"] == "RECORDED"
    assert len(world.kept) == 1


async def test_clock_ahead_of_ours_does_not_lose_the_refusal() -> None:
    """A switch whose clock is ahead tells of the future, which the register does not take: it counts as now."""
    world = World()
    await told(world, epoch=str(int((NOW + timedelta(hours=2)).timestamp())))
    assert [kept.at for kept in world.kept] == [NOW]


# Callees who ring back.


async def test_ring_back_refuses_each_seller_of_the_line() -> None:
    """A refusal to each seller for whom the rung number is registered, each under a receipt of its own."""
    world = World(calls=MemoryCalls(lines={"+493012345678": ["acme", "other"]}))
    assert (await told(world, **ring_back(number="030123456")))["REFUSAL_STATUS"] == "RECORDED"
    assert [(kept.callee, kept.seller, kept.receipt) for kept in world.kept] == [
        (4930123456, "acme", f"{RECEIPT}:acme"),
        (4930123456, "other", f"{RECEIPT}:other"),
    ]
    assert {kept.how for kept in world.kept} == {"inbound_call"}


@pytest.mark.parametrize("sellers", [[], [None], ["acme", None]])
async def test_line_of_everyone_or_of_nobody_refuses_all(sellers: list[str | None]) -> None:
    """A number registered for every seller, or not at all, means a refusal to all."""
    world = World(calls=MemoryCalls(lines={"+493012345678": sellers}))
    await told(world, **ring_back(number="+4930123456"))
    assert [(kept.seller, kept.receipt) for kept in world.kept] == [(None, RECEIPT)]


@pytest.mark.parametrize("did", ["+493012345678", "493012345678", "03012345678"])
@pytest.mark.parametrize("number", ["+4930123456", "004930123456", "030123456"])
async def test_numbers_are_read_as_they_are_written_there(did: str, number: str) -> None:
    """Line and caller are found in E.164 and in the forms of the trunk's country."""
    world = World(calls=MemoryCalls(lines={"+493012345678": ["acme"]}))
    await told(world, **ring_back(number=number, did=did))
    assert [(kept.callee, kept.seller) for kept in world.kept] == [(4930123456, "acme")]


async def test_caller_who_could_be_several_is_nobody() -> None:
    """A number that two countries read differently, on a line that is not known, is INVALID and no guess."""
    world = World(countries=["US", "CN"])
    answer = await told(world, **ring_back(number="2025550123", did=""))
    assert answer["REFUSAL_STATUS"] == "INVALID"
    assert world.kept == []


async def test_ring_back_while_the_database_hangs_refuses_all() -> None:
    """Of a line that cannot be looked up it is a refusal to all, in time for the caller."""
    world = World(calls=MemoryCalls(hangs=True))
    assert (await told(world, **ring_back(number="+4930123456")))["REFUSAL_STATUS"] == "RECORDED"
    assert [kept.seller for kept in world.kept] == [None]


async def test_refusal_goes_on_when_the_switch_has_gone() -> None:
    """A switch that goes away in mid-request does not stop the keeping."""
    world = World()
    reached, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    keep = world.keeper.keep

    async def slow(refusal: object) -> Kept:
        reached.set()
        await go.wait()
        kept = await keep(refusal)  # type: ignore[arg-type] # handed on
        done.set()
        return kept

    world.keeper.keep = slow  # type: ignore[method-assign] # the point of the test
    values = [ARGUMENTS[name] for name in NAMES]
    async with lab({"refusal": refusal(world.keyed)}) as running:
        async with running.switch(request("refusal", *values)):
            await reached.wait()
        go.set()
        await done.wait()
    assert len(world.kept) == 1


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=70), max_size=11))
def test_no_text_raises_anything_but_value_error(values: dict[str, str]) -> None:
    """Whatever is told is read, or refused with a reason."""
    with suppress(ValueError):
        read = Told.read(ARGUMENTS | values)
        assert read.number.removeprefix("+").isdecimal()
        assert read.receipt.isascii()
