"""Entries that the log says of itself, of erasure and of complaints: they say what the page of evidence promises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from db.attempt_store import PostgresAttemptStore
from db.verification_store import PostgresVerificationStore
from dialer.app import Database, Registers, clock
from dialer.bundles import Asked
from dialer.complaint_node import open_complaints, open_lookups
from dialer.config import Settings
from dialer.evidence_node import open_bundles, open_erasures, open_log_keys, open_sealer, seal
from dialer.last_signed import LastSigned
from dialer.log_restore import accept_restore
from dialer.numbers import Number, parse
from dialer.ports_complaints import Channel, NewComplaint, Source
from dialer.self_verification import SelfVerification
from tests.gate_world import CHINA, SetClock, digits, furnish, open_gate, redeem
from tests.unit.test_docs import BY_THE_DATABASE, documented_kinds


async def _nobody() -> bool:
    return False


async def _sound() -> Mapping[str, Any]:
    return {"size": 1, "counts": {}, "seconds": 0.0}


async def test_every_entry_has_the_fields_that_its_page_gives(
    settings: Settings, database: Database, registers: Registers, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """Each kind of `BY_THE_DATABASE` occurs when the use cases do their work, and has exactly the documented fields."""
    world = await furnish(registers, CHINA)
    callee = await world.callee()
    async with open_gate(database.dsn, SetClock()) as gate:
        answer = await gate.decide(world.request(callee))
        await redeem(gate, answer)
    complaints = open_complaints(settings, database, "test")
    told = NewComplaint(digits(callee), Source.PERSON, Channel.WEB, "stop", cli="+862161234000")
    complaint = (await complaints.add(told)).complaint
    await complaints.tie(complaint.id, [answer.decision or 0])
    await complaints.answer(complaint.id, "sorry")
    await complaints.close(complaint.id, "upheld")
    await open_lookups(database, "test").record("refusal list", digits(callee))
    await seal(settings, database)
    await open_log_keys(settings, database, "test").rotate()
    await open_bundles(settings, database, "test").export(
        Asked(digits(callee)), tmp_path / "bundle.zip", reason="a test", languages=("en",)
    )
    made = await _made(owner)  # before his are gone
    number = parse(callee)
    assert isinstance(number, Number)
    await open_erasures(settings, database, "test").erase(number, "asked", despite="an order")
    verification = SelfVerification(
        PostgresVerificationStore(database.pool), PostgresAttemptStore(database.pool), clock, _sound, "test"
    )
    await verification.run()
    for file in settings.keys_folder.glob("log-*.key"):
        file.unlink()
    keys, sealer = open_log_keys(settings, database, "test"), open_sealer(settings, database.pool)
    await accept_restore("the keys are gone", keys, LastSigned(settings.keys_folder), sealer, _nobody)
    made |= await _made(owner)
    page = documented_kinds()
    assert {kind: made.get(kind) for kind in BY_THE_DATABASE} == {kind: page[kind] for kind in BY_THE_DATABASE}


async def _made(owner: asyncpg.Connection) -> dict[str, set[str]]:
    """The fields of each kind that is there."""
    rows = await owner.fetch("select kind, payload from evidence_entries where payload is not null")
    return {row["kind"]: set(json.loads(row["payload"])) for row in rows}
