"""`heedline pbx install`, `doctor` and `originate` as a person runs them, on real switches."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agi.dialplan.render import DialplanSettings
from agi.pbx.instance import Instance
from agi.pbx.provision import AsteriskBinary
from tests.acceptance.ami_lab import AgentLab, AttemptGate
from tests.acceptance.fakegate import Answer

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

ANSWERS, BUSY = "+4917600000001", "+4917600000086"


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Heedline's folder; as root the embedded PostgreSQL runs under another user, who must reach it."""
    folder = Path(tempfile.mkdtemp(prefix="heedline-commands-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What it printed for programs."""
        assert self.out, self.err
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass
class Site:
    """The lab, with what `heedline pbx install` wrote in place of what the lab renders."""

    lab: AgentLab
    gate: AttemptGate
    home: Path

    async def heedline(self, *arguments: str | Path) -> Ran:
        """Run the command in a process of its own, beside the loop of the lab."""
        env = {**os.environ, "HEEDLINE_HOME": str(self.home), "HEEDLINE_LANGUAGE": "en"}
        env.pop("HEEDLINE_CONFIG", None)
        env.pop("HEEDLINE_DATABASE_URL", None)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "dialer.cli",
            *map(str, arguments),
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    async def install(self, instance: Instance, role: str) -> None:
        """Install on a running switch exactly as the command says."""
        etc = instance.folder / "etc"
        agi = f"{self.gate.host}:{self.gate.port}"
        ran = await self.heedline("pbx", "install", "--etc", etc, "--role", role, "--agi", agi, "--json")
        assert ran.code == 0, ran.err
        said = ran.document
        own = instance.files["extensions.conf"]
        theirs = own[own.index("[lab-") :]
        (etc / "extensions.conf").write_text("[general]\n" + "\n".join(said["extensions"]) + "\n" + theirs)
        with (etc / "manager.conf").open("a") as manager:
            # the rights are the command's; only the loopback address of the lab is another
            manager.write(said["manager"].replace("[heedline]", "[heedline-installed]"))
        for line in said["reload"]:
            assert "No such command" not in await instance.cli(line)
        settings = said["settings"].replace('"127.0.0.1"', f'"{instance.address}"')
        settings = settings.replace("5038", str(instance.ami_port)).replace('= "heedline"', '= "heedline-installed"')
        with (self.home / "heedline.toml").open("a") as file:
            file.write(settings)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(home: Path, asterisk: AsteriskBinary, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Two switches on which Heedline was installed by its command, and a gate that answers as told."""
    gate = AttemptGate()
    async with AsyncExitStack() as stack:
        await gate.start()
        stack.push_async_callback(gate.stop)
        settings = DialplanSettings(agi=f"{gate.host}:{gate.port}")
        lab = await stack.enter_async_context(AgentLab(asterisk, tmp_path_factory.mktemp("lab"), settings))
        site = Site(lab, gate, home)
        (home / "heedline.toml").write_text(f"[agi]\nport = {gate.port}\ndeadline_ms = 5000\n")
        await site.install(lab.pbx, "pbx")
        await site.install(lab.egress, "egress")
        yield site
        await lab.hang_up_all()


async def originate(site: Site, number: str, *more: str) -> Ran:
    """Call by agent 1001."""
    site.gate.reset()
    ran = await site.heedline("originate", number, "--seller", "acme", "--agent", "PJSIP/1001", "--json", *more)
    await site.lab.hang_up_all()
    return ran


@pytest.mark.parametrize("way", [(), ("--callee-first",)])
async def test_answered_call_exits_with_0(site: Site, way: tuple[str, ...]) -> None:
    """By the rights that were printed and the files that were written, a call is made and answered."""
    await site.lab.mark()
    ran = await originate(site, ANSWERS, "--from", "+4930111111", *way)
    assert (ran.code, ran.document["result"], ran.document["attempt"]) == (0, "answered", 1), ran
    assert await site.lab.invites(ANSWERS) == 1
    assert site.gate.asked[0][7] == "+4930111111"


async def test_busy_callee_exits_with_1_and_the_cause(site: Site) -> None:
    """A call that fails says why."""
    ran = await originate(site, BUSY)
    assert (ran.code, ran.document["result"], ran.document["cause"]) == (1, "busy", 17)


@pytest.mark.parametrize(("answer", "code", "result"), [(Answer.REFUSE, 3, "refused"), (Answer.DEFER, 4, "deferred")])
async def test_gates_no_has_exit_codes_of_its_own(site: Site, answer: Answer, code: int, result: str) -> None:
    """3 is a refusal, 4 one for now; nothing leaves."""
    await site.lab.mark()
    site.gate.reset()
    site.gate.outbound = answer
    ran = await site.heedline("originate", ANSWERS, "--seller", "acme", "--agent", "PJSIP/1001", "--json")
    assert (ran.code, ran.document["result"]) == (code, result), ran
    assert await site.lab.invites(ANSWERS) == 0


async def test_doctor_passes_what_the_command_installed(site: Site) -> None:
    """Nothing fails on either switch, and the rights that were printed are all that it needs."""
    site.gate.reset()
    site.gate.outbound = Answer.REFUSE  # what the real gate says to a route that it does not have
    ran = await site.heedline("doctor", "--json")
    failed = [finding for finding in ran.document["findings"] if finding["level"] == "fail"]
    assert (ran.code, failed) == (0, []), (failed, ran.err)
    assert {finding["switch"] for finding in ran.document["findings"]} == {"pbx", "egress", ""}


async def test_doctor_names_the_switch_that_it_cannot_reach(site: Site) -> None:
    """One sick switch fails the whole, in words for people; the other is examined all the same."""
    file = site.home / "heedline.toml"
    before = file.read_text()
    secret = site.home / "keys" / "ami-pbx.secret"
    kept = secret.read_text()
    try:
        secret.write_text("wrong\n")
        ran = await site.heedline("doctor")
    finally:
        secret.write_text(kept)
        file.write_text(before)
    assert ran.code == 1
    assert "pbx: the manager interface is not reached" in ran.out
    assert "egress: the gate is in the dialplan" in ran.out


async def test_unknown_switch_is_a_usage_error(site: Site) -> None:
    """A name that no switch has ends with exit code 2 and the names that there are."""
    ran = await site.heedline("doctor", "--pbx", "none")
    assert ran.code == 2
    assert "egress" in ran.err
