"""Two nodes: one keeps a log, the other witnesses it; their HTTP applications on loopback. And the log as it is
published, checked by who knows nothing but what is served."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application

from db.embedded import EmbeddedServer
from dialer.app import Database, open_database
from dialer.config import Settings, load
from dialer.cosigning import CONTRADICTED
from dialer.evidence.tile_paths import ENTRIES, TilePath
from dialer.evidence_node import open_proofs, seal
from dialer.verifier.leaf import read_leaf
from dialer.verifier.note import Checkpoint, Note, read_checkpoint, read_key, read_note, verifier_key, verify
from dialer.verifier.tree import leaf_hash, root_of
from dialer.web.log import mount_log
from dialer.witness import log_digest
from dialer.witness_key import witness_key
from dialer.witness_node import Witnessing, open_witnesses, open_witnessing
from tests.integration.conftest import fresh_database
from tests.log_world import AT, MANY
from tests.receivers import answering, receiver
from tests.shell import Shell
from tests.tsa import make_tsa, serving
from tests.witness_world import key_of

SIZE = 600


@dataclass(frozen=True)
class Home:
    """One node's home, and the database that it is on."""

    folder: Path
    dsn: str

    def settings(self, **evidence: Any) -> Settings:
        """Its settings."""
        settings = load({"HEEDLINE_HOME": str(self.folder), "HEEDLINE_DATABASE_URL": self.dsn})
        section = settings.evidence.model_validate({**evidence, "allow_networks": ["127.0.0.0/8"]})
        return settings.model_copy(update={"evidence": section})


@pytest.fixture(scope="module")
def homes(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Home]]:
    """The log's node and the witness's."""
    folder = tmp_path_factory.mktemp("homes")
    with fresh_database(server) as log, fresh_database(server) as witness:
        yield Home(folder / "log", log), Home(folder / "witness", witness)


@pytest.fixture(scope="module")
def dsn(homes: tuple[Home, Home]) -> str:
    """The database of the log."""
    return homes[0].dsn


async def write(home: Home, count: int) -> None:
    """So many entries, sealed."""
    async with open_database(home.settings()) as database:
        await database.pool.fetchval(MANY, AT, count)
        await seal(home.settings(), database)


@asynccontextmanager
async def witnessing(home: Home, *keys: str) -> AsyncIterator[str]:
    """The witness's node, which knows these logs; where others submit to."""
    settings = home.settings(witness_for=list(keys))
    async with open_database(settings) as database, open_witnessing(settings, database) as node:
        app = Application()
        mount_log(app, node.publication())
        async with TestServer(app) as served:
            yield str(served.make_url("/log/witness"))


async def log_key(database: Database) -> str:
    """The log's key."""
    return str((await open_proofs(database).keys())[-1])


async def test_a_log_is_witnessed_until_it_is_rewritten(homes: tuple[Home, Home], owner: asyncpg.Connection) -> None:
    """As the log grows each checkpoint is cosigned, over HTTP, also by a witness that was restarted. A log that was set
    back and sealed anew by whoever has its key is not: status and alarm say so, while it is shorter and when it is as
    long again."""
    home, other = homes
    await write(home, SIZE)
    key = str(witness_key(other.settings().keys_folder).verifier)
    async with open_database(home.settings()) as database:
        name = await log_key(database)
        for count in (3, 300):
            async with witnessing(other, name) as url:
                settings = home.settings(witnesses=[{"url": url, "key": key}])
                async with open_witnesses(settings, database) as node:
                    await node.cosigning[0].ask()
                    await database.pool.fetchval(MANY, AT, count)
                    await seal(settings, database)
                    await node.cosigning[0].ask()
                    (state,), _ = await node.states()
            assert (state.problem, state.since) == ("", None)
            latest = await open_proofs(database).latest()
            assert latest is not None
            assert latest.checkpoint.size == state.size
            verify(latest.note, read_key(key))
        await _rewrite(owner, home.settings(), database)
        async with witnessing(other, name) as url:
            settings = home.settings(witnesses=[{"url": url, "key": key}])
            async with open_witnesses(settings, database) as node:
                await node.cosigning[0].ask()
                assert f"at {state.size} leaves" in (await node.status())["witnesses"][0]["problem"]
                await database.pool.fetchval(MANY, AT, 2000)
                await seal(settings, database)
                await node.cosigning[0].ask()
                assert "does not follow" in (await node.status())["witnesses"][0]["problem"]
    assert await owner.fetchval("select count(*) from cosignatures") == 0
    assert await owner.fetchval("select kind from alarms") == CONTRADICTED


async def _rewrite(owner: asyncpg.Connection, settings: Settings, database: Database) -> None:
    """What a forger does who has all rights and the log's key: the log anew, without its last entries."""
    for table in ("leaves", "checkpoints", "cosignatures", "evidence"):
        await owner.execute(f"alter table {table} disable trigger append_only")
    await owner.execute("delete from cosignatures; delete from checkpoints; delete from leaves; delete from tiles")
    await owner.execute("update log_state set size = 0; delete from evidence where id > 600")
    await owner.execute("update evidence set commitment = sha256('another') where id = 300")
    await owner.execute("insert into unsealed select id from evidence")
    (settings.keys_folder / "log.checkpoint").unlink()
    await seal(settings, database)


async def test_the_published_log_is_whole(homes: tuple[Home, Home]) -> None:
    """From the checkpoint, the keys and the paths of C2SP tlog-tiles alone: the signature is right; the bundles of
    entries hold the leaves, their hashes are those of level 0, and both lead to the checkpoint's root; each full tile
    is a hash of the level above. What is complete is cached for ever, the checkpoint for seconds."""
    home, _ = homes
    await write(home, SIZE)
    settings = home.settings()
    async with open_database(settings) as database, open_witnesses(settings, database) as node:
        app = Application()
        mount_log(app, node.publication())
        async with TestClient(TestServer(app), auto_decompress=False) as http:
            note = read_note(await text(http, "/log/checkpoint", "public, max-age=2"))
            (key,) = (await text(http, "/log/keys", "public, max-age=2")).splitlines()
            verify(note, read_key(key))
            checkpoint = read_checkpoint(note.text)
            await _check_tiles(http, checkpoint)
            await _check_refusals(http, checkpoint.size)


async def text(http: TestClient[Any, Any], path: str, cache: str) -> str:
    """A text that is served."""
    async with http.get(path) as response:
        assert (response.status, response.content_type, response.charset) == (200, "text/plain", "utf-8")
        assert response.headers["Cache-Control"] == cache
        return await response.text()


async def tile(http: TestClient[Any, Any], level: int, index: int, width: int) -> bytes:
    """A tile that is served."""
    async with http.get(f"/log/{TilePath(level, index, width)}", headers={"Accept-Encoding": "gzip"}) as response:
        assert (response.status, response.content_type) == (200, "application/octet-stream")
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        data = await response.read()
        is_bundle = level == ENTRIES
        assert response.headers.get("Content-Encoding") == ("gzip" if is_bundle else None)
        return gzip.decompress(data) if is_bundle else data


async def _check_tiles(http: TestClient[Any, Any], checkpoint: Checkpoint) -> None:
    hashes: list[bytes] = []
    full, rest = divmod(checkpoint.size, 256)
    assert full >= 2
    assert rest
    for index, width in [*((n, 256) for n in range(full)), (full, rest)]:
        bundle, level0 = await tile(http, ENTRIES, index, width), await tile(http, 0, index, width)
        leaves, at = [], 0
        while at < len(bundle):
            (length,) = struct.unpack_from(">H", bundle, at)
            leaves.append(bundle[at + 2 : at + 2 + length])
            at += 2 + length
        own = [leaf_hash(leaf) for leaf in leaves]
        assert (len(leaves), b"".join(own)) == (width, level0)
        hashes += own
    level1 = await tile(http, 1, 0, full)
    assert level1 == b"".join(root_of(hashes[n * 256 : n * 256 + 256]) for n in range(full))
    assert root_of(hashes) == checkpoint.root
    assert read_leaf(json.loads(leaves[-1])).kind


async def _check_refusals(http: TestClient[Any, Any], size: int) -> None:
    full, rest = divmod(size, 256)
    for path in (
        f"tile/0/{full:03}",
        f"tile/0/{full:03}.p/{rest + 1}",
        f"tile/entries/{full:03}",
        f"tile/entries/{full + 1:03}.p/1",
        f"tile/1/000.p/{full + 1}",
        "tile/1/000",
        "tile/2/000.p/1",
        "tile/entries/x009/x223/x372/x036/x854/x775/807",
        "tile/0/0",
        "tile/0/%2e%2e/000",
        "checkpoint/",
        "witness/add-checkpoint",
        "checkpoint/cosigned",
    ):
        async with http.get(f"/log/{path}") as response:
            assert (response.status, response.content_type) == (404, "application/problem+json"), path
            assert response.headers["Cache-Control"] == "no-store"
    async with http.post("/log/checkpoint") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


async def test_the_service_asks_by_itself(homes: tuple[Home, Home], owner: asyncpg.Connection, tmp_path: Path) -> None:
    """While the node runs, its newest checkpoint is cosigned and stamped; a witness that is broken costs its own line
    alone; what is cosigned is published on both sides."""
    home, other = homes
    await write(home, 1)
    key, tsa = str(witness_key(other.settings().keys_folder).verifier), make_tsa(tmp_path / "tsa")
    async with open_database(home.settings()) as database, serving(tsa), receiver(answering(503)) as broken:
        name = await log_key(database)
        _forget(other)
        async with witnessing(other, name) as url:
            more = {"url": broken.url(), "key": str(witness_key(tmp_path).verifier)}
            asked = {"witnesses": [{"url": url, "key": key}, more]}
            settings = home.settings(**asked, timestamp_url=tsa.url, witness_every_s=0.1)
            async with open_witnessing(settings, database) as node:
                await _done(node)
                status = json.loads(json.dumps(await node.status()))
                app = Application()
                mount_log(app, node.publication())
                async with TestClient(TestServer(app)) as http:
                    ours = read_note(await text(http, "/log/checkpoint/cosigned", "public, max-age=2"))
            theirs = await _fetched(f"{url}/{log_digest(read_key(name).name)}/checkpoint")
    verify(ours, read_key(key))
    assert (theirs.text, verify(theirs, read_key(name))) == (ours.text, None)
    assert [each["problem"] for each in status["witnesses"]] == ["", "it answered 503"]
    token = await owner.fetchval("select token from timestamps order by size desc limit 1")
    assert await asyncio.to_thread(tsa.accepts, token, ours.text.encode())


def _forget(witness: Home) -> None:
    """It may have cosigned another log of this name, and stays with that: let it be a witness that has not."""
    shutil.rmtree(witness.settings().keys_folder / "witness", ignore_errors=True)


async def _done(node: Witnessing) -> None:
    """Until the right ones have signed, and the broken one has answered."""
    async with asyncio.timeout(20):
        while True:
            (right, wrong), stamps = await node.states()
            if right.since is None and wrong.problem and stamps is not None and stamps.since is None:
                return
            await asyncio.sleep(0.02)


async def _fetched(url: str) -> Note:
    async with ClientSession() as session, session.get(url) as response:
        return read_note(await response.text())


def test_the_commands_say_who_has_not_cosigned(shell: Shell, tmp_path: Path) -> None:
    """`witness-key` prints the same key each time; `witnesses` names each witness and authority with its state, in both
    languages, and exits 1 when one that was asked did not sign; without any it says how to name them."""
    home = tmp_path / "home"
    assert shell("evidence", "witnesses") == 0
    assert "evidence.witnesses" in shell.out
    assert shell("evidence", "witness-key") == 0
    key = shell.out.strip()
    assert shell("evidence", "witness-key") == 0
    assert read_key(shell.out.strip()) == read_key(key)
    log = str(verifier_key("heedline/01234567", key_of("other log")))
    silent = socket.socket()  # nobody listens
    silent.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{silent.getsockname()[1]}"
    (home / "heedline.toml").write_text(
        f'[evidence]\nallow_networks = ["127.0.0.1"]\ntimestamp_url = "{url}/tsr"\n'
        f'witness_for = ["{log}"]\n[[evidence.witnesses]]\nurl = "{url}/w"\nkey = "{key}"\n',
        "utf-8",
    )
    assert shell("evidence", "witnesses") == 0
    assert shell("evidence", "witnesses", "--ask") == 1
    assert shell.out.count("no connection") == 2
    assert shell("--language", "zh", "evidence", "witnesses") == 0
    assert "见证者" in shell.out
    document = shell.json("evidence", "witnesses")
    assert [each["name"] for each in document["witnesses"]] == [read_key(key).name]
    assert document["timestamps"]["authority"] == f"{url}/tsr"
    assert [each["name"] for each in document["witness_for"]] == ["heedline/01234567"]
    silent.close()
