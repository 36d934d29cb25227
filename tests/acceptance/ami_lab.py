"""What the AMI tests add to the lab: a person's own dialplan, and a memory of what was followed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from agi.ami import Address, Ami
from agi.dialplan.render import DialplanSettings
from agi.pbx.binary import AsteriskBinary
from agi.pbx.instance import Instance
from agi.pbx.lab import Lab
from dialer.attempts import merged
from dialer.ports_attempts import Alarm, AttemptFacts, OpenAttempt
from tests.acceptance.fakegate import Answer, FakeGate

TRUNK = "egress"

# A person's own dialplan beside Heedline's: one route past the gate, planted for the doctor, and one that is none.
OWN_DIALPLAN = """
[from-internal]
exten => 1001,1,Dial(PJSIP/1001,30)
exten => _9X!,1,NoOp()
 same => n,Dial(PJSIP/${EXTEN:1}@egress,60)
"""


def now() -> datetime:
    """The real time."""
    return datetime.now(UTC)


class AgentLab(Lab):
    """The lab with what a person may have added to the PBX."""

    def __init__(self, binary: AsteriskBinary, folder: Path, settings: DialplanSettings) -> None:
        super().__init__(binary, folder, settings)
        self.own_dialplan = ""
        self.more_modules: tuple[str, ...] = ()
        self.more_pjsip = ""

    def _configure(self) -> None:
        super()._configure()
        pbx = self.pbx
        pbx.modules += self.more_modules
        self._append(pbx, self.more_pjsip, self.own_dialplan)

    @staticmethod
    def _append(instance: Instance, pjsip: str, dialplan: str) -> None:
        files = dict(instance.files)
        files["pjsip.conf"] += pjsip
        files["extensions.conf"] += dialplan
        instance.files = files


class AttemptGate(FakeGate):
    """Gives an attempt the same number at both doors, as the real gate does."""

    def _variables(self, answer: Answer, request: list[str]) -> dict[str, str]:
        values = super()._variables(answer, request)
        if "GATE_ATTEMPT" in values and values.get("GATE_PERMIT") in self.issued:
            values["GATE_ATTEMPT"] = str(self.issued.index(values["GATE_PERMIT"]) + 1)
        return values


@dataclass
class MemoryStore:
    """Keeps what was recorded, as the database would: what is known first stays."""

    attempts: dict[int, AttemptFacts] = field(default_factory=dict)
    alarms: list[Alarm] = field(default_factory=list)
    open: list[OpenAttempt] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def record(self, facts: Sequence[AttemptFacts], now: datetime) -> list[int]:
        async with self.changed:
            for fact in facts:
                known = self.attempts.get(fact.attempt)
                self.attempts[fact.attempt] = merged(known, fact) if known else fact
            self.changed.notify_all()
        return []

    async def open_attempts(self, dialled_before: datetime) -> list[OpenAttempt]:
        return self.open

    async def raise_alarm(self, alarm: Alarm) -> None:
        async with self.changed:
            self.alarms.append(alarm)
            self.changed.notify_all()

    async def until(self, fits: Callable[[], bool], within: float = 20) -> None:
        """Wait until something holds of what was recorded."""
        async with self.changed, asyncio.timeout(within):
            await self.changed.wait_for(fits)

    async def ended(self, attempt: int) -> AttemptFacts:
        """Wait for the attempt's end."""
        await self.until(lambda: attempt in self.attempts and self.attempts[attempt].ended_at is not None)
        return self.attempts[attempt]


def ami_of(instance: Instance, **timing: float) -> Ami:
    """The product's connection to a switch of the lab."""
    address = Address(instance.name, instance.address, instance.ami_port, instance.ami_user, instance.ami_secret)
    return Ami(address, **timing)
