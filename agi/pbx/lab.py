"""A lab of three Asterisks on loopback: a call centre's PBX, the egress, and the carrier with its callees.

All calls are real SIP. What leaves is counted where it would arrive: at the carrier, from the messages on the wire.

The callee's behaviour follows from the last two digits of the number (emergency numbers are answered too):

| ends in | the callee |
|---|---|
| 86 | is busy (486) |
| 80 | rings and never answers |
| 63 | rejects the call (603) |
| 64 | is not a number that exists (404) |
| 87 | answers and hangs up at once |
| 91 | answers and presses 9 after about a second |
| 92, 93 | answers and plays the clip that was given for it, silence without one, and stays |
| 94 | answers, presses 9 after about a second and hangs up at once |
| else | answers and echoes until the caller hangs up |

The PBX has agents' phones: `PJSIP/1001`, which answers, `PJSIP/1007`, which answers and presses *7 after a second and a
half, and `PJSIP/1086`, which is busy. Whoever rings the PBX from the carrier reaches `heedline-callback`.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

from agi.dialplan.render import (
    EGRESS_FRAGMENTS,
    FEATURES_FRAGMENTS,
    PBX_FRAGMENTS,
    DialplanSettings,
    Fragment,
    render,
)
from agi.pbx import settings as switch_settings
from agi.pbx.binary import AsteriskBinary
from agi.pbx.capture import Invite, Tap
from agi.pbx.farend import PHONES, far_end
from agi.pbx.instance import Instance
from agi.pbx.manager import Manager, Packet

_AGENT = """
[lab-agent]
exten => s,1,Answer()
 same => n,Wait(3600)
"""

# Calls to a presented number: an endpoint by which none can leave, so no way around the gate. It is known by a header,
# so that whoever else calls from the carrier's address is whom a test makes him.
_INBOUND = """
[global]
type = global
endpoint_identifier_order = header,ip,username,anonymous
[inbound]
type = endpoint
context = heedline-callback
trust_id_inbound = yes
transport = udp
disallow = all
allow = ulaw,alaw
direct_media = no
rtp_symmetric = yes
media_address = {own}
bind_rtp_to_media_address = yes
[inbound]
type = identify
endpoint = inbound
match_header = {header}
"""
_RINGS_BACK = ("X-Lab", "rings back")

_PHONE = """
[{name}]
type = endpoint
context = lab-agent
transport = udp
disallow = all
allow = ulaw
aors = {name}
direct_media = no
[{name}]
type = aor
contact = sip:{name}@{address}:{port}
"""

_PEER = """
[{name}]
type = endpoint
context = {context}
transport = udp
disallow = all
allow = ulaw,alaw
aors = {name}
direct_media = no
rtp_symmetric = yes
media_address = {own}
bind_rtp_to_media_address = yes
[{name}]
type = aor
contact = sip:{address}:{port}
[{name}]
type = identify
endpoint = {name}
match = {address}
"""


class Way(Enum):
    """How a call is started."""

    AGENT = "agent"  # the agent's phone first, then heedline-outbound
    CALLEE = "callee"  # heedline-outbound first, then the agent
    ANNOUNCEMENT = "announcement"  # heedline-outbound first, then heedline-announce
    BYPASS = "bypass"  # straight to the egress endpoint: no gate in the PBX


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was started; `id` is the unique id of its first channel."""

    id: str
    response: Packet
    manager: Manager

    @property
    def answered(self) -> bool:
        """The side that was called first answered (for Way.AGENT that is the agent)."""
        return self.response["Response"] == "Success"

    async def ended(self, within: float = 30) -> Packet:
        """The Hangup event of its first channel, or the response of a call that never had one.

        TimeoutError after `within` seconds.
        """
        if not self.answered:
            return self.response
        return await self.manager.expect(
            lambda event: event.get("Event") == "Hangup" and event.get("Uniqueid") == self.id, within
        )


class Lab:
    """Three Asterisks: `pbx`, `egress` and `carrier`, under `folder`. `settings.agi` is where Heedline listens.

    `clips` are WAV files (mono, 16-bit, 8 or 16 kHz) that the callees of the endings `92` and `93` say.

    Each switch has a loopback address of a random 127.x.y.0/24, so that two labs on one machine cannot meet.
    """

    def __init__(
        self,
        binary: AsteriskBinary,
        folder: Path,
        settings: DialplanSettings,
        clips: Mapping[str, Path] | None = None,
    ) -> None:
        network = f"127.{secrets.randbelow(254) + 1}.{secrets.randbelow(254) + 1}"
        self.settings = settings
        self.pbx = Instance(binary, folder / "pbx", "pbx", f"{network}.11")
        self.egress = Instance(binary, folder / "egress", "egress", f"{network}.12")
        self.carrier = Instance(binary, folder / "carrier", "carrier", f"{network}.13")
        self.pbx.modules = self.carrier.modules = switch_settings.VOICE_MODULES
        self._clips = dict(clips or {})
        self._tap = Tap(self.carrier)
        self._mark = 0
        self._calls = itertools.count(1)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start all three; InstanceError when one does not start, and then none is left."""
        self._configure()
        async with self._stack as stack:
            for instance in (self.carrier, self.egress, self.pbx):
                await stack.enter_async_context(instance)
            await self._tap.start()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def messages(self, number: str | None = None) -> list[Invite]:
        """The INVITEs that reached the carrier since the last `mark`; of `number` alone if given."""
        invites = (await self._tap.invites())[self._mark :]
        return [invite for invite in invites if invite.number not in PHONES and number in (None, invite.number)]

    async def invites(self, number: str | None = None) -> int:
        """How many INVITEs reached the carrier since the last `mark`, by Request-URI user if `number` is given."""
        return len(await self.messages(number))

    async def mark(self) -> None:
        """Count from here."""
        self._mark = len(await self._tap.invites())

    async def hang_up_all(self) -> None:
        """End every call on all three, and return when no channel is left."""
        for instance in (self.pbx, self.egress, self.carrier):
            await instance.hang_up_all()

    async def originate(
        self,
        number: str,
        *,
        way: Way = Way.AGENT,
        cli: str = "",
        agent: str = "",
        variables: Mapping[str, str] | None = None,
        timeout_s: float = 30,
    ) -> Call:
        """Start a call on the PBX by AMI and return when the side called first has answered or failed.

        `agent` is his phone (`PJSIP/1007`); without one the agent is a channel that waits. `variables` are channel
        variables such as HEEDLINE_SELLER, inherited by the channels that it starts, or functions such as
        `PJSIP_HEADER(add,X-Name)`. Values hold no comma: AMI separates variables by it.
        """
        ident = f"lab-{secrets.token_hex(4)}-{next(self._calls)}"
        fields = [
            *_legs(way, number, self.settings.egress, agent),
            ("ChannelId", ident),
            ("OtherChannelId", f"{ident}-2"),
            ("Timeout", str(int(timeout_s * 1000))),
            ("Async", "true"),
            *(("Variable", f"{_inherited(name)}={value}") for name, value in (variables or {}).items()),
        ]
        if cli:
            fields.append(("CallerID", f"<{cli}>"))
        manager = self.pbx.manager
        response = await manager.originate(fields, within=timeout_s + 5)
        return Call(ident, response, manager)

    async def ring_back(self, number: str, *, cli: str, keys: str = "9", hidden: bool = False) -> Call:
        """Call a number of the PBX from the carrier as `cli`, and press `keys` (`silent`: none) once it has answered.

        `hidden`: the network knows the number, and that it shall not be shown (RFC 3325).
        """
        ident = f"lab-{secrets.token_hex(4)}-{next(self._calls)}"
        fields = [
            ("Channel", f"PJSIP/{number}@pbx"),
            ("Context", "lab-callers"),
            ("Exten", keys),
            ("Priority", "1"),
            ("CallerID", "<anonymous>" if hidden else f"<{cli}>"),
            ("ChannelId", ident),
            ("Async", "true"),
            ("Variable", f"PJSIP_HEADER(add,{_RINGS_BACK[0]})={_RINGS_BACK[1]}"),
        ]
        if hidden:
            asserted = f"<sip:{cli}@{self.carrier.address}>"
            fields.append(("Variable", f"PJSIP_HEADER(add,P-Asserted-Identity)={asserted}"))
            fields.append(("Variable", "PJSIP_HEADER(add,Privacy)=id"))
        manager = self.carrier.manager
        return Call(ident, await manager.originate(fields, within=35), manager)

    def _configure(self) -> None:
        self.pbx.files = {
            "features.conf": "[general]\n[applicationmap]\n"
            + "".join(render(fragment, self.settings) for fragment in FEATURES_FRAGMENTS),
            "extensions.conf": _dialplan(PBX_FRAGMENTS, self.settings) + _AGENT,
            "pjsip.conf": _pjsip(self.pbx, {self.settings.egress: (self.egress, "lab-agent")})
            + _INBOUND.format(own=self.pbx.address, header=": ".join(_RINGS_BACK))
            + "".join(
                _PHONE.format(name=name, address=self.carrier.address, port=self.carrier.sip_port) for name in PHONES
            ),
        }
        self.egress.files = {
            "extensions.conf": _dialplan(EGRESS_FRAGMENTS, self.settings) + "[lab-nothing]\n",
            "pjsip.conf": _pjsip(
                self.egress,
                {"pbx": (self.pbx, "heedline-egress"), self.settings.carrier: (self.carrier, "lab-nothing")},
            ),
        }
        self.carrier.files = {
            "extensions.conf": far_end(self.carrier.folder / "clips", self._clips),
            "pjsip.conf": _pjsip(
                self.carrier, {"egress": (self.egress, "lab-callees"), "pbx": (self.pbx, "lab-phones")}
            ),
        }


def _inherited(name: str) -> str:
    """A variable is passed on to the channels that its channel starts; a function is not."""
    return name if "(" in name else f"__{name}"


def _legs(way: Way, number: str, trunk: str, agent: str) -> list[tuple[str, str]]:
    """The Originate fields that say who is called first and what happens then."""
    if way is Way.AGENT:
        phone = agent or "Local/s@lab-agent/n"
        return [("Channel", phone), ("Context", "heedline-outbound"), ("Exten", number), ("Priority", "1")]
    called = f"Local/{number}@heedline-outbound/n"
    if way is Way.ANNOUNCEMENT:
        return [("Channel", called), ("Context", "heedline-announce"), ("Exten", "s"), ("Priority", "1")]
    first = called if way is Way.CALLEE else f"PJSIP/{number}@{trunk}"
    if agent:
        return [("Channel", first), ("Application", "Dial"), ("Data", f"{agent},30")]
    return [("Channel", first), ("Context", "lab-agent"), ("Exten", "s"), ("Priority", "1")]


def _dialplan(fragments: Sequence[Fragment], settings: DialplanSettings) -> str:
    return "[general]\n" + "\n".join(render(fragment, settings) for fragment in fragments)


def _pjsip(own: Instance, peers: Mapping[str, tuple[Instance, str]]) -> str:
    """pjsip.conf: the transport and, for each peer by its address, an endpoint with the context of its calls."""
    transport = f"[udp]\ntype = transport\nprotocol = udp\nbind = {own.address}:{own.sip_port}\n"
    return transport + "".join(
        _PEER.format(name=name, context=context, own=own.address, address=peer.address, port=peer.sip_port)
        for name, (peer, context) in peers.items()
    )
