"""Leadership on a real PostgreSQL."""

from __future__ import annotations

import asyncio

import asyncpg

from db.embedded import EmbeddedServer
from db.leader import SEALING_LOCK, PostgresLeader


async def test_one_leads_each_lock_and_another_when_it_is_gone(server: EmbeddedServer) -> None:
    """Jobs that ask at once get one answer; another lock has another leader; a leader whose connection was cut leads no
    more, and who asks first then does."""
    dsn = server.maintenance_dsn
    first, second, sealer = PostgresLeader(dsn), PostgresLeader(dsn), PostgresLeader(dsn, SEALING_LOCK)
    owner = await asyncpg.connect(dsn)
    try:
        assert await asyncio.gather(*[first.leads() for _ in range(5)]) == [True] * 5
        assert await asyncio.gather(*[second.leads() for _ in range(5)]) == [False] * 5
        assert await sealer.leads()
        assert first._connection is not None
        await owner.execute("select pg_terminate_backend($1, 10000)", first._connection.get_server_pid())
        assert await second.leads()
        assert not await first.leads()
        await second.close()
        assert await first.leads()
    finally:
        for leader in (first, second, sealer):
            await leader.close()
        await owner.close()
