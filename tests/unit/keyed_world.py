"""What refusals by key are kept in, and asked of, without a database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agi.refusal import KeyedRefusals
from dialer.errors import HeedlineError
from dialer.policy.conduct import Conduct
from dialer.ports_refusals import CallParty, NewRefusal
from dialer.recording import Kept

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
RECEIPT = "0a1b2c3d-0000-4000-8000-000000000001"
ARGUMENTS = {
    "how": "keyed",
    "prompt": "call",
    "receipt": RECEIPT,
    "attempt": "7",
    "number": "+4930123456",
    "seller": "acme",
    "key": "9",
    "epoch": str(int(NOW.timestamp()) - 60),
    "agent": "PJSIP/1001",
    "did": "",
    "call_id": "1795500000.1",
}
PARTY = CallParty(7, 4930123456, "acme", "+493012345678", NOW)


@dataclass
class MemoryKeeper:
    """Keeps refusals by their receipts. `faults` are raised first, one a refusal; `kept` is what it says."""

    refusals: dict[str, NewRefusal] = field(default_factory=dict)
    faults: list[HeedlineError] = field(default_factory=list)
    says: Kept = Kept.RECORDED

    async def keep(self, refusal: NewRefusal) -> Kept:
        if self.faults:
            raise self.faults.pop(0)
        assert refusal.receipt is not None
        self.refusals[refusal.receipt] = refusal
        return self.says


@dataclass
class MemoryCalls:
    """Knows one call, and lines with their sellers. `fault` is what it says instead; `hangs`: nothing, ever."""

    party: CallParty | None = PARTY
    lines: dict[str, list[str | None]] = field(default_factory=dict)
    fault: HeedlineError | None = None
    hangs: bool = False

    async def call_party(self, attempt: int) -> CallParty | None:
        await self._answer()
        return self.party if self.party is not None and self.party.attempt == attempt else None

    async def sellers_showing(self, number: str) -> list[str | None]:
        await self._answer()
        return self.lines.get(number, [])

    async def _answer(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault


@dataclass
class World:
    """Keyed refusals on memory. Of all callees the policy asks the same."""

    keeper: MemoryKeeper = field(default_factory=MemoryKeeper)
    calls: MemoryCalls = field(default_factory=MemoryCalls)
    countries: list[str] = field(default_factory=lambda: ["DE"])
    hang_up: str = "announcements"

    @property
    def keyed(self) -> KeyedRefusals:
        """The use case on this world."""
        return KeyedRefusals(self.keeper, self.calls, self.conduct, lambda: NOW, self._countries)

    @property
    def kept(self) -> list[NewRefusal]:
        """What was kept."""
        return list(self.keeper.refusals.values())

    def conduct(self, callee: int) -> Conduct | None:
        """German numbers are answered in English, others in Chinese."""
        return Conduct("rule", "1", "9", self.hang_up, "en" if str(callee).startswith("49") else "zh")

    async def _countries(self) -> list[str]:
        return self.countries
