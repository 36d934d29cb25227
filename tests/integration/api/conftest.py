"""A client of the HTTP API, over the test's database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dialer.app import Database, Registers
from dialer.gate import Gate
from tests.api_world import ApiClient, client_of, make_api, make_token
from tests.gate_world import CHINA, SetClock, World, furnish, open_gate


@pytest.fixture
async def world(registers: Registers) -> World:
    """Two sellers and callees."""
    return await furnish(registers, CHINA)


@pytest.fixture
async def gate(world: World, database: Database) -> AsyncIterator[Gate]:
    """A gate at noon in China."""
    async with open_gate(database.dsn, SetClock()) as gate:
        yield gate


@pytest.fixture
async def client(world: World, database: Database, gate: Gate) -> AsyncIterator[ApiClient]:
    """A client with a token for everything, at noon in China."""
    async with client_of(make_api(database, gate, SetClock())) as client:
        yield client.holding(await make_token(database, "crm"))
