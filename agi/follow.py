"""Follows attempts on one switch: from its events to the facts of `dialer.attempts`.

The dialplan says which channel is which attempt's (user events HeedlineDial and HeedlineHangup on the called channel);
the channel's own events say the rest. Events may come late, twice, or before the channel is known to be an attempt's.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from agi.ami import Ami, Event
from dialer.attempts import AttemptLog, merged
from dialer.errors import AmiRefused, AmiUnavailable
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_attempts import AttemptFacts

log = logging.getLogger(__name__)

_EVENTS = ("UserEvent", "Newstate", "DialEnd", "Hangup")
_ATTEMPT = re.compile(r"[0-9]{1,18}")
_STATUS = re.compile(r"[A-Z]{2,16}")
_FINAL_SIP = re.compile(r"SIP ([2-6][0-9]{2})\b")
# Channels that are over, or (still) no attempt's: remembered for events that come late.
_REMEMBERED = 4096
_RINGING, _UP = "5", "6"
_CALL_ID_LIMIT = 128


@dataclass(frozen=True, slots=True)
class LiveLeg:
    """A called channel that is there now, by its unique id, and whose attempt it is."""

    attempt: int
    unique_id: str
    answered: bool


@dataclass(slots=True)
class _Leg:
    """A channel. `facts.attempt` is 0 as long as it is no attempt's; `over` once it was hung up."""

    facts: AttemptFacts
    over: bool = False
    answer_told: bool = False

    @property
    def followed(self) -> bool:
        return self.facts.attempt != 0 and not self.over

    def live(self, unique_id: str) -> LiveLeg:
        """It, for others."""
        return LiveLeg(self.facts.attempt, unique_id, self.facts.answered_at is not None)


class Follower:
    """Follows one switch from construction until `close`."""

    def __init__(self, ami: Ami, attempts: AttemptLog, clock: Clock) -> None:
        self.ami = ami
        self._attempts, self._clock = attempts, clock
        self._followed: dict[str, _Leg] = {}
        self._others: OrderedDict[str, _Leg] = OrderedDict()
        self._dialled_hooks: list[Callable[[LiveLeg], None]] = []
        self._answered_hooks: list[Callable[[LiveLeg], None]] = []
        self._off = ami.on(_EVENTS, self.handle)
        ami.on_connected(self.resynchronise)

    def close(self) -> None:
        """Take no more events."""
        self._off()

    def handle(self, event: Event) -> None:
        """Take one event."""
        match event.name.lower():
            case "userevent":
                self._user_event(event)
            case "newstate":
                self._state(event.get("Uniqueid"), event.get("ChannelState"))
            case "dialend":
                self._dial_end(event)
            case "hangup":
                self._hangup(event)

    async def resynchronise(self) -> None:
        """After a gap: attempts whose channels are gone have ended, with cause unknown; others may have been answered.

        Raises `AmiUnavailable` and `AmiRefused`.
        """
        known = set(self._followed)
        channels = {event.get("Uniqueid"): event for event in await self.ami.listing("CoreShowChannels")}
        for unique_id in known & set(self._followed):
            if unique_id in channels:
                self._state(unique_id, channels[unique_id].get("ChannelState"))
            else:
                log.warning("`%s`: an attempt ended while the connection was down", self.ami.name)
                self._over(unique_id, None)

    def on_dialled(self, hook: Callable[[LiveLeg], None]) -> None:
        """Call `hook` with each leg that is about to be dialled; it must not block."""
        self._dialled_hooks.append(hook)

    def on_answered(self, hook: Callable[[LiveLeg], None]) -> None:
        """Call `hook` once with each leg that has been answered; it must not block."""
        self._answered_hooks.append(hook)

    def legs(self, attempts: Collection[int]) -> list[LiveLeg]:
        """The legs of these attempts that are there now, as far as this switch has told."""
        return [leg.live(unique_id) for unique_id, leg in self._followed.items() if leg.facts.attempt in attempts]

    async def live_numbers(self) -> frozenset[str]:
        """Every number, without its plus, that is on a channel of this switch now. Raises like `resynchronise`."""
        headers = ("CallerIDNum", "ConnectedLineNum", "Exten")
        return frozenset(
            event.get(header).lstrip("+") for event in await self.ami.listing("CoreShowChannels") for header in headers
        )

    def _user_event(self, event: Event) -> None:
        kind, attempt, unique_id = event.get("UserEvent"), event.get("Attempt"), event.get("Uniqueid")
        if kind not in ("HeedlineDial", "HeedlineHangup") or not _ATTEMPT.fullmatch(attempt) or not int(attempt):
            return
        near_carrier = event.get("Where") == "egress"
        seen = AttemptFacts(int(attempt), near_carrier=near_carrier)
        if kind == "HeedlineDial":
            call_id = event.get("CallID") if near_carrier else ""
            seen = replace(seen, dialled_at=self._clock(), carrier_call_id=printable(call_id, _CALL_ID_LIMIT) or None)
        else:
            seen = replace(seen, cause=q850(event.get("Cause")), sip_status=final_status(event.get("Status")))
        self._bind(unique_id, seen)
        if kind == "HeedlineDial" and unique_id in self._followed:
            live = self._followed[unique_id].live(unique_id)
            for hook in self._dialled_hooks:
                hook(live)

    def _bind(self, unique_id: str, seen: AttemptFacts) -> None:
        """This channel is that attempt's; what was seen of it before counts now."""
        leg = self._leg(unique_id)
        leg.facts = merged(seen, leg.facts)
        if not leg.over:
            self._others.pop(unique_id, None)
            self._followed[unique_id] = leg
        self._attempts.note(leg.facts)
        self._tell_answer(unique_id, leg)

    def _tell_answer(self, unique_id: str, leg: _Leg) -> None:
        if leg.answer_told or not leg.followed or leg.facts.answered_at is None:
            return
        leg.answer_told = True
        for hook in self._answered_hooks:
            hook(leg.live(unique_id))

    def _add(self, unique_id: str, seen: AttemptFacts) -> _Leg:
        leg = self._leg(unique_id)
        leg.facts = merged(leg.facts, seen)
        if leg.facts.attempt:
            self._attempts.note(leg.facts)
            self._tell_answer(unique_id, leg)
        return leg

    def _state(self, unique_id: str, state: str) -> None:
        if state == _RINGING:
            self._add(unique_id, AttemptFacts(0, ringing_at=self._clock()))
        elif state == _UP:
            self._add(unique_id, AttemptFacts(0, answered_at=self._clock()))

    def _dial_end(self, event: Event) -> None:
        status = event.get("DialStatus")
        if _STATUS.fullmatch(status):
            answered = self._clock() if status == "ANSWER" else None
            self._add(event.get("DestUniqueid"), AttemptFacts(0, answered_at=answered, dial_status=status))

    def _hangup(self, event: Event) -> None:
        self._over(event.get("Uniqueid"), q850(event.get("Cause")))

    def _over(self, unique_id: str, cause: int | None) -> None:
        leg = self._add(unique_id, AttemptFacts(0, ended_at=self._clock(), cause=cause))
        leg.over = True
        self._followed.pop(unique_id, None)
        self._remember(unique_id, leg)

    def _leg(self, unique_id: str) -> _Leg:
        leg = self._followed.get(unique_id) or self._others.get(unique_id)
        if leg is None:
            leg = _Leg(AttemptFacts(0))
            self._remember(unique_id, leg)
        return leg

    def _remember(self, unique_id: str, leg: _Leg) -> None:
        self._others[unique_id] = leg
        self._others.move_to_end(unique_id)
        if len(self._others) > _REMEMBERED:
            self._others.popitem(last=False)


async def close_orphans(followers: Sequence[Follower], attempts: AttemptLog) -> bool:
    """End the attempts that were dialled before this process began to listen and are on no switch any more.

    False, and nothing done, when one of the switches cannot be asked. Raises `StoreUnavailable`.
    """
    live: set[str] = set()
    try:
        for follower in followers:
            live |= await follower.live_numbers()
    except (AmiUnavailable, AmiRefused):
        return False
    await attempts.close_orphans(frozenset(live))
    return True


def q850(text: str) -> int | None:
    """A Q.850 cause; None for 0 and 127, by which a switch says that it does not know, and for what is none."""
    return int(text) if text.isdecimal() and text.isascii() and 1 <= int(text[:4]) < 127 else None


def final_status(text: str) -> int | None:
    """The final SIP status in Asterisk's `SIP 486 Busy Here`; None for a provisional one and for what is none."""
    status = _FINAL_SIP.search(text)
    return int(status[1]) if status else None
