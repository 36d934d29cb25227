"""The wiring of hearing: whatever is missing, a node starts, and says what it does not hear (rule 7)."""

from __future__ import annotations

import json
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import dialer.ears
from dialer.config import Settings, Speech, load
from dialer.ears import Ears, open_ears, prompt_folders
from dialer.errors import SpeechError
from dialer.prompts import FAILED, OFFER, RECORDED, load_prompts
from dialer.speech.engine import Engine
from tests.unit.agi_switch import lab, request
from tests.unit.audio_switch import connected
from tests.unit.ears_world import CALLEE, Memory, now
from tests.unit.scripted import ScriptedEngine

ASK = request("stream", "7", f"+{CALLEE}")


@asynccontextmanager
async def ears(home: Path, engines: list[Engine] | None = None, **speech: Any) -> AsyncIterator[Ears]:
    """A node's ears, with these settings."""
    settings = load({"HEEDLINE_HOME": str(home)}).model_copy(update={"speech": Speech(**{"port": 0, **speech})})
    memory = Memory()
    async with open_ears(
        settings, recorder=memory, refusals=memory, calls=memory, clock=now, engines=engines
    ) as opened:
        yield opened


async def told(opened: Ears) -> str:
    """What a channel that asks for a stream is told."""
    async with lab({"stream": opened.route}) as server:
        return (await server.call(ASK))["HEEDLINE_STREAM"]


async def test_channel_gets_a_stream_that_is_taken(tmp_path: Path) -> None:
    """The UUID that a channel is told is one that the audio server takes; the status can be sent as JSON."""
    async with ears(tmp_path, [ScriptedEngine([])]) as opened:
        assert opened.parts is not None
        await opened.parts.loaded.wait()
        ident = await told(opened)
        async with connected(opened.parts.audio, uuid.UUID(ident)) as line:
            assert await line.hear() == (0x10, bytes(320))
        status = json.loads(json.dumps(opened.status()))
    assert (status["on"], status["listening"]["languages"]) == (True, {"en": "scripted"})


async def test_language_without_its_extra_is_said_and_the_other_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A recogniser that cannot be loaded is a warning with its cure, in the status too; the other one is loaded."""

    def load_one(settings: Settings, language: str) -> Engine:
        if language == "zh":
            raise SpeechError("speech recognition in Mandarin needs the extra `mandarin`", "install it")
        return ScriptedEngine([])

    monkeypatch.setattr(dialer.ears, "_load", load_one)
    async with ears(tmp_path, languages=("zh", "en")) as opened:
        assert opened.parts is not None
        await opened.parts.loaded.wait()
        problem = "speech recognition in Mandarin needs the extra `mandarin`; install it"
        assert opened.status()["missing"] == {"zh": problem}
        assert opened.parts.listening.hears("en")
        assert await told(opened) != ""
    assert "refusals spoken in `zh` are not heard" in caplog.text


async def test_without_the_extra_keys_are_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any recogniser's packages announcements are played and their keys count."""
    monkeypatch.setitem(sys.modules, "dialer.speech.load", None)  # as if its packages were not there
    async with ears(tmp_path) as opened:
        assert opened.parts is not None
        await opened.parts.loaded.wait()
        assert opened.status()["missing"] == {
            "en": "hearing `en` needs the extra `speech`; install it: `pip install 'heedline[speech]'`"
        }
        assert await told(opened) != ""


async def test_port_that_is_taken_costs_the_hearing_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another process on the port: the node starts, channels are told to play by themselves, and the log names the
    setting."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        async with ears(tmp_path, port=other.getsockname()[1]) as opened:
            assert await told(opened) == ""
            assert opened.status()["on"] is False
            opened.follow([])
    assert "set another `speech.port`" in caplog.text


async def test_hearing_that_is_switched_off_does_nothing(tmp_path: Path) -> None:
    """With `speech.enabled` false there is no server and no stream."""
    async with ears(tmp_path, enabled=False) as opened:
        assert opened.parts is None
        assert await told(opened) == ""
        assert opened.status() == {"on": False, "problem": "`speech.enabled` is false"}


def test_packaged_prompts_can_be_played(tmp_path: Path) -> None:
    """What the service says of itself is in the package, in both languages, and fit to be played."""
    prompts = load_prompts(prompt_folders(load({"HEEDLINE_HOME": str(tmp_path)})))
    for name in (OFFER, RECORDED, FAILED):
        english, chinese = prompts.find(name, "en"), prompts.find(name, "zh")
        assert min(len(english), len(chinese)) > 16_000
        assert english != chinese
