"""The wiring of the switches' manager interfaces: attempts are followed, refused calls are cut, refusals that a switch
keeps are fetched, trunks are watched, answered calls are listened to. Part of the wiring, like `dialer.app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from typing import Any

from agi.alarm import TrunkWatch
from agi.ami import Ami
from agi.effects import RefusalEffects
from agi.follow import Follower, close_orphans
from agi.spool import Keyed, Spool
from db.attempt_store import PostgresAttemptStore
from db.listen import Listener
from db.refusal_store import PostgresRefusalStore
from dialer.app import Database, ami_address, clock
from dialer.attempts import AttemptLog
from dialer.config import Settings
from dialer.ears import Ears, cancelled
from dialer.errors import StoreUnavailable
from dialer.policy.conduct import Conduct

log = logging.getLogger(__name__)

_ORPHANS_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Switches:
    """What runs on the switches' behalf. `effects` and `listener` are None without a switch."""

    amis: tuple[Ami, ...] = ()
    spools: tuple[tuple[Ami, Spool], ...] = ()
    effects: RefusalEffects | None = None
    listener: Listener | None = None

    def status(self) -> dict[str, Any]:
        """Figures, for people."""
        return {
            "switches": [{"name": ami.name, "connected": ami.connected.is_set()} for ami in self.amis],
            "kept_by_switches": {ami.name: asdict(spool.stats) for ami, spool in self.spools},
            "effects": asdict(self.effects.stats) if self.effects else None,
            "news": asdict(self.listener.stats) if self.listener else None,
        }


@contextlib.asynccontextmanager
async def open_switches(
    settings: Settings, database: Database, conduct: Callable[[int], Conduct | None], keyed: Keyed, ears: Ears
) -> AsyncIterator[Switches]:
    """Connect to every configured switch. All that listens to a manager interface is there before it connects."""
    if not settings.ami:
        yield Switches()
        return
    store = PostgresAttemptStore(database.pool)
    async with contextlib.AsyncExitStack() as stack:
        attempts = await stack.enter_async_context(AttemptLog(store, clock))
        followers: list[Follower] = []
        spools: list[tuple[Ami, Spool]] = []
        for switch in settings.ami:
            ami = Ami(ami_address(switch))
            followers.append(Follower(ami, attempts, clock))
            stack.push_async_callback(TrunkWatch(ami, switch.trunks, store, clock).close)
            if switch.role == "pbx":
                ears.follow([followers[-1]])
                spools.append((ami, await stack.enter_async_context(Spool(ami, keyed))))
        calls = PostgresRefusalStore(database.pool)
        effects = await stack.enter_async_context(RefusalEffects(followers, calls, conduct, store, clock))
        news = Listener(database.dsn, {"heedline_refusal": effects.refused})
        listener = await stack.enter_async_context(news)
        amis = tuple(follower.ami for follower in followers)
        for ami in amis:
            await stack.enter_async_context(ami)
        sweep = asyncio.create_task(_sweep_orphans(followers, attempts))
        stack.push_async_callback(cancelled, sweep)
        yield Switches(amis, tuple(spools), effects, listener)


async def _sweep_orphans(followers: list[Follower], attempts: AttemptLog) -> None:
    while True:
        try:
            await close_orphans(followers, attempts)
        except StoreUnavailable as error:
            log.warning("open attempts not looked at: %s", error)
        await asyncio.sleep(_ORPHANS_EVERY_S)
