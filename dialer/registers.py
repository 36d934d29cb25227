"""Use cases of the registers: sellers, trunks with the numbers that may be presented, routes, suppression lists.

Each change writes its evidence in the same transaction: kind `<thing>.<what happened>`, the row's id as subject.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dialer.errors import AlreadyRegistered, NotRegistered, RegisterError
from dialer.evidence.entries import canonical, instant
from dialer.hostile import printable
from dialer.import_rows import INDUSTRIES
from dialer.numbers import Number, cure, parse, problem
from dialer.policy.facts import TrunkOrigin
from dialer.ports import Clock
from dialer.ports_registers import (
    ListRecord,
    NumberRecord,
    RegisterStore,
    RouteRecord,
    SellerRecord,
    Transaction,
    TrunkRecord,
)
from dialer.verdict import Language

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LIST = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")


class Register:
    """What every register has: a store, a clock, and the name of whoever changes it (for evidence)."""

    def __init__(self, store: RegisterStore, clock: Clock, by: str) -> None:
        self._store, self._clock, self._by = store, clock, by

    async def _witness(self, transaction: Transaction, kind: str, subject: int | None, **what: Any) -> None:
        now = self._clock()
        payload = canonical({"kind": kind, "at": instant(now), "by": self._by, **what})
        await transaction.witness(now, kind, subject, payload)


class Sellers(Register):
    """The companies on whose behalf calls are made."""

    async def add(self, code: str, name: str, industry: str = "") -> SellerRecord:
        """Register a seller. Raises `AlreadyRegistered`, `RegisterError`."""
        checked_code(code, "seller")
        checked_text(name, "name")
        if industry and industry not in INDUSTRIES:
            raise RegisterError(f"`{printable(industry, 40)}` is no industry", f"use one of {', '.join(INDUSTRIES)}")
        async with self._store.transaction() as transaction:
            seller = await transaction.add_seller(code, name, industry)
            if seller is None:
                raise AlreadyRegistered(f"seller `{code}` is registered already", f"see `heedline seller show {code}`")
            await self._witness(transaction, "seller.added", seller.id, seller=code, name=name, industry=industry)
        return seller

    async def show(self, code: str) -> SellerRecord:
        """One seller. Raises `NotRegistered`."""
        async with self._store.transaction() as transaction:
            return await known_seller(transaction, code)

    async def all(self) -> list[SellerRecord]:
        """All sellers by code."""
        return await self._store.sellers()

    async def suspend(self, code: str, suspended: bool = True) -> SellerRecord:
        """Suspend a seller, so that no call is allowed on its behalf, or let it call again. Raises `NotRegistered`."""
        async with self._store.transaction() as transaction:
            seller = await transaction.suspend_seller(code, suspended)
            if seller is None:
                raise unknown_seller(code)
            kind = "seller.suspended" if suspended else "seller.resumed"
            await self._witness(transaction, kind, seller.id, seller=code)
        return seller


class Trunks(Register):
    """Lines to carriers, and the numbers that may be presented on each and by whom."""

    async def add(self, name: str, country: str, origin: TrunkOrigin) -> TrunkRecord:
        """Register a trunk; `country` (ISO 3166-1) says how its numbers in national form are read.

        Raises `AlreadyRegistered`, `RegisterError`."""
        checked_code(name, "trunk")
        country = checked_country(country)
        async with self._store.transaction() as transaction:
            trunk = await transaction.add_trunk(name, country, origin)
            if trunk is None:
                raise AlreadyRegistered(f"trunk `{name}` is registered already", f"see `heedline trunk show {name}`")
            await self._witness(transaction, "trunk.added", trunk.id, trunk=name, country=country, origin=origin.value)
        return trunk

    async def show(self, name: str) -> tuple[TrunkRecord, list[NumberRecord]]:
        """One trunk and its numbers. Raises `NotRegistered`."""
        async with self._store.transaction() as transaction:
            trunk = await _known_trunk(transaction, name)
        return trunk, await self._store.numbers(name)

    async def all(self) -> list[TrunkRecord]:
        """All trunks by name."""
        return await self._store.trunks()

    async def numbers(self) -> list[NumberRecord]:
        """The registered numbers of all trunks."""
        return await self._store.numbers()

    async def add_number(
        self, trunk: str, number: str, holder: str, seller: str | None, use: str = "", language: Language = "en"
    ) -> str:
        """Register a number for one seller or (None) for every one; its canonical form.

        Raises `NotRegistered`, `AlreadyRegistered`, `RegisterError`."""
        checked_text(holder, "holder")
        if use:
            checked_text(use, "use", 500)
        async with self._store.transaction() as transaction:
            known = await _known_trunk(transaction, trunk)
            if seller is not None:
                await known_seller(transaction, seller)
            read = parsed(number, known.country, language)
            if not await transaction.add_number(trunk, read.e164, seller, holder, use):
                raise AlreadyRegistered(
                    f"`{read.e164}` is registered for {seller_words(seller)} on `{trunk}` already",
                    f"see `heedline trunk show {trunk}`",
                )
            await self._witness(
                transaction,
                "number.added",
                known.id,
                trunk=trunk,
                number=read.e164,
                number_class=read.cls.value,
                seller=seller,
                holder=holder,
                use=use,
            )
        return read.e164

    async def remove_number(
        self, trunk: str, number: str, seller: str | None = None, everyone: bool = True, language: Language = "en"
    ) -> int:
        """End a number's registration: for `seller` (None: the one that serves every seller), or all with `everyone`;
        how many ended. Raises `NotRegistered`."""
        async with self._store.transaction() as transaction:
            known = await _known_trunk(transaction, trunk)
            if seller is not None:
                await known_seller(transaction, seller)
            read = parsed(number, known.country, language)
            count = await transaction.remove_number(trunk, read.e164, seller, everyone)
            if not count:
                whom = "" if everyone else f" for {seller_words(seller)}"
                raise NotRegistered(
                    f"`{read.e164}` is not registered{whom} on `{trunk}`", f"see `heedline trunk show {trunk}`"
                )
            whose = "everyone" if everyone else seller
            await self._witness(transaction, "number.removed", known.id, trunk=trunk, number=read.e164, seller=whose)
        return count


class Routes(Register):
    """Routes that an administrator has declared non-marketing."""

    async def declare(self, name: str, reason: str) -> None:
        """Calls on this route bypass the marketing rules. Raises `AlreadyRegistered`, `RegisterError`."""
        checked_code(name, "route")
        checked_text(reason, "reason", 500)
        async with self._store.transaction() as transaction:
            if not await transaction.declare_route(name, reason, self._by, self._clock()):
                raise AlreadyRegistered(
                    f"route `{name}` is declared already", f"remove it first: `heedline route remove {name}`"
                )
            await self._witness(transaction, "route.declared", None, route=name, reason=reason)

    async def remove(self, name: str) -> None:
        """The marketing rules bind its calls again. Raises `NotRegistered`."""
        async with self._store.transaction() as transaction:
            if not await transaction.remove_route(name):
                raise NotRegistered(f"route `{printable(name, 64)}` is not declared", "see `heedline route list`")
            await self._witness(transaction, "route.removed", None, route=name)

    async def all(self) -> list[RouteRecord]:
        """All routes that are declared."""
        return await self._store.routes()


class Lists(Register):
    """Suppression lists that someone else keeps."""

    async def add(self, name: str, owner: str, prefixes: Sequence[str]) -> ListRecord:
        """Register a list; it governs numbers that begin with one of `prefixes`. Until it is imported it is missing,
        and packs that ask for it refuse. Raises `AlreadyRegistered`, `RegisterError`."""
        if not _LIST.fullmatch(name):
            raise RegisterError(
                f"`{printable(name, 64)}` is no name for a list", "use lower-case letters, digits, `-` and `_`"
            )
        checked_text(owner, "owner")
        wrong = [prefix for prefix in prefixes if not _PREFIX.fullmatch(prefix)]
        if wrong or not prefixes:
            raise RegisterError(
                f"`{printable(wrong[0], 40) if wrong else ''}` is no prefix of numbers",
                "write it with `+`, for instance `--prefix +1`",
            )
        async with self._store.transaction() as transaction:
            added = await transaction.add_list(name, owner, tuple(dict.fromkeys(prefixes)))
            if added is None:
                raise AlreadyRegistered(f"list `{name}` is registered already", f"see `heedline list show {name}`")
            await self._witness(
                transaction, "list.added", added.id, list=name, owner=owner, prefixes=list(added.prefixes)
            )
        return added

    async def show(self, name: str) -> ListRecord:
        """One list. Raises `NotRegistered`."""
        async with self._store.transaction() as transaction:
            found = await transaction.list(name)
        if found is None:
            raise NotRegistered(f"list `{printable(name, 64)}` is not registered", "see `heedline list list`")
        return found

    async def all(self) -> list[ListRecord]:
        """All lists by name."""
        return await self._store.lists()


def checked_code(code: str, what: str) -> None:
    """Raises `RegisterError` unless the text can be a code."""
    if not _CODE.fullmatch(code):
        raise RegisterError(
            f"`{printable(code, 64)}` is no code for a {what}", "use letters, digits, `-` and `_`, at most 64"
        )


def checked_country(country: str) -> str:
    """The country in capitals. Raises `RegisterError` unless the text looks like ISO 3166-1."""
    if not _COUNTRY.fullmatch(country.upper()) or not country.isascii():
        raise RegisterError(f"`{printable(country, 40)}` is no country", "use two letters of ISO 3166-1, such as `CN`")
    return country.upper()


def checked_text(text: str, what: str, limit: int = 200) -> None:
    """Raises `RegisterError` unless the text can be shown on one line and has at most `limit` characters."""
    if not text.strip() or len(text) > limit or not text.isprintable():
        raise RegisterError(
            f"`{printable(text, 40)}` is no {what}", f"write 1 to {limit} characters, none of them invisible"
        )


def parsed(text: str, country: str | None, language: Language = "en") -> Number:
    """The number that a text is. Raises `RegisterError` that says why it is none."""
    number = parse(text, country)
    if not isinstance(number, Number):
        raise RegisterError(f"`{number.raw}`: {problem(number.fault, language)}", cure(number.fault, language))
    return number


def parsed_callee(text: str, country: str | None, language: Language = "en") -> Number:
    """The number of a person: one with an E.164 form. Raises `RegisterError`."""
    number = parsed(text, country, language)
    if not number.is_e164:
        raise RegisterError(f"`{number.e164}` is a short code, not a person's number", "give a full number")
    return number


def seller_words(seller: str | None) -> str:
    """Whom a registration serves, in words."""
    return "every seller" if seller is None else f"seller `{seller}`"


def unknown_seller(code: str) -> NotRegistered:
    """The error that says so, with its cure."""
    shown = printable(code, 64)
    return NotRegistered(f"seller `{shown}` is not registered", "see `heedline seller list`, or `heedline seller add`")


async def known_seller(transaction: Transaction, code: str) -> SellerRecord:
    """The seller of that code. Raises `NotRegistered`."""
    seller = await transaction.seller(code)
    if seller is None:
        raise unknown_seller(code)
    return seller


async def _known_trunk(transaction: Transaction, name: str) -> TrunkRecord:
    trunk = await transaction.trunk(name)
    if trunk is None:
        raise NotRegistered(
            f"trunk `{printable(name, 64)}` is not registered", "see `heedline trunk list`, or `heedline trunk add`"
        )
    return trunk
