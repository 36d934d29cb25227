"""The doctor on real switches: what is healthy, and what was planted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from agi.ami import Ami
from agi.dialplan.render import DialplanSettings
from agi.doctor import Patient, _Endpoint, _endpoint, _Examination, examine
from agi.findings import Finding, Level
from agi.pbx.provision import AsteriskBinary
from agi.server import RunningServer, serve
from tests.acceptance.ami_lab import OWN_DIALPLAN, TRUNK, AgentLab, ami_of, now

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

DEADLINE_S = 5.0  # generous: the machine of a test may be busy


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[RunningServer]:
    """The real FastAGI server, without routes: it refuses whatever it is asked."""
    async with await serve("127.0.0.1", 0, {}) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def healthy(
    server: RunningServer, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AgentLab]:
    """The lab as it is."""
    settings = DialplanSettings(agi=f"127.0.0.1:{server.port}")
    async with AgentLab(asterisk, tmp_path_factory.mktemp("healthy"), settings) as lab:
        yield lab


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sick(asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AgentLab]:
    """The lab with a route around the gate, a bridge that hides keys, direct media, and no gate that answers."""
    lab = AgentLab(asterisk, tmp_path_factory.mktemp("sick"), DialplanSettings(agi="127.0.0.1:9"))
    lab.own_dialplan = OWN_DIALPLAN
    lab.more_modules = ("bridge_native_rtp", "func_pjsip_endpoint", "func_pjsip_aor", "func_pjsip_contact")
    lab.more_pjsip = "[second-trunk]\ntype = endpoint\ndirect_media = yes\ndisallow = all\nallow = ulaw\n"
    async with lab:
        yield lab


async def findings(lab: AgentLab, role: str = "pbx", trunks: tuple[str, ...] = (TRUNK,)) -> list[Finding]:
    """What the doctor finds at one switch of the lab."""
    instance = lab.pbx if role == "pbx" else lab.egress
    patient = Patient(ami_of(instance).address, "pbx" if role == "pbx" else "egress", trunks)
    return await examine(patient, now, DEADLINE_S)


def at(level: Level, found: list[Finding]) -> list[str]:
    """The ids at a level."""
    return [finding.id for finding in found if finding.level is level]


@pytest.mark.parametrize(("role", "trunks"), [("pbx", (TRUNK,)), ("egress", ("carrier",))])
async def test_healthy_switch_has_no_failure(healthy: AgentLab, role: str, trunks: tuple[str, ...]) -> None:
    """A switch as `heedline pbx install` leaves it passes, with every check made."""
    found = await findings(healthy, role, trunks)
    assert at(Level.FAIL, found) == []
    assert {
        "ami.connected",
        "ami.rights",
        "asterisk.version",
        "clock",
        "gate.present",
        "route.bypass",
        "route.trunks",
        "keys.native_bridge",
        "keys.direct_media",
        "agi.answer",
    } <= set(at(Level.OK, found))
    assert "gate.path" in at(Level.WARN, found)  # the lab does not qualify its peers


async def test_planted_bypass_is_named_by_context_extension_and_priority(sick: AgentLab) -> None:
    """The one route around the gate is found where it stands; the phones' route is not blamed."""
    steps = [f.text() for f in await findings(sick) if f.id == "route.bypass" and f.level is Level.FAIL]
    assert len(steps) == 1
    assert "from-internal,_9X!,2: Dial(PJSIP/${EXTEN:1}@egress,60)" in steps[0]


async def test_bypass_is_found_even_when_no_trunk_is_declared(sick: AgentLab) -> None:
    """The endpoint by which the gate lets calls leave counts as a trunk whatever the settings say."""
    found = await findings(sick, trunks=())
    assert "route.bypass" in at(Level.FAIL, found)
    assert "route.trunks" in at(Level.WARN, found)


async def test_planted_bridge_and_direct_media_are_found(sick: AgentLab) -> None:
    """The module that hides key presses is a failure and is named; direct media is a warning."""
    found = {finding.id: finding for finding in await findings(sick, trunks=(TRUNK, "second-trunk"))}
    assert found["keys.native_bridge"].level is Level.FAIL
    assert "bridge_native_rtp.so" in found["keys.native_bridge"].cure()
    assert found["keys.direct_media"].level is Level.WARN
    assert "second-trunk" in found["keys.direct_media"].text("zh")


async def test_trunks_are_examined_without_the_right_to_show_endpoints(sick: AgentLab) -> None:
    """With no more rights than are asked for, direct media and the state of contacts are read by dialplan functions."""
    manager = sick.pbx.folder / "etc" / "manager.conf"
    user = "[least]\nsecret = s\nread = call,user,system\nwrite = originate,call,user,reporting\n"
    manager.write_text(manager.read_text() + user)
    await sick.pbx.cli("manager reload")
    address = replace(ami_of(sick.pbx).address, username="least", secret="s")
    found = {finding.id: finding for finding in await examine(Patient(address, "pbx", ("second-trunk",)), now, 5)}
    assert found["ami.rights"].level is Level.OK
    assert "second-trunk" in found["keys.direct_media"].text()
    async with Ami(address) as ami:
        await ami.ready()
        endpoint = await _endpoint(_Examination(ami, Patient(address, "pbx"), now), TRUNK)
    assert endpoint == _Endpoint(True, False, ("NonQualified",))


async def test_gate_that_does_not_answer_is_found(sick: AgentLab) -> None:
    """The address that the dialplan asks is probed, not one of the settings."""
    (found,) = [finding for finding in await findings(sick) if finding.id == "agi.answer"]
    assert found.level is Level.FAIL
    assert "127.0.0.1:9" in found.text()


async def test_pbx_without_the_gate_is_found(healthy: AgentLab) -> None:
    """A switch on which nothing was installed fails, with the missing contexts named."""
    patient = Patient(ami_of(healthy.carrier).address, "pbx", ())
    found = await examine(patient, now, DEADLINE_S)
    (missing,) = [finding for finding in found if finding.id == "gate.present"]
    assert missing.level is Level.FAIL
    assert "heedline-gate" in missing.text()


async def test_wrong_secret_is_one_finding(healthy: AgentLab) -> None:
    """A login that is refused is reported as such, and nothing else is claimed."""
    address = replace(ami_of(healthy.pbx).address, secret="wrong")
    (found,) = await examine(Patient(address, "pbx", (TRUNK,)), now, DEADLINE_S)
    assert (found.id, found.level) == ("ami.connected", Level.FAIL)
    assert "Authentication failed" in found.text()


@pytest.mark.parametrize(
    ("read", "write", "missing"),
    [
        ("call,user,system", "originate,call,user,reporting", []),
        ("user,system", "originate,call,user,reporting", ["read:call"]),
        ("call,system", "originate,call,user,reporting", ["read:user"]),
        ("call,user,system", "call,user,reporting", ["write:originate"]),
        ("call,user,system", "originate,user,reporting", ["write:call"]),
        ("call,user,system", "originate,call,user", ["write:reporting"]),
    ],
)
async def test_missing_rights_are_named(rights: AgentLab, read: str, write: str, missing: list[str]) -> None:
    """Exactly the right that the manager user lacks is named; the set that the cure names suffices."""
    user = f"u{abs(hash((read, write)))}"
    manager = rights.pbx.folder / "etc" / "manager.conf"
    manager.write_text(manager.read_text() + f"[{user}]\nsecret = s\nread = {read}\nwrite = {write}\n")
    await rights.pbx.cli("manager reload")
    address = replace(ami_of(rights.pbx).address, username=user, secret="s")
    found = await examine(Patient(address, "pbx", (TRUNK,)), now, DEADLINE_S)
    (finding,) = [finding for finding in found if finding.id == "ami.rights"]
    assert finding.values.get("missing", "").split(", ") == (missing or [""])


@pytest_asyncio.fixture(loop_scope="module")
async def rights(healthy: AgentLab) -> AsyncIterator[AgentLab]:
    """The healthy lab, whose manager.conf is put back afterwards."""
    manager = healthy.pbx.folder / "etc" / "manager.conf"
    before = manager.read_text()
    yield healthy
    manager.write_text(before)
    await healthy.pbx.cli("manager reload")
