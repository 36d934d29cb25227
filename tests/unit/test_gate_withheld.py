"""The gate while a refusal of the callee waits on the node's disk."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from dialer.gate import Answer, Gate
from dialer.permits import permit_hash
from dialer.policy.facts import CallRequest
from dialer.verdict import Outcome, Reason
from tests.unit.policy_world import CALLEE
from tests.unit.test_gate import CONFIGURATION, REQUEST, Store, make


class KeptStore(Store):
    """Remembers what was asked to be redeemed; `meanwhile` is withheld while it is asked."""

    def __init__(self, withheld: set[int]) -> None:
        super().__init__(configuration=replace(CONFIGURATION, non_marketing=frozenset({"clinic"})))
        self.withheld = withheld
        self.meanwhile: set[int] = set()
        self.asked: list[tuple[bytes, str]] = []

    async def redeem(
        self, permit_hash: bytes, callee: str, presented: str, by: str, now: datetime, payload: str
    ) -> int | None:
        self.asked.append((permit_hash, payload))
        self.withheld |= self.meanwhile
        return await super().redeem(permit_hash, callee, presented, by, now, payload)


async def issued(gate: Gate, request: CallRequest = REQUEST) -> Answer:
    """The answer to a call that is allowed."""
    answer = await gate.decide(request)
    assert answer.permit
    return answer


async def redeemed(gate: Gate, answer: Answer) -> Answer:
    """The answer to its permit's use."""
    return await gate.redeem(answer.permit or "", answer.callee, answer.presented, "egress")


def spooled(answer: Answer) -> bool:
    """Refused for the refusal on disk, without a permit."""
    (ground,) = answer.verdict.grounds
    return (
        answer.permit is None
        and answer.verdict.outcome is Outcome.REFUSE
        and (ground.reason, ground.rule) == (Reason.REFUSED, "core.refusal_spooled")
    )


async def test_a_callee_whose_refusal_waits_on_disk_gets_no_permit() -> None:
    """He is refused with the rule in the evidence; another callee is allowed, and he too once it is recorded."""
    store = KeptStore({CALLEE.digits})
    gate = make(store, withheld=store.withheld.__contains__)
    assert spooled(await gate.decide(REQUEST))
    assert "core.refusal_spooled" in store.kept[0].payload
    assert store.kept[0].permit_hash is None
    store.withheld.clear()
    await issued(gate)


async def test_what_no_rule_of_marketing_binds_is_not_withheld() -> None:
    """A route that was declared non-marketing and an emergency number stay open."""
    store = KeptStore({CALLEE.digits, 110})
    gate = make(store, withheld=store.withheld.__contains__)
    await issued(gate, replace(REQUEST, route="clinic"))
    assert (await gate.decide(replace(REQUEST, callee="110"))).verdict.reasons == (Reason.EMERGENCY,)


async def test_a_permit_that_was_issued_before_is_refused_and_stays_unused() -> None:
    """Its use is refused with evidence that says why, without the permit's own hash, by which it would be used up."""
    store = KeptStore(set())
    gate = make(store, withheld=store.withheld.__contains__)
    answer = await issued(gate)
    store.withheld.add(CALLEE.digits)
    assert spooled(await redeemed(gate, answer))
    ((asked, payload),) = store.asked
    assert asked != permit_hash(answer.permit or "")
    assert json.loads(payload)["withheld"] == "core.refusal_spooled"
    store.withheld.clear()
    assert (await redeemed(gate, answer)).decision == 7
    assert "withheld" not in json.loads(store.asked[-1][1])


async def test_a_refusal_that_is_kept_while_a_permit_is_being_used_binds_that_call() -> None:
    """Whoever was told `spooled` before the egress has its answer finds that the answer is no."""
    store = KeptStore(set())
    gate = make(store, withheld=store.withheld.__contains__)
    answer = await issued(gate)
    store.meanwhile = {CALLEE.digits}
    assert spooled(await redeemed(gate, answer))
    assert gate.stats.redeemed == 0
