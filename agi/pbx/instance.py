"""One Asterisk as a subprocess, with every folder and port its own.

It needs no root and touches nothing outside its folder. It is bound to one loopback address, loads a short list of
modules, has a fresh random AMI secret each run, and ends with the process that started it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from agi.pbx import launch, settings
from agi.pbx.binary import AsteriskBinary
from agi.pbx.manager import Manager, ManagerError, Predicate
from dialer.errors import HeedlineError

_SOCKET_PATH_LIMIT = 107  # bytes; sockaddr_un of Linux
_BOOT_SECONDS = 30
_STOP_SECONDS = 5


class InstanceError(HeedlineError):
    """The switch could not be started; the message names the cause."""


class Instance:
    """One Asterisk. `files` are further configuration files by name; `extensions.conf` and `pjsip.conf` among them."""

    def __init__(self, binary: AsteriskBinary, folder: Path, name: str, address: str = "127.0.0.1") -> None:
        self.binary, self.folder, self.name, self.address = binary, folder, name, address
        self.files: dict[str, str] = {}
        self.modules: tuple[str, ...] = settings.MODULES
        self.sip_port = free_port(address, socket.SOCK_DGRAM)
        self.ami_port = free_port(address, socket.SOCK_STREAM)
        self.ami_user = "heedline"
        self.ami_secret = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._manager: Manager | None = None

    @property
    def log(self) -> Path:
        """The full log of the running, or the last, Asterisk."""
        return self.folder / "log" / "full"

    @property
    def console(self) -> Path:
        """What the process wrote to its terminal: the place to look when it does not start."""
        return self.folder / "log" / "console"

    @property
    def pid(self) -> int:
        """The process id; InstanceError when it does not run."""
        return self._running().pid

    @property
    def manager(self) -> Manager:
        """The AMI connection that was opened by `start`."""
        if self._manager is None:
            raise InstanceError(f"asterisk `{self.name}` is not started")
        return self._manager

    async def start(self) -> None:
        """Write the configuration, start, and return when AMI reports FullyBooted.

        The process dies with the thread that calls this. InstanceError when a port is taken, the process ends or the
        boot takes over 30 s.
        """
        self._probe_ports()
        self.ami_secret = secrets.token_urlsafe(24)
        self._write()
        command = [sys.executable, "-I", "-S", str(Path(launch.__file__)), str(os.getpid()), *self.command("-f")]
        with self.console.open("wb") as console:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 - a thread of a pool must not be its parent
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                cwd=self.folder,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(_BOOT_SECONDS):
                self._manager = await self._connect()
                await self._manager.expect(lambda event: event.get("Event") == "FullyBooted", _BOOT_SECONDS)
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError | ManagerError):
                raise InstanceError(f"asterisk `{self.name}` did not boot; see `{self.console}`") from error
            raise

    async def stop(self) -> None:
        """End it, by SIGTERM and after 5 s by SIGKILL; idempotent."""
        if self._manager is not None:
            await self._manager.close()
            self._manager = None
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        process.send_signal(signal.SIGCONT)  # one that was stopped would not hear it
        try:
            await asyncio.to_thread(process.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the process a signal."""
        self._running().send_signal(number)

    async def cli(self, command: str) -> str:
        """Run one line of Asterisk's command line (through AMI); its output."""
        return await self.manager.command(command)

    async def channels(self) -> tuple[str, ...]:
        """Names of the channels that exist now."""
        output = await self.cli("core show channels concise")
        return tuple(line.split("!", 1)[0] for line in output.splitlines() if "!" in line)

    async def hang_up_all(self, within: float = 10) -> None:
        """End every call and return when no channel is left; TimeoutError after `within` seconds for one."""
        while names := await self.channels():
            await self.cli("channel request hangup all")
            for name in names:
                await self.manager.expect(_hangup_of(name), within)

    def command(self, *arguments: str) -> list[str]:
        """The argument list that runs this Asterisk with `arguments`; `-rx` among them reaches the running one."""
        return [*self.binary.argv, "-C", str(self.folder / "etc" / "asterisk.conf"), *arguments]

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise InstanceError(f"asterisk `{self.name}` is not running")
        return self._process

    def _probe_ports(self) -> None:
        # A second Asterisk on taken ports only logs an error and runs on, and its user then talks to the other one.
        for kind, port in ((socket.SOCK_DGRAM, self.sip_port), (socket.SOCK_STREAM, self.ami_port)):
            with socket.socket(socket.AF_INET, kind) as probe:
                if kind == socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.address, port))
                except OSError as error:
                    raise InstanceError(
                        f"port {port} of `{self.address}` is taken, so `{self.name}` cannot start"
                    ) from error

    def _write(self) -> None:
        control = self.folder / "run" / "asterisk.ctl"
        if len(os.fsencode(control)) > _SOCKET_PATH_LIMIT:
            raise InstanceError(f"folder `{self.folder}` is too long: its control socket may have 107 bytes at most")
        for part in settings.FOLDERS:
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        etc = self.folder / "etc"
        shutil.rmtree(etc)
        etc.mkdir(mode=0o700)
        self.log.unlink(missing_ok=True)
        for name, text in self._configuration().items():
            (etc / name).write_text(text)

    def _configuration(self) -> Mapping[str, str]:
        return {
            **settings.base(self.folder, self.binary, self.modules, self.address),
            "manager.conf": settings.manager(self.address, self.ami_port, self.ami_user, self.ami_secret),
            **self.files,
        }

    async def _connect(self) -> Manager:
        while True:
            if self._process is None or self._process.poll() is not None:
                tail = self.console.read_text(errors="replace").strip()[-500:]
                raise InstanceError(f"asterisk `{self.name}` ended while it started: {tail}")
            try:
                return await Manager.connect(self.address, self.ami_port, self.ami_user, self.ami_secret)
            except OSError:
                await asyncio.sleep(0.02)  # nothing announces the open port


def _hangup_of(name: str) -> Predicate:
    return lambda event: event.get("Event") == "Hangup" and event.get("Channel") == name


def free_port(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of `address` that is free now; nothing keeps it so."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
