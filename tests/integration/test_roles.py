"""What the service's role may do on a real PostgreSQL, what it may not, and what nobody may."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from db.attempt_store import PostgresAttemptStore
from dialer.app import Database, Registers, clock, open_imports
from dialer.complaint_node import open_complaints
from dialer.config import Settings
from dialer.evidence_node import open_erasures, seal
from dialer.import_rows import LISTED, REFUSALS
from dialer.imports import Sheet
from dialer.numbers import Number, parse
from dialer.policy.facts import TrunkOrigin
from dialer.ports_attempts import Alarm, AttemptFacts
from dialer.ports_complaints import Channel, NewComplaint, Source
from dialer.ports_refusals import NewRefusal, NewReview, SpeechArtefact
from dialer.ports_registers import Artefact
from tests.gate_world import CHINA, GRANTED, SELLER, SetClock, World, digits, furnish, open_gate, redeem

APPEND_ONLY = (
    *("decisions", "evidence", "evidence_payloads", "refusals", "refusal_receipts", "alarms", "suppression_imports"),
    *("log_keys", "leaves", "checkpoints", "cosignatures", "timestamps"),
    *("erased_refusals", "erasure_key", "erased_files", "complaint_calls"),
)

# The columns that may change; those of no other table may.
CHANGEABLE = {
    "attempts": (
        *("redeemed_at", "redeemed_by", "dialled_at", "ringing_at", "answered_at"),
        *("ended_at", "cause", "sip_status", "dial_status", "carrier_call_id"),
    ),
    "consents": ("withdrawn_at",),
    "sellers": ("name", "industry", "suspended"),
    "trunks": ("country", "origin"),
    "presented_numbers": ("holder", "use"),
    "routes": ("non_marketing", "reason", "declared_by", "declared_at"),
    "suppression_lists": ("owner", "prefixes"),
    "config_state": ("version",),
    "speech_reviews": ("decision", "decided_at", "decided_by", "refusal_id"),
    "api_tokens": ("revoked_at",),
    "webhooks": ("removed_at",),
    "log_state": ("key", "name", "size"),
    "tiles": ("hashes",),
    "complaints": ("status", "answer", "answered_at", "answered_by", "outcome", "closed_at", "closed_by"),
    "webhook_deliveries": (
        *("trying_since", "tries", "next_at", "delivered_at", "dead_at", "last_status", "last_error"),
    ),
}
OWN = Artefact(b"\x09" * 32, "text/plain", "forms/9")
SPOKEN = SpeechArtefact("please stop", "stop", "cease", 0, 900, "en", "moonshine", "00" * 32, "11" * 32)
DELETABLE = ("presented_numbers", "routes", "suppressed_numbers", "unsealed", "webhook_deliveries")
TABLES = "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm')"
COLUMNS = (
    "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0 and not attisdropped"
    " and attgenerated = ''"
)


@pytest.fixture
async def world(registers: Registers) -> World:
    """One row in every table of the registers and of the gate."""
    world = await furnish(registers, CHINA)
    await registers.routes.declare("alarms", "fire alarm call-outs")
    await registers.lists.add("opt-outs", "an association", ["+86"])
    return world


async def used(world: World, settings: Settings, database: Database) -> int:
    """The service does everything that it is for, with its own rights; the attempt's id."""
    registers, imports, store = world.registers, open_imports(database, "test"), PostgresAttemptStore(database.pool)
    async with open_gate(database.dsn, SetClock()) as gate:
        answer = await gate.decide(world.request(await world.callee()))
        assert (await redeem(gate, answer)).decision == answer.decision
    assert answer.decision is not None
    facts = AttemptFacts(answer.decision, GRANTED, GRANTED, GRANTED, GRANTED, 16, 200, "ANSWER")
    assert await store.record([replace(facts, ended_at=None), facts], GRANTED) == []
    await store.raise_alarm(Alarm(GRANTED, "bypass", "PJSIP/x", "a channel without a permit"))
    await database.pool.execute(
        "insert into webhooks (name, url, secret, created_by)"
        " values ('crm', 'https://crm.example/', repeat('s', 32), 'x')"
    )
    await database.pool.execute(
        "insert into api_tokens (name, hash, scopes, created_by) values ('crm', sha256('t'), '{refusals:read}', 'x')"
    )
    await registers.refusals.add(NewRefusal(digits(answer.callee), SELLER, "agent", GRANTED, receipt="one"))
    near_miss = NewReview(digits(answer.callee), SELLER, GRANTED, SPOKEN, attempt=answer.decision)
    await registers.refusals.confirm(await registers.refusals.review(near_miss))
    callee = parse(await world.callee())
    await registers.consents.withdraw(callee, SELLER)  # type: ignore[arg-type] # it is a number
    for days in (2, 1):
        listed = Sheet(io.BytesIO(b"number\n+8613800138000\n"), "listed", LISTED.columns)
        assert (await imports.listed(listed, "opt-outs", GRANTED - timedelta(days=days))).kept
    refused = Sheet(io.BytesIO(b"number\n+8613800138001\n"), "refusals", REFUSALS.columns)
    assert (await imports.refusals(refused, seller=SELLER)).added == 1
    complaint = NewComplaint(digits(answer.callee), Source.PERSON, Channel.WEB, "stop", received_at=clock())
    record = (await open_complaints(settings, database, "test").add(complaint)).complaint
    await open_complaints(settings, database, "test").tie(record.id, [answer.decision])
    erasures = open_erasures(settings, database, "test")
    await erasures.erase(number(await world.callee(artefact=OWN)), "asked", despite="an order")
    await erasures.erase(number(await world.callee()), "asked", when_due=True)
    assert await seal(settings, database) > 0
    await witnessed(database)
    await registers.sellers.suspend(SELLER)
    await registers.trunks.add("second", "CN", TrunkOrigin.DOMESTIC)
    await registers.trunks.add_number("second", CHINA.presented, "Acme Ltd", None)
    await registers.trunks.remove_number("second", CHINA.presented)
    await registers.routes.declare("second", "once")
    await registers.routes.remove("second")
    return answer.decision


async def witnessed(database: Database) -> None:
    """What others say of the newest checkpoint."""
    size = await database.pool.fetchval("select max(size) from checkpoints")
    for statement in (
        "insert into cosignatures (size, witness, line, at) values ($1, 'w', 'x', now())",
        "insert into timestamps (size, authority, token, at) values ($1, 'a', 'x', now())",
    ):
        await database.pool.execute(statement, size)


def number(text: str) -> Number:
    """A callee as the use cases take him."""
    read = parse(text)
    assert isinstance(read, Number)
    return read


async def test_the_service_can_do_all_that_it_is_for(
    world: World, settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """Deciding, redeeming, following, refusing, withdrawing, importing and registering work with the service's role."""
    attempt = await used(world, settings, database)
    assert await database.pool.fetchval("select current_user") == "heedline_service"
    assert await owner.fetchval("select dial_status from attempts where decision_id = $1", attempt) == "ANSWER"
    for row in await owner.fetch(TABLES):
        if row["relname"] != "alembic_version":
            assert await owner.fetchval(f"select exists (select from {row['relname']})"), row["relname"]  # noqa: S608 - ours


async def test_the_service_changes_what_it_must_and_nothing_else(
    world: World, settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """Of every table and every column: an update, a delete or a truncate that is not in the lists above is refused."""
    await used(world, settings, database)
    for table in [row["relname"] for row in await owner.fetch(TABLES)]:
        for column in [row["attname"] for row in await owner.fetch(COLUMNS, table)]:
            allowed = column in CHANGEABLE.get(table, ())
            assert await may(database, f"update {table} set {column} = {column}") == allowed, (table, column)  # noqa: S608 - ours
        assert await may(database, f"delete from {table}") == (table in DELETABLE), table  # noqa: S608 - ours
        assert not await may(database, f"truncate {table} cascade"), table


async def may(database: Database, statement: str) -> bool:
    """Whether the service has the right to a statement; nothing of it stays."""
    async with database.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(statement)
        except (asyncpg.InsufficientPrivilegeError, asyncpg.GeneratedAlwaysError):
            return False
        except (asyncpg.ObjectNotInPrerequisiteStateError, asyncpg.WrongObjectTypeError):
            return False  # a view
        except asyncpg.IntegrityConstraintViolationError:
            return True  # it came as far as the rows
        finally:
            await transaction.rollback()
    return True


@pytest.mark.parametrize(
    "statement",
    [
        "create table extra (a int)",
        "create schema extra",
        "create function extra() returns int language sql return 1",
        "create or replace function bulk_lock() returns bigint language sql return 0::bigint",
        "drop table evidence",
        "drop trigger append_only on evidence",
        "drop function refuse_change()",
        "alter table evidence disable trigger append_only",
        "alter table evidence add column extra int",
        "alter table evidence owner to heedline_service",
        "create rule hide as on insert to evidence do instead nothing",
        "create trigger hide before insert on evidence for each row execute function refuse_change()",
        "create index on evidence (kind)",
        "grant update on evidence to heedline_service; update evidence set kind = kind",
        "grant update on evidence to public; update evidence set kind = kind",
        "alter role heedline_service superuser",
        "create role extra",
        "set session_replication_role = replica",
        "select setval('decisions_id_seq', 1)",
        "alter sequence decisions_id_seq restart",
        "insert into config_state default values",
        "update alembic_version set version_num = '0000'",
        "copy evidence to program 'cat'",
    ],
)
async def test_the_service_changes_no_structure(database: Database, statement: str) -> None:
    """The service's role has no right to the schema, to the triggers, to other roles or to the server."""
    assert not await may(database, statement)


async def test_even_the_owner_meets_the_triggers(
    world: World, settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """With the owner's rights, and a superuser's, what is append-only is neither changed nor deleted nor emptied."""
    await used(world, settings, database)
    refused = (asyncpg.InsufficientPrivilegeError, asyncpg.FeatureNotSupportedError)
    for table in APPEND_ONLY:
        column = await owner.fetchval(f"{COLUMNS} and attidentity = '' limit 1", table)
        for statement in (
            f"update {table} set {column} = {column}",  # noqa: S608 - ours
            f"delete from {table}",  # noqa: S608 - ours
            f"truncate {table}",
            f"truncate {table} cascade",
            f"insert into {table} select * from {table} on conflict (id) do update set {column} = excluded.{column}",  # noqa: S608 - ours
        ):
            with pytest.raises(refused if "insert" not in statement else asyncpg.PostgresError):
                await owner.execute(statement)
    assert await owner.fetchval(f"select count(*) from {table}") > 0  # noqa: S608 - ours


async def test_a_refusal_is_never_recorded_as_another_ones(world: World, database: Database) -> None:
    """The service cannot take a refusal's place in the log: an id that exists is not written again."""
    await world.registers.refusals.add(NewRefusal(8613800138000, SELLER, "agent", clock() - timedelta(days=1)))
    statement = (
        "insert into refusals overriding system value select * from refusals"
        " on conflict (id) do update set callee = 8613800138001"
    )
    assert not await may(database, statement)
    merge = "merge into refusals r using sellers s on r.seller_id = s.id when matched then delete"
    assert not await may(database, merge)
