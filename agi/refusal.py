"""Entry point `refusal`: a key was pressed that refuses, and a switch tells of it.

The call's path: read the arguments -> whose call it was -> keep a refusal to each seller concerned -> say what became
of it, in which language the callee is answered, and whether the call ends.

A switch keeps what it tells in its own AstDB until it has been answered RECORDED or SPOOLED; `agi.spool` reads it
there. So telling twice is usual, and harmless by the receipt.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, Self, TypeVar

from agi.dialplan import variables as names
from agi.server import AgiCall, Route
from dialer.errors import HeedlineError, NotRegistered, ReceiptConflict, StoreUnavailable
from dialer.hostile import printable
from dialer.numbers import Number, NumberFault, parse
from dialer.policy.conduct import Conduct
from dialer.ports import Clock
from dialer.ports_refusals import CallParty, KeyArtefact, NewRefusal, Prompt
from dialer.recording import Kept

log = logging.getLogger(__name__)

#: The arguments of `agi://…/refusal`, in their order.
ARGUMENTS = ("how", "prompt", "receipt", "attempt", "number", "seller", "key", "epoch", "agent", "did", "call_id")

ALL_SELLERS = "*"
# What is asked of the database before recording begins, which has a patience of its own, within the channel's deadline.
_LOOK_S = 0.2
# The register takes nothing from the future; a switch's clock may be ahead.
_SKEW = timedelta(minutes=4)

_PROMPTS = {"keyed": Prompt.CALL, "agent": Prompt.AGENT, "inbound_call": Prompt.CALLBACK}
# Without these it is no refusal.
_NEEDED = {
    "how": re.compile("|".join(_PROMPTS)),
    "receipt": re.compile(r"[0-9a-f-]{8,64}"),
    "attempt": re.compile(r"[0-9]{0,18}"),
    "number": re.compile(r"\+?[0-9]{1,32}"),
    "seller": re.compile(r"[A-Za-z0-9_.-]{0,64}|\*"),
    "epoch": re.compile(r"[0-9]{1,11}"),
}
# These are told beside it; a strange one costs itself alone.
_BESIDE = {
    "key": re.compile(r"[0-9A-D*#]{1,8}"),
    "agent": re.compile(r"[A-Za-z0-9_./-]{1,64}"),
    "did": re.compile(r"\+?[0-9]{1,32}"),
    "call_id": re.compile(r"[A-Za-z0-9_.-]{1,150}"),
}

_T = TypeVar("_T")


class Status(StrEnum):
    """What became of a refusal that a switch told of: REFUSAL_STATUS."""

    RECORDED = "RECORDED"
    SPOOLED = "SPOOLED"
    FAILED = "FAILED"
    INVALID = "INVALID"  # nobody's: its number is none


class Keeper(Protocol):
    """What `dialer.recording.Recorder` does here."""

    async def keep(self, refusal: NewRefusal) -> Kept:
        """Record a refusal or put it on disk. Raises `HeedlineError` when it is not kept."""


class Calls(Protocol):
    """What a `dialer.ports_refusals.RefusalStore` does here. Each method raises `StoreUnavailable`."""

    async def call_party(self, attempt: int) -> CallParty | None:
        """Who was called in an attempt."""

    async def sellers_showing(self, number: str) -> list[str | None]:
        """For whom a number is registered as presented (None: every seller); empty: nowhere."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a switch tells: clean characters, but for what they mean nothing is vouched for. `attempt` 0: none; `did` is
    the number that was rung."""

    how: str
    prompt: Prompt
    receipt: str
    attempt: int
    number: str
    seller: str
    key: str
    at: datetime
    agent: str
    did: str
    call_id: str

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """The values by the names of `ARGUMENTS`. Raises `ValueError` that names the one that cannot be."""
        for name, form in _NEEDED.items():
            if not form.fullmatch(values.get(name, "")):
                raise ValueError(f"`{name}` cannot be `{printable(values.get(name, ''), 80)}`")
        beside = {name: text if form.fullmatch(text := values.get(name, "")) else "" for name, form in _BESIDE.items()}
        how, prompt = values["how"], values.get("prompt", "")
        return cls(
            how,
            Prompt(prompt) if prompt in {each.value for each in Prompt} else _PROMPTS[how],
            values["receipt"],
            int(values["attempt"] or 0),
            values["number"],
            values["seller"],
            at=datetime.fromtimestamp(int(values["epoch"]), UTC),
            **beside,
        )

    @property
    def ends_talk(self) -> bool:
        """Nobody talks with the callee: he hears a recording."""
        return self.prompt in (Prompt.ANNOUNCEMENT, Prompt.CALLBACK)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it; `conduct` is what the callee's policy asks, None when nothing is known of him."""

    status: Status
    conduct: Conduct | None = None


async def _no_countries() -> Sequence[str]:
    return ()


class KeyedRefusals:
    """Keeps refusals by key. `conduct` says what the packs ask of a callee (E.164 digits); `countries` are those of the
    trunks (ISO 3166-1), which give meaning to national forms of inbound calls."""

    def __init__(
        self,
        keeper: Keeper,
        calls: Calls,
        conduct: Callable[[int], Conduct | None],
        clock: Clock,
        countries: Callable[[], Awaitable[Sequence[str]]] = _no_countries,
    ) -> None:
        self._keeper, self._calls, self._conduct, self._clock = keeper, calls, conduct, clock
        self._countries = countries
        self._known_countries: Sequence[str] = ()
        self._late: set[asyncio.Task[Any]] = set()

    async def keep(self, told: Told) -> Outcome:
        """Keep what a switch tells, as a refusal to each seller whom it concerns.

        Raises `HeedlineError` when it is not kept though it should be: it is to be told again.
        """
        refusals = await self._refusals(told)
        if not refusals:
            return Outcome(Status.INVALID)
        kept = await asyncio.gather(*[self._keep_one(refusal) for refusal in refusals])
        status = Status.RECORDED if all(each is Kept.RECORDED for each in kept) else Status.SPOOLED
        return Outcome(status, self._conduct(refusals[0].callee))

    def conduct(self, told: Told) -> Conduct | None:
        """What the callee's policy asks, as far as his number tells by itself."""
        number = _e164(parse(told.number))
        return self._conduct(number.digits) if number is not None else None

    async def _keep_one(self, refusal: NewRefusal) -> Kept:
        try:
            return await self._keeper.keep(refusal)
        except NotRegistered:
            # A seller of whom nothing is known cannot be refused alone; that the callee refused is no less true.
            log.warning("a refusal to the unknown seller `%s` is kept as one to all", printable(refusal.seller or ""))
            everyone = replace(refusal, seller=None, receipt=f"{refusal.receipt}:all")
            return await self._keeper.keep(everyone)
        except ReceiptConflict:
            # The switch made this receipt for one pressing of a key: what was read otherwise then is recorded.
            return Kept.RECORDED

    async def _refusals(self, told: Told) -> list[NewRefusal]:
        """One for each seller concerned; none when there is no callee."""
        party = await self._look(self._calls.call_party(told.attempt), None) if told.attempt else None
        if party is not None:
            return [self._refusal(told, party.callee, party.seller, party.attempt)]
        if told.how == "inbound_call":
            line, wanted = await self._line(told.did)
            callee = await self._caller(told.number, line)
        else:
            named = told.seller if told.seller != ALL_SELLERS else ""
            callee, wanted = _e164(parse(told.number)), [named or None]
        if callee is None:
            return []
        return [self._refusal(told, callee.digits, seller, told.attempt or None) for seller in wanted]

    def _refusal(self, told: Told, callee: int, seller: str | None, attempt: int | None) -> NewRefusal:
        receipt = f"{told.receipt}:{seller}" if told.how == "inbound_call" and seller else told.receipt
        now = self._clock()
        return NewRefusal(
            callee,
            seller,
            told.how,
            told.at if told.at < now + _SKEW else now,
            call_id=told.call_id or None,
            agent=told.agent or None,
            attempt=attempt,
            artefact=KeyArtefact(told.key, told.prompt),
            receipt=receipt,
        )

    # Inbound: which line was rung, and who rang it.

    async def _line(self, did: str) -> tuple[Number | None, list[str | None]]:
        """The presented number that was rung, and the sellers to whom that means a refusal: those for whom it is
        registered, or (None) all when it is every seller's or nobody's."""
        everyone: list[str | None] = [None]
        readings = await self._readings(did)
        for form in readings:
            sellers = await self._look(self._calls.sellers_showing(form.e164), everyone)
            if sellers:
                return form, everyone if None in sellers else sellers
        return _only(readings), everyone

    async def _readings(self, raw: str) -> list[Number]:
        """What a number may be that came without a country: E.164, a national form of a trunk's, E.164 without plus."""
        self._known_countries = await self._look(self._countries(), self._known_countries)
        readings = [parse(raw), *(parse(raw, country) for country in self._known_countries), parse(f"+{raw}")]
        return list({form.e164: form for reading in readings if (form := _e164(reading)) is not None}.values())

    async def _caller(self, raw: str, line: Number | None) -> Number | None:
        """A caller is written as is usual where he rang; what could be several numbers is none."""
        here = _e164(parse(raw, line.regions[0])) if line is not None and line.regions else None
        return here or _only(await self._readings(raw))

    async def _look(self, asked: Awaitable[_T], otherwise: _T) -> _T:
        """What the database says, if it does so soon. A statement on a server that hangs cannot be called off."""
        task = asyncio.ensure_future(asked)
        done, _ = await asyncio.wait({task}, timeout=_LOOK_S)
        if not done:
            self._late.add(task)
            task.add_done_callback(self._forget)
            return otherwise
        try:
            return task.result()
        except StoreUnavailable:
            return otherwise

    def _forget(self, task: asyncio.Future[Any]) -> None:
        self._late.discard(task)
        if not task.cancelled():
            task.exception()


def _e164(read: Number | NumberFault) -> Number | None:
    return read if isinstance(read, Number) and read.is_e164 else None


def _only(readings: Sequence[Number]) -> Number | None:
    return readings[0] if len(readings) == 1 else None


#: Answered when the entry point has no answer of its own.
FAILED: Mapping[str, str] = {names.REFUSAL_STATUS: Status.FAILED.value}


def refusal(refusals: KeyedRefusals) -> Route:
    """The entry point. What is under way when the channel hangs up goes on."""

    async def entry(call: AgiCall) -> Mapping[str, str]:
        try:
            told = Told.read(dict(zip(ARGUMENTS, call.args, strict=False)))
        except ValueError as error:
            log.error("a switch (%s) tells of a refusal that cannot be one: %s", call.peer, error)
            return {names.REFUSAL_STATUS: Status.INVALID.value}
        try:
            outcome = await refusals.keep(told)
        except HeedlineError as error:
            log.error("a refusal by key is not kept here: %s", error)
            outcome = Outcome(Status.FAILED, refusals.conduct(told))
        return answer_variables(told, outcome)

    return Route(entry, fallback=FAILED, outlives_hangup=True)


def answer_variables(told: Told, outcome: Outcome) -> dict[str, str]:
    """What the channel is told; of language and hang-up the dialplan has defaults, for when they are not known."""
    values = {names.REFUSAL_STATUS: outcome.status.value}
    if outcome.conduct is not None:
        values[names.REFUSAL_LANGUAGE] = outcome.conduct.language
        ends = outcome.conduct.ends(announcement=told.ends_talk)
        values[names.REFUSAL_HANGUP] = "yes" if ends else "no"
    return values
