"""Entry point `outbound`: a call that the call centre's PBX is about to dial.

The call's path: read the arguments -> ask the gate -> set the channel's variables.
"""

from __future__ import annotations

from collections.abc import Mapping

from agi.dialplan import variables as names
from agi.server import AgiCall, Entry
from dialer.gate import Answer, Gate
from dialer.policy.facts import CallKind, CallRequest
from dialer.verdict import Outcome


def outbound(gate: Gate) -> Entry:
    """The entry point on this gate."""

    async def entry(call: AgiCall) -> Mapping[str, str]:
        return answer_variables(await gate.decide(read_request(call)))

    return entry


def read_request(call: AgiCall) -> CallRequest:
    """Arguments of `agi://…/outbound`: number, seller, purpose, kind, trunk, route, presented number.

    Raises `ValueError` on another kind of call than the two there are; that refuses.
    """
    number, seller, purpose, kind, trunk, route, presented = (*call.args, *[""] * 7)[:7]
    return CallRequest(
        callee=number,
        seller=seller,
        purpose=purpose or "marketing",
        kind=CallKind(kind or "live"),
        trunk=trunk,
        route=route,
        presented=presented,
        path="pbx",
        call_id=call.uniqueid,
    )


def answer_variables(answer: Answer) -> dict[str, str]:
    """Every output variable, so that none is left over from an earlier call on the channel."""
    verdict = answer.verdict
    allowed = verdict.outcome is Outcome.ALLOW and answer.permit is not None
    return {
        names.GATE_VERDICT: verdict.outcome.value if allowed or verdict.outcome is not Outcome.ALLOW else "REFUSE",
        names.GATE_REASONS: ":".join(verdict.reasons),
        names.GATE_PERMIT: answer.permit or "",
        names.GATE_CALLEE: answer.callee if allowed else "",
        names.GATE_PRESENTED: answer.presented if allowed else "",
        names.GATE_UNTIL: str(int(verdict.until.timestamp())) if verdict.until else "",
        names.GATE_ATTEMPT: str(answer.decision) if allowed else "",
    }
