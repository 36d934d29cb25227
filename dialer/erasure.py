"""Use case: erasing a person. What is his goes, from every table and folder; his refusals stay in force by a keyed
hash, and one to all sellers with them: forgetting never re-opens a door (rule 5).

In two steps. When the first has returned every gate refuses him, and calls that ring are hung up; the second erases. A
process that dies between them leaves a pending erasure, which the retention job completes. Nothing is erased before the
packs' terms for it are over, unless an authority says so.
"""

from __future__ import annotations

import asyncio
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

import phonenumbers

from dialer.erasure_key import ErasureKey, KeyMark
from dialer.errors import RegisterError, StoreUnavailable
from dialer.hostile import printable
from dialer.numbers import Number, from_e164_digits
from dialer.policy.facts import Address
from dialer.policy.packset import PackSet
from dialer.policy.retention import floors
from dialer.ports import Clock
from dialer.ports_erasure import Erased, ErasureStore, Hashing, Held, Pending, Said
from dialer.ports_refusals import RefusalStore

# A ringing call of his is hung up meanwhile; then its attempt is nobody's.
_SETTLE_S = 2.0
_LOOK_S = 0.05
_TEXT_LIMIT = 500
# A shorter national number would be found in texts that are not his.
_LEAST_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Floor:
    """A rule under which some of a person's records must be kept yet: of which kind, for how many `days`, and `until`
    when the last of those records is."""

    rule: str
    of: str
    days: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What erasing a person comes to now: his `records` by table, `listed` entries of suppression lists, the `floors`
    that forbid it (the longest first)."""

    callee: Number
    held: tuple[Held, ...]
    records: dict[str, int]
    listed: int
    floors: tuple[Floor, ...]
    pending: Pending | None
    rules: tuple[tuple[str, int], ...]

    @property
    def until(self) -> datetime | None:
        """When the last floor has passed; None: now."""
        return max((floor.until for floor in self.floors), default=None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. `erased` None: nothing was there to erase, or (`until`) it waits for the last floor.
    `refusal` is the one to all sellers, under which he is refused from now on."""

    refusal: int
    erased: Erased | None
    until: datetime | None = None


class UnderFloor(RegisterError):
    """Records must be kept yet; nothing was changed."""

    def __init__(self, plan: Plan) -> None:
        rules = ", ".join(f"`{floor.rule}` ({floor.days} days, until {floor.until:%Y-%m-%d})" for floor in plan.floors)
        super().__init__(
            f"records of {plan.callee.e164} must be kept yet: {rules}",
            "use `--when-due` to have each erased when its time is over (he is refused from now on), or"
            " `--despite-retention BASIS` when an authority or a court orders it",
        )
        self.plan = plan


class Erasures:
    """Erasing people. `by` is who does it, for the evidence; `calls` tells of calls that are out."""

    def __init__(
        self,
        store: ErasureStore,
        packs: PackSet,
        key: ErasureKey,
        clock: Clock,
        by: str,
        calls: RefusalStore | None = None,
    ) -> None:
        self._store, self._packs, self._key, self._clock, self._by = store, packs, key, clock, by
        self._calls = calls

    async def plan(self, callee: Number) -> Plan:
        """What erasing a person would come to now. Raises `StoreUnavailable`."""
        held = await self._store.of_callee(callee.digits)
        now = self._clock()
        addresses = (await self._store.addresses([callee.digits])).get(callee.digits, ())
        found: dict[str, Floor] = {}
        rules: dict[str, int] = {}
        for each in held:
            for rule in record_floors(self._packs, callee, each, now, addresses):
                rules[rule[0]] = rule[2]
                until = each.at + timedelta(days=rule[2])
                if until > now and (rule[0] not in found or found[rule[0]].until < until):
                    found[rule[0]] = Floor(*rule, until)
        return Plan(
            callee=callee,
            held=tuple(held),
            records=dict(Counter(each.table.value for each in held)),
            listed=await self._store.listed(callee.digits),
            floors=tuple(sorted(found.values(), key=lambda floor: floor.until, reverse=True)),
            pending=await self._store.pending_of(callee.digits),
            rules=tuple(sorted(rules.items())),
        )

    async def erase(
        self, callee: Number, reason: str, *, when_due: bool = False, despite: str | None = None
    ) -> Outcome:
        """Erase a person. From the return of this on no call to him is allowed, whatever was erased.

        `when_due`: what must be kept yet is erased later. `despite`: the order (an authority's, a court's) by which it
        is erased now. Raises `UnderFloor` (nothing was changed), `RegisterError`, `ConfigError`, `StoreUnavailable`.
        """
        reason = _text(reason, "reason", callee)
        despite = None if despite is None else _text(despite, "basis", callee)
        plan = await self.plan(callee)
        if plan.floors and not when_due and despite is None:
            raise UnderFloor(plan)
        hashing = await self._hashing([callee.digits])
        said = Said(self._clock(), self._by, "request", reason, plan.rules)
        refusal = await self._store.ask(callee.digits, hashing, said, despite)
        await self._settled(callee.digits)
        asked = Pending(callee.digits, said.at, self._by, reason, despite)
        return Outcome(refusal, await self.complete(asked), plan.until if despite is None else None)

    async def complete(self, asked: Pending) -> Erased | None:
        """Erase what is due of a person who asked: all of him once no floor stands, or none counts. Raises
        `ConfigError`, `StoreUnavailable`."""
        callee = from_e164_digits(asked.callee)
        if not isinstance(callee, Number):
            raise RegisterError(f"`{asked.callee}` is no number any more", "report this as a fault")
        plan = await self.plan(callee)
        hashing = await self._hashing([asked.callee])
        said = Said(self._clock(), self._by, "request", asked.reason, plan.rules)
        if asked.despite is not None or not plan.floors:
            texts = forms(callee)
            unread = await self._store.unread_decisions(texts)
            return await self._store.erase_person(asked.callee, hashing, said, texts, unread)
        due = await self._due(plan)
        return await self._store.erase_records(due, hashing, said) if due else None

    async def _due(self, plan: Plan) -> list[Held]:
        addresses = (await self._store.addresses([plan.callee.digits])).get(plan.callee.digits, ())
        now = self._clock()
        return [
            each
            for each in plan.held
            if all(
                each.at + timedelta(days=days) <= now
                for _, _, days in record_floors(self._packs, plan.callee, each, now, addresses)
            )
        ]

    async def _hashing(self, callees: Sequence[int]) -> Hashing:
        return await hashing_of(self._store, self._key, callees)

    async def _settled(self, callee: int) -> None:
        """Wait while a call of his is out that is being hung up, a moment at most."""
        until = monotonic() + _SETTLE_S
        try:
            while self._calls and monotonic() < until and await self._calls.refused_calls((callee,)):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)
        except StoreUnavailable:
            return  # it is asked; what is left is completed by the job


async def hashing_of(store: ErasureStore, key: ErasureKey, callees: Sequence[int]) -> Hashing:
    """The hashes of callees; the key is made if nobody was ever erased. Raises `ConfigError`, `StoreUnavailable`."""
    mark = await store.key()
    fingerprint, hash_number = key.made(mark)
    known = mark or KeyMark(fingerprint, printable(platform.node(), 100) or "unknown")
    return Hashing(known, {callee: hash_number(callee) for callee in callees})


def record_floors(
    packs: PackSet, callee: Number, held: Held, now: datetime, addresses: Sequence[Address] = ()
) -> list[tuple[str, str, int]]:
    """The rules that hold one record: id, kind, days."""
    found = floors(
        packs, callee, held.of, now.date(), industry=held.industry, purpose=held.purpose, addresses=addresses
    )
    return [(rule.id, rule.of, rule.days) for rule in found]


def forms(callee: Number) -> list[str]:
    """Forms of a number in texts: its digits, and those that it has at home."""
    digits = str(callee.digits)
    home = phonenumbers.national_significant_number(phonenumbers.parse(f"+{digits}"))
    return [digits, home] if len(home) >= _LEAST_DIGITS else [digits]


def _text(text: str, what: str, callee: Number) -> str:
    """A text that the entry keeps for good."""
    if not text.strip():
        raise RegisterError(f"the {what} is empty", "say it in a few words; it is kept, so name nobody in it")
    if len(text) > _TEXT_LIMIT:
        raise RegisterError(f"the {what} has more than {_TEXT_LIMIT} characters", "shorten it")
    digits = "".join(each for each in text if each.isdecimal())
    if any(form in digits for form in forms(callee)):
        raise RegisterError(f"the {what} holds the number that shall be erased", "leave it out; the text is kept")
    return printable(text, _TEXT_LIMIT)
