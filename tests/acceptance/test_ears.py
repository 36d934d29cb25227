"""Spoken refusals on real calls: real RTP, a real recogniser, a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from agi.pbx.provision import AsteriskBinary
from db.embedded import ensure_database
from dialer.clips import read_clip
from dialer.speech.engine import Engine
from dialer.speech.load import EngineSettings, load_engine
from tests.acceptance.ears_lab import (
    PRESSES_KEY,
    SAYS_HARMLESS,
    SAYS_REFUSAL,
    Stage,
    likeness,
    open_stage,
)
from tests.gate_world import SELLER
from tests.servers import Server, own_server

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A database server of these tests' own."""
    with own_server() as server:
        yield server


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The recogniser of a node as it is shipped."""
    return load_engine(EngineSettings("en", tmp_path_factory.mktemp("speech")))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    server: Server, engine: Engine, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """All is up, for all tests of this file."""
    dsn = await ensure_database(server.maintenance_dsn, "heedline")
    async with open_stage(tmp_path_factory.mktemp("ears"), dsn, asterisk, engine) as stage:
        yield stage


@pytest.fixture
def home(stage: Stage) -> Path:
    """Where clips are kept."""
    assert stage.ears.parts is not None
    return stage.ears.parts.spoken._clips


async def test_refusal_said_to_an_agent_is_one_row_with_its_proof(stage: Stage, home: Path) -> None:
    """A callee says it through real RTP: one refusal, of this call, with transcript, span, recogniser, and a clip whose
    file has its hash and holds what he said."""
    number = await stage.callee(SAYS_REFUSAL)
    await stage.agent_calls(number)
    row = await stage.refused(number)
    await stage.callee_has_spoken()
    await stage.end()
    assert len(await stage.refusals(number)) == 1
    artefact = row.artefact
    assert (row.how, row.seller, artefact["kind"]) == ("spoken", SELLER, "speech")
    assert row.attempt is not None
    assert "call again" in artefact["transcript"].lower()
    assert (artefact["engine"], artefact["model"]) == (stage.engine.name, stage.engine.model)
    assert 0 <= artefact["start_ms"] < artefact["end_ms"]
    clip = read_clip(artefact["clip"], home)
    assert likeness(clip[44:], _middle(stage.clips[SAYS_REFUSAL])) > 0.8


async def test_harmless_words_are_heard_and_make_no_row(stage: Stage) -> None:
    """A callee who says something like a refusal that is none is heard, and nothing is recorded."""
    number = await stage.callee(SAYS_HARMLESS)
    await stage.agent_calls(number)
    await stage.callee_has_spoken()
    await stage.end()
    assert await stage.refusals(number) == []
    assert likeness(bytes(stage.engine.fed[-1]), _middle(stage.clips[SAYS_HARMLESS])) > 0.9


async def test_what_the_agent_says_is_not_heard(stage: Stage) -> None:
    """The agent says a refusal himself while the callee does not: nothing is recorded, and of his voice nothing has
    reached the recogniser, though the callee's has."""
    number = await stage.callee(SAYS_HARMLESS)
    await stage.agent_calls(number, "lab-speaking-agent")
    await stage.agent_has_spoken()
    await stage.callee_has_spoken()
    await stage.end()
    assert await stage.refusals(number) == []
    heard = bytes(stage.engine.fed[-1])
    assert likeness(heard, _middle(stage.clips[SAYS_HARMLESS])) > 0.9
    assert likeness(heard, _middle(stage.clips[SAYS_REFUSAL])) < 0.3


async def test_key_in_an_announcement_is_one_row(stage: Stage) -> None:
    """9 pressed while the service plays: one refusal with the key, and the call ends."""
    number = await stage.callee(PRESSES_KEY)
    call = await stage.announce(number)
    row = await stage.refused(number)
    await stage.has_ended(call)
    await stage.settled()
    assert (row.how, row.artefact) == ("keyed", {"kind": "key", "key": "9", "prompt": "announcement"})
    assert len(await stage.refusals(number)) == 1


async def test_words_in_an_announcement_are_one_row(stage: Stage) -> None:
    """A refusal that is said while the service plays: one refusal, and the call ends; no tap hears it as well."""
    assert stage.ears.parts is not None
    taps = stage.ears.parts.taps.stats
    begun, elsewhere = taps.begun, taps.elsewhere
    number = await stage.callee(SAYS_REFUSAL)
    call = await stage.announce(number)
    row = await stage.refused(number)
    await stage.has_ended(call)
    await stage.settled()
    assert row.how == "spoken"
    assert (taps.begun, taps.elsewhere) == (begun, elsewhere + 1)
    assert len(await stage.refusals(number)) == 1


def _middle(said: bytes) -> bytes:
    """The words of a clip, without the noise before and after."""
    return said[int(0.9 * 16_000) : int(2.6 * 16_000)]
