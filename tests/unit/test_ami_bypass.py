"""Reading a dialplan for routes around the gate."""

from __future__ import annotations

import pytest

from agi.bypass import Reach, Step, bypasses, own_contexts, reach_of

TRUNKS = frozenset({"egress", "carrier"})
INTERNAL, OPAQUE, TRUNK = Reach.INTERNAL, Reach.OPAQUE, Reach.TRUNK


@pytest.mark.parametrize(
    ("application", "data", "reach"),
    [
        ("Dial", "PJSIP/${EXTEN}@egress,60", TRUNK),
        ("dial", "pjsip/900@EGRESS", TRUNK),
        ("Dial", "PJSIP/egress/sip:900@192.0.2.1,30", TRUNK),
        ("Dial", "PJSIP/egress", TRUNK),
        ("Dial", "PJSIP/1001&PJSIP/${EXTEN}@carrier,20", TRUNK),
        ("Dial", "${PJSIP_DIAL_CONTACTS(egress)}", TRUNK),
        ("Dial", "SIP/carrier/${EXTEN}", TRUNK),
        ("Dial", "SIP/${EXTEN}@carrier", TRUNK),
        ("Dial", "IAX2/me:pw@carrier/${EXTEN}", TRUNK),
        ("Dial", "DAHDI/g1/${EXTEN}", TRUNK),
        ("Dial", "DAHDI/3/900", TRUNK),
        ("Originate", "PJSIP/900@egress,exten,lab,s,1", TRUNK),
        ("Page", "PJSIP/1001&PJSIP/900@egress", TRUNK),
        ("RetryDial", "please-wait,5,3,PJSIP/900@egress,30", TRUNK),
        ("Transfer", "PJSIP/900@egress", TRUNK),
        ("ExecIf", '$["${X}" = "1"]?Dial(PJSIP/${EXTEN}@egress,30):Hangup()', TRUNK),
        ("TryExec", "Dial(PJSIP/900@egress)", TRUNK),
        ("Dial", "PJSIP/900@elsewhere", OPAQUE),
        ("Dial", "PJSIP/${EXTEN}@${TRUNK},60", OPAQUE),
        ("Dial", "${WHERE}", OPAQUE),
        ("Dial", "${TECH}/900", OPAQUE),
        ("Dial", "PJSIP/${PHONE}", OPAQUE),
        ("Queue", "sales", OPAQUE),
        ("FollowMe", "1001", OPAQUE),
        ("AGI", "dial-out.py,${EXTEN}", OPAQUE),
        ("Stasis", "app", OPAQUE),
        ("System", "mv /tmp/x /var/spool/asterisk/outgoing/", OPAQUE),
        ("Dial", "PJSIP/1001,30", INTERNAL),
        ("Dial", "PJSIP/${EXTEN}", INTERNAL),
        ("Dial", "${PJSIP_DIAL_CONTACTS(1001)}", INTERNAL),
        ("Dial", "Local/${EXTEN}@heedline-outbound", INTERNAL),
        ("Dial", "DAHDI/3", INTERNAL),
        ("Dial", "", INTERNAL),
        ("Transfer", "1001", INTERNAL),
        ("NoOp", "PJSIP/900@egress", INTERNAL),
        ("Set", "X=Dial(PJSIP/900@egress)", INTERNAL),
        ("AGI", "agi://127.0.0.1:4573/outbound,${EXTEN}", INTERNAL),
        ("ExecIf", "1?Set(a=b)", INTERNAL),
    ],
)
def test_reach_of_a_step(application: str, data: str, reach: Reach) -> None:
    """Each way to dial is recognised, by whatever technology and however it is wrapped."""
    assert reach_of(Step("from-internal", "_1XXX", "1", application, data), TRUNKS) is reach


@pytest.mark.parametrize("extension", ["_X.", "_.", "_[a-z]!", "s"])
def test_extension_that_may_hold_anything_names_no_phone(extension: str) -> None:
    """`${EXTEN}` is a phone only under a pattern of digits; otherwise the caller could write a trunk there."""
    step = Step("from-internal", extension, "1", "Dial", "PJSIP/${EXTEN}")
    assert reach_of(step, TRUNKS) is OPAQUE


def test_own_contexts_are_excepted_by_their_exact_names() -> None:
    """A context that merely begins like ours is judged like any other."""
    assert {"heedline-gate", "heedline-outbound", "heedline-egress"} <= own_contexts()
    steps = [
        Step(context, "_X!", "1", "Dial", "PJSIP/${EXTEN}@egress")
        for context in ("heedline-outbound", "heedline-outbound-too")
    ]
    assert [found.step.context for found in bypasses(steps, ["PJSIP/egress"])] == ["heedline-outbound-too"]
