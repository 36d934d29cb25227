"""A gate process that is stopped, killed or waited for: the call ends, nothing leaves, no channel is stuck."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agi.dialplan.render import DialplanSettings
from agi.pbx.instance import free_port
from agi.pbx.lab import Lab, Way
from agi.pbx.manager import Packet
from agi.pbx.provision import AsteriskBinary

pytestmark = pytest.mark.asterisk

CALLEE = "+4917600001"


@dataclass(frozen=True, slots=True)
class GateProcess:
    """A gate that allows, in a process of its own."""

    process: asyncio.subprocess.Process
    output: asyncio.StreamReader
    port: int

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def asked(self) -> list[str]:
        """The next request that it got."""
        return (await asyncio.wait_for(self.output.readline(), 10)).decode().split()


@contextlib.asynccontextmanager
async def gate_process() -> AsyncIterator[GateProcess]:
    """Start it, wait until it listens, and end it."""
    port = free_port("127.0.0.1")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.acceptance.fakegate", str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        assert (await asyncio.wait_for(process.stdout.readline(), 20)).strip() == b"ready"
        yield GateProcess(process, process.stdout, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def denied(where: str) -> Packet:
    """What the event of a refusal holds."""
    return {"Event": "UserEvent", "UserEvent": "HeedlineDeny", "Where": where}


async def seen(lab: Lab, wanted: Packet) -> Packet:
    """The first event at the PBX with these fields."""
    return await lab.pbx.manager.expect(lambda event: wanted.items() <= event.items(), 20)


@pytest.mark.parametrize("way", [Way.AGENT, Way.CALLEE])
async def test_stopped_process_refuses_and_recovers(asterisk: AsteriskBinary, tmp_path: Path, way: Way) -> None:
    """A process under SIGSTOP still accepts connections; calls then end refused, and are allowed again on SIGCONT."""
    async with gate_process() as gate, Lab(asterisk, tmp_path, DialplanSettings(f"127.0.0.1:{gate.port}", 1)) as lab:
        gate.send(signal.SIGSTOP)
        call = await lab.originate(CALLEE, way=way)
        await call.ended()
        assert (await seen(lab, denied("pbx")))["AGIStatus"] == "TIMEOUT"
        assert await lab.invites() == 0
        assert await lab.pbx.channels() == ()
        gate.send(signal.SIGCONT)
        await lab.originate(CALLEE, way=way)
        await lab.egress.manager.expect(lambda event: event.get("Event") == "BridgeEnter", 10)
        assert await lab.invites() == 1


async def test_killed_process_refuses_the_call_in_flight(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """A gate that is stopped in mid-request and then killed leaves a refused call, not a waiting one."""
    async with gate_process() as gate, Lab(asterisk, tmp_path, DialplanSettings(f"127.0.0.1:{gate.port}", 30)) as lab:
        gate.send(signal.SIGSTOP)
        call = await lab.originate(CALLEE)
        await seen(lab, {"Event": "Newexten", "Application": "AGI"})
        gate.send(signal.SIGKILL)
        await call.ended(20)
        await seen(lab, denied("pbx"))
        assert await lab.invites() == 0


async def test_caller_frees_the_channel_of_a_stopped_process(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """A caller who hangs up while the gate hangs is gone: the channel does not wait for the deadline of 30 s."""
    async with gate_process() as gate, Lab(asterisk, tmp_path, DialplanSettings(f"127.0.0.1:{gate.port}", 30)) as lab:
        gate.send(signal.SIGSTOP)
        call = await lab.originate(CALLEE)
        await seen(lab, {"Event": "Newexten", "Application": "AGI"})
        await lab.pbx.hang_up_all(10)
        await call.ended(10)
        assert await lab.pbx.channels() == ()
        assert await lab.invites() == 0


async def test_peer_frees_the_egress_channel_of_a_stopped_process(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """A peer that cancels its INVITE while the gate hangs leaves no channel at the egress, deadline 30 s or not."""
    async with gate_process() as gate, Lab(asterisk, tmp_path, DialplanSettings(f"127.0.0.1:{gate.port}", 30)) as lab:
        gate.send(signal.SIGSTOP)
        call = await lab.originate(CALLEE, way=Way.BYPASS, timeout_s=1)
        assert not call.answered
        await lab.egress.manager.expect(lambda event: event.get("Event") == "Hangup", 10)
        assert await lab.egress.channels() == ()
        assert await lab.invites() == 0


async def test_egress_waits_no_longer_than_its_deadline(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """A bypass that meets a stopped gate at the egress is refused there by the egress's own deadline."""
    async with gate_process() as gate, Lab(asterisk, tmp_path, DialplanSettings(f"127.0.0.1:{gate.port}", 1)) as lab:
        gate.send(signal.SIGSTOP)
        call = await lab.originate(CALLEE, way=Way.BYPASS)
        assert not call.answered
        event = await lab.egress.manager.expect(lambda event: denied("egress").items() <= event.items(), 10)
        assert event["AGIStatus"] == "TIMEOUT"
        assert await lab.invites() == 0
        assert await lab.egress.channels() == ()


async def test_server_that_accepts_nobody_refuses(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """A server whose backlog is full, so that the connection is never made, refuses the call in both places."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        settings = DialplanSettings(f"127.0.0.1:{server.getsockname()[1]}", 1)
        async with Lab(asterisk, tmp_path, settings) as lab:
            for way in (Way.AGENT, Way.BYPASS):
                call = await lab.originate(CALLEE, way=way)
                await call.ended()
            assert await lab.invites() == 0
