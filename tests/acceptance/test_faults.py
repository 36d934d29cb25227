"""A real call on real switches while the service or its database is killed, stopped or lost: nothing leaves, and the
next call is allowed with nobody's help."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

import asyncpg
import pytest
import pytest_asyncio

from agi.dialplan.render import DialplanSettings
from agi.pbx.lab import Call, Lab
from agi.pbx.provision import AsteriskBinary
from db.embedded import ensure_database
from dialer.app import open_database, open_registers
from dialer.config import load
from tests.gate_world import SELLER, TRUNK, furnish, place_now
from tests.nodes import PRODUCTION, FaultyNode, running_nodes
from tests.servers import Server, own_server

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

_LOCK = 42
# Where a call is held up: the service's transaction waits there, in mid-decision or in mid-redemption.
HELD = {"decision": "insert on decisions", "redemption": "update on attempts"}


class Fault(Enum):
    """What may happen in mid-call."""

    NODE_KILLED = "SIGKILL to the service"
    NODE_STOPPED = "SIGSTOP to the service"
    DATABASE_CRASHED = "the database ends at once"
    DATABASE_STOPPED = "SIGSTOP to every process of the database"


@dataclass
class Stage:
    """Three switches, a node, a database, and callees who agreed."""

    lab: Lab
    node: FaultyNode
    server: Server
    dsn: str
    shown: str
    callees: list[str]

    async def call(self, callee: str) -> Call:
        """An agent's call to a callee."""
        variables = {"HEEDLINE_SELLER": SELLER, "HEEDLINE_TRUNK": TRUNK}
        return await self.lab.originate(callee, cli=self.shown, variables=variables)

    async def strike(self, fault: Fault) -> None:
        """The fault comes."""
        match fault:
            case Fault.NODE_KILLED:
                await self.node.kill()
            case Fault.NODE_STOPPED:
                self.node.freeze()
            case Fault.DATABASE_CRASHED:
                await asyncio.to_thread(self.server.crash)
            case Fault.DATABASE_STOPPED:
                self.server.send(signal.SIGSTOP)

    async def mend(self, fault: Fault) -> None:
        """What was killed is started, what was stopped goes on; nothing else is touched."""
        match fault:
            case Fault.NODE_KILLED:
                await self.node.start()
            case Fault.NODE_STOPPED:
                self.node.thaw()
            case Fault.DATABASE_CRASHED:
                await asyncio.to_thread(self.server.start)
            case Fault.DATABASE_STOPPED:
                self.server.send(signal.SIGCONT)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of these tests' own."""
    with own_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    server: Server, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """All is up; two callees a test."""
    dsn = await ensure_database(server.maintenance_dsn, "heedline")
    folder = tmp_path_factory.mktemp("faults")
    settings = load({"HEEDLINE_HOME": str(folder / "home"), "HEEDLINE_DATABASE_URL": dsn})
    async with open_database(settings) as database:
        world = await furnish(open_registers(database, "test"), place_now())
        callees = [await world.callee() for _ in range(2 * len(Fault) * len(HELD))]
    async with (
        running_nodes(folder / "nodes", dsn, 1, PRODUCTION) as (node,),
        Lab(asterisk, folder / "lab", DialplanSettings(f"127.0.0.1:{node.agi_port}", deadline_s=1)) as lab,
    ):
        yield Stage(lab, node, server, dsn, world.place.presented, callees)


@asynccontextmanager
async def held(dsn: str, where: str) -> AsyncIterator[asyncpg.Connection]:
    """The service's transactions wait there as long as the connection that is given holds the lock."""
    table = HELD[where].split()[-1]
    holder = await asyncpg.connect(dsn)
    await holder.execute(
        "create or replace function hold() returns trigger language plpgsql as"
        f" $$ begin perform pg_advisory_xact_lock_shared({_LOCK}); return new; end $$;"
        f" create trigger hold before {HELD[where]} for each row execute function hold();"
        f" select pg_advisory_lock({_LOCK})"
    )
    yield holder
    cleaner = await asyncpg.connect(dsn)
    await cleaner.execute(f"drop trigger hold on {table}")
    await cleaner.close()


async def waits(holder: asyncpg.Connection) -> None:
    """The service waits for the lock now."""
    waiting = "select exists (select from pg_locks where objid = $1 and not granted)"
    async with asyncio.timeout(20):
        while not await holder.fetchval(waiting, _LOCK):
            pass


async def answered(lab: Lab) -> None:
    """The egress sees a callee's answer."""
    await lab.egress.manager.expect(lambda event: event.get("Event") == "BridgeEnter", 20)


@pytest.mark.parametrize("where", HELD)
@pytest.mark.parametrize("fault", Fault)
async def test_a_fault_in_mid_call_lets_nothing_out_and_is_recovered_from(
    stage: Stage, fault: Fault, where: str
) -> None:
    """The call that was being decided, or whose permit was being redeemed, ends without an INVITE at the carrier, also
    none that comes late; when what was stopped runs again, the next call is allowed with one INVITE."""
    callee, other = stage.callees.pop(), stage.callees.pop()
    await stage.lab.mark()
    async with held(stage.dsn, where) as holder:
        call = await stage.call(callee)
        await waits(holder)
        await stage.strike(fault)
        holder.terminate()  # from here on it is the fault alone that holds the call up
        await call.ended(20)
        assert await stage.lab.invites() == 0
        await stage.mend(fault)
        stage.lab.egress.manager.events.clear()
        await stage.call(other)
        await answered(stage.lab)
        await stage.lab.hang_up_all()
        assert (await stage.lab.invites(other), await stage.lab.invites(callee)) == (1, 0)
