"""The served HTTP API against schemathesis, from the API's own description: whatever is sent, what comes back is
described, and no fault of ours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import asyncpg
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished

from dialer.app import open_database, open_registers
from dialer.config import Settings
from tests.api_world import make_api, make_token, serving
from tests.gate_world import CHINA, OTHER_SELLER, SELLER, SetClock, furnish, open_gate

# Ours is stricter than the schema can say: a number must be one. So what fits the schema may be refused, with 422.
NOT_CHECKED = ("positive_data_acceptance",)
# Where chance alone finds no value that is more than well formed.
VALUES: dict[str, list[str | int]] = {
    "number": ["+8613800138000", "+442079460110", "+12127361234", "13800138000", "+86", "110", "+8613800138000\n"],
    "seller": [SELLER, OTHER_SELLER, "nobody"],
    "country": ["CN", "gb", "ZZ"],
    "id": [1, 2, 2**63 - 1],
}
PLACES = ("body.number", "body.seller", "body.country", "query.number", "query.seller", "query.country", "path.id")


@dataclass
class Served:
    """An API in a thread of its own, for a client that knows no asyncio."""

    settings: Settings
    url: str = ""
    token: str = ""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _ready: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until `stop`."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    def stop(self) -> None:
        """From another thread."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def wait(self) -> None:
        """Until it serves."""
        assert self._ready.wait(60), "the API does not serve"

    async def _serve(self) -> None:
        async with open_database(self.settings) as database, open_gate(database.dsn, SetClock()) as gate:
            await furnish(open_registers(database, "test"), CHINA)
            self.token = await make_token(database, "fuzz")
            async with serving(make_api(database, gate)) as server:
                self.url = str(server.make_url("/")).rstrip("/")
                self._ready.set()
                await self._stop.wait()


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    """The API, served."""
    served = Served(settings)
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        served.wait()
        yield served
    finally:
        served.stop()
        thread.join()


def config(headers: dict[str, str], examples: int) -> SchemathesisConfig:
    """A bounded run, the same each time."""
    return SchemathesisConfig.from_dict(
        {
            "seed": 20261021,
            "headers": headers,
            "generation": {"max-examples": examples, "deterministic": True, "no-shrink": True},
            "dictionaries": {name: {"values": values} for name, values in VALUES.items()},
            "parameters": {place: {"dictionary": place.partition(".")[2], "probability": 0.8} for place in PLACES},
            "checks": {name: {"enabled": False} for name in NOT_CHECKED},
        }
    )


def fuzz(served: Served, headers: dict[str, str], examples: int) -> tuple[list[str], dict[tuple[str, int], int]]:
    """What schemathesis complains of, and how often each operation answered with each status."""
    schema = schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json", config=config(headers, examples))
    complaints: list[str] = []
    seen: dict[tuple[str, int], int] = {}
    for event in from_schema(schema).execute():
        if isinstance(event, NonFatalError):
            complaints.append(f"{event.label}: {event.value}")
        elif isinstance(event, FatalError):
            raise event.exception
        elif isinstance(event, ScenarioFinished):
            _take(event, complaints, seen)
    return complaints, seen


def _take(event: ScenarioFinished, complaints: list[str], seen: dict[tuple[str, int], int]) -> None:
    recorder = event.recorder
    for id, interaction in recorder.interactions.items():
        if interaction.response is not None:
            key = (recorder.cases[id].value.operation.label, interaction.response.status_code)
            seen[key] = seen.get(key, 0) + 1
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info
                complaints.append(f"{event.label}: {check.name}: {failure.failure}\n{failure.code_sample}")


def test_with_a_token(served: Served) -> None:
    """From the API's description, good and bad: no 5xx, and each answer is as described. Requests of every kind came
    through, and exactly what was answered with 201 is on record."""
    complaints, seen = fuzz(served, {"Authorization": f"Bearer {served.token}"}, 80)
    assert complaints == []
    recording = {status for label, status in seen if label == "POST /api/v1/refusals"}
    assert recording >= {201, 401, 405, 415, 422}
    assert {status for label, status in seen if label == "GET /api/v1/refusals/{id}"} >= {200, 404}
    assert asyncio.run(on_record(served.settings)) == seen["POST /api/v1/refusals", 201]


def test_without_a_token(served: Served) -> None:
    """Without a token no operation that needs one does anything, whatever is sent."""
    complaints, seen = fuzz(served, {}, 10)
    assert complaints == []
    assert {status for label, status in seen if "refusals" in label} == {204, 401, 405}
    assert asyncio.run(on_record(served.settings)) == 0


async def on_record(settings: Settings) -> int:
    """Refusals in the database."""
    connection = await asyncpg.connect(settings.database.dsn())
    try:
        found: int = await connection.fetchval("select count(*) from refusals")
    finally:
        await connection.close()
    return found
