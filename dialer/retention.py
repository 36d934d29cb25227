"""Use case: personal data goes at the end of its time.

Its time is what the settings say (`evidence.keep_days`) or the packs' floor for the callee, whichever is longer; a kind
for which the settings say nothing is kept. Refusals stay in force by their hash, consents go only once they have ended,
and what counts under a cap is kept as long as the cap looks back. Erasures that people asked for are completed as their
records fall due. Files that were erased anywhere are removed from this node's folders.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from dialer.clips import clip_file
from dialer.erasure import Erasures, hashing_of, record_floors
from dialer.erasure_key import ErasureKey
from dialer.errors import ConfigError, FileError
from dialer.numbers import Number, from_e164_digits
from dialer.policy.facts import Address
from dialer.policy.packset import PackSet
from dialer.policy.retention import general_floors
from dialer.ports import Clock
from dialer.ports_erasure import ErasureStore, Held, Said, Table

_STRETCH = 2_000
# Ids of decisions follow their times roughly: those of several nodes are some seconds apart.
_DISORDER = timedelta(days=1)
_SETTING = "evidence.keep_days"
_CAPS = "retention.caps"

# By which setting each table's time is told; a recording's own, or the setting of the record that it belongs to.
_KINDS: Mapping[Table, str] = {
    Table.DECISIONS: "decision",
    Table.ENTRIES: "decision",
    Table.CONSENTS: "consent",
    Table.REFUSALS: "refusal",
    Table.REVIEWS: "recording",
    Table.RECORDINGS: "recording",
    Table.COMPLAINTS: "complaint",
}


@dataclass(slots=True)
class Swept:
    """What a run did, or would do: records that went by table, erasures that people asked for which were completed, or
    wait; files that were removed here."""

    records: Counter[str] = field(default_factory=Counter)
    completed: int = 0
    waiting: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class Folders:
    """Where this node keeps files of people."""

    artefacts: Path
    clips: Path


@dataclass(frozen=True, slots=True)
class Term:
    """How long records of a kind are kept: by the settings (None: for ever), and the longest general `floor` among the
    packs of the trunks' countries, with its rule."""

    kind: str
    days: int | None
    rule: str | None
    floor: int | None


class Retention:
    """The end of records' time. `keep_days`: by kind of record."""

    def __init__(
        self,
        store: ErasureStore,
        erasures: Erasures,
        packs: PackSet,
        key: ErasureKey,
        clock: Clock,
        by: str,
        keep_days: Mapping[str, int],
        folders: Folders,
    ) -> None:
        self._store, self._erasures, self._packs, self._key = store, erasures, packs, key
        self._clock, self._by, self._keep, self._folders = clock, by, keep_days, folders
        self._caps = (_CAPS, packs.longest_cap().days + 1)

    async def terms(self) -> list[Term]:
        """How long each kind is kept. Raises `StoreUnavailable`."""
        countries, day = await self._store.countries(), self._clock().date()
        terms = []
        for kind in dict.fromkeys(_KINDS.values()):
            found = general_floors(self._packs, countries, "refusal" if kind == "complaint" else kind, day)
            rule, floor = (found[0].id, found[0].days) if found else (None, None)
            terms.append(Term(kind, self._keep.get(kind), rule, floor))
        return terms

    async def check(self) -> list[Term]:
        """The same. Raises `ConfigError` when the settings are below a floor of the trunks' countries that binds
        whatever the record is about: it names the rule. (Of other callees the longer of both counts.)"""
        terms = await self.terms()
        for term in terms:
            if term.days is not None and term.days < 1:
                raise ConfigError(f"`{_SETTING}.{term.kind}` is {term.days}", "give the days as 1 or more")
            if term.days is not None and term.floor is not None and term.days < term.floor:
                raise ConfigError(
                    f"`{_SETTING}.{term.kind}` is {term.days}, below the {term.floor} days of rule `{term.rule}`",
                    f"set it to {term.floor} or more, or loosen the rule in `policy.toml`",
                )
        return terms

    async def run(self, *, dry: bool = False) -> Swept:
        """Erase what is past its time, a stretch a transaction; with `dry` only count. Raises `ConfigError`,
        `StoreUnavailable`; what went until then is gone, with its entries."""
        await self.check()
        swept = Swept()
        await self._complete(swept, dry=dry)
        for table, kind in _KINDS.items():
            if kind in self._keep:
                await self._sweep(table, self._keep[kind], swept, dry=dry)
        swept.files = await self.remove_files(dry=dry)
        return swept

    async def remove_files(self, *, dry: bool = False) -> int:
        """Remove erased files from this node's folders; how many there were. Raises `StoreUnavailable`, `FileError`."""
        return await asyncio.to_thread(_remove, await self._store.erased_files(), self._folders, dry)

    async def _complete(self, swept: Swept, *, dry: bool) -> None:
        for asked in await self._store.pending():
            swept.waiting += 1
            if dry:
                continue
            await self._erasures.complete(asked)
            if await self._store.pending_of(asked.callee) is None:
                swept.waiting -= 1
                swept.completed += 1

    async def _sweep(self, table: Table, days: int, swept: Swept, *, dry: bool) -> None:
        now = self._clock()
        before = now - timedelta(days=days)
        after = 0
        while True:
            stretch = await self._store.stretch(table, after, before, _STRETCH)
            if stretch.last is None:
                return
            due, rules = await self._due(stretch.aged, days, now)
            swept.records[table.value] += len(due)
            if due and not dry:
                await self._erase(due, rules, now)
            after = stretch.last
            ordered = table in (Table.DECISIONS, Table.ENTRIES)
            if ordered and stretch.at is not None and stretch.at > before + _DISORDER:
                return

    async def _due(
        self, aged: Sequence[Held], days: int, now: datetime
    ) -> tuple[list[Held], dict[tuple[str, int], None]]:
        """Those past the longest of all their terms, and the rules that were looked at."""
        callees = sorted({each.callee for each in aged if each.callee is not None})
        addresses = await self._store.addresses(callees) if callees else {}
        due: list[Held] = []
        looked: dict[tuple[str, int], None] = {(f"{_SETTING}.{_KINDS[aged[0].table]}", days): None} if aged else {}
        for each in aged:
            terms = self._terms_of(each, now, addresses)
            if all(each.at + timedelta(days=term) <= now for _, term in terms):
                due.append(each)
                looked.update(dict.fromkeys(terms))
        return due, looked

    def _terms_of(self, each: Held, now: datetime, addresses: Mapping[int, Sequence[Address]]) -> list[tuple[str, int]]:
        own = [self._caps] if each.table is Table.DECISIONS else []
        if each.clip and each.table is Table.REFUSALS and "recording" in self._keep:
            own.append((f"{_SETTING}.recording", self._keep["recording"]))
        if each.callee is None:
            return own
        callee = from_e164_digits(each.callee)
        if not isinstance(callee, Number):  # it was one when it was stored: by its prefix no pack can be told
            return [*own, ("retention.numbering", 36_500)]
        floors = record_floors(self._packs, callee, each, now, addresses.get(each.callee, ()))
        return [*own, *[(rule, term) for rule, _, term in floors]]

    async def _erase(self, due: Sequence[Held], rules: Mapping[tuple[str, int], None], now: datetime) -> None:
        hashed = sorted({each.callee for each in due if each.callee and each.table in (Table.REFUSALS, Table.CONSENTS)})
        hashing = await hashing_of(self._store, self._key, hashed) if hashed else None
        said = Said(now, self._by, "retention", "the end of its time", tuple(rules))
        await self._store.erase_records(due, hashing, said)


def _remove(names: Sequence[str], folders: Folders, dry: bool) -> int:
    count = 0
    for name in names:
        for file in (clip_file(name, folders.clips), folders.artefacts / name):
            try:
                if not file.exists():
                    continue
                if not dry:
                    file.unlink(missing_ok=True)
            except OSError as error:
                problem = f"`{file}` cannot be removed: {(error.strerror or str(error)).lower()}"
                raise FileError(problem, "check the rights of its folder; it is erased from the records") from error
            count += 1
    return count
