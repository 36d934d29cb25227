"""The load generator: a switch that asks a FastAGI server, so many requests in flight, each a connection of its own as
Asterisk makes them. Runs as a process of its own: `python -m tests.benchmarks.agi_load HOST PORT ROUTE ...`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from typing import cast

import uvloop

HEADERS = (
    "agi_network: yes\nagi_network_script: {route}\nagi_request: agi://127.0.0.1/{route}\n"
    "agi_channel: Local/s@heedline-outbound-0000{n:04x};1\nagi_language: en\nagi_type: Local\n"
    "agi_uniqueid: 1795500000.{n}\nagi_version: 22.10.1\nagi_callerid: +862161234567\nagi_calleridname: unknown\n"
    "agi_callingpres: 0\nagi_callingani2: 0\nagi_callington: 0\nagi_callingtns: 0\nagi_dnid: {number}\n"
    "agi_rdnis: unknown\nagi_context: heedline-gate\nagi_extension: s\nagi_priority: 27\nagi_enhanced: 0.0\n"
    "agi_accountcode: \nagi_threadid: 140000000000000\nagi_arg_1: {number}\nagi_arg_2: {seller}\n"
    "agi_arg_3: marketing\nagi_arg_4: live\nagi_arg_5: {trunk}\nagi_arg_6: \nagi_arg_7: {cli}\n\n"
)


class _Request(asyncio.Protocol):
    """One request: sends the header block, answers each command with success, ends when the server closes."""

    def __init__(self, block: bytes, done: asyncio.Future[bool]) -> None:
        self._block, self._done = block, done
        self._buffer = b""
        self.allowed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        self._transport.write(self._block)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\n" in self._buffer:
            command, self._buffer = self._buffer.split(b"\n", 1)
            self.allowed = self.allowed or b"ALLOW" in command
            self._transport.write(b"200 result=0\n")

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(self.allowed)


async def _lane(host: str, port: int, blocks: Iterator[bytes], times: list[float], end: float) -> int:
    loop = asyncio.get_running_loop()
    allowed = 0
    for block in blocks:
        begun = time.perf_counter()
        if begun > end:
            break
        done: asyncio.Future[bool] = loop.create_future()
        await loop.create_connection(lambda block=block, done=done: _Request(block, done), host, port)  # type: ignore[misc]
        allowed += await done
        times.append(time.perf_counter() - begun)
    return allowed


async def _run(options: argparse.Namespace) -> dict[str, float]:
    chance = random.Random(options.seed)  # noqa: S311 # a load, not a secret
    first, count = options.first, options.numbers

    def blocks() -> Iterator[bytes]:
        n = 0
        while True:
            n += 1
            number = f"+{first + chance.randrange(count)}"
            yield HEADERS.format(
                route=options.route, n=n, number=number, seller=options.seller, trunk=options.trunk, cli=options.cli
            ).encode()

    source = blocks()
    times: list[float] = []
    begun = time.perf_counter()
    lanes = [
        _lane(options.host, options.port, source, times, begun + options.seconds) for _ in range(options.in_flight)
    ]
    allowed = sum(await asyncio.gather(*lanes))
    spent = time.perf_counter() - begun
    times.sort()
    return {
        "requests": len(times),
        "per_second": len(times) / spent,
        "allowed": allowed,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
    }


def main() -> None:
    """Print one JSON object with the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("route")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--first", type=int, default=8613800000000, help="lowest callee, E.164 digits")
    parser.add_argument("--numbers", type=int, default=1_000_000, help="how many callees from there")
    parser.add_argument("--seller", default="acme")
    parser.add_argument("--trunk", default="carrier")
    parser.add_argument("--cli", default="+862161234567")
    parser.add_argument("--seed", type=int, default=1)
    json.dump(uvloop.run(_run(parser.parse_args())), sys.stdout)


if __name__ == "__main__":
    main()
