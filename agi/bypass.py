"""Which steps of a dialplan reach a trunk around the gate. Pure: reads steps as AMI's ShowDialPlan lists them.

A step outside Heedline's own contexts is a bypass when it dials a trunk. Where the destination is computed at run time
(a variable, a script, a queue) it cannot be told; such a step is opaque, for a person to look at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib import resources

# Applications that dial, and which of their arguments is the destination.
_DIALLERS = {"dial": 0, "page": 0, "originate": 0, "retrydial": 3, "transfer": 0}
# Applications whose calls are made elsewhere: by a script, a program, a file of their own.
_ELSEWHERE = frozenset(
    {"agi", "eagi", "deadagi", "fastagi", "externalivr", "stasis", "followme", "queue", "system", "trysystem"}
)
# A step may hold another: ExecIf(cond?Dial(…)), TryExec(Dial(…)).
_WRAPPERS = frozenset({"exec", "tryexec", "execif"})
_INNER = re.compile(rf"\b({'|'.join([*_DIALLERS, *sorted(_ELSEWHERE)])})\(", re.IGNORECASE)
# Telephone lines by nature: a number behind them goes to the public network.
_LINES = frozenset({"dahdi", "misdn", "capi", "lcr", "khomp", "dongle", "quectel", "wanpipe"})
_PEERS = frozenset({"pjsip", "sip", "iax2", "iax", "h323", "ooh323"})
_CONTACTS = re.compile(r"\$\{PJSIP_DIAL_CONTACTS\(([^)$,]+)[^)]*\)\}", re.IGNORECASE)
_CONTEXT = re.compile(r"^\[(heedline-[a-z-]+)\]", re.MULTILINE)
_OWN_AGI = re.compile(r"agi://[^,/]+/(outbound|egress|refusal|inbound)\b")


class Reach(IntEnum):
    """How far a dial string goes."""

    INTERNAL = 0
    OPAQUE = 1
    TRUNK = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One priority of the dialplan."""

    context: str
    extension: str
    priority: str
    application: str
    data: str

    def __str__(self) -> str:
        return f"{self.context},{self.extension},{self.priority}: {self.application}({self.data})"


@dataclass(frozen=True, slots=True)
class Bypass:
    """A step that reaches a trunk (`TRUNK`), or may (`OPAQUE`)."""

    step: Step
    reach: Reach


@cache
def own_contexts() -> frozenset[str]:
    """The contexts of Heedline's fragments, by their exact names: a `heedline-` of somebody else is not excepted."""
    folder = resources.files("agi.dialplan")
    texts = [entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".conf")]
    return frozenset(name for text in texts for name in _CONTEXT.findall(text))


def bypasses(steps: Iterable[Step], trunks: Collection[str]) -> Iterator[Bypass]:
    """The steps outside Heedline's contexts that reach one of `trunks` (endpoint names) or a line, or may."""
    names = frozenset(trunk.rpartition("/")[2].lower() for trunk in trunks)
    for step in steps:
        if step.context not in own_contexts():
            reach = reach_of(step, names)
            if reach is not Reach.INTERNAL:
                yield Bypass(step, reach)


def reach_of(step: Step, trunks: frozenset[str]) -> Reach:
    """How far one step reaches; `trunks` in small letters."""
    application = step.application.lower()
    if application in _WRAPPERS:
        inner = [_call(found[1].lower(), step.data[found.end() :]) for found in _INNER.finditer(step.data)]
        return max((_reach(name, data, step.extension, trunks) for name, data in inner), default=Reach.INTERNAL)
    return _reach(application, step.data, step.extension, trunks)


def _call(name: str, rest: str) -> tuple[str, str]:
    """An application inside another's data: its name, and its data up to the bracket that closes it."""
    depth = 1
    for at, character in enumerate(rest):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return name, rest[:at]
    return name, rest


def _reach(application: str, data: str, extension: str, trunks: frozenset[str]) -> Reach:
    if application in _ELSEWHERE:
        return Reach.INTERNAL if _OWN_AGI.match(data) else Reach.OPAQUE
    if application not in _DIALLERS:
        return Reach.INTERNAL
    arguments = split(data, ",")
    destinations = arguments[_DIALLERS[application] : _DIALLERS[application] + 1]
    if application == "transfer" and destinations and "/" not in destinations[0]:
        return Reach.INTERNAL  # it asks the other side to call somebody; this switch dials nothing
    return max(
        (
            _destination(one.strip(), extension, trunks)
            for text in destinations
            for one in split(text, "&")
            if one.strip()
        ),
        default=Reach.INTERNAL,
    )


def split(text: str, separator: str) -> list[str]:
    """Split at the separators that are in no bracket: `${CUT(x,y)}` stays whole."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        if character == separator and depth <= 0:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]


def _destination(text: str, extension: str, trunks: frozenset[str]) -> Reach:
    contacts = _CONTACTS.fullmatch(text)
    if contacts:
        return Reach.TRUNK if contacts[1].strip().lower() in trunks else Reach.INTERNAL
    technology, slash, resource = text.partition("/")
    if not slash or "$" in technology:
        return Reach.OPAQUE
    technology = technology.lower()
    if technology in _LINES:
        return Reach.TRUNK if "/" in resource or re.match(r"[gGrR][0-9$]", resource) else Reach.INTERNAL
    if technology in _PEERS:
        return _peer(technology, resource, extension, trunks)
    return Reach.INTERNAL  # Local/ leads to a context that is judged itself; the rest are phones and applications


def _peer(technology: str, resource: str, extension: str, trunks: frozenset[str]) -> Reach:
    peer, number = _parts(technology, resource)
    if peer.lower() in trunks:
        return Reach.TRUNK
    if "$" in peer:
        return Reach.INTERNAL if not number and _names_a_phone(peer, extension) else Reach.OPAQUE
    # A peer that is dialled with a number passes it on: a trunk, though nobody has declared it.
    return Reach.OPAQUE if number else Reach.INTERNAL


def _parts(technology: str, resource: str) -> tuple[str, str]:
    """Peer and number of `number@peer` and `peer/number` (for PJSIP `peer/sip:user@host`)."""
    first, slash, rest = resource.partition("/")
    if technology == "pjsip" and slash and rest.lower().startswith(("sip:", "sips:", "${")):
        return first, rest
    number, at, peer = resource.rpartition("@")
    if at:
        return peer.partition("/")[0], number or peer
    return first, rest


def _names_a_phone(peer: str, extension: str) -> bool:
    """`${EXTEN}` under a pattern of digits alone is a phone by its number, and no trunk is named by digits."""
    plain = re.fullmatch(r"\$\{EXTEN(:-?[0-9]+){0,2}\}", peer)
    digits = re.fullmatch(r"_?[0-9XZNxzn\[\]-]+", extension)
    return bool(plain and digits)
