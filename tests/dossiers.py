"""Dossiers for tests of reports: small and large ones, with whatever text a stranger may have sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dialer.bundle_files import Attachment
from dialer.bundle_records import Dossier, Log, bundle_id, records
from dialer.bundle_rules import rules_of
from dialer.policy.facts import Basis, CallKind, TrunkOrigin
from dialer.ports_bundles import Call, Entry, Matter, Scope
from dialer.ports_refusals import NewRefusal, NewReview, RefusalRecord, ReviewRecord, SpeechArtefact
from dialer.ports_registers import Artefact, ConsentRecord, NewConsent, NumberRecord, SellerRecord, TrunkRecord
from tests.gate_world import packs

CALLEE = 8613812345678
NOON = datetime(2026, 10, 21, 2, tzinfo=UTC)
VERSION, WEEK = "CN@2026-11-24", timedelta(days=7)
CLIP, FORM = "ab" * 32, "cd" * 32
_KEY = "evidence.example+12345678+AaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaB"


def small(text: str = "please don't call me again, 不要再打了") -> Matter:
    """Agreed, called, refused in the call, asked for once more."""
    calls = [call(1, NOON, answered=True), call(2, NOON + timedelta(days=2), "REFUSE", ("REFUSED",))]
    consent = ConsentRecord(
        1,
        NewConsent(
            CALLEE, "acme", "marketing", Basis.WRITTEN, (CallKind.LIVE, CallKind.PRERECORDED),
            NOON - timedelta(days=270), None, Artefact(bytes.fromhex(FORM), "application/pdf", f"artefacts/{FORM}"),
        ),
        None, NOON - timedelta(days=269), "cli:li",
    )  # fmt: skip
    spoken = SpeechArtefact(text, text[:9], "cease", 1200, 2750, "en", "moonshine", "00" * 32, CLIP)
    at = NOON + timedelta(seconds=75)
    refusal = RefusalRecord(
        1, NewRefusal(CALLEE, "acme", "spoken", at, "1795.1", None, text, 1, spoken), at, "CN.refusal", VERSION
    )
    review = ReviewRecord(1, NewReview(CALLEE, "acme", NOON + timedelta(seconds=50), spoken, "1795.1", 1), at)
    return matter(calls, [consent], [refusal], [review], text)


def large(count: int = 500) -> Matter:
    """Hundreds of calls in half a year, in bursts; several consents and refusals."""
    outcomes = (
        ("ALLOW", ()),
        ("REFUSE", ("REFUSED", "SUPPRESSED")),
        ("DEFER", ("OUTSIDE_HOURS",)),
        ("REFUSE", ("CAP_REACHED", "CALLER_NUMBER_UNREGISTERED")),
    )
    calls = []
    for i in range(count):
        at = NOON + timedelta(days=(i * i) % 170, minutes=17 * (i % 23))
        outcome, reasons = outcomes[i % 4]
        calls.append(call(i + 1, at, outcome, reasons, answered=i % 3 == 0))
    calls.sort(key=lambda each: (each.at, each.id))
    consents = [
        ConsentRecord(
            i,
            NewConsent(CALLEE, f"seller-{i % 3}", "marketing", Basis.EXPRESS, (CallKind.LIVE,), NOON + i * WEEK),
            NOON + (i + 4) * WEEK if i % 2 else None,
            NOON,
            "service",
        )
        for i in range(1, 13)
    ]
    refusals = [
        RefusalRecord(i, NewRefusal(CALLEE, None, "keyed", NOON + timedelta(days=11 * i)), NOON, "CN.refusal", VERSION)
        for i in range(1, 15)
    ]
    return matter(calls, consents, refusals, [], "x")


def call(id: int, at: datetime, outcome: str = "ALLOW", reasons: Sequence[str] = (), *, answered: bool = False) -> Call:
    """One call."""
    left = outcome == "ALLOW"
    went = at + timedelta(seconds=1) if left else None
    until = at + timedelta(hours=9) if outcome == "DEFER" else None
    made = Call(
        id, at, CALLEE, f"+{CALLEE}", "acme", "marketing", "+862161234567", "carrier", "pbx", "1795500000.1", outcome,
        tuple(reasons), until, VERSION,
    )  # fmt: skip
    if not left:
        return made
    return replace(
        made,
        redeemed_at=went,
        redeemed_by="127.0.0.1:5060",
        dialled_at=went,
        ringing_at=at + timedelta(seconds=4),
        answered_at=at + timedelta(seconds=9) if answered else None,
        ended_at=at + timedelta(seconds=97),
        cause=16 if answered else 19,
        sip_status=200 if answered else 480,
        dial_status="ANSWER" if answered else "NOANSWER",
        carrier_call_id=f"{id}@carrier",
    )


def entry(id: int, at: datetime, kind: str, subject: int | None, payload: dict[str, Any] | None) -> Entry:
    """An entry that says this; None: erased."""
    said = json.dumps(payload, ensure_ascii=False) if payload is not None else None
    return Entry(id, at, kind, subject, b"\1" * 32, b"\2" * 16 if said else None, said)


def matter(calls: Any, consents: Any, refusals: Any, reviews: Any, text: str) -> Matter:
    """With the entries of its calls and a look at it."""
    entries = []
    for each in calls:
        rule = {"REFUSED": "CN.refusal", "SUPPRESSED": "core.list", "OUTSIDE_HOURS": "CN.window.default"}
        grounds = [[reason, rule.get(reason, "CN.cap.old"), text[:40]] for reason in each.reasons]
        facts = {
            "callee": [f"+{CALLEE}", "mobile", ["CN"], [], ["Asia/Shanghai"]], "consents": [[1]], "refusals": [[1]],
            "attempts": [], "listed_on": [], "lists": [["cn-12321", "2026-10-01T00:00:00+00:00"]], "route": "marketing",
        }  # fmt: skip
        entries.append(entry(each.id, each.at, "decision", each.id, {"facts": facts, "verdict": {"grounds": grounds}}))
        if each.redeemed_at:
            said = {"headers": {"User-Agent": text, "From": f"<sip:{text}@example>"}}
            entries.append(entry(10_000 + each.id, each.at, "permit.redeemed", each.id, said))
    number = {"number": "+862161234567", "holder": text, "seller": "acme", "by": "cli:li"}
    entries.append(entry(20_000, NOON - timedelta(days=300), "number.added", 1, number))
    entries.append(entry(20_001, NOON, "lookup", None, {"by": "cli:li", "what": "refusal list", "detail": text}))
    seller = SellerRecord(1, "acme", "Acme 电子商务有限公司", "", False, NOON)
    trunk = TrunkRecord(1, "carrier", "CN", TrunkOrigin.MIXED, NOON)
    right = NumberRecord("carrier", "+862161234567", "acme", "Acme Ltd", "sales", NOON - timedelta(days=300))
    return Matter(Scope(CALLEE), calls, consents, refusals, reviews, (), (), [seller], [trunk], [right], entries)


def dossier(about: Matter, **changes: Any) -> Dossier:
    """A dossier of a matter."""
    subject = {"number": f"+{CALLEE}"}
    attached = [Attachment(FORM, "application/pdf", f"artefacts/{FORM}", ("consent 1",), None, 0, "gone")]
    rules = rules_of(about, packs())
    made_at = NOON + timedelta(days=200)
    said = records(subject, made_at, about, rules, attached)
    log = Log("evidence.example", (_KEY,), 1234, "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    fields = {
        "id": bundle_id(said), "subject": subject, "made_at": made_at, "by": "cli:li", "reason": "case 2026-117",
        "matter": about, "rules": rules, "attachments": attached, "log": log, "version": "0.1.0",
    }  # fmt: skip
    return Dossier(**{**fields, **changes})
