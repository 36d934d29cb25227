"""Imports into a real PostgreSQL: all or nothing, at once, and each witnessed."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from dialer.app import Database, Registers, clock, open_gate, open_imports
from dialer.bulk import Imports
from dialer.config import Settings
from dialer.errors import FileError, NotRegistered, RegisterError
from dialer.import_rows import KINDS
from dialer.imports import RowFault, Sheet
from dialer.numbers import Number, parse
from dialer.policy.facts import Basis, CallRequest, TrunkOrigin
from dialer.verdict import Reason
from dialer.workers import validator


def sheet(kind: str, text: str) -> Sheet:
    """A file of that kind."""
    return Sheet(io.BytesIO(text.encode()), "file.csv", KINDS[kind].columns)


@pytest.fixture
async def faults() -> list[RowFault]:
    """The faults that the imports told."""
    return []


@pytest.fixture
async def imports(database: Database, registers: Registers, faults: list[RowFault]) -> Imports:
    """Imports, with a seller `acme` there."""
    await registers.sellers.add("acme", "Acme Ltd")
    return open_imports(database, "test", on_fault=faults.append)


async def last_evidence(owner: asyncpg.Connection) -> tuple[str, int | None, dict[str, Any]]:
    """Kind, subject and payload of the newest entry."""
    row = await owner.fetchrow("select kind, subject, payload from evidence_entries order by id desc limit 1")
    return row["kind"], row["subject"], json.loads(row["payload"])


CONSENTS = "number,seller,granted_at\n+442079460123,acme,2026-01-01\n+442079460124,acme,2026-01-01\n"


async def test_consents_go_in_once(imports: Imports, owner: asyncpg.Connection) -> None:
    """The same file twice, and the same row twice in it, records each consent once; one entry witnesses the file."""
    text = CONSENTS + "+442079460123,acme,2026-01-01\n"
    first = await imports.consents(sheet("consents", text))
    assert (first.read, first.added, first.known, first.complete) == (3, 2, 1, True)
    second = await imports.consents(sheet("consents", text))
    assert (second.added, second.known, second.complete) == (0, 3, True)
    assert await owner.fetchval("select count(*) from consents") == 2
    kind, _, payload = await last_evidence(owner)
    assert kind == "consent.imported"
    assert payload["file_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (payload["rows"], payload["added"], payload["by"]) == (3, 0, "test")


async def test_each_imported_row_is_an_entry_of_its_own(imports: Imports, owner: asyncpg.Connection) -> None:
    """A consent and a refusal from a file have their own entries, of the import's batch; a row that is known has none,
    one that a later file ends has one more; each commits to what it says."""
    await imports.consents(sheet("consents", CONSENTS))
    await imports.refusals(sheet("refusals", "number,seller\n+442079460125,*\n"))
    ended = "number,seller,granted_at,withdrawn_at\n+442079460123,acme,2026-01-01,2026-02-01\n"
    await imports.consents(sheet("consents", CONSENTS))
    await imports.consents(sheet("consents", ended))
    rows = await owner.fetch(
        "select kind, subject, payload, commitment = sha256(salt || convert_to(payload, 'UTF8')) as fits,"
        " id in (select entry from unsealed) as waits from evidence_entries where subject is not null"
        " and kind in ('consent.granted', 'consent.withdrawn', 'refusal') order by id"
    )
    said = [(row["kind"], json.loads(row["payload"])["callee"]) for row in rows]
    assert said[:2] == [("consent.granted", "+442079460123"), ("consent.granted", "+442079460124")]
    assert said[2:] == [("refusal", "+442079460125"), ("consent.withdrawn", "+442079460123")]
    assert all(row["fits"] and row["waits"] for row in rows)
    assert rows[0]["subject"] == rows[3]["subject"]
    batches = await owner.fetch(
        "select payload::jsonb ->> 'batch' as b from evidence_entries where kind = 'consent.imported'"
    )
    assert json.loads(rows[0]["payload"])["batch"] == batches[0]["b"]
    assert len({row["b"] for row in batches}) == 3


async def test_each_imported_caller_number_is_an_entry_of_its_own(
    imports: Imports, registers: Registers, owner: asyncpg.Connection
) -> None:
    """Its holder can be shown years later; one that is registered already has no second entry."""
    await registers.trunks.add("carrier", "GB", TrunkOrigin.DOMESTIC)
    text = "trunk,number,holder,seller\ncarrier,02079460999,Acme Ltd,acme\ncarrier,02079460998,Acme Ltd,*\n"
    for _ in range(2):
        await imports.numbers(sheet("numbers", text))
    rows = await owner.fetch("select payload from evidence_entries where kind = 'number.added' order by id")
    said = [json.loads(row["payload"]) for row in rows]
    assert {(each["number"], each["seller"], each["holder"]) for each in said} == {
        ("+442079460999", "acme", "Acme Ltd"),
        ("+442079460998", None, "Acme Ltd"),
    }
    assert len(said) == 2


async def test_one_bad_row_keeps_everything_out(
    imports: Imports, owner: asyncpg.Connection, faults: list[RowFault]
) -> None:
    """Nothing is recorded and nothing witnessed; both bad rows are told with their lines."""
    before = await owner.fetchval("select count(*) from evidence")
    report = await imports.consents(sheet("consents", CONSENTS + "abc,acme,2026-01-01\n+442079460125,acme,soon\n"))
    assert (report.read, report.bad, report.kept) == (4, 2, False)
    assert [(fault.line, fault.column) for fault in faults] == [(4, "number"), (5, "granted_at")]
    assert await owner.fetchval("select count(*) from consents") == 0
    assert await owner.fetchval("select count(*) from evidence") == before


async def test_partial_keeps_the_good_rows(imports: Imports, owner: asyncpg.Connection) -> None:
    """When asked for, bad rows cost only themselves; the report still says that not all went in."""
    report = await imports.consents(sheet("consents", CONSENTS + "abc,acme,2026-01-01\n"), partial=True)
    assert (report.added, report.bad, report.kept, report.complete) == (2, 1, True, False)
    assert await owner.fetchval("select count(*) from consents") == 2


async def test_a_file_that_breaks_off_keeps_everything_out(imports: Imports, owner: asyncpg.Connection) -> None:
    """A line that is no text, behind thousands of good ones, undoes them even with `partial`."""
    good = "".join(f"+44207946{n:04d},acme,2026-01-01\n" for n in range(9000))
    broken = Sheet(
        io.BytesIO(b"number,seller,granted_at\n" + good.encode() + b"\xff\xfe\n"), "f", KINDS["consents"].columns
    )
    with pytest.raises(FileError, match="line 9002"):
        await imports.consents(broken, partial=True)
    assert await owner.fetchval("select count(*) from consents") == 0


async def test_processes_give_what_one_process_gives(
    database: Database, registers: Registers, owner: asyncpg.Connection
) -> None:
    """With rows validated elsewhere, the faults come in the order of the file and the counts are the same."""
    await registers.sellers.add("acme", "Acme Ltd")
    lines = [f"+44207946{n:04d},acme,2026-01-01" if n % 4000 else "abc,acme,2026-01-01" for n in range(1, 9000)]
    faults: list[RowFault] = []
    with validator(2) as elsewhere:
        imports = open_imports(database, "test", validator=elsewhere, on_fault=faults.append)
        text = "number,seller,granted_at\n" + "\n".join(lines)
        report = await imports.consents(sheet("consents", text), partial=True)
    assert (report.read, report.bad, report.added) == (8999, 2, 8997)
    assert [fault.line for fault in faults] == [4001, 8001]


async def test_a_withdrawal_is_taken_over_and_never_undone(imports: Imports, owner: asyncpg.Connection) -> None:
    """An imported withdrawal ends the consent that is there; importing it open again does not reopen it."""
    await imports.consents(sheet("consents", CONSENTS))
    ended = "number,seller,granted_at,withdrawn_at\n+442079460123,acme,2026-01-01,2026-02-01\n"
    await imports.consents(sheet("consents", ended))
    await imports.consents(sheet("consents", CONSENTS))
    rows = await owner.fetch("select callee, withdrawn_at is not null as ended from consents order by callee")
    assert [tuple(row) for row in rows] == [(442079460123, True), (442079460124, False)]


async def test_refusals_bind_once_the_import_returns(
    imports: Imports, settings: Settings, database: Database, owner: asyncpg.Connection
) -> None:
    """A refusal to all sellers bars acme, one to acme too; the row's own seller and time are kept."""
    text = "number,seller,at,how\n+442079460123,*,2026-01-01T10:00Z,web\n+442079460124,acme,,\n"
    report = await imports.refusals(sheet("refusals", text))
    assert (report.added, report.complete) == (2, True)
    async with open_gate(settings, database) as gate:
        for number in ("+442079460123", "+442079460124"):
            _, verdict = await gate.check(CallRequest(number, "acme"))
            assert Reason.REFUSED in verdict.reasons
    rows = await owner.fetch("select seller_id, how from refusals order by callee")
    assert [tuple(row) for row in rows] == [(None, "web"), (1, "import")]
    again = await imports.refusals(sheet("refusals", text.splitlines()[0] + "\n" + text.splitlines()[1]))
    assert (again.added, again.known) == (0, 1)


async def test_refusals_wait_for_decisions_under_way(imports: Imports, dsn: str, owner: asyncpg.Connection) -> None:
    """While a gate transaction holds the shared lock, the import does not return; then it does."""
    deciding = await asyncpg.connect(dsn)
    try:
        await deciding.execute("begin")
        await deciding.execute("select pg_advisory_xact_lock_shared(bulk_lock())")
        importing = asyncio.create_task(imports.refusals(sheet("refusals", "number\n+442079460123\n"), seller="*"))
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        # Only the server knows when the import waits.
        while not importing.done() and not await owner.fetchval(waiting):  # noqa: ASYNC110 - as said above
            await asyncio.sleep(0)
        assert not importing.done()
        await deciding.execute("commit")
        assert (await importing).complete
    finally:
        await deciding.close()


async def test_a_list_is_replaced_whole(imports: Imports, registers: Registers, owner: asyncpg.Connection) -> None:
    """The newer file alone is in force, what it replaced is deleted, and the entry names list, date and file."""
    await registers.lists.add("gb-tps", "TPS", ["+44"])
    older, newer = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    await imports.listed(sheet("listed", "+442079460123\n+442079460124\n"), "gb-tps", older)
    report = await imports.listed(sheet("listed", "number,x\n+442079460124,1\n+442079460124,2\n"), "gb-tps", newer)
    assert (report.read, report.added, report.complete) == (2, 1, True)
    found = await registers.lists.show("gb-tps")
    assert (found.as_of, found.entries) == (newer, 1)
    assert [number async for number in registers.store.listed("gb-tps")] == [442079460124]
    assert await owner.fetchval("select count(*) from suppressed_numbers") == 1
    kind, subject, payload = await last_evidence(owner)
    assert (kind, subject) == ("list.imported", found.import_id)
    assert (payload["list"], payload["as_of"], payload["file_sha256"]) == (
        "gb-tps",
        "2026-11-01T00:00:00+00:00",
        report.sha256,
    )


async def test_a_list_that_fails_stays_as_it_was(imports: Imports, registers: Registers) -> None:
    """A bad row leaves the import in force untouched."""
    await registers.lists.add("gb-tps", "TPS", ["+44"])
    older = datetime(2026, 10, 1, tzinfo=UTC)
    await imports.listed(sheet("listed", "+442079460123\n"), "gb-tps", older)
    report = await imports.listed(sheet("listed", "+442079460124\nabc\n"), "gb-tps", older + timedelta(days=1))
    assert not report.kept
    assert (await registers.lists.show("gb-tps")).as_of == older
    assert [number async for number in registers.store.listed("gb-tps")] == [442079460123]


async def test_an_older_list_or_one_of_the_future_is_refused(imports: Imports, registers: Registers) -> None:
    """Neither replaces what is in force; an unknown list is an error."""
    await registers.lists.add("gb-tps", "TPS", ["+44"])
    now = clock()
    await imports.listed(sheet("listed", "+442079460123\n"), "gb-tps", now - timedelta(days=1))
    with pytest.raises(RegisterError, match="newer than this one"):
        await imports.listed(sheet("listed", "+442079460123\n"), "gb-tps", now - timedelta(days=2))
    with pytest.raises(RegisterError, match="future"):
        await imports.listed(sheet("listed", "+442079460123\n"), "gb-tps", now + timedelta(days=1))
    with pytest.raises(NotRegistered):
        await imports.listed(sheet("listed", "+442079460123\n"), "nothing", now)


async def test_the_pruner_leaves_what_is_in_force(
    imports: Imports, registers: Registers, owner: asyncpg.Connection
) -> None:
    """With stretches shorter than the copies of one number, every replaced entry goes and no other."""
    lists = [await registers.lists.add(name, "x", ["+44"]) for name in ("one", "two", "three")]
    numbers = [442079460000 + n for n in range(7)]
    for known in lists:
        for import_id in (known.id * 10, known.id * 10 + 1):
            await owner.execute(
                "insert into suppression_imports (id, list_id, as_of, entries, sha256) "
                "overriding system value values ($1, $2, now(), 7, $3)",
                import_id,
                known.id,
                bytes(32),
            )
            await owner.executemany(
                "insert into suppressed_numbers (number, import_id) values ($1, $2)",
                [(number, import_id) for number in numbers],
            )
    assert await registers.store.prune_lists(4) == 21
    assert await owner.fetchval("select count(*) from suppressed_numbers") == 21
    assert await owner.fetchval("select bool_and(import_id % 10 = 1) from suppressed_numbers")
    assert await registers.store.prune_lists(4) == 0


async def test_sellers_and_numbers_are_imported(
    imports: Imports, registers: Registers, owner: asyncpg.Connection
) -> None:
    """Known sellers stay as they are; numbers are canonical; a row for an unknown seller is told."""
    report = await imports.sellers(sheet("sellers", "code,name,industry\nacme,Other,\nbank,Bank,finance\n"))
    assert (report.added, report.known, report.complete) == (1, 1, True)
    assert [(each.code, each.name) for each in await registers.sellers.all()] == [
        ("acme", "Acme Ltd"),
        ("bank", "Bank"),
    ]
    await registers.trunks.add("uk", "GB", TrunkOrigin.DOMESTIC)
    text = "trunk,number,holder,seller\nuk,020 7946 0999,Acme,acme\nuk,+442079460999,Acme,*\n"
    assert (await imports.numbers(sheet("numbers", text))).added == 2
    assert (await imports.numbers(sheet("numbers", text))).known == 2
    numbers = await registers.trunks.numbers()
    assert {(each.number, each.seller) for each in numbers} == {("+442079460999", None), ("+442079460999", "acme")}
    assert (await imports.numbers(sheet("numbers", text + "uk,020 7946 0998,X,nobody\n"))).bad == 1
    assert len(await registers.trunks.numbers()) == 2


async def test_an_imported_consent_lets_a_call_through(
    imports: Imports, settings: Settings, database: Database, registers: Registers
) -> None:
    """What an import records is what the gate reads."""
    number = parse("+8613800138000")
    assert isinstance(number, Number)
    text = "number,granted_at,basis\n138 0013 8000,2026-01-01,written\n"
    assert (await imports.consents(sheet("consents", text), seller="acme", country="CN")).complete
    (record,) = await registers.consents.of(number)
    assert (record.consent.basis, record.recorded_by) == (Basis.WRITTEN, "test")
    async with open_gate(settings, database) as gate:
        facts, verdict = await gate.check(CallRequest("+8613800138000", "acme"), datetime(2026, 11, 24, 2, tzinfo=UTC))
    assert [consent.id for consent in facts.consents] == [record.id]
    assert Reason.NO_CONSENT not in verdict.reasons
