"""What the gate's and the registers' rows say, held against what their entries say. Pure.

A field that an entry does not have is not compared: it was written before the field was. What differs is told by the
field's name, with both values unless they are about a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from dialer.fsck.faults import FaultKind, Findings
from dialer.hostile import printable

Fields = Mapping[str, Any]
Pair = tuple[str, Any, Any]
"""The field's name, what the entry says, what the row says."""

_ABSENT = object()
_MOMENT = timedelta(seconds=60)
_PERSONAL = frozenset(
    {"callee", "callee_text", "note", "agent", "artefact", "presented", "call_id", "carrier_call_id", "text", "cli"}
)


@dataclass(frozen=True, slots=True)
class Said:
    """An entry that speaks of a row: its payload is there."""

    entry: int
    index: int | None
    at: datetime
    kind: str
    subject: int | None
    payload: str


@dataclass(frozen=True, slots=True)
class Record:
    """Entries of `kinds` speak of rows of `table`; `pairs` gives what must be equal. `name` is the statement that reads
    them."""

    name: str
    table: str
    kinds: tuple[str, ...]
    pairs: Callable[[Said, Fields, Fields], Iterator[Pair]]


def check_records(record: Record, said: Sequence[Said], rows: Mapping[int, Fields], findings: Findings) -> None:
    """Hold entries against the rows by id that their subjects name."""
    for entry in said:
        where = {"table": record.table, "row": entry.subject, "kind": entry.kind}
        row = rows.get(entry.subject) if entry.subject is not None else None
        if row is None:
            findings.add(FaultKind.RECORD_MISSING, entry.entry, entry.index, **where)
            continue
        first = row.get("first_index")
        if first is not None and entry.index is not None and entry.index < first:
            findings.add(FaultKind.ORDER, entry.entry, entry.index, kind=entry.kind)
        payload = _read(entry.payload)
        if payload is None:
            findings.add(FaultKind.RECORD_CHANGED, entry.entry, entry.index, **where, fields="its payload is no object")
            continue
        wrong = [_told(*pair) for pair in record.pairs(entry, payload, row) if _differs(*pair)]
        if wrong:
            findings.add(FaultKind.RECORD_CHANGED, entry.entry, entry.index, **where, fields="; ".join(wrong))


def _read(payload: str) -> Fields | None:
    try:
        found = orjson.loads(payload)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _differs(_: str, said: Any, there: Any) -> bool:
    if said is _ABSENT:
        return False
    if isinstance(there, datetime) and isinstance(said, str):
        try:
            said = datetime.fromisoformat(said)
        except ValueError:
            return True
    return bool(said != there)


def _told(name: str, said: Any, there: Any) -> str:
    if name in _PERSONAL:
        return name
    return f"{name} (`{printable(str(there), 60)}`, not `{printable(str(said), 60)}`)"


def _get(payload: Any, *path: str | int) -> Any:
    """What stands there; absent where the shape is another."""
    for step in path:
        try:
            payload = payload[step]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return payload


def _same(payload: Fields, row: Fields, names: Sequence[str]) -> Iterator[Pair]:
    for name in names:
        yield name, _get(payload, name), row[name]


def _number(digits: int | None) -> str | None:
    return f"+{digits}" if digits is not None else None


def _decision(entry: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    for name in ("purpose", "path", "call_id"):
        yield name, _get(payload, "request", name), row[name]
    trunk = _get(payload, "request", "trunk")
    yield "trunk", trunk or "", row["trunk"]
    yield "seller_code", _get(payload, "request", "seller"), row["seller_code"]
    seller = _get(payload, "facts", "seller")
    yield "seller_id", seller[0] if isinstance(seller, list) and seller else seller, row["seller"]
    yield "at", _get(payload, "at"), row["at"]
    yield "at", entry.at, row["at"]
    for name in ("outcome", "rule_version"):
        yield name, _get(payload, "verdict", name), row[name]
    yield "until", _get(payload, "verdict", "until"), row["until"]
    grounds = _get(payload, "verdict", "grounds")
    if isinstance(grounds, list):
        yield "reasons", list(dict.fromkeys(_get(ground, 0) for ground in grounds)), row["reasons"]
    yield from _whom(payload, row)
    allowed = _get(payload, "verdict", "outcome") == "ALLOW"
    yield "permit", allowed, row["permitted"]


def _whom(payload: Fields, row: Fields) -> Iterator[Pair]:
    """The callee and the number shown, as the gate read them; of a decision that failed nothing is known."""
    callee = _get(payload, "facts", "callee", 0)
    if isinstance(callee, str):
        yield "callee_text", callee, row["callee_text"]
        yield "callee", callee if callee.startswith("+") else None, _number(row["callee"])
    elif callee is None:
        yield "callee", None, row["callee"]
    shown = _get(payload, "facts", "presented", 0)
    if isinstance(shown, str):
        yield "presented", shown, row["presented"]


def _redeemed(entry: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield "permit_hash", _get(payload, "permit_hash"), row["permit_hash"] and row["permit_hash"].hex()
    yield "callee_text", _get(payload, "callee"), row["callee_text"]
    yield "presented", _get(payload, "presented"), row["presented"]
    yield "redeemed_by", _get(payload, "by"), row["redeemed_by"]
    yield "redeemed_at", entry.at, row["redeemed_at"]


_SEEN = (
    *("dialled_at", "ringing_at", "answered_at", "ended_at"),
    *("cause", "sip_status", "dial_status", "carrier_call_id"),
)


def _ended(entry: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    """What is known once stays; only the newest entry knows all of it."""
    newest = row["newest"] == entry.entry
    for name, said, there in _same(payload, row, _SEEN):
        if newest or said is not None:
            yield name, said, there


def _refusal(_: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield "callee", _get(payload, "callee"), _number(row["callee"])
    names = ("seller", "how", "at", "call_id", "agent", "note", "attempt", "rule", "rule_version", "receipt")
    yield from _same(payload, row, names)
    yield "artefact", _get(payload, "artefact"), _read(row["artefact"]) if row["artefact"] else None


def _consent(_: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield "callee", _get(payload, "callee"), _number(row["callee"])
    names = ("seller", "purpose", "basis", "kinds", "granted_at", "expires_at", "region", "zones", "verified", "lifts")
    yield from _same(payload, row, names)
    sha256 = row["artefact_sha256"]
    kept = [sha256.hex(), row["artefact_media_type"] or "", row["artefact_location"] or ""] if sha256 else None
    said = _get(payload, "artefact")
    yield "artefact", [each or "" for each in said] if isinstance(said, list) else said, kept
    if (ended := _get(payload, "withdrawn_at")) not in (_ABSENT, None):
        yield "withdrawn_at", ended, row["withdrawn_at"]


def _withdrawn(_: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield "callee", _get(payload, "callee"), _number(row["callee"])
    yield "seller", _get(payload, "seller"), row["seller"]
    ended = _get(payload, "withdrawn_at")
    if ended is _ABSENT and _soon(row["withdrawn_at"], _get(payload, "at"), row["granted_at"]):
        return  # the entry was written a moment later, and says when it was
    yield "withdrawn_at", ended if ended is not _ABSENT else _get(payload, "at"), row["withdrawn_at"]


def _soon(ended: Any, at: Any, granted_at: Any) -> bool:
    """Whether a consent ended just before `at`, or as soon as it began."""
    try:
        return bool(timedelta(0) <= datetime.fromisoformat(at) - ended <= _MOMENT or ended == granted_at)
    except (TypeError, ValueError):
        return False


def _alarm(entry: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield "kind", entry.kind, f"alarm.{row['kind']}"
    yield from _same(payload, row, ("at", "channel", "detail"))


def _import(_: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield "list", _get(payload, "list"), row["list"]
    yield "as_of", _get(payload, "as_of"), row["as_of"]
    yield "entries", _get(payload, "added"), row["entries"]
    yield "sha256", _get(payload, "file_sha256"), row["sha256"].hex()


def _hashed(_: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield from _same(payload, row, ("seller", "refused_at"))


def _complaint(_: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield "callee", _get(payload, "callee"), _number(row["callee"])
    names = (
        "case_number",
        "source",
        "authority",
        "cli",
        "seller",
        "channel",
        "received_at",
        "due_at",
        "text",
        "refusal",
    )
    yield from _same(payload, row, names)


def _answered(entry: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    """A further answer stands in the place of the first."""
    if row["newest"] == entry.entry:
        yield from _same(payload, row, ("answer",))


def _closed(_: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield from _same(payload, row, ("outcome",))


def _review(_: Said, payload: Fields, row: Fields) -> Iterator[Pair]:
    yield "decision", _get(payload, "decision"), row["decision"]
    yield "refusal_id", _get(payload, "refusal"), row["refusal_id"]
    yield "decided_by", _get(payload, "by"), row["decided_by"]


RECORDS: tuple[Record, ...] = (
    Record("decision", "decisions", ("decision",), _decision),
    Record("redemption", "attempts", ("permit.redeemed",), _redeemed),
    Record("end", "attempts", ("attempt.ended", "attempt.amended"), _ended),
    Record("refusal", "refusals", ("refusal",), _refusal),
    Record("consent", "consents", ("consent.granted",), _consent),
    Record("withdrawal", "consents", ("consent.withdrawn",), _withdrawn),
    Record("alarm", "alarms", ("alarm",), _alarm),
    Record("import", "suppression_imports", ("list.imported",), _import),
    Record("review", "speech_reviews", ("review.decided",), _review),
    Record("hashed", "erased_refusals", ("refusal.hashed",), _hashed),
    Record("complaint", "complaints", ("complaint.received",), _complaint),
    Record("complaint", "complaints", ("complaint.answered",), _answered),
    Record("complaint", "complaints", ("complaint.closed",), _closed),
)
"""`alarm` stands for every kind that begins with it."""

_BY_KIND = {kind: record for record in RECORDS for kind in record.kinds}


def record_of(kind: str) -> Record | None:
    """The record that entries of this kind speak of."""
    return _BY_KIND["alarm"] if kind.startswith("alarm.") else _BY_KIND.get(kind)
