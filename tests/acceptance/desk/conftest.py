"""A running node over a database of its own, with three switches: the stage of what a refusal does to real calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from agi.pbx.provision import AsteriskBinary
from db.embedded import ensure_database
from tests.acceptance.effects_lab import Desk, open_desk
from tests.gate_world import place_now
from tests.servers import Server, own_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of a module's own."""
    with own_server() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    server: Server, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[Desk]:
    """All is up, for all tests of a module, with the policy that its function `policy` gives for a country."""
    dsn = await ensure_database(server.maintenance_dsn, "heedline")
    write: Callable[[str], str] = getattr(request.module, "policy", lambda _: "")
    policy = write(place_now().country)
    async with open_desk(asterisk, tmp_path_factory.mktemp("desk"), dsn, policy=policy) as desk:
        yield desk


@pytest_asyncio.fixture(loop_scope="module")
async def desk(running: Desk) -> AsyncIterator[Desk]:
    """It is at rest, before and after."""
    for switch in (running.lab.pbx, running.lab.egress, running.lab.carrier):
        switch.manager.events.clear()
    yield running
    await running.lab.hang_up_all()
