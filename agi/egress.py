"""Entry point `egress`: an INVITE that reached the only route to the carrier.

The call's path: its headers are read for the evidence; a permit is redeemed; without one the gate decides afresh, as
for any call. Nothing else goes out.
"""

from __future__ import annotations

from collections.abc import Mapping

from agi.invite import read_headers
from agi.outbound import answer_variables
from agi.server import AgiCall, Entry
from dialer.gate import Answer, Gate
from dialer.policy.facts import CallRequest


def egress(gate: Gate, trunk: str) -> Entry:
    """The entry point on this gate; calls without a permit are judged as calls on `trunk`."""

    async def entry(call: AgiCall) -> Mapping[str, str]:
        number, permit, presented, seller, peer = (*call.args, *[""] * 5)[:5]
        headers = await read_headers(call)
        if permit:
            return answer_variables(await gate.redeem(permit, number, presented, peer, trunk=trunk, headers=headers))
        request = CallRequest(
            callee=number,
            seller=seller,
            trunk=trunk,
            presented=presented,
            path="egress",
            call_id=call.uniqueid,
            headers=headers,
        )
        return answer_variables(await _decide_and_redeem(gate, request, peer))

    return entry


async def _decide_and_redeem(gate: Gate, request: CallRequest, peer: str) -> Answer:
    """Decide, and use the permit up at once: the call is at the carrier's door."""
    answer = await gate.decide(request)
    if answer.permit is None:
        return answer
    return await gate.redeem(
        answer.permit, answer.callee, answer.presented, peer, trunk=request.trunk or "", headers=request.headers
    )
