"""A small world behind the gate, in a real database: a seller, a trunk, a number to show, callees who agreed."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import asyncpg

from db.gate_store import PostgresGateStore
from db.pool import open_pool
from dialer.app import Registers
from dialer.demo.places import Place, consented
from dialer.gate import Answer, Gate
from dialer.numbers import Number, parse
from dialer.policy.facts import Basis, CallKind, CallRequest, TrunkOrigin
from dialer.policy.pack import PackSet, load_packs
from dialer.ports_registers import Artefact, NewConsent
from dialer.verdict import Outcome

NOON = datetime(2026, 10, 21, 2, tzinfo=UTC)
"""A Wednesday, 10:00 in China: within its hours, and no holiday."""

SELLER, OTHER_SELLER, TRUNK = "acme", "other", "carrier"
FORM = Artefact(b"\x07" * 32, "text/plain", "forms/7")
GRANTED = datetime(2026, 1, 5, tzinfo=UTC)

# Where it is a permitted hour somewhere at any time, with numbers enough for long campaigns.
PLACES: Sequence[Place] = (
    Place("CN", "China", "中国", "+86138", 6, "+862161234567"),
    Place("IN", "India", "印度", "+9198", 6, "+911401234567"),
    Place("DE", "Germany", "德国", "+4930", 5, "+493012345678"),
    Place("GB", "United Kingdom", "英国", "+4474", 6, "+442079460123"),
    Place("JP", "Japan", "日本", "+8190", 6, "+81312345678"),
    Place("US", "New York", "美国纽约", "+1212", 5, "+12127361234"),
    Place("US", "Hawaii", "美国夏威夷", "+1808", 5, "+12127361234"),
)
CHINA = PLACES[0]


@cache
def packs() -> PackSet:
    """The packs as they are shipped."""
    return load_packs()


def place_now() -> Place:
    """A place where it is a permitted hour by the real clock, and will be for a while."""
    now = datetime.now(UTC)
    wanted = (now, now + timedelta(minutes=20))
    return next(p for p in PLACES if all(consented(p, packs(), at).outcome is Outcome.ALLOW for at in wanted))


def digits(number: str) -> int:
    """A callee's digits as they are stored."""
    read = parse(number)
    assert isinstance(read, Number)
    return read.digits


@dataclass
class World:
    """What is registered, and callees to call."""

    registers: Registers
    place: Place
    chance: random.Random = field(default_factory=random.Random)
    _given: set[str] = field(default_factory=set)

    def fresh(self) -> str:
        """A callee who was not given before."""
        while (number := self.place.callee(self.chance)) in self._given:
            pass
        self._given.add(number)
        return number

    async def callee(self, seller: str = SELLER, **changes: Any) -> str:
        """A callee who agreed to the seller's calls."""
        number = self.fresh()
        await self.consent(number, seller, **changes)
        return number

    async def consent(self, number: str, seller: str = SELLER, **changes: Any) -> int:
        """An agreement; its id."""
        both = (CallKind.LIVE, CallKind.PRERECORDED)
        plain = NewConsent(digits(number), seller, "marketing", Basis.WRITTEN, both, GRANTED, None, FORM)
        return await self.registers.consents.add(NewConsent(**{**_fields(plain), **changes}))

    async def callees(self, owner: asyncpg.Connection, count: int) -> list[str]:
        """Many callees who agreed, recorded at once."""
        numbers = [self.fresh() for _ in range(count)]
        await owner.execute(
            "insert into consents (callee, seller_id, purpose, basis, granted_at, recorded_by)"
            " select n, s.id, 'marketing', 'written', $2, 'test' from unnest($1::bigint[]) n, sellers s"
            " where s.code = 'acme'",
            [digits(number) for number in numbers],
            GRANTED,
        )
        return numbers

    def request(self, callee: str, **changes: Any) -> CallRequest:
        """A call to which nothing is objected when the callee agreed."""
        plain = {"seller": SELLER, "trunk": TRUNK, "presented": self.place.presented, "call_id": "1795500000.1"}
        return CallRequest(**{"callee": callee, **plain, **changes})


async def furnish(registers: Registers, place: Place) -> World:
    """Two sellers, one trunk, and a number that the first may show on it."""
    await registers.sellers.add(SELLER, "Acme Ltd")
    await registers.sellers.add(OTHER_SELLER, "Another Seller Ltd")
    await registers.trunks.add(TRUNK, place.country, TrunkOrigin.MIXED)
    for seller in (SELLER, OTHER_SELLER):
        await registers.trunks.add_number(TRUNK, place.presented, "Acme Ltd", seller)
    return World(registers, place)


@dataclass
class SetClock:
    """A clock that stands until it is set."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Forward, or back when negative."""
        self.now += timedelta(seconds=seconds)


async def keep(_: asyncpg.Connection) -> None:
    """Nothing is reset between batches, as in a running node."""


@asynccontextmanager
async def open_store(dsn: str, statement_timeout_s: float = 10.0) -> AsyncIterator[PostgresGateStore]:
    """The gate's store on a pool with the service's rights."""
    pool = await open_pool(dsn, max_size=6, statement_timeout_s=statement_timeout_s, reset=keep)
    try:
        yield PostgresGateStore(pool)
    finally:
        pool.terminate()


@asynccontextmanager
async def open_gate(dsn: str, clock: SetClock, patience_s: float = 10.0, **options: Any) -> AsyncIterator[Gate]:
    """A gate on the shipped packs, patient unless told otherwise."""
    async with open_store(dsn, patience_s) as store:
        latest = await store.latest_decision()
        gate = Gate(store, **{"packs": packs(), "clock": clock, "latest": latest, "patience_s": patience_s, **options})
        yield gate
        await gate.close()


async def redeem(gate: Gate, answer: Answer, **changes: str) -> Answer:
    """Use the permit of an answer as the egress does; `changes` say what is given wrongly."""
    assert answer.permit is not None
    right: dict[str, Any] = {
        "permit": answer.permit,
        "callee": answer.callee,
        "presented": answer.presented,
        "by": "127.0.0.1:5060",
    }
    return await gate.redeem(**{**right, **changes})


async def rows(owner: asyncpg.Connection) -> dict[str, int]:
    """How many rows the gate's tables hold."""
    tables = ("decisions", "attempts", "evidence")
    return {table: await owner.fetchval(f"select count(*) from {table}") for table in tables}  # noqa: S608 - ours


def _fields(consent: NewConsent) -> dict[str, Any]:
    return {name: getattr(consent, name) for name in NewConsent.__dataclass_fields__}
