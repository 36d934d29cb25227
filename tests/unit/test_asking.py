"""The way out to witnesses and authorities, against servers on loopback that do what they should not."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Sequence
from typing import Any

import pytest

from dialer.ports_witness import Reply, Unanswered
from dialer.web.asking import AskingClient
from dialer.webhook_urls import WITNESS, Network, allowed_networks
from tests.receivers import Behaviour, answering, dripping, endless, holding, receiver, saying

LOOPBACK = allowed_networks(["127.0.0.0/8"], WITNESS.setting)
LIMIT = 64 * 1024


async def ask(url: str, networks: Sequence[Network] = LOOPBACK, timeout_s: float = 10.0) -> Reply:
    """One request."""
    async with AskingClient(networks, WITNESS, "Heedline/test", timeout_s=timeout_s) as client:
        return await client.post(url, "text/plain", b"old 0\n")


async def test_the_whole_answer_comes() -> None:
    """Whatever its status is, with its media type, up to the limit; the request is what was to be sent."""
    async with receiver(answering(409, b"12\n", "Content-Type: text/X.tlog.size; a=b")) as server:
        assert await ask(server.url("/w/add-checkpoint")) == Reply(409, "text/x.tlog.size", b"12\n")
        server.behave = answering(200, b"x" * LIMIT)
        assert len((await ask(server.url())).body) == LIMIT
    first = server.received[0]
    assert (first.line, first.body) == ("POST /w/add-checkpoint HTTP/1.1", b"old 0\n")
    assert (first.headers["content-type"], first.headers["user-agent"]) == ("text/plain", "Heedline/test")


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        (answering(302, b"", "Location: http://127.0.0.1:1/\x1b[2J"), ""),
        (answering(307, b"", "Location: http://127.0.0.2/secret"), "redirects are not followed"),
        (answering(200, b"x" * (LIMIT + 1)), "more than 65536 bytes"),
        (answering(200, gzip.compress(b"x" * 10_000_000), "Content-Encoding: gzip"), "compressed"),
        (dripping(HEAD), "no answer within"),
        (dripping(b"HTTP/1.1 200 OK\r\nX: "), "no answer within"),
        (holding(asyncio.Event(), answering(200)), "no answer within"),
        (saying(b""), "closed the connection"),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), "cannot be read"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), "cannot be read"),
        (saying(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), "cannot be read"),
    ],
)
async def test_what_is_no_answer_is_told(behave: Behaviour, said: str) -> None:
    """Redirects, endless, slow, cut and senseless answers are one printable line, after one request."""
    async with receiver(behave) as server:
        with pytest.raises(Unanswered) as caught:
            await ask(server.url(), timeout_s=0.15)
    assert said in caught.value.problem
    assert caught.value.problem.isprintable()
    assert len(caught.value.problem) < 300
    assert len(server.received) == 1


async def test_of_an_endless_answer_little_is_taken() -> None:
    """The connection is closed when the limit is passed."""
    async with receiver() as server:
        server.behave = endless(server, HEAD, b"x" * 4096)
        with pytest.raises(Unanswered, match="more than 65536 bytes"):
            await ask(server.url(), timeout_s=20)
    assert server.sent < 20_000_000


async def test_nobody_there() -> None:
    """A port where nobody listens is told."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(Unanswered, match="no connection"):
            await ask(f"http://127.0.0.1:{free.getsockname()[1]}/")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "169.254.169.254", "10.0.0.1"])
async def test_private_addresses_are_not_asked(host: str) -> None:
    """Without its network in `evidence.allow_networks` an address that is not public is refused, and the cure names the
    setting."""
    async with receiver() as server:
        with pytest.raises(Unanswered):
            await ask(server.url(host=host), networks=())
    assert not server.arrival.is_set()


async def test_a_name_that_comes_to_a_private_address_is_not_asked() -> None:
    """Whatever a name resolves to is judged, without TLS too; an allowed network is reached."""

    def inward(host: str, port: int) -> Sequence[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with receiver() as server:
        for networks, reached in (((), False), (LOOPBACK, True)):
            async with AskingClient(networks, WITNESS, "test", look_up=inward) as client:
                if reached:
                    assert (await client.post(server.url(host="w.example"), "text/plain", b"")).status == 200
                else:
                    with pytest.raises(Unanswered, match="is a loopback address"):
                        await client.post(server.url(host="w.example"), "text/plain", b"")
            assert server.arrival.is_set() is reached
