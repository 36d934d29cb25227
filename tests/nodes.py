"""Nodes as processes: `heedline serve` over one database, each with settings and a port of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from agi.pbx.instance import free_port
from dialer.demo.node import Node
from dialer.demo.places import Place
from dialer.demo.world import policy
from tests.gate_world import SELLER, TRUNK
from tests.servers import Server
from tests.switch import Switch


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a node tries, in milliseconds: long where nothing may fail, as in production where it shall."""

    gate_ms: int = 8_000
    agi_ms: int = 9_000


PRODUCTION = Patience(700, 800)


def write_settings(folder: Path, dsn: str, patience: Patience) -> tuple[Path, int]:
    """Settings of one node, with a cap of one call a day everywhere; the file and the FastAGI port."""
    folder.mkdir(parents=True)
    port = free_port("127.0.0.1")
    file = folder / "heedline.toml"
    file.write_text(
        f"[agi]\nport = {port}\ndeadline_ms = {patience.agi_ms}\n[http]\nport = 0\n[speech]\nenabled = false\n"
        f'[gate]\npatience_ms = {patience.gate_ms}\n[egress]\ntrunk = "{TRUNK}"\n'
        f"[database]\nurl = {json.dumps(dsn)}\n",
        "utf-8",
    )
    (folder / "policy.toml").write_text(policy(), "utf-8")
    return file, port


class FaultyNode(Node):
    """A node that can be frozen and thawed."""

    def thaw(self) -> None:
        """Let it go on."""
        self._running.send_signal(signal.SIGCONT)


@asynccontextmanager
async def running_nodes(folder: Path, dsn: str, count: int, patience: Patience) -> AsyncIterator[Sequence[FaultyNode]]:
    """So many nodes, up; they end with the context."""
    nodes = [FaultyNode(*write_settings(folder / f"node-{n}", dsn, patience)) for n in range(count)]
    with mock.patch.dict(os.environ, {"HEEDLINE_HOME": str(folder / "home")}):
        try:
            await asyncio.gather(*[node.start() for node in nodes])
            yield nodes
        finally:
            await asyncio.gather(*[node.stop() for node in nodes])


def switch_of(node: Node, place: Place, deadline_s: float = 60) -> Switch:
    """A switch that asks this node about calls to a place."""
    return Switch(node.agi_port, SELLER, TRUNK, place.presented, deadline_s)


async def strike(fault: str, node: FaultyNode, up: asyncio.Event, server: Server) -> None:
    """Kill or freeze a node, crash or stop the database. `up` is cleared while the node does not run."""
    match fault:
        case "kill":
            up.clear()
            await node.kill()
        case "freeze":
            node.freeze()
        case "crash":
            await asyncio.to_thread(server.crash)
        case "stop":
            server.send(signal.SIGSTOP)


async def mend(fault: str, node: FaultyNode, up: asyncio.Event, server: Server) -> None:
    """Undo it."""
    match fault:
        case "kill":
            await node.start()
            up.set()
        case "freeze":
            node.thaw()
        case "crash":
            await asyncio.to_thread(server.start)
        case "stop":
            server.send(signal.SIGCONT)
