"""Who called, did we call, and the proof that we did not."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from dialer.app import Database, Registers
from dialer.bundles import Stretch
from dialer.complaint_node import open_trace
from dialer.config import Settings
from dialer.errors import HeedlineError, RegisterError
from dialer.evidence_node import open_bundles, seal
from dialer.numbers import Number, parse
from dialer.ports_trace import Fate, Side
from dialer.trace import Trace
from dialer.verifier.command import verify_and_tell
from tests.gate_world import CHINA, NOON, SetClock, World, furnish, open_gate, redeem
from tests.shell import Shell

DAY = timedelta(days=1)


@dataclass
class Scene:
    """Two callees: one was called, the other asked for and not allowed."""

    world: World
    trace: Trace
    clock: SetClock
    called: str
    withheld: str
    decision: int


@pytest.fixture
async def scene(database: Database, registers: Registers) -> Scene:
    """A call at noon, one that was not allowed, and an INVITE that was turned away."""
    world, clock = await furnish(registers, CHINA), SetClock()
    called, withheld = await world.callee(), world.fresh()
    async with open_gate(database.dsn, clock) as gate:
        answer = await gate.decide(world.request(called))
        await redeem(gate, answer)
        await redeem(gate, answer)  # a second time: turned away
        await gate.decide(world.request(withheld))
    clock.advance(3600)
    return Scene(world, open_trace(database, "test", clock), clock, called, withheld, answer.decision or 0)


def number(text: str) -> Number:
    """A number as the command reads it."""
    read = parse(text, "CN")
    assert isinstance(read, Number)
    return read


async def test_who_called_and_did_we_call(scene: Scene, owner: asyncpg.Connection) -> None:
    """The callee's calls and those that never left are told apart; a number of ours is taken as shown; a window in
    which nothing was is empty; each question is an entry of that person's."""
    window = scene.trace.window(NOON - DAY, None)
    traced = await scene.trace.ask(number(scene.called), window)
    fates = [call.fate for call in traced.found[Side.CALLEE].calls]
    assert sorted(fates) == [Fate.CALLED, Fate.REJECTED]
    assert traced.found[Side.CLI].calls == ()
    (call,) = [each for each in traced.found[Side.CALLEE].calls if each.fate is Fate.CALLED]
    assert (call.decision, call.presented, call.seller) == (scene.decision, CHINA.presented, "acme")
    assert len(call.consents) == 1
    assert [each.kind for each in call.entries] == ["decision", "permit.redeemed"]
    (refused,) = (await scene.trace.ask(number(scene.withheld), window, Side.CALLEE)).found[Side.CALLEE].calls
    assert (refused.fate, refused.reasons) == (Fate.WITHHELD, ("NO_CONSENT",))
    shown = await scene.trace.ask(number(CHINA.presented), window)
    assert list(shown.found) == [Side.CLI]
    assert len([each for each in shown.found[Side.CLI].calls if each.fate is Fate.CALLED]) == 1
    early = scene.trace.window(NOON - 2 * DAY, NOON - DAY)
    assert (await scene.trace.ask(number(scene.called), early, Side.CALLEE)).found[Side.CALLEE].calls == ()
    looks = await owner.fetch("select callee from evidence_entries where kind = 'lookup' order by id")
    assert [row["callee"] for row in looks][:2] == [number(scene.called).digits, number(scene.withheld).digits]
    with pytest.raises(RegisterError):
        scene.trace.window(NOON, NOON - DAY)


async def test_that_we_did_not_call_is_proven(
    settings: Settings, database: Database, scene: Scene, tmp_path: Path
) -> None:
    """Not before all is sealed; then the bundle opens every call of the window, and the verifier counts those that
    speak of the number: none of one that was not called, one of one that was."""
    strange = number("+8613800138999")
    window = scene.trace.window(NOON - DAY, None)
    with pytest.raises(HeedlineError, match="not sealed"):
        await scene.trace.stretch(await scene.trace.ask(strange, window, Side.CLI))
    await seal(settings, database)
    for asked, count in ((strange, 0), (number(scene.called), 1)):
        traced = await scene.trace.ask(asked, window, Side.CALLEE)
        start, end = await scene.trace.stretch(traced)
        bundle = tmp_path / f"{asked.digits}.zip"
        stretch = Stretch({"number": asked.e164}, start, end, records=traced.document())
        await open_bundles(settings, database, "test").export_stretch(stretch, bundle, languages=("en",))
        text, code = verify_and_tell(bundle, [], [], [], language="en", as_json=True)
        assert code == 0, text
        told = json.loads(text)["facts"]["stretch"]
        assert (told["told"], told["mentioned"], told["start"]) == (1, count, 0)


def test_trace_at_the_command_line(shell: Shell, tmp_path: Path) -> None:
    """A number of nobody is told as never called, with its proof; a proof without its reader, a wrong time and a wrong
    number are errors."""
    assert shell("trace", "+442079460123") == 0
    assert "none of them called +442079460123" in shell.out
    assert "none of them showed +442079460123" in shell.out
    told = shell.json("trace", "+442079460123", "--to-authority", "ICO", "-o", "window.zip", "--from", "2026-01-01")
    assert told["callee"]["called"] == told["cli"]["called"] == 0
    with zipfile.ZipFile(tmp_path / "window.zip") as bundle:
        assert b"ICO" in bundle.read("bundle.json")
    assert shell("evidence", "verify", "window.zip") == 0
    assert shell("trace", "+442079460123", "-o", "x.zip") == 2
    assert shell("trace", "+442079460123", "--from", "yesterday") == 2
    assert shell("trace", "123") == 1
    assert shell("trace", "+442079460123", "--from", "2026-05-02", "--to", "2026-05-01") == 1
    assert "Traceback" not in shell.err
