"""The daily look for complaints that wait too long for their answer: each is an alarm, again every day."""

from __future__ import annotations

import logging
from datetime import timedelta

from dialer.evidence.entries import instant
from dialer.ports import Clock
from dialer.ports_attempts import Alarm, AlarmStore
from dialer.ports_complaints import ComplaintStore

log = logging.getLogger(__name__)

EVERY = timedelta(hours=24)
# A node that takes the job over, or starts anew, does not say again what was said a few hours ago.
_NOT_AGAIN = timedelta(hours=20)


class Overdue:
    """Finds them and raises `alarm.complaint_overdue`."""

    def __init__(self, store: ComplaintStore, alarms: AlarmStore, clock: Clock) -> None:
        self._store, self._alarms, self._clock = store, alarms, clock

    async def run(self) -> None:
        """One look. Raises `StoreUnavailable`."""
        now = self._clock()
        for each in await self._store.overdue(now, now - _NOT_AGAIN):
            # Neither the person's number nor what he said: alarms are read by more people than complaints.
            text = f"complaint {each.id} (case {each.case_number}) was due at {instant(each.due_at)} and has no answer"
            log.warning("%s", text)
            await self._alarms.raise_alarm(Alarm(now, "complaint_overdue", f"complaint {each.id}", text))
