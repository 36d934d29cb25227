"""The alarm: a channel that dials on a trunk without a permit is hung up and recorded.

In the call centre's own PBX this is a convenience, for a raw originate has already begun to ring when the alarm comes;
the egress is the guarantee (rule 1).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from agi.ami import Ami, Event
from dialer.errors import AmiRefused, AmiUnavailable, StoreUnavailable
from dialer.ports import Clock
from dialer.ports_attempts import Alarm, AlarmStore

log = logging.getLogger(__name__)

NO_PERMIT = "no_permit"
_CALL_REJECTED = "21"  # Q.850
_DOWN = "0"  # the state in which a channel that this switch is about to call begins; an incoming one begins in another
_REMEMBERED = 4096
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0


@dataclass(slots=True)
class _Watched:
    channel: str
    linked_id: str
    dialled: str = ""
    # A user event of an emergency call, which the gate may not have been able to record.
    without_attempt: bool = False


class TrunkWatch:
    """Watches the trunks of one switch from construction until `close`.

    `trunks` are PJSIP endpoints, or `TECH/name` for other channel drivers. `grace_s`: how long the dialplan's user
    event may take after the channel was made.
    """

    def __init__(
        self, ami: Ami, trunks: Sequence[str], store: AlarmStore, clock: Clock, *, grace_s: float = 1.0
    ) -> None:
        self.raised = 0
        self._ami, self._store, self._clock, self._grace_s = ami, store, clock, grace_s
        self._trunks = frozenset((trunk if "/" in trunk else f"PJSIP/{trunk}").lower() for trunk in trunks)
        self._watched: dict[str, _Watched] = {}
        self._emergencies: OrderedDict[str, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._off = ami.on(("Newchannel", "UserEvent", "DialBegin", "Rename", "Hangup"), self.handle)

    async def close(self) -> None:
        """Take no more events, and end what is under way."""
        self._off()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def handle(self, event: Event) -> None:
        """Take one event."""
        match event.name.lower():
            case "newchannel":
                self._new_channel(event)
            case "userevent":
                self._user_event(event)
            case "dialbegin":
                if watched := self._watched.get(event.get("DestUniqueid")):
                    watched.dialled = event.get("DialString")
            case "rename":
                if watched := self._watched.get(event.get("Uniqueid")):
                    watched.channel = event.get("Newname")

    def _new_channel(self, event: Event) -> None:
        channel, unique_id = event.get("Channel"), event.get("Uniqueid")
        outgoing = event.get("ChannelState") == _DOWN
        if outgoing and channel.rpartition("-")[0].lower() in self._trunks:
            self._watched[unique_id] = _Watched(channel, event.get("Linkedid"))
            task = asyncio.create_task(self._judge(unique_id), name=f"alarm {channel}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _user_event(self, event: Event) -> None:
        kind, unique_id = event.get("UserEvent"), event.get("Uniqueid")
        if kind == "HeedlineDial" and event.get("Attempt"):
            self._watched.pop(unique_id, None)
        elif kind == "HeedlineDial" and unique_id in self._watched:
            self._watched[unique_id].without_attempt = True
        elif kind == "HeedlineEmergency":
            self._emergencies[event.get("Linkedid")] = None
            if len(self._emergencies) > _REMEMBERED:
                self._emergencies.popitem(last=False)

    async def _judge(self, unique_id: str) -> None:
        await asyncio.sleep(self._grace_s)
        if unique_id not in self._watched:
            return
        try:
            # When this process was slow, the permit's event may still be unread; it is before the answer to this.
            await self._ami.action("Ping")
        except (AmiUnavailable, AmiRefused) as error:
            self._watched.pop(unique_id, None)
            log.warning("a channel on a trunk of `%s` could not be examined: %s", self._ami.name, error)
            return
        watched = self._watched.pop(unique_id, None)
        if watched is None or (watched.without_attempt and watched.linked_id in self._emergencies):
            return
        await self._raise(unique_id, watched)

    async def _raise(self, unique_id: str, watched: _Watched) -> None:
        self.raised += 1
        alarm = Alarm(
            self._clock(),
            NO_PERMIT,
            watched.channel,
            f"dialled `{watched.dialled}` without a permit on `{self._ami.name}`",
        )
        log.error("%s: %s", alarm.channel, alarm.detail)
        with contextlib.suppress(AmiRefused):  # it is gone already
            try:
                await self._ami.action("Hangup", {"Channel": unique_id, "Cause": _CALL_REJECTED})
            except AmiUnavailable as error:
                log.error("%s could not be hung up: %s", alarm.channel, error)
        await self._record(alarm)

    async def _record(self, alarm: Alarm) -> None:
        wait = _FIRST_WAIT_S
        while True:
            try:
                await self._store.raise_alarm(alarm)
            except StoreUnavailable as error:
                log.error("the alarm about %s is not recorded yet: %s", alarm.channel, error)
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT_S)
            else:
                return
