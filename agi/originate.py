"""Starts calls by AMI. Every path leads through `heedline-outbound`, and so through the gate; none to a trunk.

Two ways: the agent's phone first, whose channel then dials the callee; or the callee first (a Local channel into
`heedline-outbound`), to whom the agent is connected after the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from agi.ami import Ami, Event
from agi.dialplan import variables as names
from agi.follow import final_status, q850
from dialer.errors import AmiRefused, UnsafeText
from dialer.hostile import printable

CONTEXT = "heedline-outbound"

_NUMBER = re.compile(r"\+?[0-9]{2,15}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# A phone by its endpoint, never `endpoint with number` forms, which would dial past the gate.
_AGENT = re.compile(r"(?:PJSIP|SIP|IAX2|SCCP)/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_EVENTS = ("UserEvent", "Newstate", "DialEnd", "Hangup", "OriginateResponse")
_UP = "6"
_NORMAL, _USER_BUSY, _UNANSWERED = 16, 17, (18, 19)  # Q.850
# The response to an originate may overtake the events of its channels.
_STRAGGLERS_S = 1.0
# Beyond the ring times: the gate, the switch, the way there.
_SPARE_S = 10.0


class Result(StrEnum):
    """How an originate ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    DEFERRED = "deferred"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The callee's answer, the gate's refusal, or why neither came.

    `reasons` are the gate's codes, `cause` is a Q.850 cause, `detail` a sentence when the codes do not say it.
    """

    result: Result
    attempt: int | None = None
    reasons: tuple[str, ...] = ()
    cause: int | None = None
    sip_status: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """A call to be started, checked on construction.

    `number` and `cli` are canonical (E.164 with its plus, or a short code), `agent` is an endpoint such as
    `PJSIP/1001`, `trunks` are endpoints that no agent may be. Raises `UnsafeText` that names the field.
    """

    number: str
    seller: str
    agent: str
    purpose: str = "marketing"
    trunk: str = ""
    cli: str = ""
    route: str = ""
    callee_first: bool = False
    agent_ring_s: int = 30
    callee_ring_s: int = 60
    trunks: Collection[str] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for name, value, pattern, needed in (
            ("number", self.number, _NUMBER, True),
            ("seller", self.seller, _WORD, True),
            ("agent", self.agent, _AGENT, True),
            ("purpose", self.purpose, _WORD, True),
            ("trunk", self.trunk, _WORD, False),
            ("cli", self.cli, _NUMBER, False),
            ("route", self.route, _WORD, False),
        ):
            if not pattern.fullmatch(value) and (needed or value):
                raise UnsafeText(f"the {name} of a call cannot be `{printable(value, 64)}`")
        endpoint = self.agent.partition("/")[2].lower()
        if endpoint in {trunk.rpartition("/")[2].lower() for trunk in self.trunks}:
            raise UnsafeText(f"`{self.agent}` is a trunk, not an agent's phone")
        if not (1 <= self.agent_ring_s <= 600 and 1 <= self.callee_ring_s <= 600):
            raise UnsafeText("a ring time is 1 to 600 seconds")

    def fields(self, ident: str) -> list[tuple[str, str]]:
        """The fields of the AMI action."""
        ring = self.callee_ring_s if self.callee_first else self.agent_ring_s
        fields = [
            ("ChannelId", ident),
            ("OtherChannelId", f"{ident}-2"),
            ("Async", "true"),
            ("Timeout", f"{ring * 1000}"),
        ]
        if self.callee_first:
            fields += [
                ("Channel", f"Local/{self.number}@{CONTEXT}/n"),
                ("Application", "Dial"),
                ("Data", f"{self.agent},{self.agent_ring_s}"),
            ]
        else:
            fields += [("Channel", self.agent), ("Context", CONTEXT), ("Exten", self.number), ("Priority", "1")]
            fields += [("CallerID", f"<{self.number}>")]  # what the agent's phone shows
        return fields + [("Variable", f"__{name}={value}") for name, value in self._variables().items() if value]

    def _variables(self) -> dict[str, str]:
        return {
            names.HEEDLINE_SELLER: self.seller,
            names.HEEDLINE_PURPOSE: self.purpose,
            names.HEEDLINE_TRUNK: self.trunk,
            names.HEEDLINE_ROUTE: self.route,
            names.HEEDLINE_CLI: self.cli,
            names.HEEDLINE_AGENT: self.agent,
        }


async def originate(ami: Ami, order: Order) -> CallOutcome:
    """Start the call and wait for the callee's answer or for why there is none.

    The wait is bounded by the two ring times and a few seconds; a call that has come to nothing by then is hung up.
    Raises `AmiUnavailable` (whether a call was started is then unknown; it met the gate if it was) and `AmiRefused`.
    """
    watch = _Watch(f"heedline-{secrets.token_hex(8)}", order)
    off = ami.on(_EVENTS, watch.handle)
    try:
        await ami.action("Originate", order.fields(watch.ident))
        async with asyncio.timeout(order.agent_ring_s + order.callee_ring_s + _SPARE_S):
            return await watch.outcome()
    except TimeoutError:
        with contextlib.suppress(AmiRefused):  # it is gone already
            await ami.action("Hangup", {"Channel": watch.ident})
        return CallOutcome(Result.FAILED, watch.attempt, detail="the call came to no outcome in time")
    finally:
        off()


class _Watch:
    """What the events said of one originate so far."""

    def __init__(self, ident: str, order: Order) -> None:
        self.ident, self.order = ident, order
        self.attempt: int | None = None
        self._called = ""
        self._cause: int | None = None
        self._sip_status: int | None = None
        self._dial_status = ""
        self._denial: CallOutcome | None = None
        self._outcome: asyncio.Future[CallOutcome] = asyncio.get_running_loop().create_future()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def outcome(self) -> CallOutcome:
        """Wait for it."""
        first: set[asyncio.Future[Any]] = {self._outcome, self._failure}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({self._outcome}, timeout=_STRAGGLERS_S)
        return self._outcome.result() if self._outcome.done() else self._unreached()

    def handle(self, event: Event) -> None:
        name = event.name.lower()
        if name == "originateresponse":
            if event.get("Uniqueid") == self.ident and event.get("Response") != "Success":
                self._fail()
        elif name == "dialend":
            if self._called and event.get("DestUniqueid") == self._called:
                self._dial_status = event.get("DialStatus")
                self._answered(self._dial_status == "ANSWER")
        elif event.get("Linkedid") == self.ident:
            match name:
                case "userevent":
                    self._user_event(event)
                case "newstate":
                    self._answered(event.get("Uniqueid") == self._called and event.get("ChannelState") == _UP)
                case "hangup":
                    self._hangup(event)

    def _user_event(self, event: Event) -> None:
        kind = event.get("UserEvent")
        if kind == "HeedlineDeny":
            deferred = event.get("Verdict") == "DEFER" and event.get("AGIStatus") == "SUCCESS"
            reasons = tuple(re.findall(r"[A-Z_]+", event.get("Reasons"))) or ("GATE_UNAVAILABLE",)
            self._denial = CallOutcome(Result.DEFERRED if deferred else Result.REFUSED, reasons=reasons)
            if self._failure.done():
                self._end(self._denial)
        elif kind == "HeedlineEmergency":
            self._denial = None  # such a call goes out whatever the gate says
        elif kind == "HeedlineDial":
            self._called = event.get("Uniqueid")
            attempt = event.get("Attempt")
            self.attempt = int(attempt) if re.fullmatch(r"[0-9]{1,18}", attempt) else None
        elif kind == "HeedlineHangup" and event.get("Uniqueid") == self._called:
            self._sip_status = final_status(event.get("Status"))

    def _answered(self, yes: bool) -> None:
        if yes:
            self._end(CallOutcome(Result.ANSWERED, self.attempt))

    def _hangup(self, event: Event) -> None:
        unique_id, known = event.get("Uniqueid"), q850(event.get("Cause"))
        if unique_id == self._called:
            self._end(CallOutcome(self._result(known), self.attempt, cause=known, sip_status=self._sip_status))
        elif unique_id == self.ident:
            self._cause = self._cause or known
            self._fail()  # the first channel is gone; what the called one has to say is on its way

    def _result(self, cause: int | None) -> Result:
        """Asterisk's dial status is `NOANSWER` for a rejection too; the cause tells them apart."""
        if cause == _USER_BUSY or (cause is None and self._dial_status == "BUSY"):
            return Result.BUSY
        if cause in _UNANSWERED or (cause in (None, _NORMAL) and self._dial_status == "NOANSWER"):
            return Result.NO_ANSWER
        return Result.FAILED

    def _unreached(self) -> CallOutcome:
        who = "the callee" if self.order.callee_first or self._called else f"the agent `{self.order.agent}`"
        return CallOutcome(Result.FAILED, self.attempt, cause=self._cause, detail=f"{who} was not reached")

    def _fail(self) -> None:
        if not self._failure.done():
            self._failure.set_result(None)
        if self._denial:
            self._end(self._denial)

    def _end(self, outcome: CallOutcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)
