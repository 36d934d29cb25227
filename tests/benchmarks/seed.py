"""Fills a database for the benchmarks: so many consents, as many refusals of other people, one seller, one trunk."""

from __future__ import annotations

import asyncpg

FIRST_CALLEE = 8_613_800_000_000  # Chinese mobile numbers, valid up to the end of their ranges
PRESENTED = "+862161234567"


async def seed(dsn: str, rows: int) -> None:
    """Add `rows` consents and `rows` refusals; what is there already counts."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            """
            insert into sellers (code, name) values ('acme', 'Acme') on conflict do nothing;
            insert into trunks (name, country, origin) values ('carrier', 'CN', 'domestic') on conflict do nothing;
            """
        )
        await connection.execute(
            "insert into presented_numbers (trunk_id, number, holder) select id, $1, 'Acme' from trunks "
            "on conflict do nothing",
            PRESENTED,
        )
        have = await connection.fetchval("select count(*) from consents")
        await connection.execute(
            "insert into consents (callee, seller_id, purpose, basis, granted_at, recorded_by) "
            "select $1 + n, s.id, 'marketing', 'written', '2026-01-01', 'benchmark' "
            "from generate_series($2::bigint, $3::bigint) n, sellers s",
            FIRST_CALLEE, have, rows - 1,
        )  # fmt: skip
        have = await connection.fetchval("select count(*) from refusals")
        await connection.execute(
            "insert into refusals (callee, seller_id, how, at) select $1 + n, s.id, 'keyed', '2026-01-01' "
            "from generate_series($2::bigint, $3::bigint) n, sellers s",
            FIRST_CALLEE + 100_000_000, have, rows - 1,
        )  # fmt: skip
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()
