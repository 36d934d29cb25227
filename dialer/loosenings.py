"""Use case: what an administrator loosened in the policy becomes evidence, once for each loosening as it stands."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from dialer.evidence.entries import canonical, instant
from dialer.policy.admin import Loosening
from dialer.ports import Clock
from dialer.ports_registers import RegisterStore


async def record_loosenings(loosenings: Iterable[Loosening], store: RegisterStore, clock: Clock, by: str) -> int:
    """Write an entry `policy.loosened` for each of `PackSet.loosenings` that has none yet; how many were written.

    A loosening that changes in any word is another one. `by` says which program loaded it; who loosened stands in it.
    Raises `StoreUnavailable`; then none is written.
    """
    fresh = 0
    async with store.transaction() as transaction:
        for each in loosenings:
            content = each.model_dump(mode="json")
            fingerprint = fingerprint_of(each)
            if await transaction.loosening_known(fingerprint):
                continue
            now = clock()
            payload = canonical(
                {
                    "kind": "policy.loosened",
                    "at": instant(now),
                    "by": by,
                    "fingerprint": fingerprint,
                    "rule": each.rule,
                    "reason": each.reason,
                    "loosened_by": each.by,
                    "since": each.since.isoformat(),
                    # As text: a rule may hold fractions, which canonical entries do not.
                    "replacement": content["replacement"] and each.model_dump_json(include={"replacement"}),
                }
            )
            await transaction.witness(now, "policy.loosened", None, payload)
            fresh += 1
    return fresh


def fingerprint_of(loosening: Loosening) -> str:
    """SHA-256 of all that it says, in hexadecimal."""
    return sha256(loosening.model_dump_json().encode()).hexdigest()
