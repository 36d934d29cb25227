"""What is done to a sealed log by somebody who has all rights on the database, what detects it, and what is said
(`tests/corpus/evidence_tampering.md` is the table)."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from db.embedded import EmbeddedServer, database_dsn
from db.log_store import PostgresLogStore
from db.pool import open_pool
from dialer.config import Settings, load
from dialer.consistency import compare
from dialer.errors import LogFault
from dialer.evidence_node import open_sealer
from dialer.fsck.faults import FaultKind
from dialer.proofs import Proofs
from dialer.verifier.consistency import verify_consistency
from dialer.verifier.note import read_checkpoint, read_note
from dialer.verifier.report import Degree
from dialer.witness import Witness
from dialer.witness_key import witness_key
from tests.forgeries import FORGERIES, STATEMENTS
from tests.gate_world import SetClock
from tests.integration.conftest import _TEMPLATE
from tests.shell import Shell
from tests.tampered_log import SoundLog, checked, maintain, make_log

_clones = count(1)


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    name: str
    by: str
    said: str


def table() -> list[Case]:
    """The rows of the table."""
    text = Path(__file__).parents[2].joinpath("corpus", "evidence_tampering.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [Case(name, by, said) for name, _, by, said in rows[1:]]


def cases(*by: str) -> pytest.MarkDecorator:
    """Those that one of these tools detects."""
    chosen = [case for case in table() if case.by in by]
    return pytest.mark.parametrize("case", chosen, ids=[case.name for case in chosen])


@pytest.fixture(scope="module")
def log(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundLog]:
    """A log that nobody has touched."""
    log = asyncio.run(make_log(server, _TEMPLATE, tmp_path_factory.mktemp("sound")))
    yield log
    for name in (log.name, log.old):
        asyncio.run(maintain(server, f'drop database "{name}" with (force)'))


@asynccontextmanager
async def forged(log: SoundLog, case: str = "") -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees the log as the case leaves it; nobody else does, and nothing of it stays."""
    connection = await asyncpg.connect(log.dsn)
    try:
        await connection.execute("begin; set local session_replication_role = replica")
        await forge(connection, log, case.partition(",")[0])
        yield connection
    finally:
        await connection.close()


async def forge(connection: asyncpg.Connection, log: SoundLog, case: str) -> None:
    """Do what the case says; no trigger and no foreign key hinders it."""
    if case in STATEMENTS:
        await connection.execute(STATEMENTS[case])
    elif case:
        await FORGERIES[case](connection, log)


def proofs_on(connection: asyncpg.Connection) -> Proofs:
    """Proofs from what this connection sees."""
    return Proofs(PostgresLogStore(connection))  # it answers as a pool does


@pytest.fixture
def earlier(log: SoundLog, tmp_path: Path) -> str:
    """A file with the checkpoint that somebody was given before."""
    file = tmp_path / "earlier.txt"
    file.write_text(log.earlier, "utf-8")
    return str(file)


async def test_a_sound_log_is_clean(log: SoundLog) -> None:
    """Nothing is found in a log that nobody has touched, against everything that was kept of it."""
    async with forged(log) as connection:
        found = await checked(connection, log, [log.kept])
    assert [fault.text() for fault in found.findings.faults] == []
    assert (found.size, found.waiting, found.checkpoints) == (log.size, 1, 3)
    assert log.size > 512


@cases("fsck")
async def test_fsck_detects(log: SoundLog, case: Case) -> None:
    """What was done is found in the raw rows alone, by name, and not under a heap of what follows from it."""
    async with forged(log, case.name) as connection:
        found = await checked(connection, log)
    told = [fault.text() for fault in found.findings.faults]
    assert any(case.said in text for text in told), told
    assert found.findings.total <= 4 or case.name in ("entry and leaf inserted", "key deleted")
    assert all(fault.text("zh") and fault.kind.suggests("zh") for fault in found.findings.faults)


@cases("fsck, kept")
async def test_fsck_detects_by_what_was_kept(log: SoundLog, case: Case) -> None:
    """A log that was made anew as a whole is clean in itself; the checkpoint that was kept outside tells."""
    async with forged(log, case.name) as connection:
        assert (await checked(connection, log)).clean
        found = await checked(connection, log, [log.kept])
    (fault,) = found.findings.faults
    assert case.said in fault.text()
    assert str(log.settings.keys_folder) in fault.text()


@cases("consistency, earlier")
async def test_consistency_detects(log: SoundLog, case: Case, earlier: str) -> None:
    """Who was given a checkpoint before sees that the log of today does not go on from it."""
    async with forged(log) as connection:
        sound = await compare(proofs_on(connection), earlier, "latest")
        assert sound.fault is None
        newest = str(sound.proof()["new"])
    if case.name.startswith("truncated"):
        await asyncio.to_thread(Path(earlier).write_text, newest, "utf-8")
    async with forged(log, case.name) as connection:
        found = await compare(proofs_on(connection), earlier, "latest")
    assert found.fault is not None
    assert case.said in found.fault.what.english + found.fault.suggests.english


@cases("verifier, pinned")
async def test_a_pinned_verifier_detects(log: SoundLog, case: Case) -> None:
    """Who was given the log's key believes no other, though the log is consistent with itself."""
    async with forged(log, case.name) as connection:
        found = await compare(proofs_on(connection), "latest", "latest")
    assert found.fault is None
    report = verify_consistency(json.dumps(found.proof()).encode(), [log.key])
    told = [finding.said.english for finding in report.of(Degree.FALSE)]
    assert any(case.said in text for text in told), told


@cases("witness")
async def test_a_witness_refuses(log: SoundLog, case: Case, tmp_path: Path) -> None:
    """A witness who has signed the earlier checkpoint signs none that does not go on from it, or of another key."""
    witness = Witness(tmp_path, witness_key(tmp_path), {log.key.name: [log.key]}, SetClock())
    assert (await witness.add_checkpoint(f"old 0\n\n{log.earlier}".encode())).status == 200
    size = read_checkpoint(read_note(log.earlier).text).size
    async with forged(log, case.name) as connection:
        proofs = proofs_on(connection)
        latest = await proofs.latest()
        assert latest is not None
        path = await proofs.consistency(size, latest.checkpoint.size)
    lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in path)
    answer = await witness.add_checkpoint(f"old {size}\n{lines}\n{latest.note}".encode())
    assert answer.status in (403, 422)
    assert case.said in answer.text


@cases("sealing")
def test_the_sealer_refuses(log: SoundLog, case: Case, tmp_path: Path) -> None:
    """The node that signed the log before signs nothing more of it, and says why."""

    async def seal(settings: Settings) -> None:
        pool = await open_pool(settings.database.url, max_size=2)
        try:
            await open_sealer(settings, pool).seal()
        finally:
            await pool.close()

    is_old = case.name.startswith("old")
    with cloned(log, tmp_path, log.old if is_old else log.name) as settings:
        if not is_old:
            asyncio.run(forge_for_good(settings, log, case.name.partition(",")[0]))
        with pytest.raises(LogFault) as refused:
            asyncio.run(seal(settings))
    assert case.said in str(refused.value)


@contextmanager
def cloned(log: SoundLog, folder: Path, name: str) -> Iterator[Settings]:
    """Settings of a home with the log's keys, on a copy of a database."""
    clone = f"heedline_forged_{next(_clones)}"
    asyncio.run(maintain(log.server, f'create database "{clone}" template "{name}"'))
    shutil.copytree(log.settings.keys_folder, folder / "home" / "keys")
    dsn = database_dsn(log.server.maintenance_dsn, clone)
    try:
        yield load({"HEEDLINE_HOME": str(folder / "home"), "HEEDLINE_DATABASE_URL": dsn})
    finally:
        asyncio.run(maintain(log.server, f'drop database "{clone}" with (force)'))


async def forge_for_good(settings: Settings, log: SoundLog, case: str) -> None:
    """Do what the case says, for everyone to see."""
    owner = await asyncpg.connect(settings.database.url)
    await owner.execute("set session_replication_role = replica")
    await forge(owner, log, case)
    await owner.close()


def test_every_forgery_is_in_the_table() -> None:
    """The table and the forgeries have the same cases, and every kind of fault has its words in both languages."""
    named = {case.name.partition(",")[0] for case in table()}
    assert named == {*STATEMENTS, *FORGERIES}
    for kind in FaultKind:
        assert kind.suggests("en") != kind.suggests("zh")


def test_the_commands_tell(
    log: SoundLog, tmp_path: Path, earlier: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`evidence fsck` and `evidence consistency` end with 0, 1 or 2; what they say is for people, or JSON."""
    shell, proof = Shell(capsys), tmp_path / "proof.json"
    for name in ("HEEDLINE_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    with cloned(log, tmp_path, log.name) as settings:
        monkeypatch.setenv("HEEDLINE_HOME", str(settings.home))
        monkeypatch.setenv("HEEDLINE_DATABASE_URL", settings.database.url)
        assert shell("evidence", "fsck", "--against", earlier) == 0, shell.out + shell.err
        assert "clean: the log is as it was sealed" in shell.out
        assert shell("evidence", "consistency", earlier, "latest", "-o", str(proof)) == 0
        assert "nothing of it was changed" in shell.out
        assert verify_consistency(proof.read_bytes(), [log.key]).is_right
        asyncio.run(forge_for_good(settings, log, "payload changed"))
        document = shell.json("evidence", "fsck")
        assert document["counts"] == {"payload_changed": 1, "record_changed": 1}
        assert {fault["entry"] is not None for fault in document["faults"]} == {True}
        monkeypatch.setattr("db.fsck_store.STRETCH", 0)  # else other processes read long logs alone
        elsewhere = shell.json("evidence", "fsck", "--processes", "1")
        assert elsewhere["faults"] == document["faults"]
        assert shell("--language", "zh", "evidence", "fsck") == 1
        assert "与其承诺值不符" in shell.out
        assert shell("evidence", "consistency", "7", "latest") == 2
        assert "no checkpoint of exactly 7" in shell.err
    assert shell("evidence", "fsck", "--against", str(tmp_path / "none")) == 2
