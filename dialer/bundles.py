"""Bundles: one matter as one file that anyone can check without us.

The order makes the report a part of what is proved: gather in one snapshot; write report and files; write the entry
`evidence.exported`, which holds the hash of each; wait until a checkpoint covers it; take all proofs to that one; put
the zip in place, whole. Format: `docs/reference/bundles.md`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dialer.bundle_files import Attachment, Folders, attachments, draft_beside, write_zip
from dialer.bundle_records import Dossier, Log, bundle_id, records
from dialer.bundle_rules import rules_of
from dialer.errors import HeedlineError, NotRegistered
from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.lookups import Lookups
from dialer.policy.pack import PackSet
from dialer.ports import Clock
from dialer.ports_bundles import BundleReader, BundleStore, Entry, Matter, Scope
from dialer.proofs import Proofs, Published
from dialer.verifier.entries import is_listed, listed

FORMAT = "heedline-bundle/1"
# Leaves that are read at once; each takes some 500 bytes.
_TOGETHER = 20_000
Languages = tuple[Literal["en", "zh"], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a bundle shall be about: exactly one of a callee's E.164 digits, a call's id, a complaint's id."""

    number: int | None = None
    call: str | None = None
    complaint: int | None = None

    def subject(self) -> dict[str, Any]:
        """As `bundle.json` and the entry of the export have it."""
        if self.number is not None:
            return {"number": f"+{self.number}"}
        return {"call": printable(self.call)} if self.call is not None else {"complaint": self.complaint}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the log, leaves `start` to before `end`, that proves what did not happen: all leaves, those of
    `kinds` with what they say. `records` is what was found, for programs; `title` and `summary` tell it to people, by
    language. `subject` is put as `{"trace": subject}`."""

    subject: Mapping[str, Any]
    start: int
    end: int
    kinds: tuple[str, ...] = ("permit.redeemed",)
    records: Mapping[str, Any] = field(default_factory=dict)
    title: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rendering:
    """Reports by file name; `left_out` are those that could not be made here, each with the reason."""

    files: Mapping[str, bytes]
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was made. `entry` is the id of its `evidence.exported`, `size` its checkpoint's."""

    file: Path
    id: str
    entry: int
    size: int
    entries: int
    files: int
    missing: tuple[Attachment, ...]
    left_out: tuple[tuple[str, str], ...]
    cosignatures: int
    timestamps: int


@dataclass(frozen=True, slots=True)
class Tools:
    """What a node gives to its bundles. `seal` seals what waits when this node can; `vouch` has the newest checkpoint
    cosigned and stamped by those whom the settings name, as far as they answer; `lookups` keeps that somebody asked."""

    render: Callable[[Dossier, Languages], Rendering]
    render_stretch: Callable[[Stretch, Dossier, Languages], Rendering]
    seal: Callable[[], Awaitable[None]]
    vouch: Callable[[], Awaitable[None]]
    lookups: Lookups
    folders: Folders
    version: str
    seal_patience_s: float = 10.0


class Bundles:
    """Makes bundles; `by` is who does, for evidence."""

    def __init__(self, store: BundleStore, proofs: Proofs, packs: PackSet, clock: Clock, by: str, tools: Tools) -> None:
        self._store, self._proofs, self._packs = store, proofs, packs
        self._clock, self._by, self._tools = clock, by, tools

    async def export(
        self, asked: Asked, file: Path, *, reason: str | None = None, languages: Languages = ("en", "zh")
    ) -> Exported:
        """Write the bundle of a callee, a call or a complaint into `file`.

        Raises `NotRegistered` when nothing is on record (that it was looked for is an entry all the same), `FileError`
        when the file cannot be written, `HeedlineError` when no checkpoint comes.
        """
        with draft_beside(file) as draft:
            matter = await self._gather(asked)
            dossier, said = await self._dossier(asked.subject(), matter, reason)
            rendering = await asyncio.to_thread(self._tools.render, dossier, languages)
            members = {"records.json": said, **rendering.files}
            entry = await self._exported(
                asked.subject(), reason, members, dossier.attachments, matter.scope.callee, set(_listed(matter.entries))
            )
            published = await self._published(entry)
            lines = _ordered(await self._proved(published, matter.entries, entry))
            return await self._write(draft, file, dossier, published, entry, lines, members, rendering, None)

    async def export_stretch(
        self,
        stretch: Stretch,
        file: Path,
        *,
        reason: str | None = None,
        callee: int | None = None,
        languages: Languages = ("en", "zh"),
    ) -> Exported:
        """Write the bundle that proves what a stretch of the log holds and what it does not.

        A bundle of a million leaves takes a gigabyte of memory. Raises as `export` does, and `HeedlineError` when the
        stretch is not in the log.
        """
        subject = {"trace": dict(stretch.subject)}
        with draft_beside(file) as draft:
            inside, ids, beside = await self._inside(stretch)
            said = canonical({**stretch.records, "subject": subject}).encode()
            dossier = await self._plain_dossier(subject, said, reason, callee)
            rendering = await asyncio.to_thread(self._tools.render_stretch, stretch, dossier, languages)
            members = {"records.json": said, **rendering.files}
            entry = await self._exported(subject, reason, members, (), callee, {*ids, *_listed(beside)})
            published = await self._published(entry)
            lines = await self._proved(published, beside, entry) | inside
            path = await self._proofs.stretch(stretch.start, stretch.end, published.checkpoint.size)
            told = {
                "start": stretch.start,
                "end": stretch.end,
                "kinds": list(stretch.kinds),
                "subject": dict(stretch.subject),
                "path": [_base64(each) for each in path],
            }
            return await self._write(draft, file, dossier, published, entry, _ordered(lines), members, rendering, told)

    async def _gather(self, asked: Asked) -> Matter:
        async with self._store.snapshot() as reader:
            scope = await _scope(asked, reader)
            matter = await reader.gather(scope) if scope is not None else None
        if matter is None or matter.is_empty:
            await self._looked(asked)
            raise _nothing(asked)
        return matter

    async def _looked(self, asked: Asked) -> None:
        """That somebody looked is an entry, also when nothing was there."""
        nothing = "nothing is on record"
        detail = nothing if asked.number is not None else f"{nothing}: {canonical(asked.subject())}"
        await self._tools.lookups.record("export", asked.number, detail=detail)

    async def _dossier(self, subject: Mapping[str, Any], matter: Matter, reason: str | None) -> tuple[Dossier, bytes]:
        made_at, rules = self._clock(), rules_of(matter, self._packs)
        attached = await asyncio.to_thread(attachments, matter, self._tools.folders)
        said = records(subject, made_at, matter, rules, attached)
        id, log = bundle_id(said), await self._log()
        return Dossier(id, subject, made_at, self._by, reason, matter, rules, attached, log, self._tools.version), said

    async def _plain_dossier(
        self, subject: Mapping[str, Any], said: bytes, reason: str | None, callee: int | None
    ) -> Dossier:
        matter = Matter(Scope(callee))
        rules, log = rules_of(matter, self._packs), await self._log()
        made_at, version = self._clock(), self._tools.version
        return Dossier(bundle_id(said), subject, made_at, self._by, reason, matter, rules, (), log, version)

    async def _log(self) -> Log:
        latest, keys = await self._proofs.latest(), tuple(str(key) for key in await self._proofs.keys())
        if latest is None:
            return Log(keys[-1].partition("+")[0] if keys else "", keys, 0, "")
        checkpoint = latest.checkpoint
        return Log(checkpoint.origin, keys, checkpoint.size, _base64(checkpoint.root))

    async def _exported(
        self,
        subject: Mapping[str, Any],
        reason: str | None,
        members: Mapping[str, bytes],
        attached: Iterable[Attachment],
        callee: int | None,
        entries: Iterable[int],
    ) -> int:
        now = self._clock()
        payload = canonical(
            {
                "kind": "evidence.exported",
                "at": instant(now),
                "by": self._by,
                "subject": dict(subject),
                "reason": printable(reason, 500) if reason else None,
                "files": _hashes(members, attached),
                "entries": listed(entries),
            }
        )
        return await self._store.witness(now, "evidence.exported", payload, callee)

    async def _published(self, entry: int) -> Published:
        """The first checkpoint that covers the entry, or a later one that more witnesses and authorities vouch for."""
        await self._tools.seal()
        published = await self._proofs.sealed(entry, self._tools.seal_patience_s)
        await self._tools.vouch()
        size = await self._store.vouched(published.checkpoint.size)
        return (await self._proofs.at_least(size) if size is not None else None) or published

    async def _proved(self, published: Published, entries: Sequence[Entry], exported: int) -> dict[int, bytes]:
        """These entries with their proofs, by index; with them those of the log itself (its key may have been replaced
        since they were read) and the one of the export."""
        size = published.checkpoint.size
        known = {entry.id: entry for entry in entries}
        known |= {entry.id: entry for entry in await self._store.log_entries()}
        known |= {entry.id: entry for entry in await self._store.entries([exported])}
        found = await self._proofs.indexes(sorted(known))
        lost = sorted({exported, *(entry.id for entry in entries)} - found.keys())
        if lost:
            raise HeedlineError(f"entry {lost[0]} has no leaf in the log", "run `heedline evidence fsck`")
        indexes = sorted((index, id) for id, index in found.items() if index < size)
        proofs = await self._proofs.inclusion([index for index, _ in indexes], size)
        return {
            index: _line(index, known[id], [_base64(each) for each in proof])
            for (index, id), proof in zip(indexes, proofs, strict=True)
        }

    async def _inside(self, stretch: Stretch) -> tuple[dict[int, bytes], list[int], list[Entry]]:
        """All leaves of the stretch by index, without paths of their own; the ids of those that are listed; and the
        entries that erased some of them."""
        lines: dict[int, bytes] = {}
        ids: list[int] = []
        erased: list[int] = []
        for low in range(stretch.start, stretch.end, _TOGETHER):
            for index, entry in await self._store.stretch(low, min(low + _TOGETHER, stretch.end), stretch.kinds):
                lines[index] = _line(index, entry, [])
                ids += _listed([entry])
                if entry.kind in stretch.kinds and entry.payload is None:
                    erased.append(entry.id)
        if not lines or len(lines) != stretch.end - stretch.start or stretch.start < 0:
            raise HeedlineError(
                f"the log has no stretch from {stretch.start} to {stretch.end}",
                "choose a window in which something was logged",
            )
        return lines, ids, await self._store.erasures(erased) if erased else []

    async def _write(
        self,
        draft: Path,
        file: Path,
        dossier: Dossier,
        published: Published,
        entry: int,
        lines: Sequence[bytes],
        members: Mapping[str, bytes],
        rendering: Rendering,
        stretch: dict[str, Any] | None,
    ) -> Exported:
        checkpoint = published.checkpoint
        stamps = (await self._store.seals(checkpoint.size)).stamps
        others = {
            "checkpoint": str(published.note).encode(),
            **{f"timestamps/{number}.tsr": token for number, (_, token) in enumerate(stamps, 1)},
            "entries.jsonl": b"".join(lines),
        }
        said = {
            "format": FORMAT,
            "made_at": instant(dossier.made_at),
            "heedline": dossier.version,
            "subject": dict(dossier.subject),
            "log": {"name": checkpoint.origin, "keys": [str(key) for key in await self._proofs.keys()]},
            "exported": entry,
            "files": _hashes({**others, **members}, dossier.attachments),
            "stretch": stretch,
        }
        written = {"bundle.json": canonical(said).encode(), **others, **members}
        await asyncio.to_thread(write_zip, draft, file, dossier.made_at, written, dossier.attachments)
        lost = tuple(each for each in dossier.attachments if each.missing is not None)
        return Exported(
            file=file,
            id=dossier.id,
            entry=entry,
            size=checkpoint.size,
            entries=len(lines),
            files=len(written) + len(dossier.attachments) - len(lost),
            missing=lost,
            left_out=rendering.left_out,
            cosignatures=sum(each.name != checkpoint.origin for each in published.note.signatures),
            timestamps=len(stamps),
        )


async def _scope(asked: Asked, reader: BundleReader) -> Scope | None:
    """Which callee and which calls; None: there are none."""
    if asked.number is not None:
        return Scope(asked.number)
    if asked.complaint is not None:
        found = await reader.complaint(asked.complaint)
        return Scope(found[0], found[1], asked.complaint) if found else None
    calls = await reader.callees_of_call(asked.call or "")
    callees = {callee for _, callee in calls}
    if len(callees) > 1:
        ids = ", ".join(str(id) for id, _ in calls[:10])
        raise NotRegistered(
            f"`{printable(asked.call or '', 64)}` names calls to {len(callees)} people",
            f"give the id of one decision: {ids}",
        )
    return Scope(callees.pop(), tuple(id for id, _ in calls)) if calls else None


def _nothing(asked: Asked) -> NotRegistered:
    if asked.number is not None:
        return NotRegistered(f"nothing is on record of `+{asked.number}`", "check the number; the look-up is an entry")
    if asked.complaint is not None:
        return NotRegistered(f"there is no complaint {asked.complaint}", "see `heedline complaint list`")
    shown = printable(asked.call or "", 64)
    return NotRegistered(f"no call `{shown}` is on record", "give a decision's id, or the switch's call id")


def _line(index: int, entry: Entry, proof: list[str]) -> bytes:
    """One line of `entries.jsonl`."""
    leaf = {
        "at": instant(entry.at),
        "commitment": entry.commitment.hex(),
        "entry": entry.id,
        "kind": entry.kind,
        "subject": entry.subject,
        "v": 1,
    }
    salt = entry.salt.hex() if entry.salt is not None and entry.payload is not None else None
    return (
        canonical({"index": index, "leaf": leaf, "proof": proof, "salt": salt, "payload": entry.payload}).encode()
        + b"\n"
    )


def _ordered(lines: Mapping[int, bytes]) -> list[bytes]:
    return [lines[index] for index in sorted(lines)]


def _listed(entries: Iterable[Entry]) -> list[int]:
    """The ids of those that the entry of the export speaks for."""
    return [entry.id for entry in entries if is_listed(entry.id, entry.kind, None)]


def _hashes(members: Mapping[str, bytes], attached: Iterable[Attachment]) -> dict[str, str]:
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    return {**hashes, **{f"files/{each.sha256}": each.sha256 for each in attached if each.missing is None}}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
