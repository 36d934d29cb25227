"""A node that follows real switches, and callees who refuse while their phone rings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import aiohttp

from agi.dialplan.render import DialplanSettings
from agi.pbx.binary import AsteriskBinary
from agi.pbx.capture import Ending, Invite
from agi.pbx.instance import Instance
from agi.pbx.lab import Call
from dialer.app import Registers, open_database, open_registers
from dialer.config import load
from tests.acceptance.ami_lab import AgentLab
from tests.gate_world import SELLER, TRUNK, World, digits, furnish, place_now
from tests.nodes import FaultyNode, Patience, write_settings

LENIENT = Patience(3_000, 4_000)

# An agent's phone that rings and is not picked up; and one that dials by itself, as a customer of the PBX.
_SILENT_PHONE = """
[lab-phones](+)
exten => 1080,1,Ringing()
 same => n,Wait(3600)
"""
_PHONES = """
[1080]
type = endpoint
context = lab-agent
transport = udp
disallow = all
allow = ulaw
aors = 1080
[1080]
type = aor
contact = sip:1080@{carrier}:{port}
[desk]
type = endpoint
context = desk
transport = udp
disallow = all
allow = ulaw
[desk]
type = identify
endpoint = desk
match = {carrier}
"""
_DESK = f"""
[desk]
exten => _[+0-9]!,1,Set(HEEDLINE_SELLER={SELLER})
 same => n,Set(HEEDLINE_TRUNK={TRUNK})
 same => n,Set(HEEDLINE_CLI={{shown}})
 same => n,Goto(heedline-outbound,${{{{EXTEN}}}},1)
"""


class EffectsLab(AgentLab):
    """The lab, with phones that agents have, and with the end of calls told from the wire at the carrier."""

    def __init__(self, binary: AsteriskBinary, folder: Path, settings: DialplanSettings, shown: str) -> None:
        super().__init__(binary, folder, settings)
        self.more_pjsip = _PHONES.format(carrier=self.carrier.address, port=self.carrier.sip_port)
        self.own_dialplan = _DESK.format(shown=shown)

    def _configure(self) -> None:
        super()._configure()
        self._append(self.carrier, "", _SILENT_PHONE)

    async def calls(self, number: str) -> list[Invite]:
        """The INVITEs to a callee that reached the carrier since the start."""
        return [invite for invite in await self._tap.invites() if invite.number == number]

    async def endings(self, invites: list[Invite] | None = None) -> list[Ending]:
        """What ended calls at the carrier since the start, those of some INVITEs alone if they are given."""
        wanted = None if invites is None else {invite.call_id for invite in invites}
        return [each for each in await self._tap.endings() if wanted is None or each.call_id in wanted]


class Wire:
    """A TCP path to a port of a switch that can be cut and mended."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def mend(self) -> None:
        """Let connections through, on the same port as before."""
        self._server = await asyncio.start_server(self._through, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End every connection and take no more."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        if server is not None:
            await server.wait_closed()

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        ends = (writer, far_writer)
        self._writers.update(ends)
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self._writers.difference_update(ends)
            for end in ends:
                end.transport.abort()

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.transport.abort()


@dataclass
class Desk:
    """All that is up. `wires` lead from the node to the manager interfaces."""

    lab: EffectsLab
    node: FaultyNode
    dsn: str
    home: Path
    world: World
    registers: Registers
    wires: tuple[Wire, Wire]
    _given: set[str] = field(default_factory=set)

    async def callee(self, ending: str = "80", **changes: object) -> str:
        """A callee who agreed; `ending` says how he behaves."""
        while (number := self.world.fresh()[:-2] + ending) in self._given:
            pass
        self._given.add(number)
        await self.world.consent(number, **changes)  # type: ignore[arg-type] # the values are each test's own
        return number

    async def call(self, callee: str, seller: str = SELLER, timeout_s: float = 30) -> Call:
        """An agent's call to a callee."""
        variables = {"HEEDLINE_SELLER": seller, "HEEDLINE_TRUNK": TRUNK}
        shown = self.world.place.presented
        return await self.lab.originate(callee, cli=shown, variables=variables, timeout_s=timeout_s)

    async def ringing(self, callee: str, seller: str = SELLER) -> Call:
        """A call whose callee's phone rings, as the egress sees it."""
        call = await self.call(callee, seller)
        await self.state_of(callee, "Ringing")
        return call

    async def state_of(self, callee: str, state: str) -> Mapping[str, str]:
        """Wait until the egress's channel to a callee is in that state."""
        return await self.lab.egress.manager.expect(
            lambda event: (
                event.get("Event") == "Newstate"
                and event.get("ChannelStateDesc") == state
                and callee in (event.get("CallerIDNum"), event.get("ConnectedLineNum"), event.get("Exten"))
            ),
            20,
        )

    async def cancelled(self, callee: str, what: str = "CANCEL") -> Ending:
        """Wait for the end of the last call to a callee, as the carrier got it."""
        invites = (await self.lab.calls(callee))[-1:]
        async with asyncio.timeout(20):
            while not (found := [each for each in await self.lab.endings(invites) if each.what == what]):  # noqa: ASYNC110 # a packet log announces nothing
                await asyncio.sleep(0.05)
        return found[0]

    async def followed(self, *, yes: bool = True) -> None:
        """Wait until the node is connected to both switches, or to none."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(40):
            while True:
                # one that was killed leaves its own behind
                announced = max((self.home / "run").glob("service-*.json"), key=lambda file: file.stat().st_mtime_ns)
                port = json.loads(announced.read_text("utf-8"))["http_port"]
                async with session.get(f"http://127.0.0.1:{port}/status") as response:
                    switches = (await response.json())["switches"]
                if [switch["connected"] for switch in switches] == [yes, yes]:
                    return
                await asyncio.sleep(0.05)  # health announces nothing

    async def cli(self, *arguments: str) -> tuple[int, str]:
        """Run `heedline` as a process of its own; its status and what it said."""
        environment = {**os.environ, "HEEDLINE_CONFIG": str(self.node.config), "HEEDLINE_HOME": str(self.home)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dialer.cli", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment,
        )  # fmt: skip
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def refuse(self, callee: str, seller: str = SELLER) -> None:
        """A refusal is recorded by another process."""
        status, said = await self.cli("refusal", "add", callee, "--seller", seller)
        assert status == 0, said

    def digits(self, callee: str) -> int:
        """As the use cases take them."""
        return digits(callee)


@asynccontextmanager
async def open_desk(
    binary: AsteriskBinary, folder: Path, dsn: str, *, patience: Patience = LENIENT, policy: str = ""
) -> AsyncIterator[Desk]:
    """Everything up, on an empty migrated (or new) database; `policy` is added to `policy.toml`."""
    home = folder / "home"
    place = place_now()
    file, port = write_settings(folder / "node", dsn, patience)
    with (folder / "node" / "policy.toml").open("a", encoding="utf-8") as stream:
        stream.write(policy)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, {"HEEDLINE_HOME": str(home)}))
        database = await stack.enter_async_context(
            open_database(load({"HEEDLINE_HOME": str(home), "HEEDLINE_DATABASE_URL": dsn}))
        )
        registers = open_registers(database, "test")
        world = await furnish(registers, place)
        dialplan = DialplanSettings(f"127.0.0.1:{port}", deadline_s=max(1, -(-patience.agi_ms // 1000)))
        lab = await stack.enter_async_context(EffectsLab(binary, folder / "lab", dialplan, place.presented))
        wires = (Wire(lab.pbx.address, lab.pbx.ami_port), Wire(lab.egress.address, lab.egress.ami_port))
        for wire in wires:
            await wire.mend()
            stack.push_async_callback(wire.cut)
        with file.open("a", encoding="utf-8") as settings:
            settings.write(_switch(lab.pbx, wires[0].port, "pbx", "egress", folder))
            settings.write(_switch(lab.egress, wires[1].port, "egress", "carrier", folder))
        node = FaultyNode(file, port)
        await node.start()
        stack.push_async_callback(node.stop)
        desk = Desk(lab, node, dsn, home, world, registers, wires)
        await desk.followed()
        yield desk


def _switch(instance: Instance, port: int, role: str, trunk: str, folder: Path) -> str:
    secret = folder / f"{instance.name}.secret"
    secret.write_text(instance.ami_secret, "utf-8")
    return (
        f'[[ami]]\nname = "{instance.name}"\nrole = "{role}"\nhost = "127.0.0.1"\nport = {port}\n'
        f'username = "{instance.ami_user}"\nsecret_file = {json.dumps(str(secret))}\ntrunks = ["{trunk}"]\n'
    )
