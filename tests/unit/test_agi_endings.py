"""How a request ends: late answers, hang-ups, switches that do not acknowledge, and a server that is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic

import pytest

from agi.server import AgiCall, Failure, Limits, Route
from tests.unit.agi_switch import ALLOWED, HASTY, OK, PATIENT, REFUSED, Lab, Switch, lab, on_both_loops, request

GOOD = request()


class Held:
    """A route that waits to be released, and says how it ended."""

    def __init__(self, stubborn: bool = False) -> None:
        self.begun, self.release = asyncio.Event(), asyncio.Event()
        self.cancelled = False
        self._stubborn = stubborn

    async def entry(self, call: AgiCall) -> Mapping[str, str]:
        """ALLOW, but not before its time; a stubborn one obeys no cancellation."""
        self.begun.set()
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancelled = True
                if not self._stubborn:
                    raise
        return ALLOWED


@on_both_loops
async def test_deadline_refuses_and_cancels() -> None:
    """A route without an answer at the deadline is cancelled, and the channel is refused."""
    held = Held()
    async with lab(held.entry, HASTY) as here:
        assert await here.call(GOOD) == REFUSED
        outcome = await here.outcomes.get()
        assert (outcome.failure, outcome.answer, outcome.acknowledged) == (Failure.DEADLINE, None, True)
        assert held.cancelled


@on_both_loops
async def test_late_answer_is_dropped() -> None:
    """An ALLOW that a route returns in spite of its cancellation reaches nobody but the hook."""
    held = Held(stubborn=True)
    async with lab(held.entry, HASTY) as here:
        async with here.switch(GOOD) as switch:
            assert await switch.obey() == REFUSED
            assert len(switch.commands) == 1
        assert here.outcomes.empty()
        held.release.set()
        outcome = await here.outcomes.get()
        assert (outcome.failure, outcome.answer) == (Failure.DEADLINE, ALLOWED)
        assert here.server.stats.answered == 0


@on_both_loops
async def test_answer_after_a_standstill_is_dropped() -> None:
    """A process that stood still past the deadline does not send the ALLOW that it then has at once."""

    async def entry(call: AgiCall) -> Mapping[str, str]:
        while monotonic() < call.deadline:  # as a stopped process or a blocked loop would
            pass
        return ALLOWED

    async with lab(entry, HASTY) as here:
        assert await here.call(GOOD) == REFUSED
        assert await here.failure() is Failure.DEADLINE


@on_both_loops
async def test_peer_that_reads_nothing_is_cut() -> None:
    """After a refusal that nobody acknowledges the connection is closed within the grace."""
    async with lab(Held().entry, HASTY) as here, here.switch(GOOD) as switch:
        assert await switch.obey(b"") == REFUSED
        outcome = await here.outcomes.get()
        assert (outcome.failure, outcome.acknowledged) == (Failure.DEADLINE, False)


@on_both_loops
async def test_answer_without_result_is_taken_back() -> None:
    """An ALLOW that is not acknowledged in time is followed by the refusal: it does not stand on the channel."""
    async with lab(limits=HASTY) as here, here.switch(GOOD) as switch:
        assert (await switch.obey(b""))["GATE_VERDICT"] == "REFUSE"
        assert len(switch.commands) == 2
        outcome = await here.outcomes.get()
        assert (outcome.failure, outcome.answer, outcome.acknowledged) == (Failure.UNACKNOWLEDGED, ALLOWED, False)


RESULTS = {
    "no such application": b"200 result=-2\n",
    "application failed": b"200 result=-1\n",
    "hung up": b"200 result=0 (hangup)\n",
    "no value": b"200 result=\n",
    "invalid command": b"510 Invalid or unknown command\n",
    "dead channel": b"511 Command Not Permitted on a dead channel or intercept routine\n",
    "usage": b"520-Invalid command syntax.  Proper usage follows:\nUsage: EXEC\n520 End of proper usage.\n",
    "no code": b"fine\n",
    "not UTF-8": b"200 result=\xff\n",
    "empty line": b"\n",
    "rest of a header": b"agi_callingpres: 0\nagi_dnid: 1\n\n",
    "line without an end": b"2" * 5000,
    "code without an end": b"9" * 4000 + b"\n",
}


@on_both_loops
async def test_only_a_plain_result_acknowledges() -> None:
    """Whatever a switch says other than `200 result=0` takes the ALLOW back."""
    for name, result in RESULTS.items():
        async with lab() as here, here.switch(GOOD) as switch:
            await switch.command()
            await switch.say(result)
            await switch.command()
            assert switch.variables["GATE_VERDICT"] == "REFUSE", name
            await switch.say(OK)
            assert await here.failure() is Failure.UNACKNOWLEDGED, name


@on_both_loops
async def test_trying_is_no_result() -> None:
    """`100 Trying` is waited out, however often it comes, and never beyond the deadline."""
    trying = b"100 result=0 Trying...\n"
    async with lab() as here:
        async with here.switch(GOOD) as switch:
            assert await switch.obey(3 * trying + OK) == ALLOWED
        assert await here.failure() is None
    async with lab(limits=HASTY) as here, here.switch(GOOD) as switch:
        await switch.command()
        ending = asyncio.ensure_future(switch.obey(b""))
        while not ending.done():
            await switch.say(trying)
            await asyncio.wait([ending], timeout=0.01)
        assert await ending == {**ALLOWED, **REFUSED}
        assert await here.failure() is Failure.UNACKNOWLEDGED


@on_both_loops
async def test_hangup_is_no_result() -> None:
    """A HANGUP line between a command and its result is neither an acknowledgement nor a failure."""
    async with lab() as here:
        async with here.switch(GOOD) as switch:
            assert await switch.obey(b"HANGUP\n" + OK) == ALLOWED
        assert await here.failure() is None
        async with here.switch(GOOD) as switch:
            await switch.command()
            await switch.say(b"HANGUP\n")
            await switch.close()
        assert await here.failure() is Failure.CLOSED


@on_both_loops
async def test_hangup_before_the_answer() -> None:
    """A caller who hangs up ends the route; the ALLOW that it would have given is not written."""
    for pieces in ([b"HANGUP\n"], [b"HANG", b"UP\n"], [b"HANGUP\nHANGUP\n"]):
        held = Held()
        async with lab(held.entry) as here, here.switch(GOOD) as switch:
            await held.begun.wait()
            for piece in pieces:
                await switch.say(piece)
                await asyncio.sleep(0)
            assert await switch.obey() == REFUSED
            assert await here.failure() is Failure.HANGUP
            assert held.cancelled


@on_both_loops
async def test_hangup_with_the_header() -> None:
    """When the channel is gone before the route could begin, it does not begin."""
    held = Held()
    async with lab(held.entry) as here:
        assert await here.call(GOOD + b"HANGUP\n") == REFUSED
        assert await here.failure() is Failure.HANGUP
        assert not held.begun.is_set()


@on_both_loops
async def test_unasked_text_during_the_route() -> None:
    """Header lines that come after the blank line show a forged block: the route is cancelled and the call refused."""
    held = Held()
    async with lab(held.entry) as here, here.switch(GOOD) as switch:
        await held.begun.wait()
        await switch.say(b"agi_callingpres: 0\n")
        assert await switch.obey() == REFUSED
        assert await here.failure() is Failure.UNASKED
        assert held.cancelled


@on_both_loops
async def test_switch_that_goes_away_ends_the_route() -> None:
    """A connection that is lost in mid-request cancels its route, and its place is free again."""
    held = Held()
    async with lab(held.entry, Limits(deadline_s=30, max_concurrent=1)) as here:
        async with here.switch(GOOD):
            await held.begun.wait()
        assert await here.failure() is Failure.CLOSED
        assert held.cancelled
        assert here.server.stats.in_progress == 0


async def _lose(here: Lab, held: Held, by: bytes) -> Switch:
    async with here.switch(GOOD) as switch:
        await held.begun.wait()
        await switch.say(by)
    return switch


@on_both_loops
async def test_route_that_records_outlives_the_hangup() -> None:
    """A route that must not be lost goes on after a hang-up and a lost connection; its answer is told to the hook."""
    for by in (b"", b"HANGUP\n"):
        held = Held()
        async with lab({"outbound": Route(held.entry, outlives_hangup=True)}) as here:
            await _lose(here, held, by)
            held.release.set()
            outcome = await here.outcomes.get()
            assert (outcome.failure, outcome.answer) == (Failure.CLOSED, ALLOWED)
            assert not held.cancelled


@on_both_loops
async def test_route_that_records_is_answered_after_a_hangup() -> None:
    """While the switch still listens after a HANGUP, the route's answer is sent."""
    held = Held()
    async with lab({"outbound": Route(held.entry, outlives_hangup=True)}) as here:
        async with here.switch(GOOD + b"HANGUP\n") as switch:
            await held.begun.wait()
            held.release.set()
            assert await switch.obey() == ALLOWED
        assert await here.failure() is None


@on_both_loops
async def test_route_that_records_has_a_deadline_too() -> None:
    """Without its connection such a route is still cancelled at the deadline."""
    held = Held()
    async with lab({"outbound": Route(held.entry, outlives_hangup=True)}, HASTY) as here:
        await _lose(here, held, b"")
        assert await here.failure() is Failure.CLOSED
        assert held.cancelled


@on_both_loops
async def test_stop_lets_calls_end() -> None:
    """A server that is closed accepts nobody, answers the call in progress, and leaves nothing behind."""
    held = Held()
    async with lab(held.entry) as here, here.switch(GOOD) as switch:
        await held.begun.wait()
        closing = asyncio.ensure_future(here.server.close())
        await asyncio.sleep(0)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", here.server.port)
        held.release.set()
        assert await switch.obey() == ALLOWED
        await closing
        await here.server.close()  # a second time does no harm


@on_both_loops
async def test_stop_does_not_wait_for_ever() -> None:
    """A route that obeys nothing cannot hold up a stopping server for ever; its call is refused."""
    held = Held(stubborn=True)
    async with lab(held.entry, HASTY) as here, here.switch(GOOD) as switch:
        await held.begun.wait()
        await here.server.close()
        assert await switch.obey() == REFUSED
        assert here.outcomes.empty()
        held.release.set()
        assert await here.failure() is Failure.DEADLINE


@on_both_loops
async def test_loop_that_ends_refuses() -> None:
    """When everything is cancelled at once, a call in progress is refused rather than left."""
    held = Held()
    async with lab(held.entry, PATIENT) as here, here.switch(GOOD) as switch:
        await held.begun.wait()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        assert await switch.obey() == REFUSED
        assert await here.failure() is Failure.CLOSING
