"""The sides of the benchmark, each a process: `floor` (bare panoramisk), `bare` (ours, no gate), `gate`, `single`, and
`sealing`: the gate, with what it writes sealed meanwhile on the same event loop, as in a service.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import uvloop
from panoramisk.fast_agi import Application, Request

from agi.outbound import outbound
from agi.server import AgiCall, Limits, serve
from db.gate_store import PostgresGateStore
from db.pool import open_pool
from dialer.app import open_database
from dialer.config import load
from dialer.evidence_node import open_sealing
from dialer.gate import Gate
from dialer.policy.pack import load_packs

# A Wednesday at 10:00 in China: within hours whenever the benchmark runs, so that the dearest path is measured.
_STARTS = datetime(2026, 11, 25, 2, tzinfo=UTC)


@asynccontextmanager
async def _floor(port: int) -> AsyncIterator[None]:
    application = Application(loop=asyncio.get_running_loop())

    async def entry(request: Request) -> None:
        await request.send_command('SET VARIABLE GATE_VERDICT "ALLOW"')

    application.add_route("outbound", entry)
    server = await asyncio.start_server(application.handler, "127.0.0.1", port, backlog=1024)
    yield
    server.close()


@asynccontextmanager
async def _bare(port: int) -> AsyncIterator[None]:
    async def entry(_: AgiCall) -> Mapping[str, str]:
        return {"GATE_VERDICT": "ALLOW"}

    async with await serve("127.0.0.1", port, {"outbound": entry}):
        yield


@asynccontextmanager
async def _gate(port: int, dsn: str, max_batch: int, workers: int) -> AsyncIterator[None]:
    async def keep(_: object) -> None:
        """Nothing to reset."""

    shift = _STARTS - datetime.now(UTC)
    pool = await open_pool(dsn, max_size=workers + 2, reset=keep)

    def clock() -> datetime:
        return datetime.now(UTC) + shift

    gate = Gate(PostgresGateStore(pool), load_packs(), clock, max_batch=max_batch, workers=workers, patience_s=5)
    async with await serve("127.0.0.1", port, {"outbound": outbound(gate)}, limits=Limits(deadline_s=5)):
        yield
    await gate.close()
    await pool.close()


@asynccontextmanager
async def _sealing(port: int, dsn: str, home: str) -> AsyncIterator[None]:
    settings = load({"HEEDLINE_HOME": home, "HEEDLINE_DATABASE_URL": dsn})
    async with open_database(settings) as database, open_sealing(settings, database), _gate(port, dsn, 256, 4):
        yield


async def _run(options: argparse.Namespace) -> None:
    sides = {
        "floor": lambda: _floor(options.port),
        "bare": lambda: _bare(options.port),
        "gate": lambda: _gate(options.port, options.dsn, 256, 4),
        "single": lambda: _gate(options.port, options.dsn, 1, 8),
        "sealing": lambda: _sealing(options.port, options.dsn, options.home),
    }
    async with sides[options.side]():
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, input)


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("side", choices=["floor", "bare", "gate", "single", "sealing"])
    parser.add_argument("port", type=int)
    parser.add_argument("--dsn", default="")
    parser.add_argument("--home", default="", help="of the node that seals")
    options = parser.parse_args()
    with suppress(EOFError):
        uvloop.run(_run(options))


if __name__ == "__main__":
    main()
