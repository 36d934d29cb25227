"""The log over HTTP when it is asked too much, wrongly or slowly, and when it cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from dialer.errors import LogFault, StoreUnavailable
from dialer.evidence.tiles import TileKey
from dialer.ports_log import LogStore
from dialer.proofs import Published
from dialer.verifier.note import read_note, verify
from dialer.web.bounds import Rate
from dialer.web.log import Bounds, Publication, log_app, mount_log
from dialer.witness import REQUEST_LIMIT, Witness, log_digest, read_logs
from dialer.witness_key import WitnessKey
from tests.witness_world import NAME, MemoryLog, MemoryStore, key_of, now

KEY = WitnessKey(key_of("witness"))
SUBMIT = "/log/witness/add-checkpoint"
Client = TestClient[Any, Any]


class Pages(MemoryLog, MemoryStore):
    """A log of two leaves, as far as its pages need one; `hook` is awaited before each answer."""

    def __init__(self) -> None:
        MemoryLog.__init__(self, leaves=["a", "b"])
        MemoryStore.__init__(self)
        self.hook: Callable[[], Awaitable[None]] | None = None

    async def latest(self) -> Published | None:
        """The newest checkpoint."""
        if self.hook:
            await self.hook()
        return await super().latest()

    async def tiles(self, keys: Collection[TileKey]) -> dict[TileKey, bytes]:
        """The only tile."""
        return {key: b"".join(self.leaves) for key in keys if key == (0, 0)}

    async def at_least(self, size: int) -> Published | None:
        """The newest."""
        return await super().latest()


@dataclass
class Entries:
    """Implements `dialer.ports_witness.LeafStore`."""

    data: list[bytes]

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """Those of the stretch."""
        return self.data[start:end]


def witness_of(log: MemoryLog, folder: Path) -> Witness:
    """A witness of this log."""
    return Witness(folder, KEY, read_logs([str(log.verifier)]), now)


@asynccontextmanager
async def served(pages: Pages, folder: Path | None = None, bounds: Bounds | None = None) -> AsyncIterator[Client]:
    """The log in the application of a service; with a folder, a witness of this log."""
    witness = witness_of(pages, folder) if folder else None
    publication = Publication(pages, cast("LogStore", pages), Entries([b"a", b"b"]), pages, witness)
    app = web.Application()
    mount_log(app, log_app(publication, bounds))
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_witness_answers_as_tlog_witness_says(tmp_path: Path) -> None:
    """The status, body and media type are the specification's; the checkpoint that was cosigned is then published."""
    pages = Pages()
    path = f"/log/witness/{log_digest(NAME)}/checkpoint"
    async with served(pages, tmp_path) as http:
        assert (await http.get(path)).status == 404
        for old, status, kind in ((1, 409, "text/x.tlog.size"), (0, 200, "text/plain; charset=utf-8")):
            async with http.post(SUBMIT, data=pages.request(old)) as response:
                assert (response.status, response.headers["Content-Type"]) == (status, kind)
                assert response.headers["Cache-Control"] == "no-store"
                answered = await response.text()
        verify(read_note(f"{pages.note().text}\n{answered}"), KEY.verifier)
        async with http.get(path) as response:
            assert read_note(await response.text()).text == pages.note().text
        assert (await http.get(f"/log/witness/{log_digest('another')}/checkpoint")).status == 404


async def test_submissions_are_bounded(tmp_path: Path) -> None:
    """Too large, too many, cut off or too slow: an answer in plain text, and nothing is cosigned."""
    bounds = Bounds(submissions=Rate(0.001, 4), time_s=0.2)

    async def dripping() -> AsyncIterator[bytes]:
        yield b"old 0\n"
        await asyncio.sleep(30)

    async def large() -> AsyncIterator[bytes]:
        for _ in range(REQUEST_LIMIT // 4096 + 1):
            yield b"x" * 4096

    async with served(Pages(), tmp_path, bounds) as http:
        for data, status in (
            (b"x" * (REQUEST_LIMIT + 1), 413),
            (large(), 413),
            (dripping(), 408),
            (b"", 400),
            (b"", 429),
        ):
            async with http.post(SUBMIT, data=data) as response:
                assert (response.status, response.content_type) == (status, "text/plain")
                assert response.headers.get("Retry-After") == ("1000" if status == 429 else None)
    assert [each.size for each in await witness_of(Pages(), tmp_path).status()] == [None]


async def test_nobody_submits_where_there_is_no_witness() -> None:
    """Without `evidence.witness_for` the paths are not there."""
    async with served(Pages()) as http:
        assert (await http.post(SUBMIT, data=b"old 0\n")).status == 404
        assert (await http.get(f"/log/witness/{log_digest(NAME)}/checkpoint")).status == 404


async def test_reads_are_bounded() -> None:
    """Of one address so many at once; then a problem that says when to ask again."""
    async with served(Pages(), bounds=Bounds(reads=Rate(0.001, 2))) as http:
        statuses = [(await http.get("/log/checkpoint")).status for _ in range(3)]
        async with http.get("/log/keys", headers={"Accept-Language": "zh"}) as response:
            assert "秒后重试" in (await response.json())["detail"]
            assert response.headers["Retry-After"] == "1000"
    assert statuses == [200, 200, 429]


@pytest.mark.parametrize(
    ("error", "status"),
    [(StoreUnavailable("secret"), 503), (LogFault("secret"), 503), (ZeroDivisionError("secret"), 500)],
)
async def test_a_log_that_cannot_be_read_is_a_problem(error: Exception, status: int) -> None:
    """Whatever fails, the answer is a problem that tells nothing of the inside, and is not cached."""
    pages = Pages()

    async def fail() -> None:
        raise error

    pages.hook = fail
    async with served(pages) as http, http.get("/log/checkpoint") as response:
        assert (response.status, response.content_type) == (status, "application/problem+json")
        assert response.headers["Cache-Control"] == "no-store"
        assert "secret" not in await response.text()


async def test_a_database_that_hangs_holds_nobody() -> None:
    """An answer in time, that it cannot be read now; others beyond the bound are answered at once."""
    pages, gone = Pages(), asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()

    pages.hook = hang
    async with served(pages, bounds=Bounds(time_s=0.2, unfinished=1)) as http:
        answers = await asyncio.gather(*(http.get("/log/checkpoint") for _ in range(3)))
        assert [each.status for each in answers] == [503, 503, 503]
        await gone.wait()
        pages.hook = None
        assert (await http.get("/log/checkpoint")).status == 200


async def test_short_answers_of_partial_tiles() -> None:
    """A client that takes no compression gets none; heads are answered without a body."""
    pages = Pages()
    async with served(pages) as http:
        async with http.get("/log/tile/entries/000.p/2", headers={"Accept-Encoding": "identity"}) as response:
            assert await response.read() == b"\x00\x01a\x00\x01b"
            assert "Content-Encoding" not in response.headers
        async with http.get("/log/tile/0/000.p/1") as response:
            assert await response.read() == pages.leaves[0]
        async with http.head("/log/tile/0/000.p/2") as response:
            assert (response.status, response.headers["Content-Length"]) == (200, "64")
