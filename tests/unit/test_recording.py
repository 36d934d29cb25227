"""What a node does with a refusal that the database does not take, against a database of a test's own making."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.errors import FileError, NotRegistered, RegisterError, StoreUnavailable
from dialer.evidence.entries import canonical
from dialer.ports_refusals import (
    WAYS,
    FormArtefact,
    KeyArtefact,
    NewRefusal,
    NewReview,
    Prompt,
    Recorded,
    SpeechArtefact,
)
from dialer.recording import Kept, Recorder, read_refusal
from dialer.refusals import document_of

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
KEYED = KeyArtefact("9", Prompt.CALL)
SPOKEN = SpeechArtefact("stop calling me", "stop calling", "cease", 0, 900, "en", "moonshine", "00" * 32, "11" * 32)
REFUSAL = NewRefusal(442079460123, "acme", "keyed", NOW, "17.1", None, None, 7, KEYED, "pbx:17.1")


@dataclass
class Books:
    """Records what it is told, once a receipt, unless it is `away`, `hangs` or finds a refusal `impossible`."""

    away: bool = False
    hangs: bool = False
    impossible: bool = False
    recorded: dict[str, NewRefusal] = field(default_factory=dict)
    reviews: list[NewReview] = field(default_factory=list)
    told: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def record(self, refusal: NewRefusal) -> Recorded:
        """As `Refusals.record`."""
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise StoreUnavailable("the database did not answer")
        if self.impossible:
            raise NotRegistered("seller `acme` is not registered")
        async with self.told:
            self.recorded.setdefault(refusal.receipt or "", refusal)
            self.told.notify_all()
        return Recorded(1)

    async def review(self, review: NewReview) -> int:
        """As `Refusals.review`."""
        if self.away:
            raise StoreUnavailable("the database did not answer")
        async with self.told:
            self.reviews.append(review)
            self.told.notify_all()
        return 1

    async def until_recorded(self, count: int = 1) -> None:
        """Wait until so many refusals are recorded."""
        async with asyncio.timeout(10), self.told:
            await self.told.wait_for(lambda: len(self.recorded) >= count)


def recorder(books: Books, folder: Path) -> Recorder:
    """A recorder without patience."""
    return Recorder(books, folder, patience_s=0.05, retry_s=0.01)


def files(folder: Path, ending: str = "") -> list[str]:
    """Names of what is on disk."""
    return [file.name for file in folder.iterdir() if file.name.endswith(ending)]


async def gone(folder: Path) -> None:
    """Wait until no refusal waits on disk."""
    async with asyncio.timeout(10):
        while files(folder, ".json"):  # noqa: ASYNC110 # a file that goes away tells nobody
            await asyncio.sleep(0.01)


async def test_what_the_database_takes_is_not_written_to_disk(tmp_path: Path) -> None:
    """A refusal that is recorded leaves no file and withholds nobody."""
    books = Books()
    async with recorder(books, tmp_path) as keeper:
        assert await keeper.keep(REFUSAL) is Kept.RECORDED
        assert not keeper.withholds(REFUSAL.callee)
    assert files(tmp_path) == []


@pytest.mark.parametrize("fault", ["away", "hangs"])
async def test_what_it_does_not_take_is_kept_and_recorded_later(tmp_path: Path, fault: str) -> None:
    """With the database away or hung a refusal is on disk, its callee withheld, until it is recorded as it was told."""
    books = Books(away=fault == "away", hangs=fault == "hangs")
    async with recorder(books, tmp_path) as keeper:
        assert await keeper.keep(REFUSAL) is Kept.SPOOLED
        assert keeper.withholds(REFUSAL.callee)
        assert not keeper.withholds(REFUSAL.callee + 1)
        books.away = books.hangs = False
        if fault == "away":
            await books.until_recorded()
            await gone(tmp_path)
    if fault == "hangs":  # the try that hung goes on hanging; the next process does not
        async with recorder(books, tmp_path):
            await books.until_recorded()
            await gone(tmp_path)
    assert books.recorded == {"pbx:17.1": REFUSAL}


async def test_a_process_that_died_leaves_nothing_unrecorded(tmp_path: Path) -> None:
    """A new process withholds at once what the old one kept, and records it when the database is back."""
    books = Books(away=True)
    async with recorder(books, tmp_path) as first:
        await first.keep(REFUSAL)
        await first.keep(replace(REFUSAL, artefact=SPOKEN, how="spoken", receipt="speech:2"))
    async with recorder(books, tmp_path) as second:
        assert second.withholds(REFUSAL.callee)
        assert second.stats.waiting == 2
        books.away = False
        await books.until_recorded(2)
        await gone(tmp_path)
    assert {each.artefact for each in books.recorded.values()} == {KEYED, SPOKEN}


async def test_a_callee_is_withheld_until_the_last_refusal_is_recorded(tmp_path: Path) -> None:
    """Two refusals of one callee wait; told twice they are two, and he is free when both are recorded."""
    books = Books(away=True)
    async with recorder(books, tmp_path) as keeper:
        for receipt in ("one", "two", "two"):
            await keeper.keep(replace(REFUSAL, receipt=receipt))
        assert keeper.stats.waiting == 2
        books.away = False
        await books.until_recorded(2)
        await gone(tmp_path)
        async with asyncio.timeout(10):
            while keeper.withholds(REFUSAL.callee):  # noqa: ASYNC110 # the last step after the file is gone
                await asyncio.sleep(0.01)


async def test_what_can_never_be_recorded_is_told_at_once(tmp_path: Path) -> None:
    """A seller that does not exist is an error for the one who tells, not a file that is tried for ever."""
    async with recorder(Books(impossible=True), tmp_path) as keeper:
        with pytest.raises(NotRegistered):
            await keeper.keep(REFUSAL)
    with pytest.raises(RegisterError):
        await recorder(Books(), tmp_path).keep(replace(REFUSAL, receipt=None))
    assert files(tmp_path) == []


async def test_one_that_became_impossible_does_not_stop_the_others(tmp_path: Path) -> None:
    """A refusal on disk that can never be recorded is set aside, not deleted."""
    books = Books(away=True)
    async with recorder(books, tmp_path) as keeper:
        await keeper.keep(REFUSAL)
        books.away, books.impossible = False, True
        await gone(tmp_path)
    assert len(files(tmp_path)) == len(files(tmp_path, ".bad")) == 1


async def test_a_garbled_file_is_set_aside(tmp_path: Path) -> None:
    """A file that is no refusal costs itself alone."""
    (tmp_path / "ab.json").write_text('{"version": 1, "refusal": {"callee": 7}}')
    (tmp_path / "cd.json").write_bytes(b"\xff\x00")
    books = Books(away=True)
    async with recorder(books, tmp_path) as keeper:
        assert keeper.stats.garbled == 2
        assert await keeper.keep(REFUSAL) is Kept.SPOOLED
        books.away = False
        await books.until_recorded()
    assert len(files(tmp_path, ".bad")) == 2


async def test_neither_database_nor_disk(tmp_path: Path) -> None:
    """When the disk fails too, the one who told is told that it is not kept."""
    async with recorder(Books(away=True), tmp_path / "spool") as keeper:
        (tmp_path / "spool").rmdir()
        (tmp_path / "spool").write_text("in the way")
        with pytest.raises(FileError):
            await keeper.keep(REFUSAL)
        assert not keeper.withholds(REFUSAL.callee)


async def test_near_misses_wait_for_the_database(tmp_path: Path) -> None:
    """A near miss that the database does not take is written when it is back; the caller never waits."""
    books = Books(away=True)
    async with recorder(books, tmp_path) as keeper:
        await keeper.review(NewReview(REFUSAL.callee, "acme", NOW, SPOKEN))
        books.away = False
        async with asyncio.timeout(10), books.told:
            await books.told.wait_for(lambda: books.reviews)
    assert books.reviews[0].artefact == SPOKEN


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    st.builds(
        NewRefusal,
        callee=st.integers(1000, 10**15 - 1),
        seller=st.none() | TEXTS,
        how=st.sampled_from(WAYS),
        at=st.datetimes(timezones=st.just(UTC)),
        call_id=st.none() | TEXTS,
        agent=st.none() | TEXTS,
        note=st.none() | TEXTS,
        attempt=st.none() | st.integers(1, 2**62),
        artefact=st.none() | st.just(KEYED) | st.just(SPOKEN) | st.builds(FormArtefact, TEXTS, TEXTS, TEXTS),
        receipt=TEXTS,
    )
)
def test_a_file_gives_back_the_refusal(refusal: NewRefusal) -> None:
    """Whatever a refusal says, it is read from its file as it was written."""
    text = canonical({"version": 1, "receipt": refusal.receipt, "refusal": document_of(refusal)})
    assert read_refusal(text) == refusal


@given(st.text() | st.dictionaries(TEXTS, TEXTS).map(canonical))
def test_no_text_but_a_refusal_is_read(text: str) -> None:
    """Anything else is a `ValueError`."""
    with pytest.raises(ValueError, match=r"."):
        read_refusal(text)
