"""The way out to webhooks, against real servers on loopback that do what they should and what they should not."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dialer.ports_webhooks import Fate, Message, Outcome
from dialer.web.outgoing import WebhookClient
from dialer.web.reaching import Guard, LookUp, look_up
from dialer.webhook_urls import allowed_networks
from tests.receivers import Behaviour, Received, answering, dripping, endless, receiver, saying

LOOPBACK = allowed_networks(["127.0.0.0/8"])
SHORT_S = 0.5


def found(*addresses: str) -> LookUp:
    """A resolver that finds these addresses for any name."""

    def resolve(host: str, port: int) -> Sequence[tuple[Any, ...]]:
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port))
            for each in addresses
        ]

    return resolve


async def send(
    url: str,
    *,
    allow: Sequence[Any] = LOOPBACK,
    timeout_s: float = 20,
    resolve: LookUp = look_up,
    tls: ssl.SSLContext | None = None,
    times: int = 1,
) -> Outcome:
    """What becomes of a message; of the last when it is sent several times by one client."""
    async with WebhookClient(allow, timeout_s, look_up=resolve, tls=tls) as client:
        for _ in range(times):
            outcome = await client.send(Message(url, {"webhook-id": "msg_1"}, b'{"a":1}'))
    return outcome


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_is_delivered(status: int) -> None:
    """Any 2xx answer means delivered; body and headers came as they were given."""
    async with receiver(answering(status)) as server:
        assert await send(server.url("/a?b=c")) == Outcome(Fate.DELIVERED, status)
    (request,) = server.received
    assert (request.line, request.body) == ("POST /a?b=c HTTP/1.1", b'{"a":1}')
    assert request.headers["webhook-id"] == "msg_1"


@pytest.mark.parametrize("status", [400, 401, 404, 408, 429, 500, 503, 599])
async def test_any_other_status_is_a_failure_that_says_why(status: int) -> None:
    """The status is kept, and the beginning of the answer in one line."""
    async with receiver(answering(status, b"no \x00such\r\n tenant")) as server:
        outcome = await send(server.url())
    assert (outcome.fate, outcome.status) == (Fate.FAILED, status)
    assert str(status) in (outcome.error or "")
    assert (outcome.error or "").isprintable()


async def test_gone_is_gone() -> None:
    """410 is told apart from other failures."""
    async with receiver(answering(410)) as server:
        assert (await send(server.url())).fate is Fate.GONE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int) -> None:
    """Neither to itself, for ever, nor to another address: each is a failure with its own text, after one request."""
    async with receiver() as secret, receiver() as server:
        for target in (server.url(), secret.url("/admin"), "file:///etc/passwd", "//127.0.0.2/", "\x01" * 50):
            server.behave = answering(status, b"", f"Location: {target}")
            server.received.clear()
            outcome = await send(server.url())
            assert (outcome.fate, len(server.received), secret.received) == (Fate.FAILED, 1, [])
            assert "redirect" in (outcome.error or "") or "cannot be read" in (outcome.error or "")


async def test_nobody_listens() -> None:
    """A port where nobody listens is a failure that says so."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        outcome = await send(f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert (outcome.fate, outcome.status) == (Fate.FAILED, None)
    assert (outcome.error or "").startswith("no connection: ")


async def test_a_server_that_never_accepts_costs_the_timeout() -> None:
    """A connection that is taken by the kernel alone ends with the timeout."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)
        outcome = await send(f"http://127.0.0.1:{deaf.getsockname()[1]}/", timeout_s=SHORT_S)
    assert outcome == Outcome(Fate.FAILED, None, "no answer within 0.5 s")


HEAD = b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 4000


@pytest.mark.parametrize(
    "behave",
    [
        dripping(HEAD),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0.0005),
        saying(b""),
        saying(b"HTTP/1.1 200"),
        saying(b"HTTP/1.1 200 OK\r\nContent-"),
        saying(b"HTTP/1.1 100 Continue\r\n\r\n"),
        saying(b"SSH-2.0-OpenSSH_9.2\r\n"),
        saying(b"\x00\xff" * 5000),
        saying(b"HTTP/1.1 2000 OK\r\n\r\n"),
        saying(b"HTTP/1.1 -1 OK\r\n\r\n"),
        saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"),
    ],
)
async def test_what_is_no_answer_is_a_failure(behave: Behaviour) -> None:
    """Dripped, cut, endless and senseless answers are failures without a status of success, in words."""
    async with receiver(behave) as server:
        outcome = await send(server.url(), timeout_s=SHORT_S)
    assert outcome.fate is Fate.FAILED
    assert outcome.error
    assert outcome.error.isprintable()
    assert len(outcome.error) < 300


async def test_a_success_that_drips_its_body_is_a_success() -> None:
    """The status says all; what follows is not waited for."""
    async with receiver(dripping(b"HTTP/1.1 200 OK\r\n\r\n", 0.001)) as server:
        assert (await send(server.url())).fate is Fate.DELIVERED


async def test_a_failure_that_drips_its_body_is_told_by_its_status() -> None:
    """The status is kept, though the text never ended."""
    async with receiver(dripping(b"HTTP/1.1 503 Busy\r\n\r\nbusy", 0.001)) as server:
        outcome = await send(server.url(), timeout_s=4)
    assert (outcome.fate, outcome.status) == (Fate.FAILED, 503)


@pytest.mark.parametrize("status", [200, 500])
async def test_of_a_huge_answer_little_is_read(status: int) -> None:
    """An endless body is not taken: what the server could send is what the buffers between hold."""
    async with receiver() as server:
        server.behave = endless(server, f"HTTP/1.1 {status} Word\r\n\r\n".encode(), b"x" * 65536)
        outcome = await send(server.url())
        assert outcome.status == status
        assert len(outcome.error or "") < 300
        assert server.sent < 16 * 2**20


async def test_a_compressed_answer_is_not_unpacked() -> None:
    """What is gzip is shown as it is, so that it cannot grow."""
    async with receiver(answering(500, gzip.compress(b"bomb " * 10), "Content-Encoding: gzip")) as server:
        outcome = await send(server.url())
    assert (outcome.fate, outcome.status) == (Fate.FAILED, 500)
    assert "bomb bomb" not in (outcome.error or "")


async def test_every_message_has_a_connection_of_its_own() -> None:
    """A receiver that keeps its connection open gets the next message by another one."""

    async def keeping(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    async with receiver(keeping) as server:
        assert (await send(server.url(), times=3)).fate is Fate.DELIVERED
    assert len(server.received) == 3


async def test_no_cookie_comes_back() -> None:
    """What a receiver sets is forgotten."""
    async with receiver(answering(200, b"", "Set-Cookie: a=b; Path=/")) as server:
        await send(server.url(host="crm.example"), resolve=found("127.0.0.1"), times=2)
    assert [request.headers.get("cookie") for request in server.received] == [None, None]


async def test_nothing_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a proxy nor a password of a .netrc file is used."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password hunter2\n", "utf-8")
    async with receiver(answering(502)) as proxy, receiver() as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        assert (await send(server.url())).fate is Fate.DELIVERED
    assert proxy.received == []
    assert "authorization" not in server.received[0].headers


# Addresses.


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("127.0.0.1", "::1"), ("10.0.0.1", "169.254.169.254"), ("::1",)])
async def test_a_name_that_comes_to_a_private_address_is_refused(addresses: tuple[str, ...]) -> None:
    """Without an allowed network no connection is made, and the text says to what the name came."""
    async with receiver() as server:
        url = server.url(scheme="https", host="crm.example")
        outcome = await send(url, allow=(), resolve=found(*addresses))
    assert outcome.fate is Fate.FAILED
    assert f"`{addresses[-1]}` is a" in (outcome.error or "")
    assert not server.arrival.is_set()


async def test_of_several_addresses_only_those_that_may_be_are_tried() -> None:
    """A private address beside an allowed one is not connected to."""
    async with receiver() as server:
        outcome = await send(server.url(host="crm.example"), resolve=found("10.255.255.1", "127.0.0.1"))
    assert outcome.fate is Fate.DELIVERED


async def test_without_tls_a_public_address_is_not_connected_to() -> None:
    """A name that was registered for an allowed network, and then came to a public address, is refused."""
    outcome = await send("http://crm.example/", resolve=found("8.8.8.8"))
    assert "without TLS" in (outcome.error or "")


async def test_a_name_is_resolved_once_for_each_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a name is resolved to is judged each time: a later answer is not covered by an earlier one."""
    answers = [found("127.0.0.1"), found("127.0.0.1"), found("10.0.0.1")]
    asked = []

    def rebinding(host: str, port: int) -> Sequence[tuple[Any, ...]]:
        asked.append(host)
        return answers[len(asked) - 1](host, port)

    async with receiver() as server:
        outcome = await send(server.url(host="crm.example"), resolve=rebinding, times=3)
    assert asked == ["crm.example"] * 3
    assert len(server.received) == 2
    assert outcome.error == "it is not connected to: `10.0.0.1` is a private address"


async def test_the_address_is_judged_when_it_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when whatever resolves names lets everything through, no socket is made for a refused address."""

    async def trusting(_: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 6, "flags": 0}]

    monkeypatch.setattr(Guard, "resolve", trusting)
    async with receiver() as server:
        outcome = await send(server.url(scheme="https", host="crm.example"), allow=())
    assert outcome.error == "it is not connected to: `127.0.0.1` is a loopback address"
    assert not server.arrival.is_set()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "localhost", "localhost.", "0"]
)
async def test_what_was_registered_under_other_settings_is_refused(host: str) -> None:
    """A URL in the store that these settings do not allow is a failure, not a connection."""
    async with receiver() as server:
        for scheme in ("http", "https"):
            outcome = await send(server.url(scheme=scheme, host=host), allow=())
            assert outcome.fate is Fate.FAILED
    assert not server.arrival.is_set()


async def test_the_systems_resolver_is_asked() -> None:
    """A name of the machine's own is resolved and delivered to where loopback is allowed."""
    async with receiver() as server:
        assert (await send(server.url(host="localhost"))).fate is Fate.DELIVERED


async def test_a_name_that_does_not_exist() -> None:
    """It is a failure in words."""

    def nothing(host: str, port: int) -> Sequence[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    outcome = await send("https://crm.example/", resolve=nothing)
    assert outcome.error == "its name has no address: Name or service not known"


async def test_a_name_server_that_hangs_holds_up_that_name_alone() -> None:
    """Messages to the name that hangs take one thread between them, and end in time; others go on."""
    answered, asked = threading.Event(), []

    def hanging(host: str, port: int) -> Sequence[tuple[Any, ...]]:
        asked.append(host)
        if host == "slow.example":
            answered.wait()
        return found("127.0.0.1")(host, port)

    try:
        async with receiver() as server, WebhookClient(LOOPBACK, SHORT_S, look_up=hanging, threads=2) as client:
            slow = Message(server.url(host="slow.example"), {}, b"")
            for _ in range(3):
                outcomes = await asyncio.gather(client.send(slow), client.send(slow))
                assert {each.fate for each in outcomes} == {Fate.FAILED}
            assert (await client.send(Message(server.url(host="crm.example"), {}, b""))).fate is Fate.DELIVERED
            answered.set()
            assert (await client.send(slow)).fate is Fate.DELIVERED
    finally:
        answered.set()
    assert asked.count("slow.example") in (1, 2)  # again at the end, when the first was answered in time


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for crm.example, signed by itself, with its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed; install it with `apt install openssl`")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=crm.example"]
    names = ["-addext", "subjectAltName=DNS:crm.example"]
    key = file.with_name("key.pem")
    subprocess.run([program, *request, *names, "-keyout", key, "-out", file], check=True, capture_output=True)
    with file.open("ab") as both:
        both.write(key.read_bytes())
    return file


def server_tls(certificate: Path) -> ssl.SSLContext:
    """A server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    """Nothing is sent to a server that cannot prove who it is."""
    async with receiver(tls=server_tls(certificate)) as server:
        outcome = await send(server.url(scheme="https", host="crm.example"), resolve=found("127.0.0.1"))
    assert (outcome.error or "").startswith("its TLS certificate is not accepted: ")
    assert server.received == []


@pytest.mark.parametrize(("host", "fate"), [("crm.example", Fate.DELIVERED), ("other.example", Fate.FAILED)])
async def test_a_certificate_is_for_its_name_alone(certificate: Path, host: str, fate: Fate) -> None:
    """With a trusted certificate the message arrives under its name, and not under another."""
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with receiver(tls=server_tls(certificate)) as server:
        outcome = await send(server.url(scheme="https", host=host), resolve=found("127.0.0.1"), tls=trusted)
    assert outcome.fate is fate
    assert len(server.received) == (fate is Fate.DELIVERED)


async def test_a_server_without_tls_is_not_spoken_to_in_clear() -> None:
    """Nothing of the message reaches a server that does not speak TLS."""
    async with receiver() as server:
        outcome = await send(server.url(scheme="https"), timeout_s=SHORT_S)
    assert outcome.fate is Fate.FAILED
    assert server.received == []
