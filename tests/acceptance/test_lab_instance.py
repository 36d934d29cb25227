"""An Asterisk of our own: its ports, its secret, and that it never outlives who started it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from agi.dialplan.render import DialplanSettings
from agi.pbx.instance import Instance, InstanceError
from agi.pbx.lab import Lab
from agi.pbx.manager import Manager, ManagerError
from agi.pbx.provision import AsteriskBinary

pytestmark = pytest.mark.asterisk

ADDRESS = "127.0.0.41"

# Whoever is started in the background by a shell ignores SIGINT, and so would what it starts.
PARENT = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from agi.dialplan.render import DialplanSettings
from agi.pbx.binary import inspect
from agi.pbx.lab import Lab

async def main():
    async with Lab(inspect(Path(sys.argv[1])), Path(sys.argv[2]), DialplanSettings("127.0.0.1:9")) as lab:
        print(lab.pbx.pid, lab.egress.pid, lab.carrier.pid, flush=True)
        if sys.argv[3] == "raise":
            raise SystemExit(3)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def gone(pidfd: int) -> None:
    """Wait until the process behind the descriptor has ended."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(pidfd, ended.set)
    try:
        async with asyncio.timeout(20):
            await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


@pytest.mark.parametrize("end", ["SIGKILL", "SIGINT", "SIGTERM", "raise"])
async def test_no_asterisk_outlives_its_parent(asterisk: AsteriskBinary, tmp_path: Path, end: str) -> None:
    """However the parent ends (killed, interrupted, by an error), its three Asterisks end too."""
    action = "raise" if end == "raise" else "wait"
    command = (sys.executable, "-c", PARENT, str(asterisk.path), str(tmp_path), action)
    parent = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert parent.stdout
    line = await asyncio.wait_for(parent.stdout.readline(), 30)
    watched = [os.pidfd_open(int(pid)) for pid in line.split()]
    assert len(watched) == 3
    if end != "raise":
        parent.send_signal(signal.Signals[end])
    for pidfd in watched:
        await gone(pidfd)
    await parent.wait()


async def test_taken_port_is_an_error(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """An Asterisk whose SIP port is taken says so, where Asterisk itself would run on in silence."""
    instance = Instance(asterisk, tmp_path / "one", "one", ADDRESS)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((ADDRESS, instance.sip_port))
        with pytest.raises(InstanceError, match="is taken"):
            await instance.start()


async def test_each_run_has_a_secret_of_its_own(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """The AMI secret changes with every start, and the old one no longer opens."""
    instance = Instance(asterisk, tmp_path / "one", "one", ADDRESS)
    async with instance:
        old = instance.ami_secret
    async with instance:
        assert instance.ami_secret != old
        with pytest.raises(ManagerError):
            await Manager.connect(ADDRESS, instance.ami_port, instance.ami_user, old)


async def test_process_that_dies_while_it_starts_is_named(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """An Asterisk that cannot read its configuration is an error that quotes what it said."""
    instance = Instance(asterisk, tmp_path / "one", "one", ADDRESS)
    instance.files["modules.conf"] = "[modules]\nautoload = no\nrequire = no_such_module.so\n"
    with pytest.raises(InstanceError, match="ended while it started"):
        await instance.start()


async def test_long_folder_is_an_error(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """A folder too deep for a Unix socket is refused before a truncated path could meet another Asterisk's."""
    with pytest.raises(InstanceError, match="too long"):
        await Instance(asterisk, tmp_path / ("x" * 100), "one", ADDRESS).start()


async def test_killed_instance_is_reported(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """After SIGKILL the instance says that it does not run, and stop is still clean."""
    async with Instance(asterisk, tmp_path / "one", "one", ADDRESS) as instance:
        pidfd = os.pidfd_open(instance.pid)
        instance.kill()
        await gone(pidfd)
        with pytest.raises(InstanceError, match="is not running"):
            instance.kill()


async def test_keys_stay_audible(asterisk: AsteriskBinary, tmp_path: Path) -> None:
    """bridge_native_rtp, with which no key press would be seen, is not loaded on any switch, and no module failed."""
    async with Lab(asterisk, tmp_path, DialplanSettings("127.0.0.1:9")) as lab:
        for instance in (lab.pbx, lab.egress, lab.carrier):
            assert "native_rtp" not in await instance.cli("module show like bridge_")
            assert "0 modules loaded" not in await instance.cli("module show like res_agi")
            log = instance.log.read_text()
            assert [line for line in log.splitlines() if " ERROR[" in line or " WARNING[" in line] == []
