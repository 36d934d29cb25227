"""From words that were heard to a refusal that is kept, with its clip."""

from __future__ import annotations

import asyncio
import hashlib
import stat
import tempfile
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.clips import clip_file, keep_clip, read_clip
from dialer.errors import AmiUnavailable, FileError
from dialer.phrases import Meaning
from dialer.ports_refusals import CallParty, SpeechArtefact
from dialer.recording import Kept
from dialer.speech.spoken import HeardCall, SpokenRefusals
from tests.unit.ears_world import CALLEE, NOW, PARTY, Memory, now, told

STREAM = uuid.UUID("0b3c2a4e-0000-4000-8000-000000000001")


def call_of(party: CallParty | None = PARTY) -> HeardCall:
    """A call whose callee is known."""
    known: asyncio.Future[CallParty | None] = asyncio.get_running_loop().create_future()
    known.set_result(party)
    return HeardCall(7, STREAM, "1795500000.12", known)


async def test_refusal_is_kept_with_all_that_proves_it(tmp_path: Path) -> None:
    """Whose call, how, when, the words, their span, the recogniser, and a clip that is on the disk under its hash."""
    memory = Memory()
    spoken = SpokenRefusals(memory, memory, tmp_path, now)
    assert await spoken.heard(call_of(), told(clip=b"RIFF of it")) is Kept.RECORDED
    (kept,) = memory.kept
    assert (kept.callee, kept.seller, kept.how, kept.at) == (CALLEE, "acme", "spoken", NOW)
    assert (kept.call_id, kept.attempt, kept.receipt) == ("1795500000.12", 7, f"speech:{STREAM}")
    clip = hashlib.sha256(b"RIFF of it").hexdigest()
    words = ("please stop calling me", "stop calling me", "cease", 400, 1_900, "en", "moonshine", "a" * 64)
    assert kept.artefact == SpeechArtefact(*words, clip)
    assert read_clip(clip, tmp_path) == b"RIFF of it"


async def test_near_miss_is_put_before_a_person(tmp_path: Path) -> None:
    """What may be a refusal is no refusal: it awaits judgement, with its clip."""
    memory = Memory()
    spoken = SpokenRefusals(memory, memory, tmp_path, now)
    assert await spoken.heard(call_of(), told(Meaning.NEAR_MISS)) is None
    assert memory.kept == []
    (review,) = memory.reviews
    assert (review.callee, review.seller, review.attempt) == (CALLEE, "acme", 7)
    assert read_clip(review.artefact.clip, tmp_path) == b"RIFF"


async def test_refusal_without_room_for_its_clip_counts(tmp_path: Path) -> None:
    """When the clip cannot be kept the words count without it, and that is counted."""
    blocked = tmp_path / "clips"
    blocked.write_text("a file where a folder should be")
    memory = Memory()
    spoken = SpokenRefusals(memory, memory, blocked, now)
    assert await spoken.heard(call_of(), told()) is Kept.RECORDED
    artefact = memory.kept[0].artefact
    assert isinstance(artefact, SpeechArtefact)
    assert artefact.clip == ""
    assert spoken.stats.clips_lost == 1


async def test_refusal_that_cannot_be_kept_is_counted_as_failed(tmp_path: Path) -> None:
    """Neither the database nor the disk takes it: nothing claims that it was."""
    memory = Memory(full=True)
    spoken = SpokenRefusals(memory, memory, tmp_path, now)
    assert await spoken.heard(call_of(), told()) is None
    assert (spoken.stats.refusals, spoken.stats.failed) == (0, 1)


async def test_words_of_nobody_are_counted(tmp_path: Path) -> None:
    """Without a callee there is no refusal."""
    memory = Memory()
    spoken = SpokenRefusals(memory, memory, tmp_path, now)
    assert await spoken.heard(call_of(None), told()) is None
    assert (memory.kept, spoken.stats.unknown) == ([], 1)


async def test_callee_is_found_out_when_the_database_is_back(tmp_path: Path) -> None:
    """A database that is away is asked again; within a time that is too short it is given up."""
    memory = Memory(away=2)
    spoken = SpokenRefusals(memory, memory, tmp_path, now)
    assert await spoken.party(7, 30) == PARTY
    memory.away = 1
    assert await spoken.party(7, 0) is None
    assert await spoken.party(8, 30) is None


async def test_what_follows_may_fail(tmp_path: Path) -> None:
    """The refusal is kept though what should follow it failed; it was told whose call it is."""
    memory = Memory(where=Kept.SPOOLED)
    followed: list[int] = []

    async def on_refused(call: HeardCall, party: CallParty) -> None:
        followed.append(party.callee)
        raise AmiUnavailable("the switch is away")

    spoken = SpokenRefusals(memory, memory, tmp_path, now, on_refused)
    assert await spoken.heard(call_of(), told()) is Kept.SPOOLED
    assert (followed, spoken.stats.spooled) == ([CALLEE], 1)


async def test_closing_lets_what_is_under_way_be_kept(tmp_path: Path) -> None:
    """A refusal that was just heard is kept before the end."""
    memory = Memory()
    spoken = SpokenRefusals(memory, memory, tmp_path, now)
    spoken.heard(call_of(), told())
    await spoken.close()
    assert len(memory.kept) == 1


# Clips.


@settings(max_examples=25, deadline=None)  # each is synced to the disk
@given(st.binary(max_size=2_000))
def test_clip_comes_back_as_it_was(wav: bytes) -> None:
    """What is kept is read back, under the SHA-256 of it; keeping it again changes nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sha256 = keep_clip(wav, folder)
        assert sha256 == hashlib.sha256(wav).hexdigest() == keep_clip(wav, folder)
        assert read_clip(sha256, folder) == wav
        assert [file.name for file in (folder / sha256[:2]).iterdir()] == [f"{sha256}.wav"]


def test_clips_are_their_owners_alone(tmp_path: Path) -> None:
    """Nobody else may read a clip, or see what clips there are."""
    folder = tmp_path / "new" / "clips"
    file = clip_file(keep_clip(b"words", folder), folder)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent, folder)] == [0o600, 0o700, 0o700]


def test_clip_that_was_changed_is_not_read(tmp_path: Path) -> None:
    """A file that no longer has its hash is refused, by name."""
    sha256 = keep_clip(b"words", tmp_path)
    clip_file(sha256, tmp_path).write_bytes(b"other words")
    with pytest.raises(FileError, match=rf"{sha256}.*hash differs"):
        read_clip(sha256, tmp_path)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "g" * 64])
def test_clip_is_named_by_its_hash_alone(tmp_path: Path, name: str) -> None:
    """What is no SHA-256 names no file."""
    with pytest.raises(FileError, match="no SHA-256"):
        read_clip(name, tmp_path)


def test_clip_that_is_gone_is_said(tmp_path: Path) -> None:
    """A clip that is not there is an error with a cure."""
    with pytest.raises(FileError, match=r"cannot be read: no such file.*restore"):
        read_clip("a" * 64, tmp_path)
