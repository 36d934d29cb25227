"""Time stamps: requests as openssl writes them, answers of a real authority, and answers that are none."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.errors import ConfigError
from dialer.ports_witness import Reply, Unanswered
from dialer.timestamps import Stamping, check, read_authority, request
from dialer.verifier.der import read
from dialer.verifier.timestamp import read_token
from dialer.web.asking import AskingClient
from dialer.webhook_urls import AUTHORITY, allowed_networks
from tests.tsa import Behaviour, Tsa, make_tsa, serving
from tests.witness_world import MemoryLog, MemoryStore

LOOPBACK = allowed_networks(["127.0.0.0/8"])
KIND = "application/timestamp-reply"
DIGEST, NONCE = hashlib.sha256(b"checkpoint").digest(), 2**63 + 5
REJECTION = bytes.fromhex("30053003020102")
"""A TimeStampResp of status 2 (rejection), without a token."""


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    """An authority."""
    return make_tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture
def authority(tsa: Tsa) -> Iterator[Tsa]:
    """The authority, well-behaved, and with no request yet."""
    tsa.requests.clear()
    yield tsa
    tsa.behave = None


@pytest.fixture(scope="module")
def reply(tsa: Tsa) -> bytes:
    """Its right answer for DIGEST and NONCE."""
    return tsa.reply(request(DIGEST, NONCE))


@asynccontextmanager
async def stamping(tsa: Tsa, log: MemoryLog, store: MemoryStore, timeout_s: float = 10.0) -> AsyncIterator[Stamping]:
    """The log's side, over HTTP."""
    async with serving(tsa), AskingClient(LOOPBACK, AUTHORITY, "test", timeout_s=timeout_s) as asker:
        yield Stamping(tsa.url, log, store, asker, lambda: datetime.now(UTC))


async def test_the_newest_checkpoint_is_stamped_once(authority: Tsa) -> None:
    """The response is kept as it came, openssl finds that it stamps the checkpoint's signed text, and the authority is
    asked again only when there is a newer checkpoint, with another nonce."""
    log, store = MemoryLog(leaves=["a", "b"]), MemoryStore()
    async with stamping(authority, log, store) as side:
        for _ in range(2):
            await side.stamp()
            await side.stamp()
            assert side.problem == ""
            log.grow("c")
    assert [size for size, _ in store.stamps] == [2, 3]
    assert len(set(authority.requests)) == 2
    for (size, by), response in store.stamps.items():
        assert by == authority.url
        assert await asyncio.to_thread(authority.accepts, response, log.note(size).text.encode())
        assert not await asyncio.to_thread(authority.accepts, response, b"something else")


def test_requests_are_those_of_openssl(tsa: Tsa, tmp_path: Path) -> None:
    """With the nonce that openssl has drawn, the request is the same to the byte."""
    (tmp_path / "data").write_bytes(b"checkpoint")
    theirs = tsa.query(tmp_path / "data")
    assert request(DIGEST, read(theirs).children()[2].integer()) == theirs


@pytest.mark.parametrize("nonce", [0, 127, 128, 2**63, 2**64 - 1])
def test_any_nonce_comes_back(tsa: Tsa, nonce: int) -> None:
    """Whatever its highest bit is."""
    assert check(Reply(200, KIND, tsa.reply(request(DIGEST, nonce))), DIGEST, nonce).imprint == DIGEST


def cut_nonce(body: bytes) -> bytes:
    """The request without its nonce."""
    version, imprint, _, certificate = (each.raw for each in read(body).children())
    content = version + imprint + certificate
    return bytes([0x30, len(content)]) + content


async def of_another(_: bytes, tsa: Tsa) -> web.Response:
    """A right time stamp of something else."""
    return await answered(tsa.reply, request(hashlib.sha256(b"else").digest(), 7))


async def of_another_nonce(body: bytes, tsa: Tsa) -> web.Response:
    """An old time stamp of the same."""
    digest = read(body).children()[1].children()[1].octets()
    return await answered(tsa.reply, request(digest, 7))


async def without_nonce(body: bytes, tsa: Tsa) -> web.Response:
    """One that does not say of which request it is."""
    return await answered(tsa.reply, cut_nonce(body))


async def without_certificate(body: bytes, tsa: Tsa) -> web.Response:
    """One that nobody can check by itself."""
    return await answered(tsa.reply, bytes([0x30, body[1] - 3]) + body[2:-3])


async def not_granted(body: bytes, tsa: Tsa) -> web.Response:
    """openssl's own refusal, of a digest that it does not know."""
    return await answered(
        tsa.reply, body.replace(bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040209"))
    )


async def with_wrong_signature(body: bytes, tsa: Tsa) -> web.Response:
    """The last bit of the signature is another."""
    right = await asyncio.to_thread(tsa.reply, body)
    return web.Response(body=right[:-1] + bytes([right[-1] ^ 1]), content_type=KIND)


async def answered(reply: object, body: bytes) -> web.Response:
    """What the authority answers to another request."""
    assert callable(reply)
    return web.Response(body=await asyncio.to_thread(reply, body), content_type=KIND)


def saying(body: bytes, kind: str = KIND, status: int = 200) -> Behaviour:
    """These bytes."""

    async def behave(_: bytes, __: Tsa) -> web.Response:
        return web.Response(body=body, content_type=kind, status=status)

    return behave


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (of_another, "something else"),
        (of_another_nonce, "not of this request"),
        (without_nonce, "not of this request"),
        (without_certificate, "did not come along"),
        (not_granted, "did not grant"),
        (with_wrong_signature, "no good time stamp"),
        (saying(REJECTION), "no good time stamp"),
        (saying(b""), "no good time stamp"),
        (saying(b"\x30\x84\xff\xff\xff\xff"), "no good time stamp"),
        (saying(b"\x30\x80" * 5000), "no good time stamp"),
        (saying(b"<html>", "text/html"), "text/html"),
        (saying(b"busy", status=503), "503"),
        (saying(b"", status=302), "redirects are not followed"),
        (saying(b"x" * 100_000), "more than 65536 bytes"),
    ],
)
async def test_what_is_no_time_stamp_of_this_request_is_not_kept(authority: Tsa, behave: Behaviour, said: str) -> None:
    """A problem in one printable line says why; the next right answer is taken."""
    log, store = MemoryLog(leaves=["a"]), MemoryStore()
    authority.behave = behave
    async with stamping(authority, log, store) as side:
        await side.stamp()
        assert said in side.problem
        assert side.problem.isprintable()
        assert store.stamps == {}
        authority.behave = None
        await side.stamp()
        assert (side.problem, len(store.stamps)) == ("", 1)


async def test_a_slow_authority_costs_the_timeout(authority: Tsa) -> None:
    """No answer in time is a problem, and nothing else."""
    done = asyncio.Event()

    async def slow(_: bytes, __: Tsa) -> web.Response:
        await done.wait()
        return web.Response()

    authority.behave = slow
    async with stamping(authority, MemoryLog(leaves=["a"]), MemoryStore(), timeout_s=0.1) as side:
        await side.stamp()
        done.set()
    assert side.problem == "no answer within 0.1 s"


async def test_clocks_that_differ_are_told_and_the_stamp_is_kept(authority: Tsa) -> None:
    """Of this node's clock and the authority's it is the authority's that counts."""
    store = MemoryStore()
    async with serving(authority), AskingClient(LOOPBACK, AUTHORITY, "test") as asker:
        behind = datetime.now(UTC) - timedelta(hours=1)
        side = Stamping(authority.url, MemoryLog(leaves=["a"]), store, asker, lambda: behind)
        await side.stamp()
    assert "set this node's clock" in side.problem
    assert len(store.stamps) == 1


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_answer_is_right_or_a_problem(reply: bytes, data: st.DataObject) -> None:
    """Any bytes changed or cut: the answer is refused in words or says what it said; nothing else is ever raised."""
    at, byte = data.draw(st.integers(0, len(reply) - 1)), data.draw(st.integers(0, 255))
    damaged = reply[:at] + bytes([byte]) + reply[at + 1 :] if data.draw(st.booleans()) else reply[:at]
    try:
        token = check(Reply(200, KIND, damaged), DIGEST, NONCE)
    except Unanswered:
        assert damaged != reply
    else:
        assert (token.imprint, token.at) == (DIGEST, read_token(reply).at)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "tsa.example", "https://u:p@tsa.example/", "http://10.0.0.1/tsr"])
def test_a_wrong_authority_in_the_settings_is_told(url: str) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigError, match=r"evidence\.timestamp_url"):
        read_authority(url, ())
    assert read_authority("http://tsa.example/tsr", ()) == "http://tsa.example/tsr"
