"""Who may use the HTTP API, how much of it, and what he hears when it cannot answer; on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from dialer.app import Database, clock, open_tokens
from dialer.errors import AlreadyRegistered, NotRegistered, RegisterError
from dialer.gate import Gate
from dialer.web.bounds import Rate
from dialer.web.guard import Limits
from dialer.web.operations import Call, Reply
from tests.api_world import (
    CALLEE,
    GENEROUS,
    PATH,
    READ,
    WRITE,
    ApiClient,
    body,
    client_of,
    count,
    make_api,
    make_token,
    problem,
)
from tests.gate_world import OTHER_SELLER, SELLER, World, digits

# Tokens.


async def test_no_good_token(client: ApiClient) -> None:
    """Without a token that is known every operation of refusals is 401 and says how to show one."""
    stranger, unknown = client.holding(""), "Bearer hdl_" + "A" * 43
    for header in ("", "Bearer", "Bearer ", "Basic aGRsXw==", "Bearer hdl_x", unknown, "Bearer \xff"):
        headers = {"Authorization": header} if header else {}
        for response in (
            await stranger.post(body(), headers=headers),
            await stranger.get(headers=headers, number=CALLEE),
            await stranger.get(f"{PATH}/1", headers=headers),
        ):
            await problem(response, 401, "unauthorized")
            assert response.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_that_ended_or_was_revoked(client: ApiClient, database: Database) -> None:
    """From the instant of either it opens nothing."""
    tokens = open_tokens(database, "test")
    _, brief = await tokens.add("brief", [READ], None, clock() + timedelta(milliseconds=1))
    await asyncio.sleep(0.002)  # the token's whole life
    await problem(await client.holding(brief).get(number=CALLEE), 401, "unauthorized")
    assert (await client.get(number=CALLEE)).status == 200
    await tokens.revoke("crm")
    await problem(await client.get(number=CALLEE), 401, "unauthorized")


async def test_a_token_does_what_its_scopes_say(
    client: ApiClient, database: Database, owner: asyncpg.Connection
) -> None:
    """One that reads records nothing, one that writes reads nothing: 403."""
    reader = client.holding(await make_token(database, "reader", READ))
    writer = client.holding(await make_token(database, "writer", WRITE))
    await problem(await reader.post(body()), 403, "forbidden")
    assert await count(owner) == 0
    assert (await writer.post(body())).status == 201
    await problem(await writer.get(number=CALLEE), 403, "forbidden")
    await problem(await writer.get(f"{PATH}/1"), 403, "forbidden")
    assert (await reader.get(f"{PATH}/1")).status == 200


async def test_a_sellers_token(client: ApiClient, database: Database, owner: asyncpg.Connection) -> None:
    """It tells and reads refusals of its seller alone, and learns whether one to all sellers binds."""
    bound = client.holding(await make_token(database, "acme", seller=SELLER))
    everyone = {"number": CALLEE, "all_sellers": True}
    await problem(await bound.post(body(seller=OTHER_SELLER)), 403, "forbidden")
    await problem(await bound.post(everyone), 403, "forbidden")
    assert await count(owner) == 0
    to_all = (await (await client.post(everyone)).json())["id"]
    to_other = (await (await client.post(body(seller=OTHER_SELLER))).json())["id"]
    seen = await (await bound.get(number=CALLEE)).json()
    assert (seen["refused"], seen["seller"], seen["refusals"]) == (True, SELLER, [])
    own = (await (await bound.post(body())).json())["id"]
    assert [each["id"] for each in (await (await bound.get(number=CALLEE)).json())["refusals"]] == [own]
    for hidden in (to_all, to_other):
        await problem(await bound.get(f"{PATH}/{hidden}"), 404, "not-found")
    await problem(await bound.get(number=CALLEE, seller=OTHER_SELLER), 403, "forbidden")


async def test_tokens_are_kept_as_hashes_and_witnessed(
    world: World, database: Database, owner: asyncpg.Connection
) -> None:
    """The token is nowhere in the database; adding and revoking it are evidence that names who did it."""
    tokens = open_tokens(database, "cli:li")
    record, token = await tokens.add("crm", [WRITE, READ, WRITE], SELLER)
    assert record.scopes == (READ, WRITE)
    assert await tokens.authenticate(token) == record
    await tokens.revoke("crm")
    assert await tokens.authenticate(token) is None
    payloads = await owner.fetch("select payload from evidence_entries order by id")
    rows = [*await owner.fetch("select t::text from api_tokens t"), *payloads]
    assert not any(token in row[0] or token[4:] in row[0] for row in rows)
    entries = [json.loads(row["payload"]) for row in payloads][-2:]
    assert [(entry["kind"], entry["token"], entry["by"]) for entry in entries] == [
        ("token.added", "crm", "cli:li"),
        ("token.revoked", "crm", "cli:li"),
    ]
    assert entries[0]["seller"] == SELLER


async def test_tokens_that_cannot_be(world: World, database: Database) -> None:
    """A name that was used, one that is none, an unknown seller, no scope, an end that is past: nothing is made."""
    tokens = open_tokens(database, "test")
    await tokens.add("crm", [READ])
    await tokens.revoke("crm")
    with pytest.raises(AlreadyRegistered):
        await tokens.add("crm", [READ])
    with pytest.raises(RegisterError, match="no name"):
        await tokens.add("a b", [READ])
    with pytest.raises(NotRegistered, match="seller"):
        await tokens.add("new", [READ], "nobody")
    with pytest.raises(RegisterError, match="opens nothing"):
        await tokens.add("new", [])
    with pytest.raises(RegisterError, match="is past"):
        await tokens.add("new", [READ], None, clock() - timedelta(seconds=1))
    with pytest.raises(NotRegistered):
        await tokens.revoke("crm")
    assert [record.name for record in await tokens.all()] == ["crm"]


# Bounds.


async def test_a_token_has_its_rate(world: World, database: Database, gate: Gate) -> None:
    """Beyond its burst a token is told to wait; another token is not."""
    limits = Limits(GENEROUS.address, Rate(0.001, 3), GENEROUS.failures)
    async with client_of(make_api(database, gate), limits) as client:
        first, second = [client.holding(await make_token(database, name)) for name in ("a", "b")]
        assert [(await first.get(number=CALLEE)).status for _ in range(3)] == [200] * 3
        refused = await first.get(number=CALLEE)
        await problem(refused, 429, "too-many")
        assert int(refused.headers["Retry-After"]) > 100
        assert (await second.get(number=CALLEE)).status == 200


async def test_an_address_has_its_rate(world: World, database: Database, gate: Gate) -> None:
    """It binds even where no token is needed, and where no path is."""
    limits = Limits(Rate(0.001, 2), GENEROUS.token, GENEROUS.failures)
    async with client_of(make_api(database, gate), limits) as client:
        assert (await client.get("/api/v1/")).status == 200
        assert (await client.get("/api/v1/nothing")).status == 404
        await problem(await client.get("/api/v1/openapi.json"), 429, "too-many")


async def test_guessing_tokens_is_slowed(world: World, database: Database, gate: Gate) -> None:
    """After some wrong tokens an address waits, with a right one it had not shown too; one that it had goes on."""
    limits = Limits(GENEROUS.address, GENEROUS.token, Rate(0.001, 3))
    async with client_of(make_api(database, gate), limits) as client:
        known, fresh = [client.holding(await make_token(database, name)) for name in ("a", "b")]
        assert (await known.get(number=CALLEE)).status == 200
        wrong = client.holding("hdl_" + "x" * 43)
        assert [(await wrong.get(number=CALLEE)).status for _ in range(4)] == [401, 401, 401, 429]
        assert (await fresh.get(number=CALLEE)).status == 429
        assert (await known.get(number=CALLEE)).status == 200


# What does not answer.


async def test_a_database_that_hangs(
    client: ApiClient, database: Database, gate: Gate, owner: asyncpg.Connection
) -> None:
    """While another session holds the callee, the answer in time is 503, names the key, and sent again it is recorded
    once."""
    limits = Limits(GENEROUS.address, GENEROUS.token, GENEROUS.failures, time_s=0.3)
    async with client_of(make_api(database, gate), limits) as stranger:
        hurried = stranger.holding(client.token)
        async with owner.transaction():
            await owner.execute("select pg_advisory_xact_lock(callee_lock($1))", digits(CALLEE))
            response = await hurried.post(body(), headers={"Accept-Language": "zh-CN"})
            document = await problem(response, 503, "unavailable")
            assert "无法确认是否已记录" in document["detail"]
            assert int(response.headers["Retry-After"]) > 0
            await problem(await hurried.post(body(), key="mine"), 503, "unavailable")
        again = await client.post(body(), key=response.headers["Idempotency-Key"])
        assert again.status in (200, 201)
    assert await count(owner) == 1


async def test_a_database_that_is_gone(world: World, database: Database, gate: Gate) -> None:
    """503 for whoever records, reads or only shows a token; what needs no database answers."""
    async with client_of(make_api(database, gate)) as client:
        holder = client.holding(await make_token(database, "crm"))
        await database.pool.close()
        for response in (await holder.post(body()), await holder.get(number=CALLEE)):
            await problem(response, 503, "unavailable")
            assert response.headers["Retry-After"]
        assert (await client.get("/api/v1/openapi.json")).status == 200


async def test_the_database_goes_between_token_and_recording(
    client: ApiClient, database: Database, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says that nothing is known and to send it again with the key that was sent."""
    api = make_api(database, gate)
    real = api.tokens.authenticate

    async def then_gone(token: str) -> Any:
        record = await real(token)
        await database.pool.close()
        return record

    monkeypatch.setattr(api.tokens, "authenticate", then_gone)
    async with client_of(api) as doomed:
        response = await doomed.holding(client.token).post(body(), key="mine")
        document = await problem(response, 503, "unavailable")
    assert "not known to be recorded" in document["detail"]
    assert response.headers["Idempotency-Key"] == "mine"


async def test_a_fault_of_ours(
    client: ApiClient, database: Database, gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a problem that tells nothing of the inside; the log has all of it."""
    api = make_api(database, gate)

    async def broken(_: Call) -> Reply:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(api, "record", broken)
    async with client_of(api) as other:
        response = await other.holding(client.token).post(body(), key="mine")
        document = await problem(response, 500, "internal")
    assert "secret" not in json.dumps(document)
    assert response.headers["Idempotency-Key"] == "mine"
    assert "a secret of the inside" in caplog.text


async def test_no_more_than_so_many_are_worked_on(client: ApiClient, database: Database, gate: Gate) -> None:
    """A request beyond the bound of unfinished ones is 503 at once."""
    api = make_api(database, gate)
    limits = Limits(GENEROUS.address, GENEROUS.token, GENEROUS.failures, unfinished=0)
    async with client_of(api, limits) as full:
        await problem(await full.holding(client.token).get(number=CALLEE), 503, "unavailable")


async def test_a_body_that_does_not_come(client: ApiClient, database: Database, gate: Gate) -> None:
    """A client that stops in mid-body is told so in time, and the connection ends."""
    limits = Limits(GENEROUS.address, GENEROUS.token, GENEROUS.failures, time_s=0.2)
    async with client_of(make_api(database, gate), limits) as slow:
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        reader, writer = await asyncio.open_connection(slow.http.host, slow.http.port)
        writer.write(head.encode())
        answered = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert answered.startswith(b"http/1.1 408 ")
        assert b"\r\nconnection: close\r\n" in answered
        writer.close()
        await writer.wait_closed()
