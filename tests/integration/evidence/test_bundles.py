"""Bundles of a real, small history: what is in them verifies, and nobody else's data is."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pypdfium2  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from db.attempt_store import PostgresAttemptStore
from db.bundle_store import PostgresBundleStore
from dialer.app import Database, Registers, clock
from dialer.bundle_files import Folders
from dialer.bundle_records import Dossier
from dialer.bundles import Asked, Bundles, Exported, Languages, Rendering, Stretch, Tools
from dialer.clips import keep_clip
from dialer.complaint_node import open_lookups
from dialer.config import Settings
from dialer.errors import HeedlineError, NotRegistered
from dialer.evidence.entries import canonical
from dialer.evidence_node import open_bundles, open_log_keys, open_proofs, seal
from dialer.ports_attempts import AttemptFacts
from dialer.ports_bundles import Scope
from dialer.ports_refusals import NewRefusal, NewReview, SpeechArtefact
from dialer.report.document import report_of
from dialer.report.html import page
from dialer.verifier.command import verify_and_tell
from dialer.verifier.note import COSIGNATURE, cosign, verifier_key
from tests.dossiers import dossier
from tests.gate_world import CHINA, SetClock, World, digits, furnish, open_gate, packs, redeem
from tests.shell import Shell, query


@dataclass
class History:
    """One who was called, refused, and was asked for again; another who was called too."""

    callee: str
    other: str
    call: int
    clip: str
    world: World


async def made(settings: Settings, database: Database, registers: Registers, dsn: str) -> History:
    """A small history of two callees, whose calls have one call id."""
    world, at = await furnish(registers, CHINA), SetClock()
    callee, other = await world.callee(), await world.callee()
    clip = keep_clip(b"RIFF don't call again", settings.clips_folder)
    async with open_gate(dsn, at) as gate:
        answer = await gate.decide(world.request(callee))
        await redeem(gate, answer)
        await redeem(gate, await gate.decide(world.request(other)))
        call = answer.decision
        assert call is not None
        facts = AttemptFacts(call, at.now, at.now, at.now, at.now + timedelta(seconds=90), 16, 200, "ANSWER")
        await PostgresAttemptStore(database.pool).record([facts], at.now)
        await refuse(registers, callee, call, clip, at.now + timedelta(seconds=30))
        await refuse(registers, other, call + 1, clip, at.now + timedelta(seconds=30))
        at.advance(100)
        await gate.decide(world.request(callee, call_id="1795500099.7"))
    return History(callee, other, call, clip, world)


async def refuse(registers: Registers, callee: str, call: int, clip: str, at: datetime) -> None:
    """Spoken words that are a refusal, and some that may be one."""
    said = SpeechArtefact("别再打了 \u202e", "别再打了", "cease", 1200, 2750, "zh", "whisper", "00" * 32, clip)
    await registers.refusals.add(
        NewRefusal(digits(callee), "acme", "spoken", at, "1795500000.1", attempt=call, artefact=said)
    )
    await registers.refusals.review(NewReview(digits(callee), "acme", at, said, "1795500000.1", call))


async def nobody() -> None:
    """Nobody vouches."""


def plain(settings: Settings, database: Database, vouch: Callable[[], Awaitable[None]] = nobody) -> Bundles:
    """Bundles without reports, which cost time."""

    def render(_: Dossier, __: Languages) -> Rendering:
        return Rendering({})

    async def sealed() -> None:
        await seal(settings, database)

    tools = Tools(
        render=render,
        render_stretch=lambda _, __, ___: Rendering({}),
        seal=sealed,
        vouch=vouch,
        lookups=open_lookups(database, "test"),
        folders=Folders(settings.artefacts_folder, settings.clips_folder),
        version="0",
        seal_patience_s=0.2,
    )
    return Bundles(PostgresBundleStore(database.pool), open_proofs(database), packs(), clock, "test", tools)


def verified(bundle: Path, keys: Sequence[str]) -> str:
    """What the verifier says of a bundle that is right."""
    text, code = verify_and_tell(bundle, list(keys), [], [], language="en", as_json=False)
    assert code == 0, text
    return text


def kinds(bundle: Path) -> list[str]:
    """The kinds of the entries, in order."""
    return [each["leaf"]["kind"] for each in lines(bundle)]


def lines(bundle: Path) -> list[dict[str, Any]]:
    """The entries."""
    return [json.loads(line) for line in member(bundle, "entries.jsonl").splitlines()]


def member(bundle: Path, name: str) -> bytes:
    """A file of the bundle."""
    with zipfile.ZipFile(bundle) as archive:
        return archive.read(name)


def names(folder: Path) -> set[str]:
    """What is in a folder, drafts too."""
    return {each.name for each in folder.iterdir()}


async def pinned(database: Database) -> list[str]:
    """The keys of the log."""
    return [str(key) for key in await open_proofs(database).keys()]


async def test_everything_of_one_callee_and_nothing_of_another(
    settings: Settings, database: Database, registers: Registers, dsn: str, tmp_path: Path
) -> None:
    """The whole matter, its clip and its reports verify against the pinned key; the other's number is in no file."""
    history, file = await made(settings, database, registers, dsn), tmp_path / "matter.zip"
    exported = await open_bundles(settings, database, "test").export(
        Asked(digits(history.callee)), file, reason="case 7"
    )
    said = verified(file, await pinned(database))
    assert f"{exported.entries} entries, all of them in the log" in said
    assert kinds(file).count("decision") == 2
    wanted = {
        "consent.granted",
        "permit.redeemed",
        "attempt.ended",
        "refusal",
        "number.added",
        "trunk.added",
        "log.key_added",
    }
    assert wanted <= set(kinds(file))
    assert member(file, f"files/{history.clip}") == b"RIFF don't call again"
    assert [each.sha256 for each in exported.missing] == ["07" * 32]
    with zipfile.ZipFile(file) as archive:
        everything = {name: archive.read(name) for name in archive.namelist()}
    english, chinese = (text_of(everything[f"report.{language}.pdf"]) for language in ("en", "zh"))
    everything |= {"words": (english + chinese).encode()}
    assert not [name for name, data in everything.items() if history.other[1:].encode() in data]
    assert "别再打了 \\u202e" in english
    assert "no call left after it" in english
    assert "此后没有呼出" in chinese
    records = json.loads(everything["records.json"])
    assert [call["cause"] for call in records["calls"]] == [16, None]
    assert {rule["id"] for rule in records["rules"]} >= {"CN.refusal", "CN.cap.day", "CN.consent"}
    again = await plain(settings, database).export(Asked(digits(history.callee)), file)
    assert again.entries == exported.entries + 1
    assert kinds(file).count("evidence.exported") == 2


def text_of(pdf: bytes) -> str:
    """The words of a PDF, on one line."""
    with pypdfium2.PdfDocument(pdf) as document:
        return " ".join(" ".join(sheet.get_textpage().get_text_range().split()) for sheet in document)


async def test_one_call(settings: Settings, database: Database, registers: Registers, dsn: str, tmp_path: Path) -> None:
    """By its decision's id one call is exported, with what is known of the callee; a call id of two is refused."""
    history, file = await made(settings, database, registers, dsn), tmp_path / "call.zip"
    bundles = plain(settings, database)
    await bundles.export(Asked(call=str(history.call)), file)
    verified(file, await pinned(database))
    assert (kinds(file).count("decision"), kinds(file).count("refusal")) == (1, 1)
    await bundles.export(Asked(call="1795500099.7"), file)
    assert json.loads(member(file, "records.json"))["calls"][0]["outcome"] == "REFUSE"
    with pytest.raises(NotRegistered, match="calls to 2 people; give the id of one decision: 1, 2"):
        await bundles.export(Asked(call="1795500000.1"), file)
    with pytest.raises(NotRegistered, match="no call `99` is on record"):
        await bundles.export(Asked(call="99"), file)


async def test_what_is_erased_and_what_is_lost(
    settings: Settings, database: Database, registers: Registers, dsn: str, tmp_path: Path, owner: asyncpg.Connection
) -> None:
    """Of erased entries the leaf stays, with the entry that erased them; a lost and a forged clip are named; all
    verifies, an earlier bundle too."""
    history, file = await made(settings, database, registers, dsn), tmp_path / "call.zip"
    bundles = plain(settings, database)
    await bundles.export(Asked(call=str(history.call)), tmp_path / "before.zip")
    entry = await erase(owner, "decision", history.call)
    clip = next(settings.clips_folder.glob("*/*.wav"))
    clip.write_bytes(b"forged")
    exported = await bundles.export(Asked(call=str(history.call)), file)
    assert {each.missing for each in exported.missing} == {"elsewhere", "changed"}
    assert f"files/{history.clip}" not in zipfile.ZipFile(file).namelist()
    verified(file, await pinned(database))
    verified(tmp_path / "before.zip", await pinned(database))
    (erased,) = [each for each in lines(file) if each["leaf"]["entry"] == entry]
    assert (erased["salt"], erased["payload"]) == (None, None)
    assert "evidence.erased" in kinds(file)


async def erase(owner: asyncpg.Connection, kind: str, subject: int) -> int:
    """What an entry says goes, and another says so; the id of the first."""
    entry: int = await owner.fetchval("select id from evidence where kind = $1 and subject = $2", kind, subject)
    said = {"kind": "evidence.erased", "basis": "request", "reason": "asked", "rules": [], "entries": [[entry, entry]]}
    async with owner.transaction():
        await owner.execute("select set_config('heedline.erasing', pg_current_xact_id()::text, true)")
        await owner.execute("delete from evidence_payloads where entry = $1", entry)
        await owner.execute(
            "select evidence_write(now(), 'evidence.erased'::text, null::bigint, null::bigint, $1::text)",
            canonical(said),
        )
    return entry


async def test_three_hundred_decisions(
    settings: Settings, database: Database, registers: Registers, dsn: str, tmp_path: Path
) -> None:
    """A matter of many calls is exported whole, and verifies."""
    history, file = await made(settings, database, registers, dsn), tmp_path / "many.zip"
    async with open_gate(dsn, SetClock(), max_batch=100) as gate:
        await asyncio.gather(*[gate.decide(history.world.request(history.callee)) for _ in range(300)])
    exported = await plain(settings, database).export(Asked(digits(history.callee)), file)
    verified(file, await pinned(database))
    assert (kinds(file).count("decision"), exported.files) == (302, 5)


async def test_a_key_that_is_replaced(
    settings: Settings, database: Database, registers: Registers, dsn: str, tmp_path: Path
) -> None:
    """A bundle that is made after the key was replaced verifies with the key from before."""
    history, file = await made(settings, database, registers, dsn), tmp_path / "matter.zip"
    await seal(settings, database)
    old = await pinned(database)
    await open_log_keys(settings, database, "test").rotate()
    await plain(settings, database).export(Asked(digits(history.callee)), file)
    verified(file, old)


COMPLAIN = """
with complaint as (
    insert into complaints (case_number, source, callee, channel, received_at, due_at, text, refusal_id, recorded_by)
    values ('12321-7', '12321', $1, 'web', now(), now(), '总打电话', 1, 'test') returning id
), tied as (
    insert into complaint_calls select id, unnest($2::bigint[]), true, now(), 'test' from complaint
)
select id from complaint where evidence_write(now(), 'complaint.received', id, null, '{}') > 0
"""


async def test_a_complaint(
    settings: Settings, database: Database, registers: Registers, dsn: str, tmp_path: Path, owner: asyncpg.Connection
) -> None:
    """It is exported with its callee's matter around its calls; a call of another that was tied to it is not told."""
    history, file = await made(settings, database, registers, dsn), tmp_path / "complaint.zip"
    complaint = await owner.fetchval(COMPLAIN, digits(history.callee), [history.call, history.call + 1])
    await plain(settings, database).export(Asked(complaint=complaint), file)
    verified(file, await pinned(database))
    assert {"complaint.received", "refusal", "decision"} <= set(kinds(file))
    records = json.loads(member(file, "records.json"))
    assert [call["id"] for call in records["calls"]] == [history.call]
    assert records["complaints"][0]["case_number"] == "12321-7"
    report = report_of(await dossier_of(database, complaint), "zh")
    assert "总打电话" in page(report).decode()
    with pytest.raises(NotRegistered, match="there is no complaint 99"):
        await plain(settings, database).export(Asked(complaint=99), file)


async def dossier_of(database: Database, complaint: int) -> Dossier:
    """What the report of a complaint is made of."""
    async with PostgresBundleStore(database.pool).snapshot() as reader:
        found = await reader.complaint(complaint)
        assert found is not None
        return dossier(await reader.gather(Scope(*found, complaint)), subject={"complaint": complaint})


async def test_who_vouches_for_it(
    settings: Settings, database: Database, registers: Registers, dsn: str, tmp_path: Path, owner: asyncpg.Connection
) -> None:
    """Of the checkpoints that cover the export the one that a witness has signed is taken, with its time stamp."""
    history, file = await made(settings, database, registers, dsn), tmp_path / "matter.zip"
    key = Ed25519PrivateKey.generate()

    async def vouch() -> None:
        await registers.sellers.add("late", "Late Ltd")
        await seal(settings, database)
        newest = await open_proofs(database).latest()
        assert newest is not None
        line = str(cosign(newest.note.text, "witness", key, clock()))
        await owner.execute("insert into cosignatures values ($1, 'w', $2, now())", newest.checkpoint.size, line)
        await owner.execute("insert into timestamps values ($1, 'a', $2, now())", newest.checkpoint.size, b"token")

    exported = await plain(settings, database, vouch).export(Asked(digits(history.callee)), file)
    assert (exported.cosignatures, exported.timestamps) == (1, 1)
    assert member(file, "timestamps/1.tsr") == b"token"
    witness = str(verifier_key("witness", key, COSIGNATURE))
    other = str(verifier_key("witness", Ed25519PrivateKey.generate(), COSIGNATURE))
    false = [falsehoods(file, await pinned(database), each) for each in (witness, other)]
    assert ["timestamps/1.tsr" in each[0] for each in false] == [True, False]
    assert [len(each) for each in false] == [1, 2]


def falsehoods(bundle: Path, keys: Sequence[str], witness: str) -> list[str]:
    """What the verifier finds false when this witness must have signed."""
    text, _ = verify_and_tell(bundle, list(keys), [witness], [], language="en", as_json=False)
    return [line for line in text.splitlines() if line.startswith("FALSE:  ")]


async def test_nothing_is_known(
    settings: Settings, database: Database, tmp_path: Path, owner: asyncpg.Connection
) -> None:
    """It is an error and no file; that somebody looked is an entry, and no reason for a bundle the next time."""
    bundles = plain(settings, database)
    for _ in range(2):
        with pytest.raises(NotRegistered, match=r"nothing is on record of `\+442079460123`"):
            await bundles.export(Asked(442079460123), tmp_path / "a.zip")
    assert names(tmp_path) == set()
    looks = await owner.fetch("select callee, payload from evidence_entries where kind = 'lookup'")
    assert [row["callee"] for row in looks] == [442079460123] * 2
    assert json.loads(looks[0]["payload"])["what"] == "export"


async def test_nobody_seals(settings: Settings, database: Database, registers: Registers, tmp_path: Path) -> None:
    """Without a service and without the key here the error says so, and no file is left."""
    world = await furnish(registers, CHINA)
    callee = await world.callee()
    await seal(settings, database)
    for key in settings.keys_folder.glob("log-*.key"):
        key.unlink()
    with pytest.raises(HeedlineError, match="is `heedline serve` running"):
        await plain(settings, database).export(Asked(digits(callee)), tmp_path / "a.zip")
    assert names(tmp_path) == {"home"}


async def test_a_stretch(
    settings: Settings, database: Database, registers: Registers, dsn: str, tmp_path: Path, owner: asyncpg.Connection
) -> None:
    """Every leaf of a stretch is there, those that say that a call left are opened, and the whole verifies."""
    await made(settings, database, registers, dsn)
    await seal(settings, database)
    gone = await erase(owner, "permit.redeemed", 2)
    bundles, file = plain(settings, database), tmp_path / "stretch.zip"
    exported: Exported = await bundles.export_stretch(Stretch({"cli": "+862161234567"}, 2, 12), file)
    verified(file, await pinned(database))
    inside = [each for each in lines(file) if 2 <= each["index"] < 12]
    assert [each["index"] for each in inside] == list(range(2, 12))
    assert [each["leaf"]["entry"] == gone for each in inside if each["leaf"]["kind"] == "permit.redeemed"] == [
        False,
        True,
    ]
    assert [each["leaf"]["kind"] for each in inside if each["payload"]] == ["permit.redeemed"]
    assert json.loads(member(file, "bundle.json"))["subject"] == {"trace": {"cli": "+862161234567"}}
    assert exported.entries > 10
    for start, end in ((2, 900), (-1, 3), (3, 3)):
        with pytest.raises(HeedlineError, match=f"has no stretch from {start} to {end}"):
            await bundles.export_stretch(Stretch({}, start, end), file)


def test_the_command(shell: Shell, tmp_path: Path, dsn: str) -> None:
    """It makes the bundle, says what is missing, and `verify` accepts it; a target that cannot be is an error before
    anything is logged."""
    assert shell("consent", "add", "+442079460123", "--seller", "acme") == 0
    arguments = ["evidence", "export", "+442079460123", "--language", "en", "--reason", "case 7"]
    assert shell(*arguments, "-o", str(tmp_path / "nowhere" / "a.zip")) == 1
    assert "cannot be written: no such file or directory" in shell.err
    assert query(dsn, "select count(*) from evidence where kind = 'evidence.exported'") == 0
    told = shell.json(*arguments, "-o", "a.zip")
    assert (told["missing"], told["left_out"]) == ([], [])
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        reports = {name for name in archive.namelist() if name.startswith("report.")}
    assert reports == {"report.en.html", "report.en.pdf"}
    assert shell("evidence", "verify", "a.zip") == 0
    (tmp_path / "letter.pdf").write_bytes(b"do not call")
    assert shell("refuse", "+442079460123", "--seller", "acme", "--artefact", "letter.pdf") == 0
    next((tmp_path / "home" / "artefacts").iterdir()).unlink()
    assert shell(*arguments, "-o", "a.zip") == 0
    assert "of refusal 1: not in this node's folders" in shell.out
    assert shell("evidence", "export", "-o", "b.zip") == 2
    assert shell("evidence", "export", "+442079460123", "--call", "1", "-o", "b.zip") == 2
    assert shell("evidence", "export", "--call", "7", "-o", "b.zip") == 1
    assert "no call `7` is on record" in shell.err
    assert not (tmp_path / "b.zip").exists()
