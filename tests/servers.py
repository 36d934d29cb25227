"""A PostgreSQL of a test's own, that can be crashed, stopped and started again."""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from db.embedded import EmbeddedServer


@dataclass
class Server:
    """The server on the files in `data`."""

    data: Path
    maintenance_dsn: str

    def __post_init__(self) -> None:
        program, *self._options = shlex.split((self.data / "postmaster.opts").read_text("utf-8"))
        self._control_program = Path(program).with_name("pg_ctl")

    def crash(self) -> None:
        """End it at once, as a power failure would."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start it again, and wait until it takes connections."""
        self._control("start", "-l", str(self.data / "log"), "-o", shlex.join(self._options))

    def send(self, number: signal.Signals) -> None:
        """A signal to every one of its processes."""
        postmaster = (self.data / "postmaster.pid").read_text("utf-8").split()[0]
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text("ascii").split()
        for pid in (postmaster, *children):
            with contextlib.suppress(ProcessLookupError):  # one that has ended meanwhile
                os.kill(int(pid), number)

    def _control(self, *arguments: str) -> None:
        command = [str(self._control_program), "-w", "-D", str(self.data), *arguments]
        owner = self.data.stat().st_uid
        user = pwd.getpwuid(owner).pw_name if owner != os.getuid() else None
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd="/")


@contextmanager
def own_server() -> Iterator[Server]:
    """It is up, and gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="heedline-faults-"))
    folder.chmod(0o755)  # as root the server runs under another user
    embedded = EmbeddedServer(folder / "postgres")
    server = Server(folder / "postgres", embedded.maintenance_dsn)
    try:
        yield server
    finally:
        server.send(signal.SIGCONT)
        server.crash()
        embedded.stop()
        shutil.rmtree(folder)
