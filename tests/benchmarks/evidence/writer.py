"""A writer of entries at a steady rate, as gates write them: `python -m tests.benchmarks.evidence.writer DSN RATE ...`.

Prints one JSON object: the rate that came about, and of each statement when its commit had returned (seconds since
1970) and the last entry's id.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

import uvloop

from db.pool import open_pool
from tests.benchmarks.evidence.stage import WRITE, now

_EVERY_S = 0.01


async def _run(options: argparse.Namespace, said: list[str]) -> dict[str, object]:
    pool = await open_pool(options.dsn, max_size=4)
    loop = asyncio.get_running_loop()
    commits: list[tuple[float, int]] = []
    size = max(1, round(options.rate * _EVERY_S))
    pause = size / options.rate

    async def write(n: int) -> None:
        texts = [said[(n * size + k) % len(said)] for k in range(size)]
        ids = await pool.fetchval(WRITE, now(), ["decision"] * size, [n * size + k for k in range(size)], texts)
        commits.append((time.time(), ids[-1]))

    tasks: set[asyncio.Task[None]] = set()
    begun = loop.time()
    for n in range(int(options.seconds / pause)):
        await asyncio.sleep(max(0.0, begun + n * pause - loop.time()))
        task = asyncio.create_task(write(n))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        while len(tasks) > 64:  # the database cannot follow: the rate is then what it can
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.gather(*tasks)
    spent = loop.time() - begun
    await pool.close()
    return {"per_second": len(commits) * size / spent, "commits": commits}


def main() -> None:
    """Write for so long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("rate", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("payloads", help="a JSON list of texts")
    options = parser.parse_args()
    said = json.loads(Path(options.payloads).read_text("utf-8"))
    json.dump(uvloop.run(_run(options, said)), sys.stdout)


if __name__ == "__main__":
    main()
