"""The demonstration's stage: an Asterisk is found, three are started, a database is made, a node runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import asyncpg

from agi.ami import Address, Ami
from agi.dialplan.render import DialplanSettings
from agi.pbx.instance import Instance, free_port
from agi.pbx.lab import Lab
from agi.pbx.provision import find_asterisk
from db.embedded import EmbeddedServer, drop_database
from dialer import artefacts, config
from dialer.app import clock, load_policy, open_database, open_registers
from dialer.config import Settings
from dialer.demo.calls import Calls
from dialer.demo.node import Node
from dialer.demo.places import pick
from dialer.demo.world import BY, furnish, policy, presented_to, trunk_of
from dialer.ports_refusals import FormArtefact
from dialer.ports_registers import Artefact

_DATABASE = "heedline_demo"


@dataclass(frozen=True, slots=True)
class Stage:
    """What is up, and where its settings are."""

    calls: Calls
    folder: Path
    config: Path
    trunk: str
    presented: str


@contextlib.asynccontextmanager
async def open_stage(settings: Settings, say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Everything up for the calls; all that was started stops at the end. Raises `HeedlineError`."""
    settings.make_home()
    folder = settings.home / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        binary = await asyncio.to_thread(find_asterisk, settings.home, os.environ, say)
        say(f"Asterisk {binary.version}: starting the call centre's PBX, the egress, and the carrier with its callees")
        agi_port = free_port("127.0.0.1", socket.SOCK_STREAM)
        audio_port, http_port = (free_port("127.0.0.1", socket.SOCK_STREAM) for _ in range(2))
        dialplan = DialplanSettings(f"127.0.0.1:{agi_port}", ring_s=10, audio=f"127.0.0.1:{audio_port}")
        lab = Lab(binary, folder / "asterisk", dialplan, _clips())
        await stack.enter_async_context(lab)
        file = _write_settings(folder, lab, _Ports(agi_port, audio_port, http_port))
        own = config.load({**os.environ, "HEEDLINE_CONFIG": str(file)})
        say("PostgreSQL: a database of the demonstration's own")
        await _forget_last_run(own, folder)
        database = await stack.enter_async_context(open_database(own))
        where = pick(load_policy(own), clock())
        say(f"by the clock, calls to {where.inside.name} are in hours and calls to {where.outside.name} are not")
        form = _written(own, "consent-form.txt", "I agree to be called by Demonstration Ltd about its offers.")
        callees = await furnish(database, where, form)
        node = Node(file, agi_port, http_port)
        await node.start()
        stack.push_async_callback(node.stop)
        say("Heedline is up: the calls begin\n")
        ami = await stack.enter_async_context(Ami(_address(lab.pbx)))
        await ami.ready()
        calls = Calls(lab, ami, database.pool, node, callees, open_registers(database, BY), _kept(own))
        yield Stage(calls, folder, file, trunk_of(callees.unconsented), presented_to(callees.unconsented))


def _address(instance: Instance) -> Address:
    return Address(instance.name, instance.address, instance.ami_port, instance.ami_user, instance.ami_secret)


@dataclass(frozen=True, slots=True)
class _Ports:
    """Where the node listens."""

    agi: int
    audio: int
    http: int


def _written(settings: Settings, name: str, text: str) -> Artefact:
    """An artefact with this text, where bundles look for it."""
    file = settings.file.parent / name
    file.write_text(f"{text}\n", "utf-8")
    return artefacts.keep(file, settings.artefacts_folder)


def _kept(settings: Settings) -> FormArtefact:
    """What the callee who refuses by another way has sent."""
    form = _written(settings, "refusal.txt", "Please do not call me any more.")
    return FormArtefact(form.sha256.hex(), form.media_type, form.location)


def _clips() -> dict[str, Path]:
    """What the lab's callees say, by the last two digits of their numbers."""
    folder = Path(str(resources.files("dialer.demo"))) / "clips"
    return {"92": folder / "refusal.wav", "93": folder / "harmless.wav"}


def _write_settings(folder: Path, lab: Lab, ports: _Ports) -> Path:
    """heedline.toml, policy.toml and the switches' secrets."""
    text = f"[agi]\nport = {ports.agi}\n[http]\nport = {ports.http}\n[speech]\nport = {ports.audio}\n"
    text += f"[refusals]\nspool = {json.dumps(str(folder / 'spool'))}\n"
    text += f"[evidence]\nkeys = {json.dumps(str(folder / 'keys'))}\n"
    text += f'[database]\nname = "{_DATABASE}"\n[egress]\ntrunk = "demo-CN"\n'
    for instance, role, trunk in ((lab.pbx, "pbx", "egress"), (lab.egress, "egress", "carrier")):
        secret = folder / f"{instance.name}.secret"
        secret.touch(0o600)
        secret.write_text(instance.ami_secret, "utf-8")
        text += (
            f'[[ami]]\nname = "{instance.name}"\nrole = "{role}"\nhost = "{instance.address}"\n'
            f'port = {instance.ami_port}\nusername = "{instance.ami_user}"\n'
            f'secret_file = {json.dumps(str(secret))}\ntrunks = ["{trunk}"]\n'
        )
    (folder / "policy.toml").write_text(policy(), "utf-8")
    file = folder / "heedline.toml"
    file.write_text(text, "utf-8")
    return file


async def _forget_last_run(settings: Settings, folder: Path) -> None:
    """The demonstration's evidence is of no use to anyone but the run that made it."""
    for leftover in ("keys", "spool"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    server = EmbeddedServer(settings.postgres_folder)
    with contextlib.suppress(asyncpg.InvalidCatalogNameError):
        await drop_database(server.maintenance_dsn, settings.database.name)
