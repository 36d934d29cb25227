"""The HTTP API without a database: its description, its documents, its bounds."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it ships no types
from pydantic import BaseModel

from dialer.commands.refusals import document
from dialer.ports_refusals import FormArtefact, NewRefusal, RefusalRecord, RequestArtefact, read_artefact
from dialer.refusals import Refusals, digest_of
from dialer.web import faults, models
from dialer.web.api import api_app, mount, operations
from dialer.web.bounds import Buckets, Known, Rate, address_key
from dialer.web.health import health_app
from dialer.web.models import RefusalBody, RefusalDocument, RefusalsDocument
from dialer.web.openapi import describe
from dialer.web.problems import TYPES, ProblemDocument
from tests.api_world import client_of
from tests.unit.api_stub import CALLEE, FORM_BODY, NOW, SELLER, body, make_api

RECORD = RefusalRecord(
    7,
    NewRefusal(8613800138000, SELLER, "api", NOW, artefact=RequestArtefact("crm", "k", "ab" * 32)),
    NOW,
    "CN.r",
    "CN 1",
)


def test_every_fault_of_the_models_has_its_text() -> None:
    """No code that a model can raise is told as unknown, in either language; each pattern has words of its own."""
    schemas: list[type[BaseModel]] = [models.RefusalBody, models.FormBody, models.LookupQuery, models.KeyHeader]
    patterns = {
        option["pattern"]
        for model in schemas
        for field in model.model_json_schema()["properties"].values()
        for option in [field, *field.get("anyOf", [])]
        if "pattern" in option
    }
    assert patterns == set(faults._PATTERNS)
    for code in set(faults._TEXTS):
        made = faults.fault("body", "x", code, {"min_length": 1, "max_length": 2, "expected": "'a'", "ge": 1, "le": 2})
        assert all([*made.problem, *made.cure])
        assert "{" not in "".join(made.cure)


# The description.


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    """The API's description."""
    return describe(operations(make_api()), "1.2.3")


def test_the_description_is_of_every_operation(description: dict[str, Any]) -> None:
    """Each operation of the table, and no other, is described, with its statuses and whether it needs a token."""
    table = operations(make_api())
    described = {
        (method.upper(), path): made
        for path, methods in description["paths"].items()
        for method, made in methods.items()
    }
    assert set(described) == {(operation.method, operation.path) for operation in table}
    assert len({made["operationId"] for made in described.values()}) == len(table)
    for operation in table:
        made = described[operation.method, operation.path]
        statuses = {*operation.answers, *(TYPES[code].status for code in operation.all_problems)}
        assert set(made["responses"]) == {str(status) for status in statuses}
        assert made["security"] == ([{"token": []}] if operation.scope else [])


async def test_the_router_has_every_operation_of_the_description(description: dict[str, Any]) -> None:
    """What is described is routed, and what is routed is described, but for HEAD and OPTIONS."""
    async with client_of(make_api()) as client:
        app = client.http.app
        assert app is not None
        routed = {
            (route.method, route.resource.canonical)
            for route in app.router.routes()
            if route.resource is not None and route.method not in ("HEAD", "OPTIONS")
        }
    described = {(method.upper(), path) for path, methods in description["paths"].items() for method in methods}
    assert routed == described


def test_schemas_are_schemas(description: dict[str, Any]) -> None:
    """Every schema is one of JSON Schema 2020-12, and every reference leads somewhere."""
    found = description["components"]["schemas"]
    for schema in found.values():
        Draft202012Validator.check_schema(schema)
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(description)))
    assert references <= set(found)
    assert references >= {each.__name__ for each in (RefusalBody, RefusalDocument, RefusalsDocument, ProblemDocument)}


def valid(description: dict[str, Any], model: type[BaseModel], value: Any) -> bool:
    """Whether the description's schema of a model accepts a value."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}", "components": description["components"]}
    return bool(Draft202012Validator(schema).is_valid(value))


@pytest.mark.parametrize(
    ("sent", "good"),
    [
        (body(), True),
        (body(all_sellers=False), True),
        ({"number": CALLEE, "all_sellers": True}, True),
        ({"number": CALLEE, "seller": None, "all_sellers": True}, True),
        (body(artefact=FORM_BODY, note=None, how="web"), True),
        ({"number": CALLEE}, False),
        (body(all_sellers=True), False),
        ({"number": CALLEE, "seller": None}, False),
        (body(how="keyed"), False),
        (body(extra=1), False),
        (body(artefact={"sha256": "ab" * 32}), False),
    ],
)
def test_the_schema_of_a_body_is_its_model(description: dict[str, Any], sent: dict[str, Any], good: bool) -> None:
    """What the schema accepts the model accepts, and what it does not the model does not."""
    assert valid(description, RefusalBody, sent) is good
    if good:
        assert RefusalBody.model_validate(sent)
    else:
        with pytest.raises(ValueError, match="validation error"):
            RefusalBody.model_validate(sent)


def test_the_document_of_a_refusal_is_what_the_command_prints(description: dict[str, Any]) -> None:
    """API and `refusal show --json` have the same fields and values, but for the receipt; the schema fits them."""
    told = json.loads(RefusalDocument.of(RECORD).model_dump_json())
    printed = json.loads(json.dumps(document(RECORD), default=lambda at: at.isoformat()))
    for each in (told, printed):
        for name in ("at", "recorded_at"):
            each[name] = datetime.fromisoformat(each[name])
    assert printed.pop("receipt") is None
    assert printed == told
    assert valid(description, RefusalDocument, json.loads(RefusalDocument.of(RECORD).model_dump_json()))


def test_a_request_artefact_keeps_its_form() -> None:
    """With its form or without, it is read as it was written, and as it was written before it could have one."""
    form = FormArtefact("ab" * 32, "application/pdf", "forms/7.pdf")
    for artefact in (RequestArtefact("crm", "k", "cd" * 32), RequestArtefact("crm", "k", "cd" * 32, form)):
        assert read_artefact(json.loads(json.dumps(artefact.document()))) == artefact
    old = {"kind": "request", "token": "crm", "idempotency_key": "k", "sha256": "cd" * 32}
    assert read_artefact(old) == RequestArtefact("crm", "k", "cd" * 32)


async def test_a_default_time_does_not_make_another_refusal() -> None:
    """What is recorded of one body and key, told at two times, has one digest; a form that it names changes nothing."""
    told: list[NewRefusal] = []
    use_cases = MagicMock(spec=Refusals, record=AsyncMock(side_effect=told.append), show=AsyncMock(return_value=None))
    api = make_api(lambda _: use_cases)
    async with client_of(api) as stranger:
        client = stranger.holding("hdl_" + "a" * 43)
        for later in (0, 60):
            now = NOW + timedelta(seconds=later)
            api._clock = MagicMock(return_value=now)
            await client.post(body(artefact=FORM_BODY), key="k")
    assert told[0].at != told[1].at
    assert digest_of(told[0]) == digest_of(told[1])


# Bounds.


def test_a_bucket_fills_at_its_rate() -> None:
    """A burst is granted at once, then one each interval; another key has a bucket of its own."""
    now = 0.0
    buckets = Buckets(Rate(2, 3), lambda: now)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0
    now = 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 0.5]
    now = 100.0
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_memory_of_clients_is_bounded() -> None:
    """Of more clients than 10,000 the ones longest unseen are forgotten."""
    buckets, known = Buckets(Rate(0.001, 1), lambda: 0.0), Known()
    for client in range(10_001):
        buckets.take(str(client))
        known.add(str(client).encode())
    assert (buckets.wait("0"), buckets.wait("1") > 0) == (0, True)
    assert (b"0" in known, b"1" in known) == (False, True)


@pytest.mark.parametrize(
    ("remote", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        (None, ""),
        ("unix", ""),
    ],
)
def test_whose_bucket(remote: str | None, key: str) -> None:
    """An address is one client; of IPv6 a whole /64 is."""
    assert address_key(remote) == key


async def test_it_is_mounted_beside_health() -> None:
    """In a service's own application both answer, and neither takes the other's paths."""

    async def status() -> dict[str, Any]:
        return {"ready": True}

    app = health_app(status)
    mount(app, api_app(make_api()))
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as http:
        assert (await http.get("/health")).headers["Content-Type"].startswith("application/json")
        assert (await http.get("/api/v1/")).headers["Server"] == "heedline"
        assert (await http.get("/nothing")).headers["Content-Type"].startswith("text/plain")
        assert (await http.get("/apiary")).headers["Content-Type"].startswith("text/plain")
        assert (await http.get("/api")).status == 404
