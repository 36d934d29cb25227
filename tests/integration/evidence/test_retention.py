"""The end of records' time on a real PostgreSQL, and the commands."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from dialer.app import Database, Registers, clock
from dialer.clips import keep_clip
from dialer.config import Settings
from dialer.errors import ConfigError
from dialer.evidence_node import open_retention
from dialer.ports_refusals import NewRefusal, NewReview, SpeechArtefact
from dialer.retention import Retention
from dialer.verdict import Reason
from tests.gate_world import CHINA, SELLER, SetClock, digits, furnish, open_gate
from tests.shell import Shell


def retention(settings: Settings, database: Database, **keep_days: int) -> Retention:
    """With these settings."""
    evidence = settings.evidence.model_copy(update={"keep_days": keep_days})
    return open_retention(settings.model_copy(update={"evidence": evidence}), database, "test")


async def test_records_go_at_the_end_of_their_time_and_refusals_bind_still(
    settings: Settings, database: Database, registers: Registers, owner: asyncpg.Connection
) -> None:
    """Of two kinds of age only the old goes; what counts under a cap stays; a refusal and a withdrawn consent bar by
    their hash; a recording's file goes before its refusal; an entry says so for each."""
    world = await furnish(registers, CHINA)
    now = clock()
    old, new, withdrawn = world.fresh(), world.fresh(), world.fresh()
    times = SetClock(now - timedelta(days=400))
    for callee in (old, new):
        await world.consent(callee)
    async with open_gate(database.dsn, times, erasure=database.erasure) as gate:
        await gate.decide(world.request(old))
        times.now = now - timedelta(days=1)
        await gate.decide(world.request(new))
    clip = keep_clip(b"RIFF of his voice", settings.clips_folder)
    words = SpeechArtefact("stop", "stop", "cease", 0, 900, "en", "moonshine", "00" * 32, clip)
    heard = NewReview(digits(old), SELLER, now - timedelta(days=500), words)
    await registers.refusals.confirm(await registers.refusals.review(heard))
    await registers.refusals.add(NewRefusal(digits(new), SELLER, "agent", now - timedelta(days=1)))
    await world.consent(withdrawn)
    await owner.execute(
        "update consents set withdrawn_at = $2, granted_at = $2::timestamptz - interval '9 days' where callee = $1",
        digits(withdrawn),
        now - timedelta(days=1200),
    )

    assert (await retention(settings, database).run()).records == {}
    dry = await retention(settings, database, decision=380, recording=40).run(dry=True)
    assert dry.records["decisions"] == 1
    swept = await retention(settings, database, decision=380, recording=40).run()
    assert swept.records == dry.records
    assert swept.files == 1
    assert not list(settings.clips_folder.rglob("*.wav"))
    assert await owner.fetchval("select count(*) from refusals") == 2
    assert [row[0] for row in await owner.fetch("select callee from decisions order by id")] == [None, digits(new)]
    assert await owner.fetchval("select count(*) from attempts where callee is null") == await owner.fetchval(
        "select count(*) from attempts a join decisions d on d.id = a.decision_id where d.callee is null"
    )

    swept = await retention(settings, database, refusal=365, consent=1100).run()
    assert (swept.records["refusals"], swept.records["consents"]) == (1, 1)
    assert [row[0] for row in await owner.fetch("select callee from refusals")] == [digits(new)]
    async with open_gate(database.dsn, times, erasure=database.erasure) as gate:
        for callee in (old, new, withdrawn):
            assert Reason.REFUSED in (await gate.check(world.request(callee)))[1].reasons
    said = [
        json.loads(row[0])
        for row in await owner.fetch("select payload from evidence_entries where kind = 'evidence.erased' order by id")
    ]
    assert {each["basis"] for each in said} == {"retention"}
    rules = {rule: days for each in said for rule, days in each["rules"]}
    assert rules.items() >= {"evidence.keep_days.decision": 380, "CN.retention.decision": 30}.items()
    again = await retention(settings, database, decision=380, recording=40, refusal=365, consent=1100).run()
    assert set(again.records.values()) == {0}


async def test_settings_below_a_floor_are_an_error_that_names_the_rule(
    settings: Settings, database: Database, registers: Registers
) -> None:
    """Nothing is erased by them."""
    await furnish(registers, CHINA)
    with pytest.raises(ConfigError, match=r"`evidence.keep_days.decision` is 29, below the 30 days of rule `CN.reten"):
        await retention(settings, database, decision=29).run()
    assert {term.kind: term.days for term in await retention(settings, database, decision=30).check()}["decision"] == 30


def test_the_commands_tell_what_they_do(shell: Shell, tmp_path: Path) -> None:
    """Erasing asks for a reason, is refused under a floor with both cures, says what would go, and what remains; the
    exports hold nothing of the number."""
    assert shell("consent", "add", "+8613812345678", "--seller", "acme") == 0
    assert shell("evidence", "erase", "+8613812345678") == 2
    assert "--reason" in shell.err
    assert shell("evidence", "erase", "+8613812345678", "--reason", "asked") == 1
    assert "CN.retention.consent.voice" in shell.err
    assert "--when-due" in shell.err
    assert "--despite-retention" in shell.err
    assert shell("evidence", "erase", "+8613812345678", "--reason", "no 138 1234 5678", "--when-due") == 1
    assert "holds the number" in shell.err
    plan = shell.json("evidence", "erase", "+8613812345678", "--dry-run")
    assert plan["records"] == {"consents": 1}
    arguments = ("evidence", "erase", "+8613812345678", "--reason", "asked", "--despite-retention", "order 7")
    done = shell.json(*arguments)
    assert (done["entries"], done["pending_until"]) == (1, None)
    assert done["rewritten"]["failed"] == {}
    for export in (("consent", "export"), ("refusal", "export")):
        assert shell(*export) == 0
        assert "13812345678" not in shell.out
    checked = shell.json("check", "+8613812345678", "--seller", "acme", "--at", "2026-10-21T10:00+08:00")
    assert "REFUSED" in [reason["code"] for reason in checked["reasons"]]
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("number\n+8613812345678\n", "utf-8")
    assert shell("list", "scrub", str(numbers), "--seller", "acme") == 0
    assert "REFUSED" in shell.out
    (tmp_path / "home" / "keys" / "erasure.key").unlink()
    assert shell("list", "scrub", str(numbers), "--seller", "acme") == 1
    assert "erasure.key" in shell.err
