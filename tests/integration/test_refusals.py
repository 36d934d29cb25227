"""Refusals on a real PostgreSQL: their artefacts, their receipts, and that nothing weakens one."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from db.attempt_store import PostgresAttemptStore
from db.refusal_store import PostgresRefusalStore
from dialer.app import Database, Registers, open_imports, open_registers
from dialer.errors import NotRegistered, ReceiptConflict, RegisterError
from dialer.import_rows import REFUSALS
from dialer.imports import Sheet
from dialer.numbers import Number, parse
from dialer.policy.pack import load_packs
from dialer.ports_attempts import AttemptFacts
from dialer.ports_refusals import (
    FormArtefact,
    KeyArtefact,
    NewRefusal,
    NewReview,
    Prompt,
    RefusalArtefact,
    RequestArtefact,
    SpeechArtefact,
)
from dialer.refusals import Refusals
from dialer.verdict import Outcome, Reason
from tests.gate_world import CHINA, GRANTED, NOON, SELLER, SetClock, World, digits, furnish, open_gate, redeem

KEYED = KeyArtefact("9", Prompt.CALL)
SPOKEN = SpeechArtefact("不要再打了", "不要再打", "prohibition", 120, 1900, "zh", "whisper", "ab" * 32, "cd" * 32)
ARTEFACTS: list[RefusalArtefact | None] = [
    None,
    KEYED,
    SPOKEN,
    FormArtefact("ef" * 32, "application/pdf", "artefacts/ef"),
    RequestArtefact("crm", "order-7", "01" * 32),
]


@pytest.fixture
async def world(database: Database) -> World:
    """A seller that may call in China, with packs that say by which rule a refusal binds."""
    return await furnish(open_registers(database, "test", load_packs()), CHINA)


def keyed(callee: str, **changes: object) -> NewRefusal:
    """A refusal by key, of a receipt."""
    return replace(NewRefusal(digits(callee), SELLER, "keyed", GRANTED, "17.1", artefact=KEYED, receipt="r"), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("artefact", ARTEFACTS)
async def test_it_is_read_as_it_was_told(world: World, artefact: RefusalArtefact | None) -> None:
    """Artefact, call, agent, note and receipt come back whole, with the rule of China's pack."""
    callee = await world.callee()
    told = keyed(callee, artefact=artefact, agent="1001", note="a note", attempt=7)
    id = await world.registers.refusals.add(told)
    (record,) = await world.registers.refusals.of(number(callee))
    assert (record.id, record.refusal) == (id, told)
    assert record.rule == "CN.refusal"
    assert record.rule_version is not None
    assert record.rule_version.startswith("CN@")


def number(text: str) -> Number:
    """The number of a callee."""
    read = parse(text)
    assert isinstance(read, Number)
    return read


async def test_told_twice_it_is_recorded_once(world: World, owner: asyncpg.Connection) -> None:
    """Twenty tellings at once under one receipt are one refusal with one entry of evidence."""
    refusal = keyed(await world.callee())
    told = await asyncio.gather(*(world.registers.refusals.record(refusal) for _ in range(20)))
    assert len({each.id for each in told}) == 1
    assert sorted(each.known for each in told) == [False] + [True] * 19
    assert await owner.fetchval("select count(*) from refusals") == 1
    assert await owner.fetchval("select count(*) from evidence where kind = 'refusal'") == 1


@pytest.mark.parametrize("other", [{"callee": 8613800138000}, {"seller": None}, {"how": "agent"}, {"note": "other"}])
async def test_one_receipt_names_one_refusal(world: World, owner: asyncpg.Connection, other: dict[str, object]) -> None:
    """Another refusal under a receipt that was given is an error, and the first one stays as it was."""
    refusal = keyed(await world.callee())
    id = await world.registers.refusals.add(refusal)
    with pytest.raises(ReceiptConflict):
        await world.registers.refusals.add(replace(refusal, **other))  # type: ignore[arg-type]
    assert [row["id"] for row in await owner.fetch("select id from refusals")] == [id]


async def test_a_repeated_request_is_the_same_though_it_came_later(world: World) -> None:
    """Of a request to the API its body counts, not when it came."""
    first = keyed(await world.callee(), how="api", artefact=RequestArtefact("crm", "k", "01" * 32))
    recorded = await world.registers.refusals.record(first)
    again = await world.registers.refusals.record(replace(first, at=GRANTED + timedelta(seconds=3)))
    assert (again.id, again.known) == (recorded.id, True)
    with pytest.raises(ReceiptConflict):
        await world.registers.refusals.record(replace(first, artefact=RequestArtefact("crm", "k", "02" * 32)))


async def test_receipts_have_bounds(world: World) -> None:
    """A receipt without characters, or with too many, is an error and nothing is recorded."""
    for receipt in ("", "r" * 201):
        with pytest.raises(RegisterError, match="receipt"):
            await world.registers.refusals.add(keyed(await world.callee(), receipt=receipt))


async def test_nothing_weakens_a_refusal(world: World, database: Database) -> None:
    """After a disposition of its call, an import, a re-import of what is exported, and its like by another way, it
    binds as before, and is still the row that it was."""
    refusals = world.registers.refusals
    callee = await world.callee()
    async with open_gate(database.dsn, SetClock()) as gate:
        answer = await gate.decide(world.request(callee))
        await redeem(gate, answer)
        assert answer.decision is not None
        await refusals.add(keyed(callee, attempt=answer.decision))
        before = await refusals.of(number(callee))
        ended = AttemptFacts(answer.decision, GRANTED, GRANTED, GRANTED, GRANTED, 16, 200, "ANSWER")
        await PostgresAttemptStore(database.pool).record([ended], NOON)
        text = f"number,seller,at,note,how\n{callee},{SELLER},{GRANTED.isoformat()},changed,keyed\n"
        for _ in range(2):
            sheet = Sheet(io.BytesIO(text.encode()), "refusals", REFUSALS.columns)
            assert (await open_imports(database, "test").refusals(sheet)).added == 0
        await refusals.add(NewRefusal(digits(callee), None, "import", GRANTED))
        assert (await refusals.of(number(callee)))[: len(before)] == before
        verdict = (await gate.decide(world.request(callee))).verdict
    assert verdict.outcome is Outcome.REFUSE
    assert Reason.REFUSED in verdict.reasons


# Near misses.


async def near_miss(world: World) -> int:
    """One that awaits a person."""
    return await world.registers.refusals.review(NewReview(digits(await world.callee()), SELLER, GRANTED, SPOKEN))


async def test_a_near_miss_that_is_confirmed_is_a_refusal(world: World, database: Database) -> None:
    """It is recorded once, as spoken when it was said, with its words; and leaves the queue."""
    store = PostgresRefusalStore(database.pool)
    id = await near_miss(world)
    assert [review.id for review in await store.reviews()] == [id]
    first = await world.registers.refusals.confirm(id)
    assert (await world.registers.refusals.confirm(id)).id == first.id
    record = await world.registers.refusals.show(first.id)
    assert record is not None
    assert (record.refusal.how, record.refusal.at, record.refusal.artefact) == ("spoken", GRANTED, SPOKEN)
    assert await store.reviews() == []
    (decided,) = await store.reviews(decided=True)
    assert (decided.decision, decided.refusal_id, decided.decided_by) == ("refusal", first.id, "test")


async def test_a_judgement_stands(world: World, database: Database) -> None:
    """One that was dismissed is not confirmed afterwards, nor the other way round; there is an error for both."""
    refusals = world.registers.refusals
    dismissed, confirmed = await near_miss(world), await near_miss(world)
    await refusals.dismiss(dismissed)
    await refusals.confirm(confirmed)
    with pytest.raises(RegisterError, match="dismissed"):
        await refusals.confirm(dismissed)
    with pytest.raises(RegisterError, match="refusal"):
        await refusals.dismiss(confirmed)
    with pytest.raises(NotRegistered):
        await refusals.confirm(confirmed + 1)


def test_every_pack_says_by_which_rule_a_refusal_binds(registers: Registers) -> None:
    """A callee of each jurisdiction has a refusal rule, a key that is one key, and a language."""
    refusals = Refusals(registers.store, lambda: NOON, "test", packs=load_packs())
    for callee in (8613800138000, 12015550123, 441212345678, 4930123456, 917410410123, 33123456789, 4721234567):
        conduct = refusals.conduct(callee)
        assert conduct is not None
        assert conduct.rule
        assert len(conduct.key) == 1
        assert conduct.language == ("zh" if callee == 8613800138000 else "en")
