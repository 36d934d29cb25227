"""Who called, did we call, and the proof that we did not."""

from __future__ import annotations

import asyncio
import hashlib
import json
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from dialer.app import Database, Registers
from dialer.bundles import Stretch
from dialer.commands.trace import _claims, _prove
from dialer.complaint_node import open_trace
from dialer.config import Settings
from dialer.errors import HeedlineError, RegisterError
from dialer.evidence_node import open_bundles, open_erasures, seal
from dialer.numbers import Number, parse
from dialer.ports_trace import Fate, Side, Window
from dialer.trace import Trace
from dialer.verifier.command import verify_and_tell
from tests.gate_world import CHINA, NOON, SetClock, World, furnish, open_gate, redeem
from tests.shell import Shell, query

DAY = timedelta(days=1)
HIM = "+442079460123"


@dataclass
class Scene:
    """Two callees: one was called, the other asked for and not allowed."""

    world: World
    trace: Trace
    clock: SetClock
    called: str
    withheld: str
    decision: int


@pytest.fixture
async def scene(database: Database, registers: Registers) -> Scene:
    """A call at noon, one that was not allowed, and an INVITE that was turned away."""
    world, clock = await furnish(registers, CHINA), SetClock()
    called, withheld = await world.callee(), world.fresh()
    async with open_gate(database.dsn, clock) as gate:
        answer = await gate.decide(world.request(called))
        await redeem(gate, answer)
        await redeem(gate, answer)  # a second time: turned away
        await gate.decide(world.request(withheld))
    clock.advance(3600)
    return Scene(world, open_trace(database, "test", clock), clock, called, withheld, answer.decision or 0)


def number(text: str) -> Number:
    """A number as the command reads it."""
    read = parse(text, "CN")
    assert isinstance(read, Number)
    return read


async def test_who_called_and_did_we_call(scene: Scene, owner: asyncpg.Connection) -> None:
    """The callee's calls and those that never left are told apart; a number of ours is taken as shown; a window in
    which nothing was is empty; each question is an entry of that person's."""
    window = scene.trace.window(NOON - DAY, None)
    traced = await scene.trace.ask(number(scene.called), window)
    fates = [call.fate for call in traced.found[Side.CALLEE].calls]
    assert sorted(fates) == [Fate.CALLED, Fate.REJECTED]
    assert traced.found[Side.CLI].calls == ()
    (call,) = [each for each in traced.found[Side.CALLEE].calls if each.fate is Fate.CALLED]
    assert (call.decision, call.presented, call.seller) == (scene.decision, CHINA.presented, "acme")
    assert len(call.consents) == 1
    assert [each.kind for each in call.entries] == ["decision", "permit.redeemed"]
    (refused,) = (await scene.trace.ask(number(scene.withheld), window, Side.CALLEE)).found[Side.CALLEE].calls
    assert (refused.fate, refused.reasons) == (Fate.WITHHELD, ("NO_CONSENT",))
    shown = await scene.trace.ask(number(CHINA.presented), window)
    assert list(shown.found) == [Side.CLI]
    assert len([each for each in shown.found[Side.CLI].calls if each.fate is Fate.CALLED]) == 1
    early = scene.trace.window(NOON - 2 * DAY, NOON - DAY)
    assert (await scene.trace.ask(number(scene.called), early, Side.CALLEE)).found[Side.CALLEE].calls == ()
    looks = await owner.fetch("select callee from evidence_entries where kind = 'lookup' order by id")
    assert [row["callee"] for row in looks][:2] == [number(scene.called).digits, number(scene.withheld).digits]
    with pytest.raises(RegisterError):
        scene.trace.window(NOON, NOON - DAY)


async def test_that_we_did_not_call_is_proven(
    settings: Settings, database: Database, scene: Scene, tmp_path: Path
) -> None:
    """Not before all is sealed; then the bundle opens every call of the window, and the verifier counts those that
    speak of the number: none of one that was not called, one of one that was."""
    strange = number("+8613800138999")
    window = scene.trace.window(NOON - DAY, None)
    with pytest.raises(HeedlineError, match="not sealed"):
        await scene.trace.stretch(await scene.trace.ask(strange, window, Side.CLI))
    await seal(settings, database)
    for asked, count in ((strange, 0), (number(scene.called), 1)):
        traced = await scene.trace.ask(asked, window, Side.CALLEE)
        start, end = await scene.trace.stretch(traced)
        bundle = tmp_path / f"{asked.digits}.zip"
        stretch = Stretch({"number": asked.e164}, start, end, records=traced.document())
        await open_bundles(settings, database, "test").export_stretch(stretch, bundle, languages=("en",))
        text, code = verify_and_tell(bundle, [], [], [], language="en", as_json=True)
        assert code == 0, text
        told = json.loads(text)["facts"]["stretch"]
        assert (told["told"], told["mentioned"], told["start"]) == (1, count, 0)


def test_trace_at_the_command_line(shell: Shell, tmp_path: Path) -> None:
    """A number of nobody is told as never called, with its proof; a proof without its reader, a wrong time and a wrong
    number are errors."""
    assert shell("trace", "+442079460123") == 0
    assert "none of them called +442079460123" in shell.out
    assert "none of them showed +442079460123" in shell.out
    told = shell.json("trace", "+442079460123", "--to-authority", "ICO", "-o", "window.zip", "--from", "2026-01-01")
    assert told["callee"]["called"] == told["cli"]["called"] == 0
    with zipfile.ZipFile(tmp_path / "window.zip") as bundle:
        assert b"ICO" in bundle.read("bundle.json")
    assert shell("evidence", "verify", "window.zip") == 0
    assert shell("trace", "+442079460123", "-o", "x.zip") == 2
    assert shell("trace", "+442079460123", "--from", "yesterday") == 2
    assert shell("trace", "123") == 1
    assert shell("trace", "+442079460123", "--from", "2026-05-02", "--to", "2026-05-01") == 1
    assert "Traceback" not in shell.err


async def test_a_proof_waits_until_its_calls_are_sealed(settings: Settings, database: Database, scene: Scene) -> None:
    """It goes on when they are, and gives up when nobody seals; no window ends later than now."""
    strange = number("+8613800138999")
    window = scene.trace.window(None, scene.clock.now + DAY)
    assert window.until == scene.clock.now
    with pytest.raises(RegisterError):
        scene.trace.window(scene.clock.now + DAY, None)
    impatient = Trace(scene.trace._store, scene.trace._lookups, scene.clock, patience_s=0.01)
    with pytest.raises(HeedlineError, match="1 calls of the window are not sealed"):
        await impatient.provable(strange, window)
    await impatient.provable(strange, Window(NOON - DAY, NOON - timedelta(hours=1)))
    waiting = asyncio.create_task(scene.trace.provable(strange, window))
    await seal(settings, database)
    await waiting


async def test_an_answer_that_is_not_whole_proves_nothing(
    settings: Settings, database: Database, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are more calls than are shown nobody is told that there was none, and nothing is exported."""
    monkeypatch.setattr("dialer.trace.LIMIT", 1)
    await seal(settings, database)
    traced = await scene.trace.ask(number(CHINA.presented), scene.trace.window(NOON - DAY, None))
    (found,) = traced.found.values()
    assert found.more
    assert "at least" in _claims(traced, "en")[0]
    with pytest.raises(HeedlineError, match="more than 1 calls"):
        await scene.trace.stretch(traced)
    monkeypatch.undo()
    monkeypatch.setattr("dialer.trace.MOST_LEAVES", 2)
    traced = await scene.trace.ask(number(CHINA.presented), scene.trace.window(NOON - DAY, None))
    with pytest.raises(HeedlineError, match="a proof holds 2 at most"):
        await scene.trace.stretch(traced)


async def test_erasing_a_person_takes_traces_along(
    settings: Settings, database: Database, scene: Scene, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """That his number was traced, as a callee or as a number that was shown, is his: once he is erased the log holds it
    nowhere, the proof that was made before is good still, and none is made that would write it again."""
    await seal(settings, database)
    him, window = number(scene.called), scene.trace.window(NOON - DAY, None)
    for side in Side:
        await scene.trace.ask(him, window, side)
    traced = await scene.trace.ask(him, window, Side.CLI)
    bundle = tmp_path / "proof.zip"
    await _prove(scene.trace, traced, him, open_bundles(settings, database, "test"), bundle, "ICO")
    await open_erasures(settings, database, "test").erase(him, "asked", despite="an order")
    left = await owner.fetchval(
        "select count(*) from evidence_payloads where callee = $1 or position($2 in payload) > 0",
        him.digits,
        str(him.digits),
    )
    assert left == 0
    assert verify_and_tell(bundle, [], [], [], language="en", as_json=False)[1] == 0
    with pytest.raises(HeedlineError, match="erased person"):
        await scene.trace.provable(him, window)


LOOKS = (
    ("refusal show", "refusal", "show", HIM),
    ("refusal reviews", "refusal", "reviews"),
    ("refusal export", "refusal", "export"),
    ("consent show", "consent", "show", HIM),
    ("consent export", "consent", "export"),
    ("check", "check", HIM, "--seller", "acme"),
    ("policy explain", "policy", "explain", HIM, "--seller", "acme"),
    ("trace", "trace", HIM),
    ("list scrub", "list", "scrub", "numbers.txt", "--seller", "acme"),
    ("complaint list", "complaint", "list"),
)


def test_each_command_that_reads_of_people_is_an_entry(shell: Shell, dsn: str, tmp_path: Path) -> None:
    """One for each look, although nothing is found; those at one person are in his bundle; a login that may not write
    reads nothing, and is told why."""
    numbers = f"{HIM}\n".encode()
    (tmp_path / "numbers.txt").write_bytes(numbers)
    entries = (
        "select string_agg(payload::jsonb ->> 'what', ',' order by id) from evidence_entries where kind = 'lookup'"
    )
    for _, *command in LOOKS:
        shell(*command)
        assert "Traceback" not in shell.err
    assert query(dsn, entries) == ",".join(what for what, *_ in LOOKS)
    details = "select string_agg(payload::jsonb ->> 'detail', ' ') from evidence_entries where kind = 'lookup'"
    assert hashlib.sha256(numbers).hexdigest() in query(dsn, details)
    assert shell("refuse", HIM, "--seller", "acme") == 0  # looks alone make no bundle
    assert shell("evidence", "export", HIM, "-o", "him.zip") == 0
    with zipfile.ZipFile(tmp_path / "him.zip") as bundle:
        told = [json.loads(json.loads(line)["payload"] or "{}") for line in bundle.read("entries.jsonl").splitlines()]
    looks = [each["what"] for each in told if each.get("kind") == "lookup"]
    assert looks == [what for what, *command in LOOKS if HIM in command]
    query(dsn, "do $$ begin execute format('alter database %I set default_transaction_read_only = on', "
               "current_database()); end $$")  # fmt: skip
    for _, *command in LOOKS:
        assert shell(*command) != 0, command
        assert "read-only" in shell.out + shell.err, command
        assert "Traceback" not in shell.err


def test_hostile_words_at_a_trace(shell: Shell) -> None:
    """Each is one error in plain words, and writes no file; a day is meant whole however it is written."""
    for wrong in (
        ("--to-authority", " ", "-o", "x.zip"),
        ("--from", "9999-12-31T23:59:59-23:59"),
        ("--from", "\ud800"),
        ("--from", "2100-01-01"),
        ("--to-authority", "ICO", "-o", "nowhere/x.zip"),
    ):
        assert shell("trace", "+442079460123", *wrong) in (1, 2), wrong
        assert "Traceback" not in shell.err
        assert not Path("x.zip").exists()
    told = shell.json("trace", "+442079460123", "--from", "20260503", "--to", "20260503")
    assert (told["from"], told["to"]) == ("2026-05-03T00:00:00+00:00", "2026-05-03T23:59:59.999999+00:00")
    assert shell("trace", "+442079460123", "--to-authority", "\ud800<b>\x1b[1m", "-o", "x.zip") == 0
    with zipfile.ZipFile("x.zip") as bundle:
        page = bundle.read("report.en.html").decode()
    assert "\\ud800&lt;b&gt;\\x1b[1m" in page
    assert "shows the numbers of everybody" in page
