"""The demonstration's calls: real ones, one after the other, and what became of each."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import asyncpg

from agi.ami import Ami
from agi.originate import Order, originate
from agi.pbx.lab import Lab, Way
from db.sql import queries
from dialer.app import Registers
from dialer.demo.node import Node
from dialer.demo.refusals import refusal_rows
from dialer.demo.rows import Expected, Row
from dialer.demo.waiting import until
from dialer.demo.world import SELLER, Callees, presented_to, trunk_of
from dialer.ports_refusals import FormArtefact

_SQL = queries("demo")
AGENT = "PJSIP/1001"
_HEADER = "PJSIP_HEADER(add,X-Heedline-Permit)"


@dataclass
class Calls:
    """Makes the calls on a lab with a node behind it. `unheard` says why nobody spoke, if so."""

    lab: Lab
    ami: Ami
    pool: asyncpg.Pool
    node: Node
    callees: Callees
    registers: Registers
    form: FormArtefact
    unheard: str = ""
    _seen: int = field(default=0, init=False)
    _refused: int = field(default=0, init=False)

    async def rows(self) -> AsyncIterator[Row]:
        """The table, a row as soon as its call is over."""
        for situation, number, expected in self._asked():
            yield await self.row("agent", situation, number, expected, lambda number=number: self.call(number))  # type: ignore[misc]
        async for row in refusal_rows(self):
            yield row
        yield await self.row(
            "callback", "consented, callee first", self.callees.called_back, Expected("ALLOW", invites=1),
            lambda: self.call(self.callees.called_back, callee_first=True),
        )  # fmt: skip
        yield await self.row(
            "agent", "caller number not registered", self.callees.unshown,
            Expected("REFUSE", frozenset({"CALLER_NUMBER_UNREGISTERED"})),
            lambda: self.call(self.callees.unshown, shown=presented_to(self.callees.unshown)[:-1] + "9"),
        )  # fmt: skip
        yield await self.row(
            "bypass", "originate straight to the trunk", self.callees.later,
            Expected("REFUSE", frozenset({"SELLER_UNKNOWN"}), frozenset({"OUTSIDE_HOURS", "CALLER_NUMBER_INVALID",
                     "CALLER_NUMBER_UNREGISTERED", "CONSENT_SCOPE", "LIST_STALE", "TRUNK_UNKNOWN"})),
            lambda: self._bypass(self.callees.later, {}),
        )  # fmt: skip
        yield await self.row(
            "bypass", "the same with a forged permit", self.callees.later,
            Expected("REFUSE", frozenset({"PERMIT_INVALID"})),
            lambda: self._bypass(self.callees.later, {_HEADER: secrets.token_hex(16)}),
        )  # fmt: skip
        yield await self.row(
            "agent", "Heedline killed in mid-call", self.callees.later, Expected("", more=frozenset()),
            lambda: self._killed(self.callees.later),
        )  # fmt: skip
        await self.node.start()
        yield await self.row(
            "agent", "Heedline is back", self.callees.later, Expected("ALLOW", invites=1),
            lambda: self.call(self.callees.later),
        )  # fmt: skip

    def _asked(self) -> list[tuple[str, str, Expected]]:
        """Situations that differ in the callee alone."""
        of = self.callees
        return [
            ("consented, in hours", of.consented, Expected("ALLOW", invites=1)),
            ("the same again: cap reached", of.consented, Expected("DEFER", frozenset({"CAP_REACHED"}))),
            ("no consent", of.unconsented, Expected("REFUSE", frozenset({"NO_CONSENT"}))),
            ("consent of another seller", of.of_another_seller, Expected("REFUSE", frozenset({"CONSENT_SCOPE"}))),
            ("consent expired", of.expired, Expected("REFUSE", frozenset({"CONSENT_EXPIRED"}))),
            ("refused", of.refused, Expected("REFUSE", frozenset({"REFUSED"}))),
            ("on a suppression list", of.listed, Expected("REFUSE", frozenset({"SUPPRESSED"}))),
            ("suppression list too old", of.governed_by_stale_list, Expected("REFUSE", frozenset({"LIST_STALE"}))),
            ("outside hours there", of.asleep, Expected("DEFER", frozenset({"OUTSIDE_HOURS"}), frozenset())),
            ("number invalid", "+86123", Expected("REFUSE", frozenset({"NUMBER_INVALID"}))),
            ("emergency number", "110", Expected("ALLOW", frozenset({"EMERGENCY"}), invites=1)),
        ]

    async def row(
        self, path: str, situation: str, number: str, expected: Expected, call: Callable[[], Awaitable[None]]
    ) -> Row:
        """Make one call, end it, and tell what became of it."""
        await self.lab.mark()
        self._seen = await self.pool.fetchval(_SQL["newest_evidence"])
        self._refused = await self.pool.fetchval(_SQL["newest_refusal"])
        await call()
        await self.lab.hang_up_all()
        decision, outcome, reasons = await self._verdict()
        refusal = await self.refusal(number)
        return Row(path, situation, number, outcome, reasons, await self.lab.invites(), expected, refusal, decision)

    async def refusal(self, number: str) -> str:
        """How this callee has refused since the call began, with an artefact; empty: he has not."""
        if not number.startswith("+"):
            return ""
        return await self.pool.fetchval(_SQL["refusal_since"], int(number), self._refused) or ""

    async def until_refused(self, number: str) -> None:
        """Wait until he has, a while at most: the table shows when he has not."""

        async def refused() -> bool:
            return bool(await self.refusal(number))

        await until(refused)

    async def _verdict(self) -> tuple[int | None, str, tuple[str, ...]]:
        """What the gate has said since the call began: its decision, or that a permit was turned away."""
        if decision := await self.pool.fetchrow(_SQL["decision_since"], self._seen):
            return decision["id"], decision["outcome"], tuple(decision["reasons"])
        if await self.pool.fetchval(_SQL["permit_rejected_since"], self._seen):
            return None, "REFUSE", ("PERMIT_INVALID",)
        return None, "", ()

    async def call(
        self, number: str, *, shown: str | None = None, callee_first: bool = False, agent: str = AGENT
    ) -> None:
        """A call by an agent, as `heedline originate` makes it; returns when it is answered, or was not."""
        order = Order(
            number,
            SELLER,
            agent,
            trunk=trunk_of(number),
            cli=shown or presented_to(number),
            callee_first=callee_first,
            callee_ring_s=20,
        )
        await originate(self.ami, order)

    async def _bypass(self, number: str, headers: dict[str, str]) -> None:
        call = await self.lab.originate(number, way=Way.BYPASS, cli=presented_to(number), variables=headers)
        await call.ended()

    async def _killed(self, number: str) -> None:
        """Kill the node while it holds the question of a call, so that it dies between question and answer."""
        self.node.freeze()
        call = await self.lab.originate(
            number,
            cli=presented_to(number),
            variables={"HEEDLINE_SELLER": SELLER, "HEEDLINE_TRUNK": trunk_of(number)},
        )
        await self.node.asked()
        await self.node.kill()
        await call.ended()
