"""Three switches, and a gate that is told of refusals by key."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agi.dialplan.render import SOUNDS, DialplanSettings
from agi.pbx.lab import Lab
from agi.pbx.provision import AsteriskBinary
from tests.acceptance.refusal_gate import (
    RefusalGate,
)


class BareLab(Lab):
    """A switch whose features.conf includes nothing of Heedline's, and whose AudioSocket server is not there."""

    def _configure(self) -> None:
        super()._configure()
        self.pbx.files = {**self.pbx.files, "features.conf": "[general]\n"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gate() -> AsyncIterator[RefusalGate]:
    """A gate that allows, and is told of refusals."""
    gate = RefusalGate()
    await gate.start()
    yield gate
    await gate.stop()


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts by the packaged names that last a fifth of a second: which of them is played counts here."""
    folder = tmp_path_factory.mktemp("sounds")
    for packaged in SOUNDS.glob("*/*.wav"):
        short = folder / packaged.relative_to(SOUNDS)
        short.parent.mkdir(exist_ok=True)
        with wave.open(str(short), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(bytes(3200))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    gate: RefusalGate, sounds: Path, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    """The three switches, for all tests of this file."""
    settings = DialplanSettings(agi=f"{gate.host}:{gate.port}", deadline_s=1, sounds=str(sounds))
    async with Lab(asterisk, tmp_path_factory.mktemp("keys"), settings) as lab:
        yield lab


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_bare(
    gate: RefusalGate, sounds: Path, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    """The three switches, without what can be left out."""
    settings = DialplanSettings(agi=f"{gate.host}:{gate.port}", deadline_s=1, audio="127.0.0.1:9", sounds=str(sounds))
    async with BareLab(asterisk, tmp_path_factory.mktemp("bare"), settings) as lab:
        yield lab


async def at_rest(lab: Lab, gate: RefusalGate) -> AsyncIterator[Lab]:
    """The lab with nothing kept, and afterwards no channel."""
    gate.reset()
    await lab.pbx.cli("database deltree heedline-refusal")
    for instance in (lab.pbx, lab.egress, lab.carrier):
        instance.manager.events.clear()
    await lab.mark()
    yield lab
    await lab.hang_up_all()


@pytest_asyncio.fixture(loop_scope="module")
async def lab(running: Lab, gate: RefusalGate) -> AsyncIterator[Lab]:
    """The lab at rest."""
    async for lab in at_rest(running, gate):
        yield lab


@pytest_asyncio.fixture(loop_scope="module")
async def bare(running_bare: Lab, gate: RefusalGate) -> AsyncIterator[Lab]:
    """The bare lab at rest."""
    async for lab in at_rest(running_bare, gate):
        yield lab
