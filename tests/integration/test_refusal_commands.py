"""Refusals, near misses and tokens by command on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dialer.app import open_database, open_refusal_store, open_registers, open_tokens
from dialer.clips import keep_clip
from dialer.config import load
from dialer.ports_refusals import KeyArtefact, NewRefusal, NewReview, Prompt, SpeechArtefact
from tests.shell import Shell, query

CALLEE, DIGITS = "+442079460123", 442079460123
AT = datetime(2026, 3, 4, 4, 5, 6, 789, tzinfo=UTC)


def spoken(clip: str = "11" * 32) -> SpeechArtefact:
    """What was heard."""
    return SpeechArtefact("well\x1b[2J stop it", "stop it", "cease", 0, 900, "en", "moonshine", "00" * 32, clip)


def near_miss(clip: str = "11" * 32) -> int:
    """A near miss on record; its id."""

    async def work() -> int:
        async with open_database(load()) as database:
            refusals = open_registers(database, "service").refusals
            return await refusals.review(NewReview(DIGITS, "acme", AT, spoken(clip), "c-1"))

    return asyncio.run(work())


def record(*refusals: NewRefusal) -> None:
    """Refusals that came another way."""

    async def work() -> None:
        async with open_database(load()) as database:
            for refusal in refusals:
                await open_registers(database, "service").refusals.add(refusal)

    asyncio.run(work())


def test_refuse_is_refusal_add(shell: Shell) -> None:
    """The short form records, with the same words, what the long form does; a redial is refused."""
    assert shell("refuse", CALLEE, "--seller", "acme", "--note", " said:\n stop ") == 0
    assert shell("refusal", "add", CALLEE, "--all-sellers") == 0
    first, second = shell.json("refusal", "show", CALLEE)["refusals"]
    assert (first["seller"], first["how"], first["note"]) == ("acme", "agent", "said: stop")
    assert (second["seller"], second["how"]) == (None, "agent")
    assert "GB" in first["rule"]
    assert shell("check", CALLEE, "--seller", "acme") == 3


def test_a_refusal_keeps_its_form(shell: Shell, tmp_path: Path) -> None:
    """The file is copied under its hash, and the refusal names it; without the file nothing is recorded."""
    (tmp_path / "letter.pdf").write_bytes(b"do not call")
    sha256 = hashlib.sha256(b"do not call").hexdigest()
    made = shell.json("refuse", CALLEE, "--all-sellers", "--how", "complaint", "--artefact", "letter.pdf")
    kept = {"kind": "form", "sha256": sha256, "media_type": "application/pdf", "location": f"artefacts/{sha256}"}
    assert made["artefact"] == kept
    (refusal,) = shell.json("refusal", "show", CALLEE)["refusals"]
    assert refusal["artefact"] == kept
    assert (tmp_path / "home" / kept["location"]).read_bytes() == b"do not call"
    assert shell("refuse", CALLEE, "--all-sellers", "--artefact", "missing.pdf") == 1
    assert "cannot be kept: no such file" in shell.err
    assert len(shell.json("refusal", "show", CALLEE)["refusals"]) == 1


def test_a_note_that_is_too_long(shell: Shell) -> None:
    """It is an error with a cure, not a refusal that cannot be exported."""
    assert shell("refuse", CALLEE, "--all-sellers", "--note", "n" * 501) == 1
    assert "more than 500 characters; shorten it" in shell.err
    assert shell.json("refusal", "show", CALLEE)["refusals"] == []


def test_show_tells_what_proves_it(shell: Shell) -> None:
    """Artefact, attempt and receipt are there for programs, a few words for people, and nothing moves the cursor."""
    key = KeyArtefact("9", Prompt.ANNOUNCEMENT)
    record(
        NewRefusal(DIGITS, "acme", "keyed", AT, "c-1", attempt=7, artefact=key, receipt="spool:1"),
        NewRefusal(DIGITS, "acme", "spoken", AT, artefact=spoken(), note="a\x1b[2Jb"),
    )
    keyed, said = shell.json("refusal", "show", CALLEE)["refusals"]
    assert (keyed["attempt"], keyed["receipt"], keyed["call_id"]) == (7, "spool:1", "c-1")
    assert keyed["artefact"] == key.document()
    assert said["artefact"]["transcript"] == "well\x1b[2J stop it"
    assert shell("refusal", "show", CALLEE) == 0
    assert "key 9 (announcement)" in shell.out
    assert r"said: well\x1b[2J stop it" in shell.out
    assert "\x1b" not in shell.out


def test_near_misses_await_a_person(shell: Shell, tmp_path: Path) -> None:
    """They are shown with what was said and the clip; confirmed, one is a refusal of the time when it was said."""
    clip = keep_clip(b"RIFF", tmp_path / "home" / "clips")
    ids = [near_miss(clip), near_miss("22" * 32), near_miss("")]
    found = shell.json("refusal", "reviews")
    assert [each["id"] for each in found] == ids
    assert Path(found[0]["clip_file"]).read_bytes() == b"RIFF"
    assert [each["clip_file"] for each in found[1:]] == [None, None]
    assert shell("refusal", "reviews", "--limit", "1") == 0
    assert found[0]["clip_file"] in shell.out
    assert r"well\x1b[2J stop it" in shell.out
    assert "stop it (cease)" in shell.out
    assert shell("refusal", "confirm", str(ids[0])) == 0
    (refusal,) = shell.json("refusal", "show", CALLEE)["refusals"]
    assert (refusal["how"], datetime.fromisoformat(refusal["at"])) == ("spoken", AT)
    assert refusal["receipt"] == f"review:{ids[0]}"
    assert shell("refusal", "dismiss", str(ids[1])) == 0
    assert [each["id"] for each in shell.json("refusal", "reviews")] == [ids[2]]
    assert [each["decision"] for each in shell.json("refusal", "reviews", "--decided")] == ["dismissed", "refusal"]


def test_a_near_miss_is_decided_once(shell: Shell) -> None:
    """Told again, a decision changes nothing; the other one is an error, and so is a near miss that is none."""
    id = str(near_miss())
    first = shell.json("refusal", "confirm", id)
    assert shell.json("refusal", "confirm", id) == first
    assert shell("refusal", "dismiss", id) == 1
    assert "was decided by" in shell.err
    assert len(shell.json("refusal", "show", CALLEE)["refusals"]) == 1
    assert shell("refusal", "dismiss", "999") == 1
    assert "no near miss `999`; see `heedline refusal reviews`" in shell.err


def test_an_export_imported_again_adds_nothing(shell: Shell, dsn: str) -> None:
    """Whatever is on record, hostile and overlong notes too: each row is known, and nothing changes."""
    far = AT - timedelta(days=20_000)
    record(
        NewRefusal(DIGITS, None, "keyed", AT, artefact=KeyArtefact("9", Prompt.CALL), receipt="1"),
        NewRefusal(DIGITS, "acme", "inbound_call", far, note="=cmd()\n\u3000x\u202e"),
        NewRefusal(DIGITS, "acme", "complaint", AT, note="n" * 5000),
        NewRefusal(DIGITS, "acme", "complaint", AT + timedelta(microseconds=1), note="'quoted"),
    )
    before = shell.json("refusal", "show", CALLEE)
    assert shell("refusal", "export", "-o", "refusals.csv") == 0
    assert shell("refusal", "import", "refusals.csv") == 0
    assert "0 added, 4 known already, 0 bad" in shell.out
    assert shell.json("refusal", "show", CALLEE) == before
    assert query(dsn, "select count(*) from refusals") == 4


def test_an_export_is_whole_elsewhere(shell: Shell, tmp_path: Path) -> None:
    """Read as CSV it gives every refusal with seller, instant and way; a row for all sellers says so."""
    record(NewRefusal(DIGITS, None, "spoken", AT, artefact=spoken()), NewRefusal(DIGITS, "acme", "web", AT))
    assert shell("refusal", "export") == 0
    rows = list(csv.DictReader(io.StringIO(shell.out)))
    assert [(row["number"], row["seller"], row["how"], row["at"]) for row in rows] == [
        (CALLEE, "*", "spoken", AT.isoformat()),
        (CALLEE, "acme", "web", AT.isoformat()),
    ]


def test_tokens(shell: Shell) -> None:
    """A token is printed once, alone on standard output; listed without itself; good until it is revoked."""
    arguments = ["--scope", "refusals:write", "--scope", "refusals:read", "--seller", "acme", "--days", "30"]
    assert shell("token", "add", "crm", *arguments) == 0
    token = shell.out.strip()
    assert token.startswith("hdl_")
    (listed,) = shell.json("token", "list")
    assert token not in shell.out
    assert (listed["scopes"], listed["seller"]) == (["refusals:read", "refusals:write"], "acme")
    left = datetime.fromisoformat(listed["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < left <= timedelta(days=30)
    assert asyncio.run(known(token)) == "crm"
    assert shell("token", "revoke", "crm") == 0
    assert asyncio.run(known(token)) is None
    assert shell("token", "revoke", "crm") == 1
    assert "no token `crm` is in force" in shell.err
    assert shell("token", "list") == 0
    assert "crm" in shell.out


def test_tokens_that_are_not_made(shell: Shell) -> None:
    """An unknown seller, a name twice, no scope: an error or wrong usage, and no token."""
    assert shell("token", "add", "crm", "--scope", "refusals:read", "--seller", "nobody") == 1
    assert "seller `nobody` is not registered" in shell.err
    assert shell("token", "add", "crm") == 2
    assert shell("token", "add", "crm", "--scope", "everything") == 2
    assert shell("token", "add", "crm", "--scope", "refusals:read", "--days", "0") == 2
    made = shell.json("token", "add", "crm", "--scope", "refusals:read")
    assert made["token"].startswith("hdl_")
    assert shell("token", "add", "crm", "--scope", "refusals:read") == 1
    assert [each["name"] for each in shell.json("token", "list")] == ["crm"]


async def known(token: str) -> str | None:
    """Whose token it is."""
    async with open_database(load()) as database:
        record: Any = await open_tokens(database, "test").authenticate(token)
        assert await open_refusal_store(database).reviews() == []
        return record.name if record else None
