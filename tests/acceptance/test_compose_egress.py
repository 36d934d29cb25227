"""The egress of docker-compose.yml: what its one-shot service renders, started as its container is, on a real Asterisk.

Calls are SIP by hand, so that the far ends are known by their addresses alone, as behind a published port.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agi.pbx import launch
from agi.pbx.instance import free_port
from agi.pbx.provision import AsteriskBinary
from tests.unit.compose_files import FILLED_IN, ROOT, compose

pytestmark = pytest.mark.asterisk

SCRIPTS = ROOT / "deploy" / "asterisk"
EGRESS, SERVICE, PBX, CARRIER, STRANGER = (f"127.0.0.{last}" for last in (101, 102, 103, 104, 105))
CALLEE, PRESENTED = "+442079460123", "+442079460999"


@dataclass
class Peer(asyncio.DatagramProtocol):
    """A SIP peer on one address: what it got, in order; as the carrier it says that the callee is busy."""

    address: str
    got: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    invites: list[str] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None

    async def open(self, port: int = 0) -> int:
        """Its port."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.address, port))
        return int(self.transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep it; answer what must be answered."""
        text = data.decode("utf-8", "replace")
        method = text.partition(" ")[0]
        if method == "INVITE":
            self.invites.append(text)
            self._answer(text, addr, "486 Busy Here")
        elif method == "OPTIONS":
            self._answer(text, addr, "200 OK")
        elif method.startswith("SIP/2.0"):
            self.got.put_nowait(text)

    def _answer(self, request: str, to: tuple[str, int], status: str) -> None:
        kept = re.findall(r"(?im)^(?:via|from|call-id|cseq): .*$", request)
        callee = re.findall(r"(?im)^to: .*$", request)[0].strip() + ";tag=far"
        lines = [f"SIP/2.0 {status}", *(line.strip() for line in kept), callee, "Content-Length: 0", "", ""]
        assert self.transport
        self.transport.sendto("\r\n".join(lines).encode(), to)

    async def call(self, port: int, callee: str) -> int:
        """Call the egress; the status that ends the call."""
        assert self.transport
        own = f"{self.address}:{self.transport.get_extra_info('sockname')[1]}"
        offer = ["v=0", f"o=- 1 1 IN IP4 {self.address}", "s=-", f"c=IN IP4 {self.address}", "t=0 0"]
        body = "".join(f"{line}\r\n" for line in [*offer, "m=audio 4000 RTP/AVP 8"])
        lines = [
            f"INVITE sip:{callee}@{EGRESS}:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{secrets.token_hex(8)};rport",
            f"From: <sip:{PRESENTED}@{own}>;tag={secrets.token_hex(4)}",
            f"To: <sip:{callee}@{EGRESS}>",
            f"Call-ID: {secrets.token_hex(8)}",
            "CSeq: 1 INVITE",
            f"Contact: <sip:{own}>",
            "Max-Forwards: 70",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
        ]
        self.transport.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), (EGRESS, port))
        async with asyncio.timeout(20):
            while (status := int((await self.got.get()).split(" ", 2)[1])) < 200:
                pass
        return status


@dataclass(frozen=True)
class Egress:
    """The egress, running: its SIP and manager ports, its environment, the carrier that it knows."""

    folder: Path
    env: dict[str, str]
    sip_port: int
    ami_port: int
    secret: str
    carrier: Peer

    def run(self, script: str) -> int:
        """The exit code of one of the container's scripts."""
        return subprocess.run([SCRIPTS / script], env=self.env, capture_output=True, check=False).returncode

    def log(self) -> str:
        """What the container would log."""
        return (self.folder / "console").read_text("utf-8", "replace")


@pytest.fixture
async def egress(asterisk: AsteriskBinary, tmp_path: Path) -> AsyncIterator[Egress]:
    """Rendered by render.sh with the compose file's variables, but for addresses, ports and folders; up and healthy."""
    carrier = Peer(CARRIER)
    sip_port, ami_port = free_port(EGRESS, socket.SOCK_DGRAM), free_port(EGRESS)
    env = _environment(asterisk, tmp_path, sip_port, ami_port, await carrier.open())
    found = Egress(tmp_path, env, sip_port, ami_port, (tmp_path / "secret").read_text("utf-8").strip(), carrier)
    assert found.run("render.sh") == 0
    assert found.run("healthcheck.sh") != 0  # nothing runs yet
    command = [sys.executable, "-I", "-S", str(Path(launch.__file__)), str(os.getpid()), str(SCRIPTS / "start.sh")]
    with (tmp_path / "console").open("wb") as console:
        process = subprocess.Popen(  # noqa: ASYNC220 - a thread of a pool must not be its parent
            command, env=env, stdin=subprocess.DEVNULL, stdout=console, stderr=console
        )
    try:
        async with asyncio.timeout(30):
            while await asyncio.to_thread(found.run, "healthcheck.sh") != 0:
                assert process.poll() is None, found.log()
        yield found
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 20)
        assert carrier.transport
        carrier.transport.close()


def _environment(asterisk: AsteriskBinary, folder: Path, sip: int, ami: int, carrier: int) -> dict[str, str]:
    (folder / "etc").mkdir()
    (folder / "secret").write_text(secrets.token_hex(32) + "\n", "utf-8")
    given = compose({**FILLED_IN, "HEEDLINE_SIP_PORT": str(sip)})["services"]["render"]["environment"]
    return {
        **{name: str(value) for name, value in given.items()},
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HEEDLINE_ASTERISK": str(asterisk.path),
        "HEEDLINE_HOME": str(folder / "home"),
        "HEEDLINE_AMI_SECRET_FILE": str(folder / "secret"),
        "HEEDLINE_SERVICE_ADDRESS": SERVICE,
        "HEEDLINE_EGRESS_ADDRESS": EGRESS,
        "HEEDLINE_PBX_ADDRESSES": f"192.0.2.0/24,{PBX}",
        "HEEDLINE_CARRIER_HOST": CARRIER,
        "HEEDLINE_CARRIER_PORT": str(carrier),
        "EGRESS_OUT": str(folder / "etc"),
        "EGRESS_ETC": str(folder / "etc"),
        "EGRESS_RUN": str(folder / "run"),
        "EGRESS_SIP_BIND": f"{EGRESS}:{sip}",
        "EGRESS_MANAGER_PORT": str(ami),
        "EGRESS_MODULES": str(asterisk.modules),
        "EGRESS_DATA": str(asterisk.data),
    }


@contextlib.asynccontextmanager
async def gate(verdict: str) -> AsyncIterator[list[dict[str, str]]]:
    """A FastAGI server where the service would be; yields what it was asked."""
    asked: list[dict[str, str]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\n\n")).decode()
            asked.append(dict(line.split(": ", 1) for line in head.splitlines() if ": " in line))
            said = {
                "GATE_VERDICT": verdict,
                "GATE_PERMIT": "ab" * 16,
                "GATE_CALLEE": CALLEE,
                "GATE_PRESENTED": PRESENTED,
                "GATE_ATTEMPT": "7",
            }
            writer.write(f'EXEC MSet "{",".join(f"{name}={value}" for name, value in said.items())}"\n'.encode())
            await reader.readline()

    async with await asyncio.start_server(serve, SERVICE, 4573):
        yield asked


@contextlib.asynccontextmanager
async def peer(address: str) -> AsyncIterator[Peer]:
    """A caller on an address."""
    caller = Peer(address)
    await caller.open()
    assert caller.transport
    try:
        yield caller
    finally:
        caller.transport.close()


async def login(egress: Egress, address: str, secret: str) -> str:
    """What the manager interface answers to a login from an address; empty when it closes."""
    reader, writer = await asyncio.open_connection(EGRESS, egress.ami_port, local_addr=(address, 0))
    with contextlib.closing(writer):
        writer.write(f"Action: Login\r\nUsername: heedline\r\nSecret: {secret}\r\n\r\n".encode())
        async with asyncio.timeout(20):
            banner = await reader.readline()
            assert banner.startswith(b"Asterisk Call Manager")
            return (await reader.readline()).decode().strip()


async def test_allowed_call_leaves_once_and_clean(egress: Egress) -> None:
    """With an ALLOW one INVITE reaches the carrier, with the public address and no header of ours; its status comes."""
    async with gate("ALLOW") as asked, peer(PBX) as pbx:
        assert await pbx.call(egress.sip_port, CALLEE) == 486
    assert [request["agi_network_script"] for request in asked] == ["egress"]
    assert asked[0]["agi_arg_1"] == CALLEE
    (invite,) = egress.carrier.invites
    assert invite.startswith(f"INVITE sip:{CALLEE}@{CARRIER}:{egress.env['HEEDLINE_CARRIER_PORT']} ")
    assert f"<sip:{PRESENTED}@" in invite
    assert "X-Heedline" not in invite
    assert f"c=IN IP4 {FILLED_IN['HEEDLINE_PUBLIC_ADDRESS']}" in invite
    contact = re.search(r"(?m)^Contact: <sip:.+@(.+)>", invite)
    assert contact
    assert contact[1] == f"{FILLED_IN['HEEDLINE_PUBLIC_ADDRESS']}:{egress.sip_port}"
    port = re.search(r"m=audio (\d+) ", invite)
    assert port
    assert 10000 <= int(port[1]) <= 10199


async def test_refused_call_does_not_leave(egress: Egress) -> None:
    """A refusal, and a service that is down, are 603 for the PBX and nothing for the carrier."""
    async with peer(PBX) as pbx:
        async with gate("REFUSE") as asked:
            assert await pbx.call(egress.sip_port, CALLEE) == 603
        assert len(asked) == 1
        assert await pbx.call(egress.sip_port, CALLEE) == 603
    assert egress.carrier.invites == []


async def test_others_may_not_call(egress: Egress) -> None:
    """A stranger is challenged, the carrier's own calls are refused, and the gate hears of neither."""
    async with gate("ALLOW") as asked:
        async with peer(STRANGER) as stranger:
            assert await stranger.call(egress.sip_port, CALLEE) == 401
        assert await egress.carrier.call(egress.sip_port, CALLEE) == 603
    assert asked == []
    assert egress.carrier.invites == []


async def test_manager_is_the_services_alone(egress: Egress) -> None:
    """The secret opens from the service's address and from no other, and a wrong one from nowhere."""
    assert await login(egress, SERVICE, egress.secret) == "Response: Success"
    assert await login(egress, STRANGER, egress.secret) == "Response: Error"
    assert await login(egress, SERVICE, "wrong") == "Response: Error"


async def test_egress_starts_without_a_complaint(egress: Egress) -> None:
    """Nothing that it loads fails or warns: the rendered files are whole."""
    assert "Asterisk Ready." in egress.log()
    assert [line for line in egress.log().splitlines() if " ERROR[" in line or " WARNING[" in line] == []
