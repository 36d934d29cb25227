"""A matter for programs: `records.json` of a bundle, which needs no joining of entries."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from dialer.bundle_files import Attachment
from dialer.bundle_rules import Rules
from dialer.evidence.entries import canonical, instant
from dialer.ports_bundles import Call, Matter
from dialer.ports_refusals import RefusalRecord, ReviewRecord
from dialer.ports_registers import ConsentRecord


@dataclass(frozen=True, slots=True)
class Log:
    """The log as it stood when a matter was gathered; `size` 0: nothing was published yet."""

    name: str
    keys: tuple[str, ...]
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that a report tells. `subject` is as in `bundle.json`; `id` names the bundle on every page."""

    id: str
    subject: Mapping[str, Any]
    made_at: datetime
    by: str
    reason: str | None
    matter: Matter
    rules: Rules
    attachments: Sequence[Attachment]
    log: Log
    version: str


def bundle_id(records: bytes) -> str:
    """What a bundle is called: sixteen digits of the SHA-256 of its records, in fours."""
    digest = hashlib.sha256(records).hexdigest()[:16]
    return "-".join(digest[start : start + 4] for start in range(0, 16, 4))


def records(
    subject: Mapping[str, Any],
    made_at: datetime,
    matter: Matter,
    rules: Rules,
    attached: Sequence[Attachment],
) -> bytes:
    """Canonical JSON."""
    callee = matter.scope.callee
    document = {
        "subject": dict(subject),
        "made_at": instant(made_at),
        "callee": f"+{callee}" if callee is not None else None,
        "calls": [_call(each) for each in matter.calls],
        "consents": [_consent(each) for each in matter.consents],
        "refusals": [_refusal(each) for each in matter.refusals],
        "near_misses": [_review(each) for each in matter.reviews],
        "complaints": [_plain(dict(each)) for each in matter.complaints],
        "listings": [_row(each) for each in matter.listings],
        "sellers": [_row(each) for each in matter.sellers],
        "trunks": [_row(each) for each in matter.trunks],
        "numbers": [_row(each) for each in matter.numbers],
        "rules": [each.document() for each in rules.texts],
        "rule_versions": [each.document() for each in rules.versions],
        "files": [each.document() for each in attached],
        "missing": [each.sha256 for each in attached if each.missing is not None],
        "erased": [entry.id for entry in matter.entries if entry.payload is None],
    }
    return canonical(document).encode()


def _row(record: Any) -> dict[str, Any]:
    return {each.name: _plain(getattr(record, each.name)) for each in fields(record)}


def _call(call: Call) -> dict[str, Any]:
    return {**_row(call), "callee": f"+{call.callee}" if call.callee is not None else None}


def _consent(record: ConsentRecord) -> dict[str, Any]:
    consent = record.consent
    artefact = consent.artefact
    return {
        **_row(consent),
        "id": record.id,
        "callee": f"+{consent.callee}",
        "artefact": _row(artefact) if artefact else None,
        "withdrawn_at": instant(record.withdrawn_at),
        "recorded_at": instant(record.recorded_at),
        "recorded_by": record.recorded_by,
    }


def _refusal(record: RefusalRecord) -> dict[str, Any]:
    refusal = record.refusal
    return {
        **_row(refusal),
        "id": record.id,
        "callee": f"+{refusal.callee}",
        "artefact": refusal.artefact.document() if refusal.artefact else None,
        "recorded_at": instant(record.recorded_at),
        "rule": record.rule,
        "rule_version": record.rule_version,
    }


def _review(record: ReviewRecord) -> dict[str, Any]:
    review = record.review
    return {
        **_row(review),
        "id": record.id,
        "callee": f"+{review.callee}",
        "artefact": review.artefact.document(),
        "recorded_at": instant(record.recorded_at),
        "decision": record.decision,
        "decided_at": instant(record.decided_at),
        "decided_by": record.decided_by,
        "refusal": record.refusal_id,
    }


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return instant(value)
        case bytes():
            return value.hex()
        case dict():
            return {str(name): _plain(each) for name, each in value.items()}
        case tuple() | list():
            return [_plain(each) for each in value]
        case None | bool() | int():
            return value
    return str(value)
