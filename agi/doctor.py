"""Examines a live switch: is the gate there, can it be bypassed, does what it needs work.

Everything is asked by AMI with the rights that Heedline needs anyway (`reporting` among them); nothing is changed, and
no call is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Literal

from agi.ami import Address, Ami, Event
from agi.bypass import Reach, Step, bypasses
from agi.dialplan.variables import GATE_VERDICT
from agi.findings import Finding, Level
from agi.spool import entries
from dialer.errors import AmiRefused, AmiUnavailable
from dialer.ports import Clock

MINIMUM_VERSION = 20
_CONTEXTS = {
    "pbx": (
        "heedline-gate",
        "heedline-outbound",
        "heedline-predial",
        "heedline-attempt",
        "heedline-refused",
        "heedline-recorded",
    ),
    "egress": ("heedline-egress", "heedline-egress-gate", "heedline-attempt"),
}
_DIALLING = {"pbx": "heedline-outbound", "egress": "heedline-egress"}
_AGI = re.compile(r"agi://([^/,]+)/")
_LEAVES_BY = re.compile(r"^PJSIP/\$\{GATE_CALLEE\}@([A-Za-z0-9_.-]+)")
_CLOCK_TOLERANCE_S = 2.0
_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True)
class Patient:
    """A switch to examine. `trunks` are its endpoints that lead outside."""

    address: Address
    role: Literal["pbx", "egress"]
    trunks: tuple[str, ...] = ()


@dataclass(slots=True)
class _Examination:
    ami: Ami
    patient: Patient
    clock: Clock
    steps: Sequence[Step] = ()

    def found(self, ident: str, level: Level, **values: str) -> Finding:
        return Finding(ident, level, self.ami.name, values)


async def examine(patient: Patient, clock: Clock, deadline_s: float) -> list[Finding]:
    """All findings about one switch, however sick it is. `deadline_s` is within what the gate must answer."""
    async with Ami(patient.address, patience_s=_PATIENCE_S) as ami:
        examination = _Examination(ami, patient, clock)
        try:
            await ami.ready()
        except AmiUnavailable as error:
            return [examination.found("ami.connected", Level.FAIL, problem=error.problem)]
        findings = [examination.found("ami.connected", Level.OK), await _rights(examination)]
        checks: list[Callable[[_Examination], Awaitable[list[Finding]]]] = [
            _version,
            _clock,
            _gate,
            _path,
            _routes,
            _bridges,
            _media,
            _kept,
        ]
        for check in checks:
            with contextlib.suppress(AmiRefused):  # a right is missing, which has been found already
                try:
                    findings += await check(examination)
                except AmiUnavailable as error:
                    return [*findings, examination.found("ami.connected", Level.FAIL, problem=error.problem)]
        address = next((found[1] for step in examination.steps if (found := _AGI.match(step.data))), None)
        if address:
            findings.append(await probe_gate(address, deadline_s, ami.name))
        return findings


async def probe_gate(address: str, deadline_s: float, switch: str = "") -> Finding:
    """Ask the FastAGI server at `host:port` about a route that it does not have: it must refuse, in time."""
    host, _, port = address.rpartition(":")
    began = monotonic()
    problem = ""
    try:
        async with asyncio.timeout(deadline_s):
            line = await _ask(host.strip("[]"), int(port))
        if GATE_VERDICT not in line or "ALLOW" in line:
            problem = f"an unexpected answer: {line.strip()[:80]}"
    except TimeoutError:
        problem = "no answer in time"
    except (OSError, ValueError, EOFError) as error:
        problem = str(error) or "the connection was closed"
    if problem:
        values = {"address": address, "deadline": f"{deadline_s * 1000:.0f}", "problem": problem}
        return Finding("agi.answer", Level.FAIL, switch, values)
    took = f"{(monotonic() - began) * 1000:.0f}"
    return Finding("agi.answer", Level.OK, switch, {"address": address, "ms": took})


async def _ask(host: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"agi_network: yes\nagi_network_script: heedline-doctor\nagi_request: agi://doctor\n\n")
        line = await reader.readuntil(b"\n")
        writer.write(b"200 result=0\n")
        return line.decode("utf-8", "replace")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _rights(it: _Examination) -> Finding:
    missing = []
    for right, action in (
        ("write:originate", "Originate"),
        ("write:call", "Hangup"),
        ("write:reporting", "CoreSettings"),
    ):
        if not await _permitted(it.ami, action):
            missing.append(right)
    if "write:originate" not in missing and not await _hears(it.ami, "OriginateResponse", "Originate", _NOWHERE):
        missing.append("read:call")
    probe = {"UserEvent": "HeedlineProbe"}
    if not await _permitted(it.ami, "UserEvent", probe):
        missing.append("write:user")
    elif not await _hears(it.ami, "UserEvent", "UserEvent", probe):
        missing.append("read:user")
    if missing:
        return it.found("ami.rights", Level.FAIL, missing=", ".join(missing))
    return it.found("ami.rights", Level.OK)


# A call to an extension that does not exist: it fails at once, and the switch tells of it.
_NOWHERE = {"Channel": "Local/s@heedline-nowhere/n", "Application": "NoOp", "Async": "true", "Timeout": "1000"}


async def _permitted(ami: Ami, action: str, fields: dict[str, str] | None = None) -> bool:
    """Without its fields an action does nothing but say whether one may use it."""
    try:
        await ami.action(action, fields or {})
    except AmiRefused as error:
        return not _denied(error)
    return True


def _denied(error: AmiRefused) -> bool:
    return "permission denied" in error.problem.lower()


async def _hears(ami: Ami, event: str, action: str, fields: dict[str, str]) -> bool:
    """Whether the event that an action causes is received."""
    heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def note(_: Event) -> None:
        if not heard.done():
            heard.set_result(None)

    off = ami.on([event], note)
    try:
        await ami.action(action, fields)
        await asyncio.wait({heard}, timeout=_PATIENCE_S)
        return heard.done()
    except AmiRefused:
        return False
    finally:
        off()


async def _version(it: _Examination) -> list[Finding]:
    version = (await it.ami.action("CoreSettings")).get("AsteriskVersion")
    major = re.match(r"(?:certified[/-])?(\d+)\.", version)
    good = major is not None and int(major[1]) >= MINIMUM_VERSION
    level = Level.OK if good else Level.FAIL
    return [it.found("asterisk.version", level, version=version, minimum=str(MINIMUM_VERSION))]


async def _clock(it: _Examination) -> list[Finding]:
    stamp = (await it.ami.action("Ping")).get("Timestamp")
    try:
        off = abs((datetime.fromtimestamp(float(stamp), it.clock().tzinfo) - it.clock()).total_seconds())
    except (ValueError, OverflowError, OSError):
        return []
    return [it.found("clock", Level.OK if off < _CLOCK_TOLERANCE_S else Level.WARN, seconds=f"{off:.1f}")]


async def _gate(it: _Examination) -> list[Finding]:
    rows = await it.ami.listing("ShowDialPlan", within_s=30)
    it.steps = [
        Step(*(row.get(header) for header in ("Context", "Extension", "Priority", "Application", "AppData")))
        for row in rows
        if row.get("Application")
    ]
    present = {step.context for step in it.steps}
    missing = [context for context in _CONTEXTS[it.patient.role] if context not in present]
    if missing:
        return [it.found("gate.present", Level.FAIL, missing=", ".join(missing))]
    return [it.found("gate.present", Level.OK)]


def _leaves_by(it: _Examination) -> str:
    """The endpoint by which Heedline's own dialplan lets calls leave; empty when it has none."""
    for step in it.steps:
        if step.context == _DIALLING[it.patient.role] and step.application == "Dial":
            found = _LEAVES_BY.match(step.data)
            return found[1] if found else ""
    return ""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """What is known of a PJSIP endpoint. `states` are those of its contacts."""

    exists: bool
    direct_media: bool = False
    states: tuple[str, ...] = ()


async def _endpoint(it: _Examination, name: str) -> _Endpoint | None:
    """None when it cannot be told."""
    try:
        details = await it.ami.listing("PJSIPShowEndpoint", {"Endpoint": name})
    except AmiRefused as error:
        # This action needs the right `system`, which nothing else here does.
        return await _endpoint_by_functions(it, name) if _denied(error) else _Endpoint(False)
    direct = any(event.get("DirectMedia").lower() in ("true", "yes") for event in details)
    return _Endpoint(
        True, direct, tuple(event.get("Status") for event in details if event.name == "ContactStatusDetail")
    )


async def _endpoint_by_functions(it: _Examination, name: str) -> _Endpoint | None:
    async def value(function: str) -> str:
        return (await it.ami.action("Getvar", {"Variable": function})).get("Value")

    direct = await value(f"PJSIP_ENDPOINT({name},direct_media)")
    if not direct:
        return None  # no such endpoint, or func_pjsip_endpoint is not loaded
    aors = await value(f"PJSIP_ENDPOINT({name},aors)")
    contacts = [
        contact.strip()
        for aor in filter(None, aors.split(","))
        for contact in (await value(f"PJSIP_AOR({aor.strip()},contact)")).split(",")
        if contact.strip()
    ]
    states = [await value(f"PJSIP_CONTACT({contact},status)") for contact in contacts]
    return _Endpoint(True, direct.lower() in ("true", "yes"), tuple(states))


async def _path(it: _Examination) -> list[Finding]:
    name = _leaves_by(it)
    if not name:
        return []
    endpoint = await _endpoint(it, name)
    if endpoint is None:
        return [it.found("gate.path", Level.WARN, endpoint=name)]
    if not endpoint.exists:
        return [it.found("gate.path", Level.FAIL, endpoint=name, status="no such endpoint")]
    if "Reachable" in endpoint.states:
        return [it.found("gate.path", Level.OK, endpoint=name)]
    if "NonQualified" in endpoint.states:
        return [it.found("gate.path", Level.WARN, endpoint=name)]
    return [it.found("gate.path", Level.FAIL, endpoint=name, status=", ".join(endpoint.states) or "no contact")]


async def _routes(it: _Examination) -> list[Finding]:
    trunks = {*it.patient.trunks, _leaves_by(it)} - {""}
    listed = ", ".join(it.patient.trunks)
    watched = it.found("route.trunks", Level.OK if listed else Level.WARN, trunks=listed)
    found = [
        it.found("route.bypass", Level.FAIL if one.reach is Reach.TRUNK else Level.WARN, step=str(one.step))
        for one in bypasses(it.steps, trunks)
    ]
    if not any(finding.level is Level.FAIL for finding in found):
        found.insert(0, it.found("route.bypass", Level.OK))
    return [watched, *found]


async def _bridges(it: _Examination) -> list[Finding]:
    rows = await it.ami.listing("BridgeTechnologyList")
    names = [row.get("BridgeTechnology") for row in rows]
    native = [name for name in names if name.startswith("native")]
    if not native:
        return [it.found("keys.native_bridge", Level.OK)]
    modules = ", ".join(f"bridge_{name}.so" for name in native)
    return [it.found("keys.native_bridge", Level.FAIL, technologies=", ".join(native), modules=modules)]


async def _media(it: _Examination) -> list[Finding]:
    """The trunks' endpoints: media goes directly only when both sides may, so one side that may not is enough."""
    direct = []
    for name in sorted({*it.patient.trunks, _leaves_by(it)} - {""}):
        endpoint = await _endpoint(it, name)
        if endpoint is not None and endpoint.direct_media:
            direct.append(name)
    if direct:
        return [it.found("keys.direct_media", Level.WARN, endpoints=", ".join(direct))]
    return [it.found("keys.direct_media", Level.OK)]


async def _kept(it: _Examination) -> list[Finding]:
    """Refusals that the service has not fetched: it does so within a minute, when it runs and the database answers."""
    if it.patient.role != "pbx":
        return []
    found = await entries(it.ami)
    garbled = [entry.key for entry in found if entry.told is None]
    waiting = len(found) - len(garbled)
    findings = [it.found("refusals.kept", Level.WARN if waiting else Level.OK, count=str(waiting))]
    if garbled:
        shown = ", ".join(garbled[:5])
        findings.append(it.found("refusals.garbled", Level.FAIL, count=str(len(garbled)), entries=shown))
    return findings
