"""What an evidence entry says: canonical JSON (RFC 8785: sorted keys, no white space, UTF-8) of plain data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from dialer.hostile import printable
from dialer.numbers import Number, NumberFault
from dialer.policy.facts import CallRequest, Consent, Facts, PresentedNumber
from dialer.verdict import Verdict

#: Characters that are kept of one SIP header.
HEADER_LIMIT = 500


def canonical(entry: dict[str, Any]) -> str:
    """The canonical text of an entry: strings, integers, booleans, null, lists and objects of those with ASCII keys; no
    floats, whose canonical form differs between languages.

    Raises `TypeError` on anything else, a lone surrogate included.
    """
    return orjson.dumps(entry, option=orjson.OPT_SORT_KEYS).decode("utf-8")


def instant(at: datetime | None) -> str | None:
    """RFC 3339 in UTC, to the microsecond; the offset is written as `+00:00`."""
    return at.isoformat() if at is not None else None


def decision_payload(request: CallRequest, facts: Facts, verdict: Verdict, now: datetime) -> str:
    """One decision: what was asked, what was known, what was answered and by which rules."""
    return _decision(request, _facts(facts), verdict, now)


def failure_payload(request: CallRequest, verdict: Verdict, now: datetime) -> str:
    """A decision that failed: of what was known nothing can be said."""
    return _decision(request, None, verdict, now)


def _decision(request: CallRequest, facts: dict[str, Any] | None, verdict: Verdict, now: datetime) -> str:
    return canonical(
        {
            "kind": "decision",
            "at": instant(now),
            "request": {
                "callee": printable(request.callee),
                "seller": printable(request.seller),
                "purpose": printable(request.purpose),
                "kind": request.kind.value,
                "trunk": request.trunk and printable(request.trunk),
                "route": printable(request.route),
                "presented": request.presented and printable(request.presented),
                "path": request.path,
                "call_id": printable(request.call_id),
                **({} if request.headers is None else {"headers": _headers(request.headers)}),
            },
            "facts": facts,
            "verdict": {
                "outcome": verdict.outcome.value,
                "grounds": [[g.reason.value, g.rule, g.detail] for g in verdict.grounds],
                "until": instant(verdict.until),
                "rule_version": verdict.rule_version,
            },
        }
    )


def redemption_payload(
    permit_hash: bytes,
    callee: str,
    presented: str,
    by: str,
    *,
    trunk: str = "",
    headers: Mapping[str, str] | None = None,
    withheld: bool = False,
) -> str:
    """One use of a permit, or one that was turned away; `withheld`: for a refusal that is not in the store yet.

    `trunk` is the egress's own, `headers` those of the INVITE; None when they could not be read.
    """
    entry: dict[str, Any] = {
        "kind": "permit",
        "permit_hash": permit_hash.hex(),
        "callee": callee,
        "presented": printable(presented),
        "by": printable(by),
        "trunk": printable(trunk),
        "headers": headers and _headers(headers),
    }
    return canonical({**entry, "withheld": "core.refusal_spooled"} if withheld else entry)


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: printable(text, HEADER_LIMIT) for name, text in headers.items()}


def _facts(facts: Facts) -> dict[str, Any]:
    address = facts.address
    return {
        "callee": _number(facts.callee),
        "seller": facts.seller and [facts.seller.code, facts.seller.suspended, facts.seller.industry],
        "route": facts.route.value,
        "consents": [_consent(consent) for consent in facts.consents],
        "refusals": [[r.id, r.seller, instant(r.at)] for r in facts.refusals],
        "listed_on": list(facts.listed_on),
        "lists": [[known.name, instant(known.as_of)] for known in facts.lists],
        "attempts": [[a.seller, instant(a.at), a.talked] for a in facts.attempts],
        "address": address and [address.region, list(address.zones), address.verified],
        "presented": facts.presented and _presented(facts.presented),
        "trunk": facts.trunk and [facts.trunk.name, facts.trunk.country, facts.trunk.origin.value],
    }


def _number(number: Number | NumberFault) -> list[Any]:
    if isinstance(number, Number):
        return [number.e164, number.cls.value, list(number.regions), list(number.subdivisions), list(number.zones)]
    return [None, number.fault.value]


def _presented(presented: PresentedNumber) -> list[Any]:
    return [*_number(presented.number)[:2], list(presented.holders), presented.any_seller]


def _consent(consent: Consent) -> list[Any]:
    return [
        consent.id,
        consent.seller,
        consent.purpose,
        consent.basis.value,
        instant(consent.granted_at),
        instant(consent.expires_at),
        instant(consent.withdrawn_at),
        [kind.value for kind in consent.kinds],
        consent.lifts,
    ]
