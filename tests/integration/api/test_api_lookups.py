"""What is read over the HTTP API is on record; on a real PostgreSQL."""

from __future__ import annotations

import json

import asyncpg

from dialer.app import Database
from tests.api_world import CALLEE, PATH, ApiClient, body, make_token, problem
from tests.gate_world import OTHER_SELLER, SELLER, digits


async def test_each_reading_is_an_entry(client: ApiClient, database: Database, owner: asyncpg.Connection) -> None:
    """Also of a number of which nothing is known, of an id that is none's, and of one that is hidden from the token:
    then without the person."""
    id = (await (await client.post(body(seller=OTHER_SELLER))).json())["id"]
    bound = client.holding(await make_token(database, "acme", seller=SELLER))
    assert (await client.get(number=CALLEE)).status == (await client.get(f"{PATH}/{id}")).status == 200
    assert (await client.get(number="+442079460110")).status == 200
    await problem(await client.get(f"{PATH}/{id + 1}"), 404, "not-found")
    await problem(await bound.get(f"{PATH}/{id}"), 404, "not-found")
    rows = await owner.fetch("select callee, payload from evidence_entries where kind = 'lookup' order by id")
    told = [(row["callee"], *map(json.loads(row["payload"]).get, ("by", "what", "detail"))) for row in rows]
    him, hidden = digits(CALLEE), "which this token may not read"
    assert told == [
        (him, "api:crm", "refusal list", ""),
        (him, "api:crm", "refusal show", f"refusal {id}"),
        (442079460110, "api:crm", "refusal list", ""),
        (None, "api:crm", "refusal show", f"refusal {id + 1}, {hidden}"),
        (None, "api:acme", "refusal show", f"refusal {id}, {hidden}"),
    ]
