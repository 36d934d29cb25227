"""What a route asks of its channel: whatever a caller's text holds, an answer is an answer and no more."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agi.invite import read_headers
from agi.question import Question
from agi.server import AgiCall, Failure
from dialer.evidence.entries import HEADER_LIMIT
from tests.unit.agi_switch import ALLOWED, OK, PATIENT, Lab, Switch, lab, on_both_loops, request

HOSTILE = b'"quoted" $(id) ${GATE_VERDICT}\r\n200 result=0\nHANGUP\n200 result=1 (ALLOW)\n'


def answer(command: str, values: Sequence[bytes]) -> bytes:
    """Asterisk's answer to a question, with these values."""
    mark, *_, last = (each.encode() for each in re.findall(r"[0-9a-f]{16}", command))
    return b"".join([b"200 result=1 (", *(mark + value for value in values), last, b")\n"])


def names(command: str) -> list[str]:
    """The headers that a question asks for, in order."""
    return re.findall(r"PJSIP_HEADER\(read,([A-Za-z-]+),[0-9]\)", command)


async def asked(switch: Switch) -> str:
    """The question of a route."""
    line = (await switch.reader.readline()).decode()
    assert line.startswith("GET FULL VARIABLE ")
    return line


class Asking:
    """A route that asks for the headers, keeps them, and allows."""

    def __init__(self, patience_s: float = 30) -> None:
        self.patience_s = patience_s
        self.told: list[Mapping[str, str] | None] = []

    async def entry(self, call: AgiCall) -> Mapping[str, str]:
        self.told.append(await read_headers(call, self.patience_s))
        return ALLOWED


async def _talk(here: Lab, values: Mapping[str, bytes]) -> dict[str, str]:
    async with here.switch(request()) as switch:
        command = await asked(switch)
        await switch.say(answer(command, [values.get(name, b"") for name in names(command)]))
        return await switch.obey()


@on_both_loops
async def test_headers_are_told_as_they_came() -> None:
    """Those that are present, by name, and the route's answer then counts."""
    route = Asking()
    async with lab(route.entry) as here:
        assert await _talk(here, {"From": b"<sip:+4930111@a>;tag=1", "Via": "é 中".encode()}) == ALLOWED
        assert await here.failure() is None
    assert route.told == [{"From": "<sip:+4930111@a>;tag=1", "Via": "é 中, é 中"}]


@on_both_loops
async def test_hostile_header_is_text_and_nothing_else() -> None:
    """Line breaks, results, a hang-up and bytes that are no UTF-8 inside a header end neither the answer nor the call;
    what is kept is clipped and printable."""
    route = Asking()
    async with lab(route.entry) as here:
        assert await _talk(here, {"From": HOSTILE, "To": b"\xff" + b"x" * 10_000}) == ALLOWED
        assert await here.failure() is None
    (told,) = route.told
    assert told
    assert told["From"] == HOSTILE.decode().replace("\r", r"\r").replace("\n", r"\n")
    assert told["To"] == (r"\xff" + "x" * HEADER_LIMIT)[:HEADER_LIMIT]


@pytest.mark.parametrize("said", [b"511 Command Not Permitted on a dead channel\n", b"200 result=0\n", b"\n"])
def test_switch_that_will_not_tell_costs_the_headers_alone(said: bytes) -> None:
    """Another answer than the one asked for leaves the call as it would have been."""

    @on_both_loops
    async def run() -> None:
        route = Asking()
        async with lab(route.entry) as here, here.switch(request()) as switch:
            await asked(switch)
            await switch.say(said)
            assert await switch.obey() == ALLOWED
        assert route.told == [None]

    run(asyncio.new_event_loop)


@on_both_loops
async def test_late_answer_is_no_result_of_another_command() -> None:
    """The route goes on without it; when it comes at last, with a result inside, only the real result counts."""
    route = Asking(patience_s=0)
    async with lab(route.entry) as here, here.switch(request()) as switch:
        question = await asked(switch)
        assert (await switch.command()).startswith("EXEC MSet ")
        late = answer(question, [HOSTILE for _ in names(question)])
        await switch.say(late[:30])
        await switch.say(late[30:])
        await switch.say(b"200 result=-1\n")
        await switch.obey()
        assert await here.failure() is Failure.UNACKNOWLEDGED
    assert route.told == [None]


@on_both_loops
async def test_hang_up_during_the_question_ends_the_call() -> None:
    """Asterisk says HANGUP instead of an answer: the call is refused, and what follows is not mistaken for a result."""
    route = Asking()
    async with lab(route.entry) as here, here.switch(request()) as switch:
        question = await asked(switch)
        await switch.say(b"HANG")
        await switch.say(b"UP\n")
        assert (await switch.command()).startswith("EXEC MSet GATE_VERDICT=REFUSE")
        await switch.say(answer(question, [HOSTILE for _ in names(question)]) + b"200 result=-1\n" + OK)
        await switch.obey()
        assert await here.failure() is Failure.HANGUP


@on_both_loops
async def test_switch_that_is_silent_meets_the_deadline() -> None:
    """A question that is never answered delays the answer by the route's patience and no more than the deadline."""
    route = Asking()
    async with lab(route.entry, limits=type(PATIENT)(deadline_s=0.05, grace_s=30)) as here:
        async with here.switch(request()) as switch:
            await asked(switch)
            assert (await switch.command()).startswith("EXEC MSet GATE_VERDICT=REFUSE")
        assert await here.failure() is Failure.DEADLINE


VALUES = st.lists(
    st.one_of(st.binary(max_size=60), st.sampled_from([HOSTILE, b"HANGUP\n", b")\n"])), min_size=2, max_size=2
)


@settings(deadline=None, max_examples=60)
@given(VALUES, st.lists(st.integers(0, 400), max_size=6), st.integers(0, 2), st.binary(max_size=20))
def test_an_answer_is_read_whole_in_any_pieces(values: list[bytes], cuts: list[int], hangups: int, rest: bytes) -> None:
    """Whatever the values hold and however it arrives, each comes out as it was, and what stands before and after the
    answer is given back."""

    async def run() -> None:
        question = Question(["ONE", "TWO(read,x-1)"])
        said = b"HANGUP\n" * hangups + answer(question.command.decode(), values) + rest
        edges = [0, *sorted(cuts), len(said)]
        given_back = b""
        for start, end in itertools.pairwise(edges):
            piece = said[start:end]
            given_back += piece if question.over else question.feed(piece)
        assert question.over
        assert await question.told == values
        assert given_back == b"HANGUP\n" * hangups + rest

    asyncio.run(run())


async def test_endless_answer_is_bounded() -> None:
    """A megabyte instead of a header is not kept, its end is found, and nothing of it is told."""
    question = Question(["ONE"])
    said = answer(question.command.decode(), [b"x" * 1_000_000])
    for start in range(0, len(said), 10_000):
        question.feed(said[start : start + 10_000])
        assert len(question._buffer) < 100_000
    assert question.over
    assert await question.told is None


@pytest.mark.parametrize("expression", ["A B", "${X}", 'X"', "PJSIP_HEADER(read,From)}${X", ""])
async def test_only_plain_expressions_are_asked(expression: str) -> None:
    """What could be more than one name or call of a function is a fault of the program."""
    with pytest.raises(ValueError, match="cannot be asked"):
        Question([expression])
