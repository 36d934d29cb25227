"""The FastAGI server, spoken to over TCP: good requests, and every bad one that a switch or a stranger could send."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

import pytest

from agi.server import AgiCall, Entry, Failure, FastAgi, Limits, Route, serve
from tests.unit.agi_switch import ALLOWED, HASTY, PATIENT, REFUSED, allow, lab, on_both_loops, request

GOOD = request()
REST = GOOD.partition(b"\n")[2]

# name -> bytes that a peer sends before it waits; how the server must count them
BAD = {
    "duplicate key": (request()[:-1] + b"agi_callerid: +1\n\n", Failure.DUPLICATE),
    "line break in a value": (request("outbound", "+1555\nagi_arg_2: acme", "evil"), Failure.DUPLICATE),
    "blank line in a value": (request("outbound", "+1555\n\nagi_arg_2: acme"), Failure.UNASKED),
    "line that is no header": (request(agi_dnid="1\nset everything free"), Failure.MALFORMED),
    "colon without its space": (request(agi_dnid="1\nagi_arg_1:2"), Failure.MALFORMED),
    "name of another kind": (request(agi_dnid="1\nGATE_VERDICT: ALLOW"), Failure.MALFORMED),
    "carriage returns": (GOOD.replace(b"\n", b"\r\n") + b"\n\n", Failure.MALFORMED),
    "nothing but a blank line": (b"\n\n", Failure.MALFORMED),
    "wrong encoding": (GOOD.replace(b"Sales", "销售".encode("gbk")), Failure.ENCODING),
    "utf-16": (GOOD.decode().encode("utf-16") + b"\n\n", Failure.ENCODING),
    "no agi_network_script": (GOOD.replace(b"agi_network_script: outbound\n", b""), Failure.MALFORMED),
    "empty agi_network_script": (request(""), Failure.NO_ROUTE),
    "unknown route": (request("elsewhere"), Failure.NO_ROUTE),
    "route with a query": (request("outbound?x=1"), Failure.NO_ROUTE),
    "an HTTP request": (b"GET /outbound HTTP/1.1\nHost: x\n\n", Failure.MALFORMED),
    "text after the header": (GOOD + b"200 result=0\n", Failure.UNASKED),
    "a second request behind the first": (GOOD + GOOD, Failure.UNASKED),
    "nul bytes": (b"\0" * 100 + b"\n\n", Failure.MALFORMED),
    "header over the limit": (request(agi_dnid="9" * 17_000), Failure.OVERSIZE),
    "one line without an end": (b"9" * 17_000, Failure.OVERSIZE),
    "ten megabytes": (request(agi_dnid="9" * 10_000_000), Failure.OVERSIZE),
}


@on_both_loops
async def test_answer_reaches_the_channel() -> None:
    """One command sets every variable that the route returned, and the hook learns that it was acknowledged."""
    async with lab() as here:
        async with here.switch(GOOD) as switch:
            assert await switch.obey() == ALLOWED
            assert len(switch.commands) == 1
        outcome = await here.outcomes.get()
        assert (outcome.failure, outcome.acknowledged, outcome.answer) == (None, True, ALLOWED)
        assert here.server.stats.answered == 1


@on_both_loops
async def test_route_sees_the_call() -> None:
    """Everything that the PBX sent is there, in its own place, as it was written."""
    seen: list[AgiCall] = []

    async def entry(call: AgiCall) -> Mapping[str, str]:
        seen.append(call)
        assert call.peer.startswith("127.0.0.1:")
        assert asyncio.get_running_loop().time() < call.deadline
        return ALLOWED

    async with lab(entry) as here:
        await here.call(request("outbound", "+1555&PJSIP/900@trunk", "", "marketing: new", agi_callerid="unknown"))
    call = seen[0]
    assert call.args == ("+1555&PJSIP/900@trunk", "", "marketing: new")
    assert (call.route, call.callerid) == ("outbound", "")
    assert (call.channel, call.uniqueid) == ("PJSIP/agent-00000012", "1790000000.123")
    assert call.headers["agi_calleridname"] == "Sales: North"


@on_both_loops
async def test_header_in_single_bytes() -> None:
    """A header block may come in pieces of any size."""
    async with lab() as here, here.switch() as switch:
        for byte in GOOD:
            await switch.say(bytes([byte]))
            await asyncio.sleep(0)
        assert await switch.obey() == ALLOWED


@on_both_loops
async def test_bad_requests_are_refused() -> None:
    """No bad request gets anything but the refusal or a closed connection, and a good one is answered after each."""
    for name, (data, failure) in BAD.items():
        async with lab() as here:
            variables = await here.call(data)
            assert variables in ({}, REFUSED), name
            outcome = await here.outcomes.get()
            assert (outcome.failure, outcome.answer) == (failure, None), name
            assert await here.call(GOOD) == ALLOWED, name


@on_both_loops
async def test_whole_bad_request_is_told_why() -> None:
    """A switch that sent a whole header block gets the refusal on its channel, and its result line is seen."""
    async with lab() as here:
        for name in ("duplicate key", "wrong encoding", "unknown route", "text after the header"):
            assert await here.call(BAD[name][0]) == REFUSED, name
            assert (await here.outcomes.get()).acknowledged, name


@on_both_loops
async def test_closed_before_the_blank_line() -> None:
    """A peer that goes away in the middle of its header ends its connection, with no task ever begun."""
    async with lab() as here:
        for data in (b"", b"agi", GOOD[:-1]):
            async with here.switch(data):
                pass
            assert await here.failure() is Failure.CLOSED
        assert await here.call(GOOD) == ALLOWED


@on_both_loops
async def test_half_closed_after_the_header() -> None:
    """A peer that can no longer answer gets no verdict that counts."""
    async with lab() as here:
        async with here.switch(GOOD) as switch:
            switch.writer.write_eof()
            await switch.obey(b"")
            assert await here.failure() in (Failure.CLOSED, Failure.UNACKNOWLEDGED)
        assert here.server.stats.answered == 0


@on_both_loops
async def test_silent_and_slow_peers_are_cut() -> None:
    """At the deadline a peer that says nothing, too little, or a byte at a time is refused and closed."""
    async with lab(limits=HASTY) as here:
        for data in (b"", GOOD[:-1], b"agi_network: yes\n"):
            async with here.switch(data) as switch:
                assert await switch.obey(b"") == REFUSED
                assert await here.failure() is Failure.SLOW
        async with here.switch() as switch:
            ending = asyncio.ensure_future(here.failure())
            while not ending.done():
                await switch.say(b"a")
                await asyncio.wait([ending], timeout=0.01)
            assert await ending is Failure.SLOW


@on_both_loops
async def test_each_connection_has_its_own_deadline() -> None:
    """Peers that come one after the other are each cut, also when the first of them has left before."""
    async with lab(limits=HASTY) as here:
        async with here.switch():
            await asyncio.sleep(HASTY.deadline_s / 4)  # apart, so that one timer's firing cannot serve both
            others = [asyncio.ensure_future(here.call(b"agi")) for _ in range(3)]
            assert await here.call(GOOD) == ALLOWED
        assert await asyncio.gather(*others) == [REFUSED] * 3
        assert here.server.stats.refused[Failure.SLOW] == 3


@on_both_loops
async def test_route_cannot_speak_itself() -> None:
    """A command that a route sends never reaches the switch; the refusal is the only thing that is written."""

    async def entry(call: AgiCall) -> Mapping[str, str]:
        await call.send_command("EXEC MSet GATE_VERDICT=ALLOW")
        return ALLOWED

    async with lab(entry) as here, here.switch(GOOD) as switch:
        assert await switch.obey() == REFUSED
        assert len(switch.commands) == 1
        assert await here.failure() is Failure.FAULT


@on_both_loops
async def test_faults_of_a_route_refuse() -> None:
    """A route that raises, or returns what cannot be set safely ends in the refusal."""

    async def raising(call: AgiCall) -> Mapping[str, str]:
        raise RuntimeError("no database\nGATE_VERDICT=ALLOW")

    def returning(answer: object) -> Route:
        async def entry(call: AgiCall) -> Mapping[str, str]:
            return answer  # type: ignore[return-value] # what a faulty route would do

        return Route(entry)

    entries: list[Entry | Route] = [raising]
    answers: list[object] = [None, {}, 7, {"GATE_VERDICT": "ALLOW\nANSWER"}, {"GATE_VERDICT": "ALLOW,X=1"}]
    answers += [{"GATE_VERDICT": "ALLOW", "X": "a b"}, {"X": '"'}, {"x": "1"}, {"": ""}, {"A=1,B": " "}]
    answers += [{f"GATE_{index}": "" for index in range(25)}, {"X": "9" * 2000}, {"X": "１"}, {"X": "${Y}"}]
    for entry in entries + [returning(answer) for answer in answers]:
        async with lab({"outbound": entry}) as here:
            assert await here.call(GOOD) == REFUSED, entry
            assert await here.failure() is Failure.FAULT


@on_both_loops
async def test_own_fallback_of_a_route() -> None:
    """A route's failure sets that route's fallback, not the server's."""

    async def entry(call: AgiCall) -> Mapping[str, str]:
        raise RuntimeError

    async with lab({"inbound": Route(entry, {"SCREEN_VERDICT": "PASS"})}) as here:
        assert await here.call(request("inbound")) == {"SCREEN_VERDICT": "PASS"}
        assert await here.call(request("inbound", agi_dnid="1\nagi_dnid: 2")) == REFUSED


@on_both_loops
async def test_requests_in_progress_are_bounded() -> None:
    """One request too many is refused at once, and those in progress are answered none the less."""
    begun, release = asyncio.Semaphore(0), asyncio.Event()

    async def entry(call: AgiCall) -> Mapping[str, str]:
        begun.release()
        await release.wait()
        return ALLOWED

    async with lab(entry, Limits(deadline_s=30, grace_s=30, max_concurrent=2)) as here:
        calls = [asyncio.ensure_future(here.call(GOOD)) for _ in range(2)]
        await begun.acquire()
        await begun.acquire()
        assert await here.call(GOOD) == REFUSED
        assert await here.failure() is Failure.OVERLOAD
        release.set()
        assert await asyncio.gather(*calls) == [ALLOWED, ALLOWED]
        assert await here.call(GOOD) == ALLOWED


@on_both_loops
async def test_connections_are_bounded() -> None:
    """One connection too many is closed at once with nothing but a refusal; a place that becomes free is used."""
    async with lab(limits=Limits(deadline_s=30, max_connections=1)) as here:
        async with here.switch(b"agi") as first:
            assert await here.call(b"") == REFUSED
            assert await here.failure() is Failure.NO_ROOM
            await first.close()
        assert await here.failure() is Failure.CLOSED
        assert await here.call(GOOD) == ALLOWED


@on_both_loops
async def test_many_at_once() -> None:
    """Two hundred connections at once, good and bad in turn, each get their own answer."""
    async with lab() as here:
        answers = await asyncio.gather(*(here.call(GOOD if n % 2 else BAD["duplicate key"][0]) for n in range(200)))
        assert answers == [REFUSED, ALLOWED] * 100


@on_both_loops
async def test_two_servers_share_a_port() -> None:
    """With `reuse_port` a second server listens on the port of the first."""
    one = await serve("127.0.0.1", 0, {"outbound": allow}, reuse_port=True)
    two = await serve("127.0.0.1", one.port, {"outbound": allow}, reuse_port=True)
    assert two.port == one.port
    await one.close()
    await two.close()


@on_both_loops
async def test_failing_hook_harms_no_call() -> None:
    """A hook that raises costs its own news alone."""

    def hook(_: object) -> None:
        raise RuntimeError("no room")

    async with await serve("127.0.0.1", 0, {"outbound": allow}, on_outcome=hook) as server:
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(GOOD)
            assert b"ALLOW" in await reader.readline()
            writer.write(b"200 result=0\n")
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()


async def test_routes_that_cannot_be_served() -> None:
    """A path that is taken, a fallback that allows or cannot be set, and an entry that is no coroutine are refused."""

    def plain(call: AgiCall) -> Mapping[str, str]:
        return ALLOWED

    app = FastAgi(PATIENT)
    app.add_route("outbound", allow)
    with pytest.raises(ValueError, match="already"):
        app.add_route("outbound", allow)
    with pytest.raises(ValueError, match="fallback of route `x` allows"):
        app.add_route("x", Route(allow, {"GATE_VERDICT": "ALLOW"}))
    with pytest.raises(ValueError, match="cannot be set"):
        app.add_route("x", Route(allow, {"GATE_VERDICT": "NO WAY"}))
    with pytest.raises(TypeError, match="route `x` is no coroutine function"):
        app.add_route("x", plain)  # type: ignore[arg-type] # the mistake that panoramisk fails on
    app.del_route("outbound")
    app.add_route("outbound", allow)


async def test_log_is_neither_broken_nor_flooded(caplog: pytest.LogCaptureFixture) -> None:
    """Hostile text is clipped to one line of ASCII in the log, and a flood is cut and counted."""
    caplog.set_level(logging.INFO, "heedline.agi")
    evil = "evil\r\x1b[31m\u202e failure=none" + "x" * 500

    async def entry(call: AgiCall) -> Mapping[str, str]:
        raise RuntimeError(f"about `{call.channel}`")

    async with lab(entry) as here:
        for _ in range(60):
            await here.call(request(agi_channel=evil))
        stats = here.server.stats
        lines = [record.getMessage() for record in caplog.records if record.name == "heedline.agi"]
        assert len(lines) + stats.log_lines_dropped == 2 * 60
        assert stats.log_lines_dropped > 0
    assert any("failure=fault" in line for line in lines)
    assert all(line.isascii() and line.isprintable() and len(line) < 900 for line in lines)
