"""What a forger does to a log, by the cases of `tests/corpus/evidence_tampering.md`. He has all rights on the database,
and knows how the log is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg

from db.embedded import database_dsn
from tests.tampered_log import SoundLog, change_entry, cut_off, grow_anew, log_key, use_another_key

Forgery = Callable[[asyncpg.Connection, SoundLog], Awaitable[None]]

STATEMENTS = {
    "payload changed": """update evidence_payloads set payload = replace(payload, 'marketing', 'delivery!')
        where entry = (select min(id) from evidence where kind = 'decision')""",
    "salt changed": """update evidence_payloads set salt = uuid_send(gen_random_uuid())
        where entry = (select min(id) from evidence where kind = 'decision')""",
    "instant changed": """update evidence set at = at - interval '1 second'
        where id = (select min(id) from evidence where kind = 'decision')""",
    "impossible instant": """update evidence set at = '0044-03-15 12:00+00 BC'
        where id = (select min(id) from evidence where kind = 'decision')""",
    "kind changed": """update evidence set kind = 'decisiom'
        where id = (select min(id) from evidence where kind = 'decision')""",
    "subject changed": """update evidence set subject = subject + 1
        where id = (select min(id) from evidence where kind = 'refusal')""",
    "commitment changed": """update evidence set commitment = sha256('another')
        where id = (select min(id) from evidence where kind = 'decision')""",
    "decision changed": """update decisions set outcome = 'ALLOW'
        where id = (select min(id) from decisions where outcome = 'REFUSE')""",
    "attempt changed": """update attempts set cause = 31
        where decision_id = (select min(decision_id) from attempts where ended_at is not null)""",
    "refusal changed": "update refusals set callee = callee + 1 where id = (select min(id) from refusals)",
    "consent changed": """update consents set granted_at = granted_at - interval '1 day'
        where id = (select min(id) from consents)""",
    "alarm changed": "update alarms set channel = 'PJSIP/another'",
    "tile changed": """update tiles set hashes = sha256('another') || substr(hashes, 33)
        where level = 0 and index = 0""",
    "upper tile changed": """update tiles set hashes = sha256('another') || substr(hashes, 33)
        where level = 1 and index = 0""",
    "checkpoint changed": """update checkpoints set root = sha256('another')
        where size = (select min(size) from checkpoints)""",
    "note changed": """update checkpoints set root = sha256('another'),
            note = replace(note, encode(root, 'base64'), encode(sha256('another'), 'base64'))
        where size = (select min(size) from checkpoints)""",
    "size changed": "update log_state set size = size - 1",
    "payload deleted": """delete from evidence_payloads
        where entry = (select min(id) from evidence where kind = 'decision')""",
    "entry deleted": "delete from evidence where id = (select min(id) from evidence where kind = 'decision')",
    "leaf deleted": "delete from leaves where index = 100",
    "tile deleted": "delete from tiles where level = 0 and index = 1",
    "refusal deleted": "delete from refusals where id = (select min(id) from refusals)",
    "consent deleted": "delete from consents where id = (select min(id) from consents)",
    "attempt deleted": "delete from attempts where decision_id = (select min(decision_id) from attempts)",
    "waiting entry deleted": "delete from evidence where id = (select min(entry) from unsealed)",
    "newest checkpoint deleted": "delete from checkpoints where size = (select max(size) from checkpoints)",
    "cosigned checkpoint deleted": "delete from checkpoints where size in (select size from cosignatures)",
    "key deleted": "delete from log_keys",
    "refusal inserted": "insert into refusals (callee, how, at) values (8613800138000, 'web', now())",
    "decision inserted": """insert into decisions (id, at, callee_text, seller_code, purpose, presented, trunk, path,
            call_id, outcome, reasons, rule_version) overriding system value
        select id + 100000, at, callee_text, seller_code, purpose, presented, trunk, path, call_id, outcome, reasons,
            rule_version from decisions where outcome = 'REFUSE' order by id limit 1""",
    "hashed refusal deleted": "delete from erased_refusals",
    "cosignature changed": "update cosignatures set size = (select max(size) from checkpoints)",
}
_LATER = 250


async def _commit_to_another(connection: asyncpg.Connection, _: SoundLog) -> None:
    row = await connection.fetchrow(
        "select id, payload from evidence_entries where kind = 'decision' order by id limit 1"
    )
    await change_entry(connection, row["id"], row["payload"].replace('"marketing"', '"marketinG"'))


async def _insert_entry(connection: asyncpg.Connection, log: SoundLog) -> None:
    await connection.execute(
        """insert into evidence (id, at, kind, subject, commitment) overriding system value
           select $1, at, 'seller.added', null, commitment from evidence where kind = 'seller.added' limit 1""",
        log.free_id,
    )
    await connection.execute(
        """insert into evidence_payloads (entry, salt, payload)
           select $1, p.salt, p.payload from evidence_payloads p join evidence e on e.id = p.entry
           where e.kind = 'seller.added' order by e.id limit 1""",
        log.free_id,
    )


async def _insert_leaf(connection: asyncpg.Connection, log: SoundLog) -> None:
    await _insert_entry(connection, log)
    rows = await connection.fetch("delete from leaves where index >= $1 returning index + 1 as index, entry", _LATER)
    await connection.executemany("insert into leaves values ($1, $2)", [(_LATER, log.free_id), *map(tuple, rows)])
    await connection.execute("update log_state set size = size + 1")


async def _swap(connection: asyncpg.Connection, _: SoundLog) -> None:
    first, second = await connection.fetch(
        "delete from leaves where index in ($1, $2) returning index, entry", _LATER, _LATER + 1
    )
    swapped = [(first["index"], second["entry"]), (second["index"], first["entry"])]
    await connection.executemany("insert into leaves values ($1, $2)", swapped)


async def _swap_all(connection: asyncpg.Connection, log: SoundLog) -> None:
    await _swap(connection, log)
    await grow_anew(connection, roots=False)


async def _cut_off(connection: asyncpg.Connection, _: SoundLog) -> None:
    await cut_off(connection)


async def _say_another(connection: asyncpg.Connection) -> None:
    """Have an early import be of another file."""
    row = await connection.fetchrow(
        "select id, payload from evidence_entries where kind = 'consent.imported' order by id limit 1"
    )
    await change_entry(connection, row["id"], row["payload"].replace('"file_sha256":"', '"file_sha256":"0'))


async def _rewrite(connection: asyncpg.Connection, log: SoundLog) -> None:
    """The forger has the log's own key; what a witness has signed he deletes."""
    await _say_another(connection)
    await connection.execute("delete from cosignatures")
    await grow_anew(connection, roots=True, key=log_key(log))


async def _sign_anew(connection: asyncpg.Connection, _: SoundLog) -> None:
    await _say_another(connection)
    await connection.execute("delete from cosignatures")
    await grow_anew(connection, roots=True, key=await use_another_key(connection))


async def _restore_old(connection: asyncpg.Connection, log: SoundLog) -> None:
    """Every table becomes what it was in the old copy."""
    old = await asyncpg.connect(database_dsn(log.server.maintenance_dsn, log.old))
    tables = [
        row[0]
        for row in await old.fetch(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        )
    ]
    for table in tables:
        rows = await old.fetch(f'select * from "{table}"')  # noqa: S608 - a table of ours
        await connection.execute(f'delete from "{table}"')  # noqa: S608 - a table of ours
        if rows:
            await connection.copy_records_to_table(table, records=[tuple(row) for row in rows])
    await old.close()


FORGERIES: dict[str, Forgery] = {
    "payload and commitment changed": _commit_to_another,
    "entry inserted": _insert_entry,
    "entry and leaf inserted": _insert_leaf,
    "entries swapped": _swap,
    "entries and tree swapped": _swap_all,
    "truncated": _cut_off,
    "rewritten": _rewrite,
    "signed anew": _sign_anew,
    "old database": _restore_old,
}
