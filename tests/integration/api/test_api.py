"""The HTTP API on a real PostgreSQL: recording, idempotency, reading, and that what it confirms binds."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiohttp import ClientResponse

from dialer.app import Database
from dialer.gate import Gate
from dialer.policy.facts import Basis
from dialer.ports_refusals import NewRefusal
from dialer.verdict import Outcome, Reason
from tests.api_world import CALLEE, FORM_BODY, PATH, ApiClient, body, count, make_token, problem
from tests.gate_world import FORM, NOON, OTHER_SELLER, SELLER, World, digits

# Recording.


async def test_what_was_confirmed_binds(client: ApiClient, world: World, gate: Gate) -> None:
    """Before the request the gate allows a call; once it has answered 201 a permit is dead and a redial is refused."""
    callee = await world.callee()
    allowed = await gate.decide(world.request(callee))
    assert allowed.verdict.outcome is Outcome.ALLOW
    response = await client.post(body(number=callee))
    assert response.status == 201
    assert allowed.permit is not None
    used = await gate.redeem(allowed.permit, callee, world.place.presented, "127.0.0.1:5060")
    assert used.verdict.outcome is Outcome.REFUSE
    again = await gate.decide(world.request(callee))
    assert Reason.REFUSED in [ground.reason for ground in again.verdict.grounds]


async def test_the_answer_is_what_is_on_record(client: ApiClient, owner: asyncpg.Connection) -> None:
    """201 gives the refusal with its place, its rule and the request as its artefact; the place gives the same."""
    told = body(how="complaint", at="2026-10-20T10:00:00+08:00", call_id="c-1", agent="li", artefact=FORM_BODY)
    sent = json.dumps({**told, "note": "不要\n再打"}).encode()
    response = await client.post(sent, key="order-7")
    document = await response.json()
    assert response.status == 201
    assert document["artefact"] == {
        "kind": "request",
        "token": "crm",
        "idempotency_key": "order-7",
        "sha256": hashlib.sha256(sent).hexdigest(),
        "form": {**FORM_BODY, "sha256": "ab" * 32},
    }
    assert datetime.fromisoformat(document["at"]) == datetime(2026, 10, 20, 2, tzinfo=UTC)
    assert (document["how"], document["note"], document["agent"]) == ("complaint", "不要 再打", "li")
    assert "CN" in document["rule_version"]
    assert await (await client.get(response.headers["Location"])).json() == document
    payload = json.loads(await owner.fetchval("select payload from evidence_entries where kind = 'refusal'"))
    assert (payload["by"], payload["receipt"]) == ("api:crm", "api:1:order-7")


async def test_a_national_number_is_read_by_its_country(client: ApiClient) -> None:
    """The same digits are the callee's with his country, and 422 without."""
    assert (await (await client.post(body(number="138 0013 8000", country="cn"))).json())["number"] == CALLEE
    document = await problem(await client.post(body(number="138 0013 8000")), 422, "invalid")
    assert document["errors"][0]["code"] == "number.country_unknown"


async def test_every_way(client: ApiClient) -> None:
    """Each way that may be told here is kept as it was told."""
    for how in ("web", "api", "message", "complaint"):
        assert (await (await client.post(body(how=how))).json())["how"] == how


async def test_to_all_sellers(client: ApiClient) -> None:
    """`all_sellers` refuses to every one of them."""
    response = await client.post({"number": CALLEE, "seller": None, "all_sellers": True})
    assert (response.status, (await response.json())["seller"]) == (201, None)
    for seller in (SELLER, OTHER_SELLER):
        assert (await (await client.get(number=CALLEE, seller=seller)).json())["refused"] is True


# Idempotency.


async def test_told_again_with_its_key_it_is_recorded_once(client: ApiClient, owner: asyncpg.Connection) -> None:
    """The same body again is 200 with the same refusal; another body is 409, and nothing of it is recorded."""
    first = await client.post(body(), key="k")
    again = await client.post(body(), key="k")
    assert (first.status, again.status) == (201, 200)
    assert await first.json() == await again.json()
    assert again.headers["Location"] == first.headers["Location"]
    await problem(await client.post(body(note="other"), key="k"), 409, "conflict")
    assert await count(owner) == 1


async def test_the_key_that_was_made_can_be_used(client: ApiClient, owner: asyncpg.Connection) -> None:
    """Without a key the answer names one; told again with it, the refusal is the same."""
    first = await client.post(body())
    again = await client.post(body(), key=first.headers["Idempotency-Key"])
    assert (again.status, (await again.json())["id"]) == (200, (await first.json())["id"])
    assert (await client.post(body())).status == 201
    assert await count(owner) == 2


async def test_a_key_is_its_tokens_own(client: ApiClient, database: Database, owner: asyncpg.Connection) -> None:
    """Two tokens that use one key tell two refusals."""
    other = client.holding(await make_token(database, "web"))
    assert [(await each.post(body(), key="k")).status for each in (client, other)] == [201, 201]
    assert await count(owner) == 2


async def test_twenty_at_once_with_one_key_are_one(client: ApiClient, owner: asyncpg.Connection) -> None:
    """Of twenty concurrent requests with one key exactly one records; all answer with that refusal."""
    responses = await asyncio.gather(*(client.post(body(), key="once") for _ in range(20)))
    assert sorted(response.status for response in responses) == [200] * 19 + [201]
    assert len({(await response.json())["id"] for response in responses}) == 1
    assert await count(owner) == 1


async def test_twenty_bodies_at_once_with_one_key(client: ApiClient, owner: asyncpg.Connection) -> None:
    """Of twenty different refusals under one key, of as many callees, one is recorded and nineteen are conflicts."""
    numbers = [f"+86138001380{index:02}" for index in range(20)]
    responses = await asyncio.gather(*(client.post(body(number=number), key="once") for number in numbers))
    assert sorted(response.status for response in responses) == [201] + [409] * 19
    assert await count(owner) == 1


# Reading.


async def test_lookup_tells_whether_it_binds(client: ApiClient, world: World) -> None:
    """`refused` is the gate's own answer: true after a refusal, false to another seller and once a consent lifts it."""
    callee = "+442079460110"
    id = (await (await client.post(body(number=callee))).json())["id"]

    async def refused(seller: str) -> Any:
        return (await (await client.get(number=callee, seller=seller)).json())["refused"]

    assert (await refused(SELLER), await refused(OTHER_SELLER)) == (True, False)
    await world.consent(callee, granted_at=NOON + timedelta(minutes=1), lifts=id, basis=Basis.WRITTEN, artefact=FORM)
    found = await (await client.get(number=callee, seller=SELLER)).json()
    assert [each["id"] for each in found["refusals"]] == [id]
    lifted_by_rule = "GB" in found["refusals"][0]["rule_version"]
    assert lifted_by_rule
    assert (await (await client.get(number=callee)).json())["refused"] is None


async def test_pages(client: ApiClient) -> None:
    """Pages of two give five refusals once each, in the order of recording."""
    ids = [(await (await client.post(body())).json())["id"] for _ in range(5)]
    found = []
    query: dict[str, Any] = {"number": CALLEE, "limit": 2}
    while True:
        page = await (await client.get(**query)).json()
        found.append([each["id"] for each in page["refusals"]])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == [ids[:2], ids[2:4], ids[4:]]


async def test_a_plus_that_was_not_escaped(client: ApiClient) -> None:
    """`number=+86...` in a query, where a plus means a space, is the number all the same."""
    await client.post(body())
    response = await client.http.get(f"{PATH}?number={CALLEE}", headers=client.headers())
    assert len((await response.json())["refusals"]) == 1


async def test_no_such_refusal(client: ApiClient) -> None:
    """An id of no refusal, or that is no id, is 404."""
    for id in ("7", "0", "-1", "1.0", "abc", str(2**63), "9" * 40, "%00", "１"):
        await problem(await client.get(f"{PATH}/{id}"), 404, "not-found")


async def test_refusals_that_came_another_way_are_read(client: ApiClient, world: World) -> None:
    """One that an agent keyed is shown with what is known of it."""
    id = await world.registers.refusals.add(NewRefusal(digits(CALLEE), SELLER, "agent", NOON, "c", "li", "said so"))
    document = await (await client.get(f"{PATH}/{id}")).json()
    assert (document["how"], document["note"], document["artefact"]) == ("agent", "said so", None)


# What is read of a request.


async def test_a_seller_that_is_not_registered(client: ApiClient, owner: asyncpg.Connection) -> None:
    """It is told of its field, whoever records or looks up; nothing is recorded."""
    for response in (await client.post(body(seller="nobody")), await client.get(number=CALLEE, seller="nobody")):
        document = await problem(response, 422, "invalid")
        assert [(each["field"], each["code"]) for each in document["errors"]] == [("seller", "seller_unknown")]
    assert await count(owner) == 0


async def test_the_longest_key(client: ApiClient) -> None:
    """128 characters are a key, and are kept whole."""
    key = "~" * 128
    assert (await (await client.post(body(), key=key)).json())["artefact"]["idempotency_key"] == key


async def test_a_key_in_quotation_marks(client: ApiClient, owner: asyncpg.Connection) -> None:
    """A UUID as the draft of the header writes it is a key like any other."""
    key = f'"{uuid4()}"'
    assert [(await client.post(body(), key=key)).status for _ in range(2)] == [201, 200]
    assert await count(owner) == 1


async def test_a_note_is_kept_so_that_it_can_be_exported(client: ApiClient) -> None:
    """What is not on one line, or not visible, is told as spaces and escapes: a refusal is not lost for its note."""
    document = await (await client.post(body(note=" 不要\r\n再打\u3000\x00\u202e "))).json()
    assert document["note"] == "不要 再打 \\x00\\u202e"


# HTTP.


async def test_no_such_path(client: ApiClient) -> None:
    """A path that is none is a problem, too."""
    for path in ("/api/v1/nothing", "/api/", "/api/v1/refusals/1/2", "/api/v1/%2e%2e/%00"):
        await problem(await client.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [(PATH, {"GET", "HEAD", "OPTIONS", "POST"}), (f"{PATH}/1", {"GET", "HEAD", "OPTIONS"})],
)
async def test_no_such_method(client: ApiClient, path: str, allowed: set[str]) -> None:
    """405 says which there are; a refusal cannot be changed or deleted."""
    for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"):
        response = await client.http.request(method, path, headers=client.headers())
        await problem(response, 405, "method-not-allowed")
        assert set(response.headers["Allow"].split(", ")) == allowed


async def test_head_and_options(client: ApiClient) -> None:
    """HEAD is GET without its body; OPTIONS says what there is and allows no other origin."""
    await client.post(body())
    head = await client.http.head(f"{PATH}/1", headers=client.headers())
    assert (head.status, await head.read()) == (200, b"")
    assert (await client.http.head(f"{PATH}/1")).status == 401
    options = await client.http.options(PATH, headers={"Origin": "https://x", "Access-Control-Request-Method": "POST"})
    assert (options.status, set(options.headers["Allow"].split(", "))) == (204, {"GET", "HEAD", "OPTIONS", "POST"})
    assert not [name for name in options.headers if name.startswith("Access-Control")]


async def test_headers_of_every_answer(client: ApiClient) -> None:
    """Nothing is stored by whoever carries it, sniffed, or told of the server, whatever the answer is."""
    responses: list[ClientResponse] = [
        await client.post(body()),
        await client.post(b"{"),
        await client.get("/api/v1/nothing"),
        await client.http.options(PATH),
        await client.holding("").get(number=CALLEE),
    ]
    for response in responses:
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Server"] == "heedline"


async def test_problems_in_chinese(client: ApiClient) -> None:
    """`Accept-Language` chooses, and English stands in for every other language."""
    for accepted, word in (("zh-CN,zh;q=0.9,en;q=0.8", "缺失"), ("en,zh;q=0.9", "missing"), ("fr", "missing")):
        response = await client.get(headers={"Accept-Language": accepted})
        document = await problem(response, 422, "invalid")
        assert word in document["detail"]
        assert response.headers["Content-Language"] == ("zh" if word == "缺失" else "en")


async def test_the_log_has_no_token_and_no_number(client: ApiClient, caplog: pytest.LogCaptureFixture) -> None:
    """Every request is one line with the token's name; neither the token nor the callee's number is in any."""
    with caplog.at_level(logging.INFO, "dialer.web"):
        await client.post(body())
        await client.get(number=CALLEE)
        await client.get(f"{PATH}/1")
        await client.get(f"/api/v1/{CALLEE}/{client.token}")
        await client.holding("hdl_" + "y" * 43).get(number=CALLEE)
    lines = [record.getMessage() for record in caplog.records if record.name == "dialer.web.guard"]
    assert [line.split(" ")[:3] for line in lines] == [
        ["POST", PATH, "201"],
        ["GET", PATH, "200"],
        ["GET", f"{PATH}/{{id}}", "200"],
        ["GET", "-", "404"],
        ["GET", PATH, "401"],
    ]
    assert "token=crm" in lines[0]
    assert "token=-" in lines[-1]
    for secret in (client.token, client.token[4:], "13800138000", "y" * 43):
        assert secret not in caplog.text


async def test_the_index_leads_on(client: ApiClient) -> None:
    """Without a token: where the description is, and what problems there are."""
    stranger = client.holding("")
    index = await (await stranger.get("/api/v1/")).json()
    description = await (await stranger.get(index["openapi"])).json()
    assert description["info"]["version"] == index["version"]
    problems = await (await stranger.get(index["problems"])).json()
    assert "conflict" in {each["code"] for each in problems["problems"]}
