"""How many bytes a decision occupies: its own rows and what the log adds, by part; and a whole call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from db.attempt_store import PostgresAttemptStore
from db.pool import open_pool
from dialer.gate import Answer
from dialer.ports_attempts import AttemptFacts
from tests.benchmarks.evidence.stage import NOON, open_gate, open_sealer, request

_TABLES = ("decisions", "attempts", "evidence", "evidence_payloads", "unsealed", "leaves", "tiles", "checkpoints")
_OF_THE_LOG = ("unsealed", "leaves", "tiles", "checkpoints")
# What a service seals at 5,000 decisions a second each time.
_TOGETHER = 2000
_HEADERS = {
    "From": '"Acme" <sip:+862161234567@192.0.2.20>;tag=6d1f0a4c-5b0e-4f5e-9d68-1c0a7d5b9f11',
    "To": "<sip:+8613800000000@192.0.2.30>",
    "Call-ID": "5b80d49c-1172-4fd2-97eb-b8b19cdbe502",
    "Contact": "<sip:asterisk@192.0.2.20:5060>",
    "User-Agent": "Asterisk PBX 22.10.1",
    "Via": "SIP/2.0/UDP 192.0.2.20:5060;rport=5060;received=192.0.2.20;branch=z9hG4bKPj439bbdaf-91e4-4020-ad2a-0ba7",
}

Sizes = dict[str, tuple[int, int]]
"""Bytes of each table (what is stored out of line included) and of its indexes."""


async def occupy(home: Path, dsn: str, count: int) -> None:
    """Decisions that allow, each of another callee; then calls on a tenth of them, to their end."""
    async with open_sealer(home, dsn) as sealer:
        await sealer.seal()
        before = await _sizes(dsn)
        answers: list[Answer] = []
        async with open_gate(dsn) as gate:
            for first in range(0, count, _TOGETHER):
                asked = [gate.decide(request(n)) for n in range(first, min(first + _TOGETHER, count))]
                answers += await asyncio.gather(*asked)
                await sealer.seal()
            if not all(answer.permit for answer in answers):
                raise SystemExit("not every call was allowed")
            decided = await _sizes(dsn)
            plain = await _without_the_log(dsn)
            _say("a decision that allows", before, decided, count, plain)
            some = answers[-count // 10 :]
            for first in range(0, len(some), _TOGETHER):
                await asyncio.gather(
                    *[
                        gate.redeem(each.permit or "", each.callee, each.presented, "192.0.2.20:5060", headers=_HEADERS)
                        for each in some[first : first + _TOGETHER]
                    ]
                )
                await sealer.seal()
        await _end(dsn, some)
        await sealer.seal()
        _say("its call besides: the permit used, and the end", decided, await _sizes(dsn), len(some), None)


async def _end(dsn: str, answers: list[Answer]) -> None:
    pool = await open_pool(dsn, max_size=1)
    facts = [
        AttemptFacts(each.decision or 0, NOON, NOON, NOON, NOON, 16, 200, "ANSWER", near_carrier=True)
        for each in answers
    ]
    for first in range(0, len(facts), _TOGETHER):
        await PostgresAttemptStore(pool).record(facts[first : first + _TOGETHER], NOON)
    await pool.close()


async def _sizes(dsn: str) -> Sizes:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "select t as name, pg_table_size(t::regclass) as own, pg_indexes_size(t::regclass) as indexes"
        " from unnest($1::text[]) t",
        _TABLES,
    )
    await connection.close()
    return {row["name"]: (row["own"], row["indexes"]) for row in rows}


async def _without_the_log(dsn: str) -> int:
    """Bytes of the table of entries as it would be without the log: what is said in it, and nothing to prove it."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "create table plain as select id, at, kind, subject, payload from evidence_entries where kind = 'decision';"
        " alter table plain add primary key (id); create index on plain (subject) where subject is not null"
    )
    size: int = await connection.fetchval("select pg_total_relation_size('plain')")
    await connection.execute("drop table plain")
    await connection.close()
    return size


def _say(what: str, before: Sizes, after: Sizes, count: int, plain: int | None) -> None:
    grown = {name: tuple((after[name][part] - before[name][part]) / count for part in (0, 1)) for name in _TABLES}
    print(f"\n| {what} ({count:,}) | table, bytes | indexes, bytes |\n|---|---|---|")
    for name, (own, indexes) in grown.items():
        print(f"| `{name}` | {own:,.0f} | {indexes:,.0f} |")
    whole = sum(own + indexes for own, indexes in grown.values())
    log = sum(own + indexes for name, (own, indexes) in grown.items() if name in _OF_THE_LOG)
    print(f"| **all** | {whole:,.0f}, of which leaves, tiles and checkpoints {log:,.0f} | |")
    if plain is not None:
        entries = sum(own + indexes for name, (own, indexes) in grown.items() if name.startswith("evidence"))
        print(f"| without the log | {whole - log - entries + plain / count:,.0f} | |", flush=True)
