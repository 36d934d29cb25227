"""Settings: `heedline.toml` in the home folder, and a few environment variables over it.

`HEEDLINE_HOME` (default `~/.local/share/heedline`) holds database, configuration, keys and Asterisk. Every setting has
a default that works; what is not understood is an error that names the field.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dialer.errors import ConfigError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Agi(_Section):
    """The FastAGI server that the switches ask."""

    host: str = "127.0.0.1"
    port: int = Field(4573, ge=0, le=65535)
    deadline_ms: int = Field(800, ge=50, le=10_000)
    max_concurrent: int = Field(512, ge=1, le=100_000)
    reuse_port: bool = False


class Ami(_Section):
    """One switch's manager interface. `trunks` are the PJSIP endpoints that reach a carrier (or the egress) there: a
    channel on one of them without a permit raises the alarm."""

    name: str
    role: Literal["pbx", "egress"]
    host: str = "127.0.0.1"
    port: int = Field(5038, ge=1, le=65535)
    username: str = "heedline"
    secret_file: Path
    trunks: tuple[str, ...] = ()


class Database(_Section):
    """`url` empty: the embedded server in the home folder, with a database of this `name`.

    `password_file` keeps the password of the user that `url` names out of settings, environment and command lines.
    `migrate`: whether opening the database brings it to the newest schema, for which the owner's rights are needed;
    without it a database of another schema is an error.
    """

    url: str = ""
    password_file: Path | None = None
    migrate: bool = True
    name: str = Field("heedline", pattern="^[a-z][a-z0-9_]{0,62}$")
    pool_size: int = Field(10, ge=2, le=200)

    def dsn(self) -> str:
        """`url`, with the password from `password_file`. Raises `ConfigError` that names the file."""
        if self.password_file is None:
            return self.url
        password = read_secret(self.password_file, "name a readable file in `database.password_file`")
        scheme, mark, rest = self.url.partition("://")
        authority, slash, tail = rest.partition("/")
        user, _, hosts = authority.rpartition("@")
        if not mark or not user or ":" in user:
            raise ConfigError(
                "`database.password_file` needs a `database.url` with a user and no password",
                "write it like `postgresql://heedline@host/heedline`",
            )
        return f"{scheme}://{user}:{quote(password, safe='')}@{hosts}{slash}{tail}"


class Gate(_Section):
    """The gate's own limits."""

    patience_ms: int = Field(700, ge=20, le=10_000)
    max_batch: int = Field(256, ge=1, le=4096)
    workers: int = Field(4, ge=1, le=16)


class Http(_Section):
    """Health and status; keep it on loopback or behind a proxy."""

    host: str = "127.0.0.1"
    port: int = Field(4580, ge=0, le=65535)


class Egress(_Section):
    """How the egress decides on calls that carry no permit: the trunk that it stands for."""

    trunk: str = "carrier"


class Speech(_Section):
    """Listening for spoken refusals. It needs an extra for each language; without it that one is not heard, visibly.

    `host` and `port` are where the switches send audio to (AudioSocket). `models` names a model folder by language, in
    place of the default engine. `workers` threads recognise; `partials` while the callee still speaks. `max_streams` is
    how many calls may be heard at once.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(4574, ge=0, le=65535)
    languages: tuple[Literal["en", "zh"], ...] = ("en",)
    models: dict[Literal["en", "zh"], Path] = {}
    workers: int = Field(1, ge=1, le=64)
    partials: bool = True
    max_streams: int = Field(200, ge=1, le=10_000)


class Webhooks(_Section):
    """Telling other systems of refusals. Addresses that are not public are refused, but for `allow_networks` (CIDR).

    `timeout_s` bounds one delivery; after `give_up_h` hours without success it is dead until a person asks again.
    """

    allow_networks: tuple[str, ...] = ()
    timeout_s: float = Field(10.0, ge=0.1, le=60)
    give_up_h: float = Field(72.0, ge=0.001, le=720)


class Refusals(_Section):
    """`spool` is the folder of refusals that wait for the database; by default `spool/refusals` in the home folder.
    Nodes on different databases must not share one."""

    spool: Path | None = None


class Witness(_Section):
    """One witness of the log: its C2SP tlog-witness address, and the key that its cosignatures verify with
    (`name+hash+base64`)."""

    url: str
    key: str


class Evidence(_Section):
    """The log of evidence. `seal_ms` is how often what was committed is sealed. `keys` is the folder of its private
    keys; by default `keys` in the home folder. `witnesses` are asked to cosign, and `timestamp_url` (RFC 3161) to
    stamp, the newest checkpoint every `witness_every_s` and `timestamp_every_s` seconds. `witness_for` are keys of
    other logs whose checkpoints this node cosigns. `allow_networks` (CIDR) are private addresses that may be asked.

    `keep_days` is how long personal data is kept by kind of record; never less than the policy packs' floors. A kind
    without an entry is kept.
    """

    seal_ms: int = Field(400, ge=50, le=900)
    keys: Path | None = None
    witnesses: tuple[Witness, ...] = ()
    witness_for: tuple[str, ...] = ()
    witness_every_s: float = Field(10.0, ge=0.1, le=86_400)
    timestamp_url: str = ""
    timestamp_every_s: float = Field(3600.0, ge=1, le=604_800)
    allow_networks: tuple[str, ...] = ()
    keep_days: dict[Literal["decision", "consent", "recording", "refusal", "message", "complaint"], int] = {}


class Complaints(_Section):
    """Complaints are due so many days after they came in, unless their own date is given."""

    due_days: int = Field(15, ge=1, le=365)


class Settings(_Section):
    """All settings."""

    home: Path
    file: Path
    agi: Agi = Agi()
    ami: tuple[Ami, ...] = ()
    database: Database = Database()
    gate: Gate = Gate()
    http: Http = Http()
    egress: Egress = Egress()
    refusals: Refusals = Refusals()
    speech: Speech = Speech()
    webhooks: Webhooks = Webhooks()
    evidence: Evidence = Evidence()
    complaints: Complaints = Complaints()
    language: Literal["en", "zh"] = "en"

    def make_home(self) -> None:
        """Make the home folder if it is missing. Raises `ConfigError`."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"the home folder `{self.home}` cannot be made: {(error.strerror or str(error)).lower()}"
            raise ConfigError(problem, "name a folder of yours in HEEDLINE_HOME") from error

    @property
    def postgres_folder(self) -> Path:
        """Files of the embedded PostgreSQL."""
        return self.home / "postgres"

    @property
    def clips_folder(self) -> Path:
        """Clips of what callees said, under their SHA-256."""
        return self.home / "clips"

    @property
    def spool_folder(self) -> Path:
        """Refusals that wait for the database."""
        return self.refusals.spool or self.home / "spool" / "refusals"

    @property
    def keys_folder(self) -> Path:
        """Private keys: the log's, the witness's, the one that hashes numbers of erased people."""
        return self.evidence.keys or self.home / "keys"

    @property
    def artefacts_folder(self) -> Path:
        """Artefacts of consents and refusals that were taken in as files."""
        return self.home / "artefacts"

    @property
    def policy_file(self) -> Path:
        """The administrator's tightenings and loosenings, beside the settings."""
        return self.file.parent / "policy.toml"


def read_secret(file: Path, cure: str) -> str:
    """The secret in a file, without the line break at its end. Raises `ConfigError` with `cure`."""
    try:
        secret = file.read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"`{file}` cannot be read: {error}", cure) from error
    if not secret:
        raise ConfigError(f"`{file}` is empty", cure)
    return secret


def home_folder(env: Mapping[str, str] = os.environ) -> Path:
    """The home folder, absolute; it need not exist yet."""
    given = env.get("HEEDLINE_HOME")
    return Path(given).expanduser().absolute() if given else Path.home() / ".local" / "share" / "heedline"


def load(env: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from `HEEDLINE_CONFIG`, or `heedline.toml` in the home folder.

    Raises `ConfigError` that names the file and the field.
    """
    home = home_folder(env)
    named = env.get("HEEDLINE_CONFIG")
    file = Path(named).expanduser().absolute() if named else home / "heedline.toml"
    try:
        values = tomllib.loads(file.read_text("utf-8")) if named or file.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(
            f"`{file}` cannot be read: {error}", "mend the file, or move it away for the defaults"
        ) from error
    _override_database(values, env)
    try:
        return Settings.model_validate({**values, "home": home, "file": file})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise ConfigError(f"`{file}`: `{field}`: {first['msg'].lower()}", "see `docs/reference/settings.md`") from error


def _override_database(values: dict[str, Any], env: Mapping[str, str]) -> None:
    """What the environment says of the database. A URL of its own does not take the file's password along."""
    section = values.get("database", {})
    if not isinstance(section, dict):
        return
    if url := env.get("HEEDLINE_DATABASE_URL"):
        section = {**section, "url": url, "password_file": None}
    if file := env.get("HEEDLINE_DATABASE_PASSWORD_FILE"):
        section = {**section, "password_file": file}
    if section:
        values["database"] = section
