"""Agents' phones that ring for a call of ours which has not been dialled yet, on one switch; and what a switch says of
a channel when it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable

from agi.ami import Ami, Event
from agi.dialplan import variables as names

# The action `Status` tells these variables of each channel.
ASKED = f"{names.HEEDLINE_SELLER},{names.HEEDLINE_ROUTE},{names.HEEDLINE_ATTEMPT}"
UP = "6"
_UNSET = "(null)"
_DIGITS = re.compile(r"[0-9]{1,18}")
_ORDERED = re.compile(r"heedline-[0-9a-f]{16}")  # the unique id of the first channel of an originate of `agi.originate`
_MOST = 10_000


class RingingAgents:
    """Knows them by the switch's events, from construction on."""

    def __init__(self, ami: Ami) -> None:
        self._ringing: dict[str, None] = {}
        ami.on(("Newchannel", "Newstate", "Hangup"), self.handle)

    @property
    def unique_ids(self) -> tuple[str, ...]:
        """Their channels."""
        return tuple(self._ringing)

    def handle(self, event: Event) -> None:
        """Take one event, of a channel that begins, changes its state, or ends; or one of the action `Status`."""
        unique_id = event.get("Uniqueid")
        if not _ORDERED.fullmatch(unique_id):
            return
        if event.name.lower() == "hangup" or event.get("ChannelState") == UP:
            self._ringing.pop(unique_id, None)
        elif len(self._ringing) < _MOST:
            self._ringing[unique_id] = None

    def listed(self, channels: Iterable[Event], known: Iterable[str]) -> None:
        """These are all channels of the switch, as the action `Status` tells: others that were known when it was asked
        have ended."""
        there = {event.get("Uniqueid"): event for event in channels}
        for unique_id in known:
            if unique_id not in there:
                self._ringing.pop(unique_id, None)
        for event in there.values():
            self.handle(event)


def party(event: Event) -> tuple[int, str] | None:
    """Callee and seller of a call whose agent has not answered, from an event of the action `Status`; None for any
    other channel, and for a call on a declared route, of which the gate decides."""
    callee, seller = event.get("CallerIDNum").lstrip("+"), variable(event, names.HEEDLINE_SELLER)
    if not _ORDERED.fullmatch(event.get("Uniqueid")) or event.get("ChannelState") == UP:
        return None
    if not _DIGITS.fullmatch(callee) or not seller or variable(event, names.HEEDLINE_ROUTE):
        return None
    return int(callee), seller


def variable(event: Event, name: str) -> str:
    """A channel variable in an event of the action `Status`; empty when it is not set."""
    pairs = (line.partition("=") for line in event.get("Variable").split("\n"))
    return next((value for key, _, value in pairs if key == name and value != _UNSET), "")
