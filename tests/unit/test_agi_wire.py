"""One AGI connection without a network: any bytes, in any pieces; and the command that sets the variables."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from agi.dialplan import variables as names
from agi.server import REFUSAL, AgiCall, FastAgi, Limits
from agi.wire import Failure, HeaderFault, Phase, Wire, parse_header, set_command
from tests.unit.agi_switch import ALLOWED, OK, lab, request

GOOD = request("outbound", "+8613800138000", "acme")
REFUSE = (set_command(REFUSAL) + "\n").encode()
ALLOW = (set_command(ALLOWED) + "\n").encode()

UNHURRIED = settings(deadline=None)

# bytes near to a good header block, where the faults are
SPOILED = st.builds(
    lambda at, cut, insert: GOOD[:at] + insert + GOOD[at + cut :],
    st.integers(0, len(GOOD)),
    st.integers(0, 40),
    st.one_of(st.binary(max_size=8), st.sampled_from([b"\n", b"\n\n", b": ", b"agi_x: 1\n", b"\xff", b"HANGUP\n", OK])),
)


class Transport(asyncio.Transport):
    """Keeps what is written, up to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = False

    def write(self, data: Any) -> None:
        assert not self.ended
        self.written += data

    def close(self) -> None:
        self.ended = True

    abort = close

    def is_closing(self) -> bool:
        return self.ended

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


async def _allow(_: AgiCall) -> Mapping[str, str]:
    return ALLOWED


@contextmanager
def _wire(runner: asyncio.Runner, limits: Limits) -> Iterator[tuple[Wire, Transport]]:
    async def start() -> tuple[Wire, Transport]:
        app = FastAgi(limits)
        app.add_route("outbound", _allow)
        wire, transport = app.wire(), Transport()
        wire.connection_made(transport)
        return wire, transport

    async def end(wire: Wire) -> None:
        wire.connection_lost(None)
        if wire.task is not None:
            await wire.task

    wire, transport = runner.run(start())
    try:
        yield wire, transport
    finally:
        runner.run(end(wire))


async def _settle() -> None:
    """Let the route of a wire come to its answer."""
    for _ in range(5):
        await asyncio.sleep(0)


def _feed(data: bytes, cuts: list[int]) -> tuple[Phase, Failure | None, bytes]:
    """The state of a connection to which these bytes came in pieces, before any route could run; and after."""
    with asyncio.Runner() as runner, _wire(runner, Limits(deadline_s=30)) as (wire, transport):
        edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
        for start, end in itertools.pairwise(edges):
            if start < end and not transport.ended:
                wire.data_received(data[start:end])
        runner.run(_settle())
        return wire.phase, wire.failure, transport.written


@UNHURRIED
@given(st.one_of(SPOILED, st.binary(max_size=300)), st.lists(st.integers(0, 700), max_size=8))
def test_pieces_do_not_matter(data: bytes, cuts: list[int]) -> None:
    """However the bytes are cut into pieces, the same is decided and the same is written."""
    assert _feed(data, cuts) == _feed(data, [])


@UNHURRIED
@given(SPOILED)
def test_allow_needs_a_clean_block(data: bytes) -> None:
    """An ALLOW is written for a whole, well-formed block with nothing behind it, and for nothing else."""
    _, failure, written = _feed(data, [])
    block, blank, rest = data.partition(b"\n\n")
    try:
        fit = parse_header(block).get("agi_network_script") == "outbound"
    except HeaderFault:
        fit = False
    clean = bool(fit and blank and b"HANGUP\n".startswith(rest) and rest != b"HANGUP\n")
    assert (ALLOW in written) == clean
    assert (failure is None) == (clean or not blank)
    assert written in (b"", ALLOW, REFUSE)


@UNHURRIED
@given(st.one_of(SPOILED, st.binary(max_size=300)))
def test_parsed_header_is_what_was_sent(block: bytes) -> None:
    """A block that is accepted can be written again from what was read, to the byte; every other is a `HeaderFault`."""
    try:
        headers = parse_header(block)
    except HeaderFault:
        return
    assert "\n".join(f"{name}: {value}" for name, value in headers.items()).encode() == block


@UNHURRIED
@given(
    st.dictionaries(
        st.one_of(st.text(max_size=6), st.from_regex(r"_{0,2}[A-Z][A-Z0-9_]{0,5}", fullmatch=True)),
        st.one_of(st.text(max_size=6), st.text("ALOW19+:.-_", max_size=6), st.just("ALLOW,X=1")),
        max_size=4,
    )
)
def test_command_sets_these_variables_only(variables: dict[str, str]) -> None:
    """A command that is made sets exactly the given variables and holds no character with a meaning to Asterisk."""
    try:
        command = set_command(variables)
    except ValueError:
        return
    assert re.fullmatch(r"EXEC MSet [A-Za-z0-9_:+.,=\-]+", command)
    assert dict(pair.split("=") for pair in command[10:].split(",")) == variables


def test_command_within_asterisks_limits() -> None:
    """Twenty-four variables are set and twenty-five are refused; so is a command that Asterisk would cut off."""
    assert set_command({f"A{n}": "1" for n in range(24)}).count("=") == 24
    for variables in ({f"A{n}": "1" for n in range(25)}, {"A": "1" * 2000}, {}):
        with pytest.raises(ValueError, match="cannot be set on a channel"):
            set_command(variables)


def test_header_limit_is_exact() -> None:
    """A block of the limit's size passes and one byte more does not, in one piece or in many."""
    block = len(GOOD) - 2
    for size, failure in ((block, None), (block - 1, Failure.OVERSIZE)):
        for step in (len(GOOD), 7, 1):
            limits = Limits(deadline_s=30, max_header_bytes=size)
            with asyncio.Runner() as runner, _wire(runner, limits) as (wire, _transport):
                for start in range(0, len(GOOD), step):
                    wire.data_received(GOOD[start : start + step])
                assert wire.failure is failure


def test_refused_peer_that_goes_on_is_cut() -> None:
    """After a refusal no more than one header's worth of further bytes is read."""
    with asyncio.Runner() as runner, _wire(runner, Limits(deadline_s=30, grace_s=30)) as (wire, transport):
        wire.data_received(b"x" * 20_000)
        assert (wire.failure, transport.ended) == (Failure.OVERSIZE, False)
        wire.data_received(b"x" * 20_000)
        assert transport.ended


def test_random_bytes_over_tcp() -> None:
    """A server that was sent two hundred spoiled requests has allowed nothing that it should not, and still answers."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        here_context = lab()
        here = runner.run(here_context.__aenter__())

        @settings(UNHURRIED, max_examples=200)
        @given(SPOILED)
        def send(data: bytes) -> None:
            # a block without an end would wait for the deadline
            variables = runner.run(here.call(data + b"\n\n"))
            assert variables in ({}, {**REFUSAL}, ALLOWED, {**ALLOWED, **REFUSAL})

        send()
        assert runner.run(here.call(GOOD)) == ALLOWED
        runner.run(here_context.__aexit__(None, None, None))


def test_names_can_be_set() -> None:
    """Every output variable can be set by the one command, and no name stands for two things."""
    answers = (names.OUTPUTS, names.REFUSAL_OUTPUTS, names.STREAM_OUTPUTS)
    every = (*names.INPUTS, *names.OF_THE_CALL, *(name for group in answers for name in group), *names.HEADERS)
    assert len(set(every)) == len(every)
    for group in answers:
        assert set_command(dict.fromkeys(group, "")).count("=") == len(group)
    assert set(every) | {names.REASON_SEPARATOR} == {
        value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)
    }
