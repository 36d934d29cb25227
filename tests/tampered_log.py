"""A log of some six hundred entries as real use makes it, for tests of what is done to it; and a forger's tools."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from db.attempt_store import PostgresAttemptStore
from db.embedded import EmbeddedServer, database_dsn
from db.fsck_store import PostgresSnapshot
from dialer.app import Database, open_database, open_imports, open_registers
from dialer.config import Settings, load
from dialer.evidence.tiles import Growth
from dialer.evidence_node import open_erasures, open_proofs, seal
from dialer.fsck.run import Checked, Kept, check
from dialer.import_rows import CONSENTS
from dialer.imports import Sheet
from dialer.log_keys import KeyRing
from dialer.numbers import Number, parse
from dialer.ports_attempts import Alarm, AttemptFacts
from dialer.ports_refusals import NewRefusal
from dialer.verifier.leaf import leaf_data
from dialer.verifier.note import Checkpoint, Note, VerifierKey, sign, verifier_key
from dialer.verifier.tree import leaf_hash
from dialer.witness_key import witness_key
from tests.gate_world import CHINA, GRANTED, SELLER, SetClock, World, digits, furnish, open_gate, redeem
from tests.log_world import LEAVES

_CALLS = 120


@dataclass(frozen=True, slots=True)
class SoundLog:
    """A log that nobody has touched: in the database `name`, with the keys in the home of `settings`. `earlier` is the
    checkpoint that somebody was given, `old` a copy of the database from then. Nobody may use the database while it is
    a template."""

    server: EmbeddedServer
    name: str
    old: str
    settings: Settings
    earlier: str
    size: int
    free_id: int
    witness: VerifierKey
    key: VerifierKey

    @property
    def dsn(self) -> str:
        """Where it is."""
        return database_dsn(self.server.maintenance_dsn, self.name)

    @property
    def kept(self) -> Kept:
        """The checkpoint that the node keeps."""
        file = self.settings.keys_folder / "log.checkpoint"
        return Kept(str(file), json.loads(file.read_text("utf-8"))["committed"])


async def make_log(server: EmbeddedServer, template: str, home: Path) -> SoundLog:
    """Make it in a database of its own."""
    name, old = "heedline_sound", "heedline_sound_old"
    await maintain(server, f'create database "{name}" template "{template}"')
    dsn = database_dsn(server.maintenance_dsn, name)
    settings = load({"HEEDLINE_HOME": str(home), "HEEDLINE_DATABASE_URL": dsn})
    async with open_database(settings) as database:
        world = await furnish(open_registers(database, "test"), CHINA)
        free_id = await _first_half(world, database, settings)
        earlier = await open_proofs(database).latest()
        assert earlier is not None
        witness = witness_key(settings.keys_folder)
        line = str(witness.cosign(earlier.note.text, datetime(2026, 11, 1, tzinfo=UTC)))
        size = earlier.checkpoint.size
        await _owner(dsn, "insert into cosignatures values ($1, $2, $3, now())", size, witness.name, line)
    await maintain(server, f'create database "{old}" template "{name}"')
    async with open_database(settings) as database:
        world.registers = open_registers(database, "test")
        await _second_half(world, database, settings)
        latest = await open_proofs(database).latest()
        assert latest is not None
        (key,) = await open_proofs(database).keys()
    return SoundLog(
        server, name, old, settings, str(earlier.note), latest.checkpoint.size, free_id, witness.verifier, key
    )


async def _first_half(world: World, database: Database, settings: Settings) -> int:
    agreed = await _consented(world, database, 200)
    await seal(settings, database)
    free_id = int(await _owner(database.dsn, "select nextval('evidence_id_seq')"))  # of a transaction that failed
    await _calls(world, database, [*agreed[:_CALLS], *(world.fresh() for _ in range(_CALLS // 2))])
    await seal(settings, database)
    return free_id


async def _second_half(world: World, database: Database, settings: Settings) -> None:
    agreed = await _consented(world, database, 10)
    await _calls(world, database, [*agreed, world.fresh(), "no number", "120"])
    refused = world.fresh()
    for seller in (SELLER, None):
        await world.registers.refusals.add(NewRefusal(digits(refused), seller, "web", GRANTED, note="no more"))
    withdrawn, erased = parse(await world.callee()), parse(agreed[0])
    assert isinstance(withdrawn, Number)
    assert isinstance(erased, Number)
    await world.registers.consents.withdraw(withdrawn, SELLER)
    await open_erasures(settings, database, "test").erase(erased, "he asked", despite="an order of a court")
    await PostgresAttemptStore(database.pool).raise_alarm(
        Alarm(datetime(2026, 10, 21, 3, tzinfo=UTC), "no_permit", "PJSIP/carrier-1", "hung up")
    )
    await seal(settings, database)
    await world.registers.refusals.add(NewRefusal(digits(world.fresh()), SELLER, "agent", GRANTED))  # it waits


async def _consented(world: World, database: Database, count: int) -> list[str]:
    """Callees whose consents were imported."""
    callees = [world.fresh() for _ in range(count)]
    rows = "".join(f"{callee},{SELLER},2026-01-01,written\n" for callee in callees)
    sheet = Sheet(io.BytesIO(f"number,seller,granted_at,basis\n{rows}".encode()), "consents.csv", CONSENTS.columns)
    assert (await open_imports(database, "test").consents(sheet)).added == count
    return callees


async def _calls(world: World, database: Database, callees: Sequence[str]) -> None:
    """Calls; those that are allowed use their permits and end."""
    clock = SetClock()
    async with open_gate(database.dsn, clock) as gate:
        answers = await asyncio.gather(*[gate.decide(world.request(callee)) for callee in callees])
        used = [answer for answer in answers if answer.permit]
        await asyncio.gather(*[redeem(gate, answer) for answer in used])
    ends = [
        AttemptFacts(answer.decision, clock.now, None, None, clock.now + timedelta(seconds=9), 16, 486, "BUSY")
        for answer in used
        if answer.decision
    ]
    assert ends
    await PostgresAttemptStore(database.pool).record(ends, clock.now + timedelta(seconds=10))


async def maintain(server: EmbeddedServer, statement: str) -> None:
    """Run a statement on the server."""
    await _owner(server.maintenance_dsn, statement)


async def _owner(dsn: str, statement: str, *arguments: Any) -> Any:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def checked(connection: asyncpg.Connection, log: SoundLog, kept: Sequence[Kept] = ()) -> Checked:
    """What the check finds in what this connection sees."""
    return await check(PostgresSnapshot(connection, log.dsn, "", 0), 0, kept, [log.witness])


def log_key(log: SoundLog) -> Ed25519PrivateKey:
    """The log's own private key."""
    private = KeyRing(log.settings.keys_folder).private(log.key)
    assert private is not None
    return private


# The forger: he has all rights on the database, and knows how the log is made.


async def grow_anew(connection: asyncpg.Connection, *, roots: bool, key: Ed25519PrivateKey | None = None) -> None:
    """Make the tree anew from the entries; with `roots` the checkpoints too, signed with `key`."""
    rows = await connection.fetch(LEAVES)
    hashes = [leaf_hash(leaf_data(*row)) for row in rows]
    await connection.execute("delete from tiles")
    growth = Growth(0, {})
    growth.extend(hashes)
    growth.finish()
    tiles = [(level, index, tile) for (level, index), tile in growth.changed.items()]
    await connection.executemany("insert into tiles values ($1, $2, $3)", tiles)
    if not roots or key is None:
        return
    name = await connection.fetchval("select name from log_state")
    for row in await connection.fetch("select size from checkpoints order by size"):
        tree = Growth(0, {})
        tree.extend(hashes[: row["size"]])
        checkpoint = Checkpoint(name, row["size"], tree.finish())
        note = Note(checkpoint.text(), (sign(checkpoint.text(), name, key),))
        await connection.execute(
            "update checkpoints set root = $2, note = $3 where size = $1", row["size"], checkpoint.root, str(note)
        )


async def change_entry(connection: asyncpg.Connection, entry: int, payload: str) -> None:
    """Have an entry say something else, with a commitment that fits."""
    await connection.execute("update evidence_payloads set payload = $2 where entry = $1", entry, payload)
    await connection.execute(
        "update evidence e set commitment = sha256(p.salt || convert_to(p.payload, 'UTF8'))"
        " from evidence_payloads p where e.id = $1 and p.entry = e.id",
        entry,
    )


async def use_another_key(connection: asyncpg.Connection) -> Ed25519PrivateKey:
    """Put another key in the place of the log's."""
    key = Ed25519PrivateKey.generate()
    name = await connection.fetchval("select name from log_state")
    other = verifier_key(name, key)
    row = await connection.fetchrow("select id, payload from evidence_entries where kind = 'log.key_added'")
    said = json.loads(row["payload"]) | {"key": str(other)}
    await change_entry(connection, row["id"], json.dumps(said, separators=(",", ":"), sort_keys=True))
    await connection.execute("update log_keys set public = $1", other.public)
    return key


async def cut_off(connection: asyncpg.Connection) -> None:
    """Drop all that came after the checkpoint before the newest: what was sealed, what waits, and the rows of it."""
    size = await connection.fetchval("select size from checkpoints order by size desc offset 1 limit 1")
    gone = "select entry from leaves where index >= $1 union select entry from unsealed"
    rows = await connection.fetch(f"select kind, subject from evidence where id in ({gone})", size)  # noqa: S608
    tables = {
        "decision": "decisions",
        "refusal": "refusals",
        "consent.granted": "consents",
        "alarm.no_permit": "alarms",
    }
    for row in rows:
        if table := tables.get(row["kind"]):
            await connection.execute(f"delete from {table} where id = $1", row["subject"])  # noqa: S608
        if row["kind"] == "decision":
            await connection.execute("delete from attempts where decision_id = $1", row["subject"])
        if row["kind"] == "refusal.hashed":
            await connection.execute("delete from erased_refusals where refusal_id = $1", row["subject"])
    for table, column in (("evidence_payloads", "entry"), ("evidence", "id")):
        await connection.execute(f"delete from {table} where {column} in ({gone})", size)  # noqa: S608
    await connection.execute("delete from unsealed")
    await connection.execute("delete from leaves where index >= $1", size)
    await connection.execute("delete from checkpoints where size > $1", size)
    await connection.execute("update log_state set size = $1", size)
    await grow_anew(connection, roots=False)
