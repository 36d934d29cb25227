"""The wiring of hearing: audio of calls -> recognisers -> refusals. Part of the wiring, like `dialer.app`.

Nothing here can fail a service: without the port, an extra or a model there is less hearing, said in the log and in the
status (rule 7).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from agi.announce import Announcements
from agi.audio import AudioLimits, AudioServer
from agi.follow import Follower
from agi.server import Route
from agi.stream import StreamRequest, stream
from agi.tap import Taps
from dialer.config import Settings
from dialer.errors import HeedlineError, SpeechError
from dialer.policy.conduct import Conduct
from dialer.ports import Clock
from dialer.prompts import load_prompts
from dialer.speech.engine import Engine
from dialer.speech.listening import Listening
from dialer.speech.spoken import Keeper, Parties, SpokenRefusals

log = logging.getLogger(__name__)


class Conducts(Protocol):
    """What `dialer.refusals.Refusals` does here."""

    def conduct(self, callee: int) -> Conduct | None:
        """What the packs ask when this callee (E.164 digits) refuses."""


@dataclass(slots=True)
class Parts:
    """What hears, for `status`. `problem` says why nothing does; `missing` why a language is not heard."""

    audio: AudioServer
    listening: Listening
    spoken: SpokenRefusals
    taps: Taps
    announcements: Announcements
    missing: dict[str, str] = field(default_factory=dict)
    loaded: asyncio.Event = field(default_factory=asyncio.Event)


class Ears:
    """The ears of a running node. `route` is the FastAGI route `stream`."""

    def __init__(self, parts: Parts | None, problem: str = "") -> None:
        self.parts, self.problem = parts, problem
        self.route: Route = stream(parts.announcements if parts is not None else _Silent())

    def follow(self, followers: Sequence[Follower]) -> None:
        """Listen to the calls that these followers (of call centres' switches) see answered."""
        if self.parts is not None:
            for follower in followers:
                self.parts.taps.follow(follower)

    def status(self) -> dict[str, Any]:
        """Counters, for people."""
        parts = self.parts
        if parts is None:
            return {"on": False, "problem": self.problem}
        return {
            "on": True,
            "port": parts.audio.port,
            "missing": dict(parts.missing),
            "listening": asdict(parts.listening.stats),
            "audio": asdict(parts.audio.stats),
            "taps": asdict(parts.taps.stats),
            "announcements": asdict(parts.announcements.stats),
            "spoken": asdict(parts.spoken.stats),
        }


class _Silent:
    """Announces nothing: the dialplan plays by itself."""

    def announce(self, request: StreamRequest) -> UUID | None:
        return None

    def said_all(self, stream: UUID) -> bool:
        return False


@contextlib.asynccontextmanager
async def open_ears(
    settings: Settings,
    *,
    recorder: Keeper,
    refusals: Conducts,
    calls: Parties,
    clock: Clock,
    engines: Sequence[Engine] | None = None,
) -> AsyncIterator[Ears]:
    """Hear callees, from now on. `engines`, if given, take the place of those that the settings name.

    Recognisers are loaded in a thread meanwhile; `parts.loaded` is set when that has ended.
    """
    wanted = settings.speech
    if not wanted.enabled:
        yield Ears(None, "`speech.enabled` is false")
        return
    audio = AudioServer(wanted.host, wanted.port, AudioLimits(max_streams=wanted.max_streams))
    try:
        await audio.start()
    except OSError as error:
        problem = f"no call is listened to: cannot listen on `{wanted.host}:{wanted.port}`: {error.strerror}"
        log.warning("%s; stop what uses the port, or set another `speech.port` in heedline.toml", problem)
        yield Ears(None, problem)
        return
    async with contextlib.AsyncExitStack() as stack:
        spoken = SpokenRefusals(recorder, calls, settings.clips_folder, clock)
        stack.push_async_callback(spoken.close)
        listening = Listening(workers=wanted.workers, partials=wanted.partials, max_streams=wanted.max_streams)
        host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
        taps = Taps(audio, listening, spoken, refusals.conduct, f"{host}:{audio.port}")
        stack.push_async_callback(taps.close)
        prompts = await asyncio.to_thread(load_prompts, prompt_folders(settings))
        announcements = Announcements(
            audio, listening, spoken, recorder, refusals.conduct, prompts, clock, elsewhere=taps.leave
        )
        stack.push_async_callback(announcements.close)
        await stack.enter_async_context(listening)
        stack.push_async_callback(audio.close)
        parts = Parts(audio, listening, spoken, taps, announcements)
        loading = asyncio.create_task(_equip(parts, settings, engines), name="recognisers")
        stack.push_async_callback(cancelled, loading)
        yield Ears(parts)


def prompt_folders(settings: Settings) -> tuple[Path, ...]:
    """Where prompts are: one's own first."""
    packaged = resources.files("agi.dialplan").joinpath("sounds")
    return (settings.home / "sounds", *((packaged,) if isinstance(packaged, Path) else ()))


async def _equip(parts: Parts, settings: Settings, engines: Sequence[Engine] | None) -> None:
    """Load the recognisers, one after another."""
    try:
        for engine in engines or ():
            parts.listening.equip(engine)
        for language in settings.speech.languages if engines is None else ():
            try:
                parts.listening.equip(await asyncio.to_thread(_load, settings, language))
            except HeedlineError as error:
                parts.missing[language] = str(error)
                log.warning("refusals spoken in `%s` are not heard: %s", language, error)
            except Exception as error:  # a model is other people's code and files
                parts.missing[language] = type(error).__name__
                log.exception("refusals spoken in `%s` are not heard", language)
    finally:
        parts.loaded.set()


def _load(settings: Settings, language: str) -> Engine:
    """Load one; it blocks. Raises `SpeechError`."""
    try:
        load: Any = importlib.import_module("dialer.speech.load")  # it needs the extra
    except ImportError as error:
        raise SpeechError(
            f"hearing `{language}` needs the extra `speech`", "install it: `pip install 'heedline[speech]'`"
        ) from error
    model = settings.speech.models.get(language)  # type: ignore[call-overload] # the languages are those of the settings
    wanted = load.EngineSettings(language, settings.home / "speech", model)
    engine: Engine = load.load_engine(wanted)
    return engine


async def cancelled(task: asyncio.Task[None]) -> None:
    """End a task and wait until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
