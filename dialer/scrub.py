"""Use case: a dry run over a file of numbers: what the gate would say of each. Writes nothing, reserves nothing.

Numbers go through in chunks; each chunk costs one statement. A chunk is independent of the others, so that several
processes can share a file. The caller number and the trunk are not examined.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from dialer.calls import assemble, read_call
from dialer.exports import write_row
from dialer.hostile import printable
from dialer.numbers import Number, NumberFault, parse
from dialer.policy.decide import decide
from dialer.policy.facts import CallRequest
from dialer.policy.pack import PackSet
from dialer.ports import CalleeRecord, Configuration
from dialer.verdict import Verdict

COLUMNS = ("number", "e164", "outcome", "reasons", "until")
CHUNK = 10_000
_REMEMBERED = 50_000
_PLAIN = re.compile(r"\+?[0-9]{1,32}")


class ScrubStore(Protocol):
    """Where the facts of many callees are read at once. Raises `StoreUnavailable`."""

    async def load(
        self, callees: Sequence[int], seller: str, since: datetime, now: datetime
    ) -> tuple[Configuration, dict[int, CalleeRecord]]:
        """What is known of the callees, without a lock. Refusals to other sellers may be left out."""


@dataclass(slots=True)
class Tally:
    """How many numbers met which outcome, and which reasons."""

    numbers: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Take another's counts in."""
        self.numbers += other.numbers
        self.outcomes += other.outcomes
        self.reasons += other.reasons


@dataclass(frozen=True, slots=True)
class Brief:
    """What the output says of a verdict."""

    outcome: str
    reasons: str
    until: str

    @classmethod
    def of(cls, verdict: Verdict) -> Brief:
        """Of that verdict."""
        until = verdict.until.isoformat() if verdict.until else ""
        return cls(verdict.outcome.value, " ".join(verdict.reasons), until)


class Scrubber:
    """Decides on chunks of numbers for one request: `pattern` is the request with any callee."""

    def __init__(self, store: ScrubStore, packs: PackSet, pattern: CallRequest, now: datetime) -> None:
        self._store, self._packs, self._pattern, self._now = store, packs, pattern, now
        self._since = now - packs.longest_cap()
        self._known: dict[Hashable, Brief] = {}
        self._configuration: Configuration | None = None

    async def scrub(self, texts: Sequence[str]) -> tuple[str, Tally]:
        """CSV lines for the numbers, in their order, and their tally. Raises `StoreUnavailable`."""
        country = self._pattern.country
        numbers = [parse(text, country) for text in texts]
        callees = sorted({each.digits for each in numbers if isinstance(each, Number) and each.is_e164})
        configuration, records = await self._store.load(callees, self._pattern.seller, self._since, self._now)
        if configuration is not self._configuration:
            self._known.clear()
            self._configuration = configuration
        lines: list[str] = []
        counts: Counter[Brief] = Counter()
        for text, number in zip(texts, numbers, strict=True):
            record = records.get(number.digits) if isinstance(number, Number) and number.is_e164 else None
            brief = self._brief(text, number, record or CalleeRecord(), configuration)
            counts[brief] += 1
            lines.append(_line(text, number, brief))
        return "".join(lines), _tallied(counts)

    def _brief(
        self, text: str, number: Number | NumberFault, record: CalleeRecord, configuration: Configuration
    ) -> Brief:
        key = _key(number, record, configuration)
        brief = self._known.get(key) if key is not None else None
        if brief is None:
            brief = Brief.of(self._decide(text, record, configuration))
            if key is not None:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[key] = brief
        return brief

    def _decide(self, text: str, record: CalleeRecord, configuration: Configuration) -> Verdict:
        call = read_call(replace(self._pattern, callee=text), configuration)
        facts = assemble(call, configuration, record)
        return decide(facts, self._packs.for_callee(call.callee, record.address), self._now)


def _tallied(counts: Counter[Brief]) -> Tally:
    tally = Tally(numbers=counts.total())
    for brief, count in counts.items():
        tally.outcomes[brief.outcome] += count
        for reason in brief.reasons.split():
            tally.reasons[reason] += count
    return tally


def _line(text: str, number: Number | NumberFault, brief: Brief) -> str:
    e164 = number.e164 if isinstance(number, Number) else ""
    if _PLAIN.fullmatch(text):  # most are, and the writer of hostile cells is slow
        return f"{text},{e164},{brief.outcome},{brief.reasons},{brief.until}\n"
    out = io.StringIO()
    write_row(out, (printable(text, 64), e164, brief.outcome, brief.reasons, brief.until))
    return out.getvalue()


def _key(number: Number | NumberFault, record: CalleeRecord, configuration: Configuration) -> Hashable | None:
    """All of a callee's facts that decide on outcome, reasons and time; None where ids matter too.

    A verdict's reasons come from nothing else of the number than what stands here: its digits matter only to the
    prefixes of lists.
    """
    if isinstance(number, NumberFault):
        return number.fault
    if any(consent.lifts is not None for consent in record.consents):
        return None
    consents = [
        (c.seller, c.purpose, c.basis, c.granted_at, c.expires_at, c.withdrawn_at, c.kinds) for c in record.consents
    ]
    return (
        number.cls,
        number.regions,
        number.subdivisions,
        number.zones,
        tuple([number.e164.startswith(each.prefixes) for each in configuration.all_lists]),
        tuple(consents),
        tuple([(refusal.seller, refusal.at) for refusal in record.refusals]),
        tuple(record.imports),
        tuple(record.attempts),
        record.address,
    )
