"""Every channel variable and SIP header by which a PBX and Heedline speak, named once.

The dialplan fragments, the AGI entry points, AMI and the tests take the names from here. A value that Heedline sets
holds only `[A-Za-z0-9_:+.-]`, so that the dialplan can compare and dial it without quoting; one that the PBX sets is
hostile text until it has been parsed.
"""

from __future__ import annotations

from typing import Final

# Set by the PBX before the gate subroutine runs.

#: Code of the seller on whose behalf the call is made.
HEEDLINE_SELLER: Final = "HEEDLINE_SELLER"
#: Purpose of the call, as consents name it (`marketing` when empty).
HEEDLINE_PURPOSE: Final = "HEEDLINE_PURPOSE"
#: How the call speaks: a `dialer.policy.facts.CallKind` (`live` when empty).
HEEDLINE_KIND: Final = "HEEDLINE_KIND"
#: Name of the trunk that would carry the call.
HEEDLINE_TRUNK: Final = "HEEDLINE_TRUNK"
#: Name of the route that the call takes; the gate knows which ones the administrator declared non-marketing.
HEEDLINE_ROUTE: Final = "HEEDLINE_ROUTE"
#: Caller number (CLI) that would be presented to the callee, as raw text.
HEEDLINE_CLI: Final = "HEEDLINE_CLI"
#: Who talks to the callee; the phone's endpoint when empty.
HEEDLINE_AGENT: Final = "HEEDLINE_AGENT"
#: Language of the prompts (`en`, `zh`) when the service does not say it.
HEEDLINE_LANG: Final = "HEEDLINE_LANG"
#: Sound file of an announcement, without its ending.
HEEDLINE_PROMPT: Final = "HEEDLINE_PROMPT"

# Set by the dialplan on the channels of a call that the gate has allowed, clean.

#: GATE_ATTEMPT of the call.
HEEDLINE_ATTEMPT: Final = "HEEDLINE_ATTEMPT"
#: GATE_CALLEE of the call.
HEEDLINE_CALLEE: Final = "HEEDLINE_CALLEE"

# Set by Heedline, by one command, and cleared by the dialplan before it asks.

#: The verdict's outcome: `ALLOW`, `REFUSE` or `DEFER`. Whatever is not exactly `ALLOW` is a refusal.
GATE_VERDICT: Final = "GATE_VERDICT"
#: Reason codes (`dialer.verdict.Reason`) joined by `REASON_SEPARATOR`; empty for a plain ALLOW.
GATE_REASONS: Final = "GATE_REASONS"
#: The permit (32 hexadecimal digits) that the egress redeems; empty unless allowed.
GATE_PERMIT: Final = "GATE_PERMIT"
#: The callee in E.164, or the digits of a short code: the only number that may be dialled.
GATE_CALLEE: Final = "GATE_CALLEE"
#: The caller number to present, in E.164.
GATE_PRESENTED: Final = "GATE_PRESENTED"
#: DEFER: the next permitted instant, in whole seconds since 1970-01-01T00:00:00Z; otherwise empty.
GATE_UNTIL: Final = "GATE_UNTIL"
#: Identity of the attempt, by which the channel's later events are matched to it.
GATE_ATTEMPT: Final = "GATE_ATTEMPT"

#: Where a refusal is now: `RECORDED` in the database, `SPOOLED` on the node's disk, `FAILED` nowhere, or `INVALID` when
#: there is no callee whom it could be of.
REFUSAL_STATUS: Final = "REFUSAL_STATUS"
#: Language in which the callee is answered: `en` or `zh`.
REFUSAL_LANGUAGE: Final = "REFUSAL_LANGUAGE"
#: Whether the call ends now: `yes` or `no`.
REFUSAL_HANGUP: Final = "REFUSAL_HANGUP"
#: UUID of the AudioSocket stream on which the service plays and listens; empty: the switch plays by itself. `done`
#: after a stream that ended as it should.
HEEDLINE_STREAM: Final = "HEEDLINE_STREAM"

# SIP headers between a call centre's PBX and the egress; the egress removes them before the carrier.

#: Carries GATE_PERMIT to the egress.
X_HEEDLINE_PERMIT: Final = "X-Heedline-Permit"
#: Carries HEEDLINE_SELLER to the egress.
X_HEEDLINE_SELLER: Final = "X-Heedline-Seller"

#: Joins the codes in GATE_REASONS: a comma would part the arguments of a dialplan application.
REASON_SEPARATOR: Final = ":"

INPUTS: Final = (
    HEEDLINE_SELLER,
    HEEDLINE_PURPOSE,
    HEEDLINE_KIND,
    HEEDLINE_TRUNK,
    HEEDLINE_ROUTE,
    HEEDLINE_CLI,
    HEEDLINE_AGENT,
    HEEDLINE_LANG,
    HEEDLINE_PROMPT,
)
OUTPUTS: Final = (
    GATE_VERDICT,
    GATE_REASONS,
    GATE_PERMIT,
    GATE_CALLEE,
    GATE_PRESENTED,
    GATE_UNTIL,
    GATE_ATTEMPT,
)
OF_THE_CALL: Final = (HEEDLINE_ATTEMPT, HEEDLINE_CALLEE)
REFUSAL_OUTPUTS: Final = (REFUSAL_STATUS, REFUSAL_LANGUAGE, REFUSAL_HANGUP)
STREAM_OUTPUTS: Final = (HEEDLINE_STREAM,)
HEADERS: Final = (X_HEEDLINE_PERMIT, X_HEEDLINE_SELLER)
