"""A switch that asks a FastAGI server over TCP, as an Asterisk does, and what a node answered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from tests.benchmarks.agi_load import HEADERS

NOTHING: Mapping[str, str] = {}
"""What a channel has when the node said nothing at all."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Asks the node on `port` of 127.0.0.1, and waits for an answer as long as `deadline_s`."""

    port: int
    seller: str
    trunk: str
    shown: str
    deadline_s: float = 60

    async def check(self, callee: str) -> Mapping[str, str]:
        """Ask about a call, as the call centre's PBX."""
        fields = {"number": callee, "seller": self.seller, "trunk": self.trunk, "cli": self.shown}
        return await self._ask(HEADERS.format(route="outbound", n=1, **fields).encode())

    async def redeem(self, permit: str, callee: str, shown: str) -> Mapping[str, str]:
        """Ask whether an INVITE with a permit may go out, as the egress."""
        return await self.ask("egress", callee, permit, shown, "", "127.0.0.1:5060")

    async def ask(self, route: str, *arguments: str) -> Mapping[str, str]:
        """Ask at any entry point."""
        lines = [f"agi_arg_{n}: {value}" for n, value in enumerate(arguments, 1)]
        head = f"agi_network: yes\nagi_network_script: {route}\nagi_uniqueid: 1795500000.2\n"
        return await self._ask((head + "\n".join(lines) + "\n\n").encode())

    async def _ask(self, block: bytes) -> Mapping[str, str]:
        """The variables that the channel has in the end. A node that is down or dies leaves what it had set; of one
        that is late nothing counts."""
        variables: dict[str, str] = {}
        try:
            async with asyncio.timeout(self.deadline_s):
                await self._talk(block, variables)
        except TimeoutError:
            return NOTHING
        except OSError:
            pass
        return variables

    async def _talk(self, block: bytes, variables: dict[str, str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.closing(writer):
            writer.write(block)
            while line := await reader.readline():
                if line.startswith(b"GET FULL VARIABLE "):  # the headers of an INVITE: there is none here
                    writer.write(b"200 result=0\n")
                    continue
                command, _, pairs = line.decode().rstrip("\n").partition("MSet ")
                assert command == "EXEC "
                parts = [pair.partition("=") for pair in pairs.split(",")]
                variables.update({name: value for name, _, value in parts})
                writer.write(b"200 result=0\n")


def allowed(variables: Mapping[str, str]) -> bool:
    """Whether a channel with these variables would be dialled."""
    return variables.get("GATE_VERDICT") == "ALLOW" and bool(variables.get("GATE_PERMIT"))
