"""The demonstration's refusals: by every way that a callee has in a call, each proven by the next call to him."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import aiohttp

from agi.pbx.lab import Way
from dialer.demo.rows import RING_BACK, Expected, Row
from dialer.demo.waiting import until
from dialer.demo.world import SELLER, presented_to, refuse_by_message, trunk_of

if TYPE_CHECKING:
    from dialer.demo.calls import Calls

_AGENT_WHO_REFUSES = "PJSIP/1007"
_AGAIN = Expected("REFUSE", frozenset({"REFUSED"}), frozenset({"OUTSIDE_HOURS", "HOLIDAY", "CAP_REACHED"}))
# What is said takes some three seconds, and a recogniser that is loading takes as many.
_HEARD_S = 4.0


async def refusal_rows(calls: Calls) -> AsyncIterator[Row]:
    """Each refusal, and the call after it."""
    of, missing = calls.callees, await _missing_speech(calls)
    calls.unheard = missing
    ways: list[tuple[str, str, str, str, Callable[[], Awaitable[None]]]] = [
        ("agent", "callee presses 9", of.keys_in_call, "keyed", lambda: _refused_in(calls, of.keys_in_call)),
        ("announcement", "callee presses 9", of.keys_in_announcement, "keyed", lambda: _announced(calls)),
        ("agent", "agent presses *7", of.tells_the_agent, "agent", lambda: _told(calls)),
        ("agent", "refused by message while it rings", of.rings_long, "message", lambda: _ringing(calls)),
    ]
    if not missing:
        ways.append(("agent", "callee says no", of.says_no, "spoken", lambda: _refused_in(calls, of.says_no)))
    for path, situation, number, how, call in ways:
        yield await calls.row(path, situation, number, Expected("ALLOW", invites=1, refusal=how), call)
        yield await calls.row("agent", "the same again", number, _AGAIN, lambda number=number: calls.call(number))  # type: ignore[misc]
    if not missing:
        yield await calls.row(
            "agent",
            "callee says something else",
            of.says_something,
            Expected("ALLOW", invites=1),
            lambda: _heard(calls),
        )
    yield await calls.row(
        RING_BACK, "callee rings back, presses 9", of.rings_back,
        Expected("", more=frozenset(), refusal="inbound_call"), lambda: _rings_back(calls),
    )  # fmt: skip
    yield await calls.row("agent", "the same again", of.rings_back, _AGAIN, lambda: calls.call(of.rings_back))


async def _refused_in(calls: Calls, number: str) -> None:
    """A call in which the callee refuses by himself."""
    await calls.call(number)
    await calls.until_refused(number)


async def _announced(calls: Calls) -> None:
    number = calls.callees.keys_in_announcement
    variables = {"HEEDLINE_SELLER": SELLER, "HEEDLINE_TRUNK": trunk_of(number), "HEEDLINE_KIND": "prerecorded"}
    await calls.lab.originate(number, way=Way.ANNOUNCEMENT, cli=presented_to(number), variables=variables)
    await calls.until_refused(number)


async def _told(calls: Calls) -> None:
    number = calls.callees.tells_the_agent
    await calls.call(number, agent=_AGENT_WHO_REFUSES)
    await calls.until_refused(number)


async def _ringing(calls: Calls) -> None:
    """The callee's telephone rings when his refusal comes by another way: the call ends by itself."""
    number = calls.callees.rings_long

    async def rings() -> bool:
        return bool(await calls.lab.invites(number))

    call = asyncio.create_task(calls.call(number))
    await until(rings)
    await refuse_by_message(calls.registers, number, calls.form)
    await call


async def _heard(calls: Calls) -> None:
    """A call that is listened to until its callee has said what he has to say."""
    before = (await _speech(calls))["listening"]["heard_s"]

    async def heard() -> bool:
        return bool((await _speech(calls))["listening"]["heard_s"] >= before + _HEARD_S)

    await calls.call(calls.callees.says_something)
    await until(heard)


async def _rings_back(calls: Calls) -> None:
    number = calls.callees.rings_back
    await calls.lab.ring_back(presented_to(number), cli=number)
    await calls.until_refused(number)


async def _missing_speech(calls: Calls) -> str:
    """Why English is not heard; empty when it is. Waits while the recogniser is being loaded."""
    why = "the recogniser is not ready"

    async def known() -> bool:
        nonlocal why
        speech = await _speech(calls)
        ready = speech["on"] and "en" in speech["listening"]["languages"]
        missing = "" if ready else speech.get("problem") or speech.get("missing", {}).get("en", "")
        why = "" if ready else missing or why
        return bool(ready or missing)

    await until(known)
    return why


async def _speech(calls: Calls) -> Any:
    """What the node says of its ears."""
    timeout = aiohttp.ClientTimeout(total=3)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{calls.node.url}/status") as answer:
        return (await answer.json())["speech"]
