"""Complaints in a real database: they bind as refusals, are tied to their calls, and are told to the authority."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from db.attempt_store import PostgresAttemptStore
from db.complaint_store import PostgresComplaintStore
from dialer.app import Database, Registers
from dialer.complaint_node import open_complaints
from dialer.config import Settings
from dialer.errors import ReceiptConflict, RegisterError
from dialer.overdue import Overdue
from dialer.ports_complaints import Channel, NewComplaint, Source, Status
from dialer.verdict import Outcome, Reason
from tests.gate_world import CHINA, NOON, SELLER, SetClock, digits, furnish, open_gate, redeem
from tests.shell import Shell, query

HOUR = timedelta(hours=1)


async def test_a_complaint_binds_and_is_tied_to_its_calls(
    settings: Settings, database: Database, registers: Registers, owner: asyncpg.Connection
) -> None:
    """It binds every seller that may show the number it names, is tied to the call before it and not to another's, is
    known when told again, and each step is an entry."""
    world, clock = await furnish(registers, CHINA), SetClock()
    complaints = open_complaints(settings, database, "test", now=clock)
    callee, other = await world.callee(), await world.callee()
    async with open_gate(database.dsn, clock) as gate:
        answers = [await gate.decide(world.request(each)) for each in (callee, other)]
        for answer in answers:
            await redeem(gate, answer)
        clock.advance(3600)
        told = NewComplaint(
            digits(callee), Source.AUTHORITY, Channel.LETTER, "called\x1b[2J at night\n=cmd", "4711", "12315",
            cli=CHINA.presented, received_at=NOON + HOUR,
        )  # fmt: skip
        taken = await complaints.add(told)
        record = taken.complaint
        assert (taken.known, record.calls, record.status) == (False, (answers[0].decision,), Status.OPEN)
        assert record.due_at == NOON + HOUR + timedelta(days=settings.complaints.due_days)
        assert "\x1b" not in record.text
        again = await gate.decide(world.request(callee, seller=SELLER))
        assert (again.verdict.outcome, Reason.REFUSED in again.verdict.reasons) == (Outcome.REFUSE, True)
    assert (await complaints.add(told)).known
    with pytest.raises(ReceiptConflict, match="4711"):
        await complaints.add(replace(told, text="something else"))
    with pytest.raises(RegisterError):
        await complaints.tie(record.id, [answers[1].decision or 0])
    await complaints.answer(record.id, "the consent is withdrawn")
    await complaints.close(record.id, "upheld")
    with pytest.raises(RegisterError):
        await complaints.answer(record.id, "once more")
    rows = await owner.fetch(
        "select kind, payload from evidence_entries where subject = $1 and kind like 'complaint.%' order by id",
        record.id,
    )
    assert [row["kind"] for row in rows] == ["complaint.received", "complaint.answered", "complaint.closed"]
    said = json.loads(rows[0]["payload"])
    assert (said["callee"], said["calls"], said["refusal"]) == (callee, [answers[0].decision], record.refusal_id)


async def test_an_overdue_complaint_is_an_alarm_once_a_day(
    settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """One that waits past its date is told, not twice within hours, and again the next day; the alarm names nobody."""
    clock = SetClock()
    complaints = open_complaints(settings, database, "test", now=clock)
    await complaints.add(NewComplaint(442079460123, Source.PERSON, Channel.WEB, "stop", due_at=NOON + HOUR))
    overdue = Overdue(PostgresComplaintStore(database.pool), PostgresAttemptStore(database.pool), clock)
    told = []
    for hours in (0, 2, 1, 24):
        clock.advance(3600 * hours)
        await overdue.run()
        told.append(await owner.fetchval("select count(*) from alarms where kind = 'complaint_overdue'"))
    assert told == [0, 1, 1, 2]
    assert not await owner.fetchval("select count(*) from alarms where detail like '%7946%'")


def test_a_complaint_at_the_command_line(shell: Shell, dsn: str, tmp_path: Path) -> None:
    """Taken in, listed, shown, answered, closed; the forms hold hostile text harmlessly; each look is an entry."""
    hostile = '=HYPERLINK("x") <script>alert(1)</script>'
    assert shell("complaint", "add", "+442079460123", "--source", "authority", "--text", "x") == 1
    assert "--authority" in shell.err
    named = ("--source", "authority", "--authority", "ICO", "--case-number", "4711", "--received", "2026-05-05")
    made = shell.json("complaint", "add", "+442079460123", *named, "--text", hostile)
    assert (made["case_number"], made["known"], made["seller"]) == ("4711", False, None)
    assert shell.json("complaint", "add", "+442079460123", *named, "--text", hostile)["known"]
    assert shell.json("check", "+442079460123", "--seller", "acme")["outcome"] == "REFUSE"
    assert [each["id"] for each in shell.json("complaint", "list", "--overdue")] == [made["id"]]
    assert shell("complaint", "answer", "1", "--text", "withdrawn") == 0
    assert shell("complaint", "close", "1", "--outcome", "upheld") == 0
    assert shell.json("complaint", "show", "1")["outcome"] == "upheld"
    assert shell("complaint", "show", "77") == 1
    for form in ("json", "csv", "html"):
        assert shell("complaint", "export", "1", "-o", f"form.{form}") == 0
    assert json.loads((tmp_path / "form.json").read_text("utf-8"))["text"] == hostile
    assert "<script>" not in (tmp_path / "form.html").read_text("utf-8")
    cells = list(csv.reader(io.StringIO((tmp_path / "form.csv").read_text("utf-8"))))[1]
    assert f"'{hostile}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@", "-"))]
    assert shell("complaint", "export", "1", "-o", "form.doc") == 2
    looks = query(
        dsn, "select string_agg(payload::jsonb ->> 'what', ' ' order by id) from evidence_entries where kind = 'lookup'"
    )
    assert looks.count("complaint export") == 3
    assert "complaint list" in looks
    assert "complaint show" in looks
