"""Unpack an Asterisk from the machine's own Debian mirror into a folder: no root, nothing installed.

The packages and their whole library closure are only unpacked, and started by their own dynamic loader, so neither the
machine's release nor its libraries matter. apt verifies them with the machine's Debian keyring.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agi.pbx import aptsources
from agi.pbx.binary import AsteriskBinary, BinaryError, inspect
from dialer.errors import HeedlineError

Progress = Callable[[str], None]

SUITE = "sid"  # the suite of Debian that carries Asterisk
PACKAGES = ("asterisk", "asterisk-core-sounds-en-wav")
_KEYRINGS = tuple(Path(f"/usr/share/keyrings/debian-archive-keyring.{suffix}") for suffix in ("gpg", "pgp"))
_ROOM = 700_000_000  # bytes: the packages, and what they unpack to
_POLL_SECONDS = 1.0
_OTHERWISE = "or install Asterisk 20 or newer and name it by HEEDLINE_ASTERISK"

# Nothing but libraries is wanted of the closure, and no set-uid program of it may lie about.
_EXCLUDED = (
    *"bin boot etc home media mnt opt root run sbin srv sys tmp var".split(),  # noqa: SIM905 - reads as the list it is
    *"usr/bin usr/games usr/include usr/libexec usr/local usr/src".split(),  # noqa: SIM905
    *"usr/lib/systemd usr/lib/udev usr/share/doc usr/share/man usr/share/locale".split(),  # noqa: SIM905
)
_EXCLUDED_OF_OTHERS = ("usr/sbin", "usr/share")

_WRAPPER = """#!/bin/sh
# Runs the unpacked asterisk by its own dynamic loader; its children get the machine's own libraries.
r=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
for ld in "$r"/usr/lib64/ld-linux-*.so.* "$r"/lib64/ld-linux-*.so.* "$r"/usr/lib/ld-linux-*.so.* \\
    "$r"/lib/ld-linux-*.so.* "$r"/usr/lib/*/ld-linux-*.so.*; do
  [ -x "$ld" ] && break
done
for lib in "$r"/usr/lib/*-linux-gnu*; do :; done
exec "$ld" --library-path "$lib" --argv0 asterisk "$r/usr/sbin/asterisk" "$@"
"""


class UnpackError(HeedlineError):
    """No Asterisk could be unpacked; the message names the cure."""


@dataclass(frozen=True, slots=True)
class _Apt:
    """An apt-get with every folder of its own below `folder`."""

    folder: Path

    def prepare(self, source: aptsources.Source, keyrings: str) -> None:
        for part in ("lists/partial", "archives/partial"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "status").touch()
        line = f"deb [signed-by={keyrings}] {source.uri} {SUITE} main\n"
        (self.folder / "sources.list").write_text(line)

    def command(self, *arguments: str) -> list[str]:
        folder = self.folder
        options = {
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::State::extended_states": folder / "extended",
            "Dir::Cache::archives": folder / "archives",
            "Dir::Cache::pkgcache": "",
            "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::Log": folder,
            "APT::Install-Recommends": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "Acquire::Check-Valid-Until": "false",  # a mirror may be a frozen copy
            "Debug::NoLocking": "true",
            # As root apt would change to a user of its own, to whom the folder is closed.
            **({"APT::Sandbox::User": "root"} if os.geteuid() == 0 else {}),
        }
        return ["apt-get", "-qq", *(f"-o{key}={value}" for key, value in options.items()), *arguments]


def unpacked(folder: Path, required: Sequence[str]) -> AsteriskBinary | None:
    """The Asterisk that a finished unpack left in `folder`, if it still runs."""
    if not (folder / ".complete").is_file():
        return None
    with contextlib.suppress(BinaryError):
        return inspect(folder / "bin" / "asterisk", required)
    return None


def unpack(folder: Path, required: Sequence[str], progress: Progress, etc: Path = Path("/etc/apt")) -> AsteriskBinary:
    """An Asterisk in `folder`, unpacked now unless it is there; of two at once the second waits and finds it done.

    UnpackError in one sentence when the machine lacks what it takes, the mirror fails or the disk is full.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(folder.name + ".lock"), progress):
        found = unpacked(folder, required)
        if found:
            return found
        work = folder.with_name(folder.name + ".partial")
        shutil.rmtree(work, ignore_errors=True)  # what a run left that was killed
        try:
            _fill(work, progress, etc)
            _check(work / "root", required)
            shutil.rmtree(folder, ignore_errors=True)
            (work / "root").rename(folder)
        except OSError as error:
            raise UnpackError(f"cannot unpack Asterisk into `{folder}`: {error.strerror or error}") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
    found = unpacked(folder, required)
    if not found:
        raise UnpackError(f"the Asterisk that was unpacked into `{folder}` does not run, {_OTHERWISE}")
    return found


def _fill(work: Path, progress: Progress, etc: Path) -> None:
    for program in ("apt-get", "dpkg-deb", "tar"):
        if not shutil.which(program):
            raise UnpackError(f"this machine has no `{program}`: use a Debian machine, {_OTHERWISE}")
    source = aptsources.debian(aptsources.read(etc))
    if source is None:
        raise UnpackError(f"no Debian mirror is named in `{etc}`: add one to sources.list, {_OTHERWISE}")
    keyrings = _keyrings(source)
    work.mkdir()
    free = shutil.disk_usage(work).free
    if free < _ROOM:
        raise UnpackError(
            f"`{work.parent}` has {free // 10**6} MB free and Asterisk needs {_ROOM // 10**6}: make room, or choose "
            "another HEEDLINE_HOME"
        )
    apt = _Apt(work / "apt")
    apt.prepare(source, keyrings)
    progress("asterisk: reading the list of packages")
    _run(apt.command("update"), "read the list of packages")
    _download(apt, progress)
    _extract(sorted((apt.folder / "archives").glob("*.deb")), work / "root", progress)


def _keyrings(source: aptsources.Source) -> str:
    """Every keyring that may have signed the suite, as Signed-By takes them: the mirror's own, and Debian's."""
    candidates = [Path(source.signed_by)] if source.signed_by else []
    readable = [str(keyring) for keyring in (*candidates, *_KEYRINGS) if os.access(keyring, os.R_OK)]
    if readable:
        return ",".join(dict.fromkeys(readable))
    raise UnpackError(
        f"the keyring `{_KEYRINGS[0]}` is missing: run `apt-get install debian-archive-keyring` as root, {_OTHERWISE}"
    )


def _download(apt: _Apt, progress: Progress) -> None:
    # To an empty status file every package of the closure is new, so apt downloads them all.
    install = ("install", "-y", *PACKAGES)
    sizes = [
        int(line.split()[2]) for line in _run(apt.command("--print-uris", *install), "choose packages").splitlines()
    ]
    total = sum(sizes)
    with subprocess.Popen(  # noqa: S603 - a fixed command
        apt.command("--download-only", *install),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=_env(),
    ) as process:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                _, errors = process.communicate(timeout=_POLL_SECONDS)
                break
            done, files = _arrived(apt.folder / "archives")
            progress(f"asterisk: downloaded {done / 1e6:.0f} of {total / 1e6:.0f} MB, {files} of {len(sizes)} packages")
    if process.returncode:
        raise UnpackError(_sentence("download the packages", errors))
    progress(f"asterisk: downloaded {total / 1e6:.0f} MB, {len(sizes)} packages")


def _arrived(archives: Path) -> tuple[int, int]:
    """Bytes, and whole packages, so far."""
    size = 0
    for file in archives.glob("**/*.deb*"):
        with contextlib.suppress(FileNotFoundError):  # apt moves a file when it is whole
            size += file.stat().st_size
    return size, len(list(archives.glob("*.deb")))


def _extract(packages: Sequence[Path], root: Path, progress: Progress) -> None:
    (root / "bin").mkdir(parents=True)
    for count, package in enumerate(packages, 1):
        name = package.name.split("_", 1)[0]
        excluded = _EXCLUDED if name.startswith("asterisk") else (*_EXCLUDED, *_EXCLUDED_OF_OTHERS)
        _extract_one(package, root, excluded)
        if count % 20 == 0 or count == len(packages):
            progress(f"asterisk: unpacked {count} of {len(packages)} packages")
    wrapper = root / "bin" / "asterisk"
    wrapper.write_text(_WRAPPER)
    wrapper.chmod(0o755)
    (root / "PACKAGES").write_text("".join(f"{package.stem}\n" for package in packages))


def _extract_one(package: Path, root: Path, excluded: Sequence[str]) -> None:
    tar = ["tar", "-C", str(root), "-x", "--no-same-owner", "--no-same-permissions", "--anchored"]
    tar += [f"--exclude=./{path}" for path in excluded]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as reader:  # noqa: S603, S607
        done = subprocess.run(tar, stdin=reader.stdout, capture_output=True, text=True, env=_env(), check=False)  # noqa: S603
    if done.returncode or reader.returncode:
        said = done.stderr.strip().splitlines()
        raise UnpackError(f"cannot unpack `{package.name}`: {said[-1] if said else 'the package is damaged'}")


def _check(root: Path, required: Sequence[str]) -> None:
    try:
        inspect(root / "bin" / "asterisk", required)
    except BinaryError as error:
        raise UnpackError(f"the Asterisk of the mirror is of no use ({error}), {_OTHERWISE}") from error
    (root / ".complete").touch()


def _run(command: Sequence[str], step: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=_env(), check=False)  # noqa: S603
    if done.returncode:
        raise UnpackError(_sentence(step, done.stderr))
    return done.stdout


def _sentence(step: str, errors: str) -> str:
    first = next((line[2:].strip() for line in errors.splitlines() if line.startswith("E:")), "apt-get failed")
    return f"cannot {step} from the Debian mirror of this machine: {first.rstrip('.')}; check the network, {_OTHERWISE}"


def _env() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


@contextlib.contextmanager
def _locked(file: Path, progress: Progress) -> Iterator[None]:
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("asterisk: waiting for another process that unpacks it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
