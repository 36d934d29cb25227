"""From recording a refusal to the CANCEL at the carrier: real switches, a real node, a recorder of its own process.

Calls ring at the carrier; another process records each callee's refusal; when the CANCEL came is read from the
carrier's packet log. The three clocks are this machine's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agi.pbx.provision import find_asterisk
from db.embedded import ensure_database
from tests.acceptance.effects_lab import Desk, open_desk
from tests.gate_world import SELLER
from tests.recorder import Recorder, Told, running_recorder
from tests.servers import own_server

_RINGING = 20


@dataclass(frozen=True, slots=True)
class Cut:
    """One ringing call that was refused: milliseconds until its CANCEL."""

    from_begun: float
    from_returned: float


async def measure(folder: Path, home: Path, calls: int) -> None:
    """Print a table in Markdown: refusals one after the other, and twenty at once."""
    binary = find_asterisk(home, os.environ, lambda _: None)
    print(
        f"\nA ringing call is cancelled: {calls} calls a row through PBX, egress and carrier (three Asterisks), "
        f"{_RINGING} ringing at a time; a process of its own records the refusals; milliseconds until the carrier has "
        "the CANCEL by its packet log, all on the same cores. Below nought: before recording had returned.\n\n"
        "| refusals | p50 from the beginning of recording | p99 | p50 from its return | p99 | calls not cancelled |\n"
        "|---|---|---|---|---|---|"
    )
    with own_server() as server:
        dsn = await ensure_database(server.maintenance_dsn, "cancel")
        async with open_desk(binary, folder, dsn) as desk, running_recorder(dsn, str(folder / "recorder")) as recorder:
            for name, at_once in (("one after the other", 1), ("twenty at once", _RINGING)):
                cuts = [cut for _ in range(-(-calls // _RINGING)) for cut in await _round(desk, recorder, at_once)]
                made = [cut for cut in cuts if cut is not None]
                begun, returned = [cut.from_begun for cut in made], [cut.from_returned for cut in made]
                figures = [_share(values, share) for values in (begun, returned) for share in (0.5, 0.99)]
                cells = " | ".join(f"{figure:.1f}" for figure in figures)
                print(f"| {name} | {cells} | {len(cuts) - len(made)} |", flush=True)


async def _round(desk: Desk, recorder: Recorder, at_once: int) -> list[Cut | None]:
    callees = [await desk.callee() for _ in range(_RINGING)]
    await asyncio.gather(*[desk.ringing(callee) for callee in callees])
    told: dict[str, Told] = {}
    for start in range(0, _RINGING, at_once):
        part = callees[start : start + at_once]
        answers = await asyncio.gather(*[recorder.record(desk.digits(callee), SELLER) for callee in part])
        told |= dict(zip(part, answers, strict=True))
    cuts = [await _cut(desk, callee, told[callee]) for callee in callees]
    await desk.lab.hang_up_all()
    for switch in (desk.lab.pbx, desk.lab.egress, desk.lab.carrier):
        switch.manager.events.clear()
    return cuts


async def _cut(desk: Desk, callee: str, told: Told) -> Cut | None:
    try:
        at = (await desk.cancelled(callee)).at
    except TimeoutError:
        return None
    return Cut((at - told.begun) * 1000, (at - told.returned) * 1000)


def _share(values: Sequence[float], share: float) -> float:
    """The value that so large a share of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
