"""The deployment's files agree with the compose specification, with each other, and with the program."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # it ships no types
import pytest

from dialer.commands import database
from dialer.config import Settings, load
from dialer.policy.admin import load_admin
from tests.unit.compose_files import (
    FILLED_IN,
    ROOT,
    USAGE_ERROR,
    NotSet,
    compose,
    copied,
    dockerfile,
    interpolate,
    parse_command,
)

SERVICES: dict[str, dict[str, Any]] = compose(FILLED_IN)["services"]
ONE_SHOT = ("migrate", "render")
OURS = ("heedline", "migrate", "render", "egress")
TEXTS = [
    ROOT / "docker-compose.yml",
    ROOT / "Dockerfile",
    *sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file() and "secrets" not in path.parts),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The container's settings."""
    file = ROOT / "deploy" / "heedline.toml"
    return load({"HEEDLINE_HOME": str(tmp_path), "HEEDLINE_CONFIG": str(file)})


def installed(package: str) -> Path:
    """The folder of a package, which is not imported."""
    found = importlib.util.find_spec(package)
    assert found, f"`{package}` is not installed"
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0])


def environment(service: str) -> dict[str, str]:
    """A service's variables."""
    return dict(SERVICES[service].get("environment", {}))


@pytest.mark.parametrize("env", [FILLED_IN, {**FILLED_IN, "HEEDLINE_BIND_ADDRESS": "10.0.0.5"}])
def test_file_fits_the_specification(env: dict[str, str]) -> None:
    """The compose specification's own schema finds nothing wrong, whatever is filled in."""
    vendored = installed("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(compose(env))] == []


@pytest.mark.parametrize("name", FILLED_IN)
def test_what_must_be_filled_in_has_no_default(name: str) -> None:
    """Without an address of the host, the carrier or the PBXs, or a SIP port, nothing starts."""
    with pytest.raises(NotSet, match=name):
        compose({key: value for key, value in FILLED_IN.items() if key != name})


def test_variables_are_the_examples() -> None:
    """deploy/env.example names every variable of the compose file, with the same default, and no other."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    used = {name: default or "" for name, default in re.findall(r"\$\{(\w+)(?::-([^${}]+))?", text)}
    example = (ROOT / "deploy" / "env.example").read_text("utf-8")
    listed = dict(re.findall(r"^#?(HEEDLINE_\w+)=(.*)$", example, re.MULTILINE))
    assert listed == used
    assert set(re.findall(r"^(HEEDLINE_\w+)=$", example, re.MULTILINE)) == set(FILLED_IN)


def test_images_are_pinned() -> None:
    """Ours bear the project's version, PostgreSQL a major version, and bases name a suite."""
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert version
    for name, service in SERVICES.items():
        image, _, tag = service["image"].partition(":")
        assert tag == version[1] if name in OURS else re.fullmatch(r"postgres:\d+-[a-z]+", f"{image}:{tag}"), name
        assert ("build" in service) == (name in OURS)
    for stage in dockerfile().values():
        tag = stage.base.partition(":")[2]
        assert tag.endswith("-slim") or "-slim-" in tag
        assert "latest" not in tag


def test_python_is_the_locks() -> None:
    """The image's Python is the one that the lock file was made for."""
    made_for = re.search(r"--python-version (\S+) --extra speech pyproject", (ROOT / "Makefile").read_text("utf-8"))
    assert made_for
    assert dockerfile()["heedline"].base.startswith(f"python:{made_for[1]}-")


def test_long_running_services_restart_and_are_watched() -> None:
    """Each has a health check that ends in time and a restart policy; one-shots have neither, and are waited for."""
    awaited = {
        (name, wanted["condition"])
        for service in SERVICES.values()
        for name, wanted in service.get("depends_on", {}).items()
    }
    for name, service in SERVICES.items():
        if name in ONE_SHOT:
            assert (service["restart"], service["healthcheck"]) == ("no", {"disable": True})
            assert (name, "service_completed_successfully") in awaited
        else:
            assert service["restart"] == "unless-stopped"
            assert service["healthcheck"]["test"][0] == "CMD"
            assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])
    assert not {name for name, condition in awaited if condition == "service_started"}


def test_health_checks_of_images_and_services_agree() -> None:
    """What an image says of its own health is what compose asks."""
    for target in ("heedline", "egress"):
        assert ["CMD", *dockerfile()[target].list_of("HEALTHCHECK")] == SERVICES[target]["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    """No root, no capability, no new privilege, a read-only root, bounded log, memory, processor and processes."""
    service = SERVICES[name]
    assert service["user"] == "999:999"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service)


def test_networks_keep_apart() -> None:
    """Only the egress can be reached from outside or reach out; the database meets the service and the migration."""
    networks = compose(FILLED_IN)["networks"]
    of = {name: set(service.get("networks", [])) for name, service in SERVICES.items()}
    assert of == {
        "postgres": {"database"},
        "migrate": {"database"},
        "heedline": {"database", "switch"},
        "render": set(),
        "egress": {"outside", "switch"},
    }
    assert SERVICES["render"]["network_mode"] == "none"
    assert {name for name, network in networks.items() if network and network.get("internal")} == {"database", "switch"}


def test_published_ports_are_the_egresss() -> None:
    """SIP and the media that Asterisk is told to use, by UDP, on the address that was named, and nothing else."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "egress": ["203.0.113.10:5062:5060/udp", "203.0.113.10:10000-10199:10000-10199/udp"],
    }
    assert (environment("render")["HEEDLINE_RTP_FIRST"], environment("render")["HEEDLINE_RTP_LAST"]) == (
        "10000",
        "10199",
    )
    bound = compose({**FILLED_IN, "HEEDLINE_BIND_ADDRESS": "10.0.0.5"})["services"]["egress"]["ports"]
    assert bound[0] == "10.0.0.5:5062:5060/udp"


def test_secrets_come_from_files_and_go_to_who_needs_them() -> None:
    """The service never gets the owner's or the superuser's password; every secret that is named is laid in."""
    declared = compose(FILLED_IN)["secrets"]
    script = (ROOT / "deploy" / "make-secrets.sh").read_text("utf-8")
    written = re.search(r"^names='(.+)'$", script, re.MULTILINE)
    assert written
    assert {name: secret["file"] for name, secret in declared.items()} == {
        name: f"./deploy/secrets/{name}" for name in written[1].split()
    }
    given = {name: set(service.get("secrets", [])) for name, service in SERVICES.items()}
    assert given == {
        "postgres": {"postgres_password", "database_owner_password"},
        "migrate": {"database_owner_password", "database_service_password"},
        "heedline": {"database_service_password", "ami_secret"},
        "render": {"ami_secret"},
        "egress": set(),
    }
    for name, service in SERVICES.items():
        named = re.findall(r"/run/secrets/(\w+)", json.dumps(service))
        assert set(named) <= given[name]


def test_no_password_stands_anywhere() -> None:
    """No file holds a password, a default for one, or a URL with one: such names end in _FILE or _file."""
    words = re.compile(r"(?i)[\w.-]*(?:passw(?:or)?d|secret)[\w-]*[ ]*[:=][ ]*(?P<value>[^\s,;#]+)")
    for path in TEXTS:
        text = path.read_text("utf-8")
        assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", text), path
        if path.suffix in (".toml", ".yml", ".example", ".conf") or path.name == "Dockerfile":
            for found in words.finditer(text):
                allowed = found["value"].strip("\"'").startswith(("/run/secrets/", "./deploy/secrets/", "%{"))
                assert allowed or re.match(r"(?i)secrets?:", found[0]), f"{path}: {found[0]}"


def test_settings_fit_the_services(settings: Settings) -> None:
    """heedline.toml names the services, logins, ports and secrets that compose and the render script have."""
    assert settings.database.url == "postgresql://heedline@postgres:5432/heedline"
    assert environment("postgres")["POSTGRES_DB"] == "heedline"
    assert settings.database.migrate is False
    laid_in = {f"/run/secrets/{name}" for name in SERVICES["heedline"]["secrets"]}
    assert {str(settings.database.password_file), *(str(ami.secret_file) for ami in settings.ami)} == laid_in
    assert f'--agi "$HEEDLINE_SERVICE_ADDRESS:{settings.agi.port}"' in (ROOT / "deploy/asterisk/render.sh").read_text()
    (ami,) = settings.ami
    assert ami.host in SERVICES
    assert (ami.host, ami.role, ami.trunks) == ("egress", "egress", ("carrier",))
    assert settings.http.host == "127.0.0.1"
    assert settings.speech.host == settings.agi.host == "0.0.0.0"  # noqa: S104 - inside a container


def test_addresses_are_of_the_subnet() -> None:
    """Where FastAGI and the manager are bound, the two containers are, and their network has room for both."""
    (pool,) = compose(FILLED_IN)["networks"]["switch"]["ipam"]["config"]
    subnet = ipaddress.ip_network(pool["subnet"])
    service, egress = (SERVICES[name]["networks"]["switch"]["ipv4_address"] for name in ("heedline", "egress"))
    assert {ipaddress.ip_address(service), ipaddress.ip_address(egress)} <= set(list(subnet.hosts())[1:])
    assert environment("render")["HEEDLINE_SERVICE_ADDRESS"] == service
    assert environment("render")["HEEDLINE_EGRESS_ADDRESS"] == egress


def test_policy_is_empty_as_shipped() -> None:
    """The administrator's policy that is laid into the container changes nothing until he writes into it."""
    admin = load_admin((ROOT / "deploy" / "policy.toml").read_text("utf-8"), "policy.toml")
    assert not admin.tighten
    assert not admin.loosen


def test_commands_exist() -> None:
    """Every `heedline` command line of image, compose file, scripts and guide is one that the program understands."""
    image = dockerfile()["heedline"]
    assert image.list_of("ENTRYPOINT") == ["heedline"]
    assert parse_command(image.list_of("CMD")).name == "serve"
    assert parse_command(SERVICES["heedline"]["healthcheck"]["test"][2:]).name == "status"
    assert parse_command(SERVICES["migrate"]["command"]).callback is not None
    assert parse_command(SERVICES["migrate"]["command"]).name == database.migrate.__name__
    guide = (ROOT / "docs" / "how-to" / "deploy-with-compose.md").read_text("utf-8")
    told = re.findall(r"docker compose exec (?:-T )?heedline heedline (.+?)(?: [<>|] .*)?$", guide, re.MULTILINE)
    assert len(told) >= 5
    for line in told:
        parse_command(shlex.split(line))
    with pytest.raises(USAGE_ERROR):
        parse_command(["db", "mend"])


def test_environment_is_the_programs(tmp_path: Path) -> None:
    """Every variable that a container gets is read by the program that runs in it."""
    program = (ROOT / "dialer" / "config.py").read_text("utf-8")
    scripts = "".join((ROOT / "deploy" / "asterisk" / name).read_text() for name in ("render.py", "render.sh"))
    owner = (ROOT / "deploy" / "postgres" / "10-owner.sql").read_text("utf-8")
    for name in environment("migrate"):
        assert f'"{name}"' in program
    for name in environment("render"):
        assert name in program + scripts
    assert {name for name in environment("postgres") if name in owner} == {"HEEDLINE_OWNER_PASSWORD_FILE"}
    wanted = {name: value for name, value in environment("migrate").items() if name.startswith("HEEDLINE_DATABASE")}
    assert load({"HEEDLINE_HOME": str(tmp_path), **wanted}).database.password_file is not None
    image = " ".join(dockerfile()["heedline"].every("ENV"))
    assert set(re.findall(r"\b(HEEDLINE_\w+)=", image)) == {"HEEDLINE_HOME", "HEEDLINE_CONFIG"}


def test_volumes_and_files_exist() -> None:
    """Every file, volume, configuration and script that a service names is there."""
    document = compose(FILLED_IN)
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in document["volumes"], volume
        assert {config["source"] for config in service.get("configs", [])} <= set(document["configs"])
        if "build" in service:
            assert service["build"]["target"] in dockerfile(), name
    assert all((ROOT / config["file"]).is_file() for config in document["configs"].values())
    targets = {config["target"] for config in SERVICES["heedline"]["configs"]}
    assert targets == {"/etc/heedline/heedline.toml", "/etc/heedline/policy.toml"}


def test_copies_exist_and_are_sent() -> None:
    """What the Dockerfile copies is in the repository and passes .dockerignore; secrets and history do not."""
    sources = {source for stage in dockerfile().values() for source in copied(stage)}
    assert len(sources) > 10
    assert all((ROOT / source).exists() and _sent(source) for source in sources)
    for kept in (".env", ".git", ".venv", "deploy/secrets/ami_secret", "tests", "docs", "deploy/env.example"):
        assert not _sent(kept), kept


def _sent(path: str) -> bool:
    """Whether .dockerignore lets a path through: the last rule that fits it, or a folder above it, decides."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    sent = True
    for rule in (line for line in lines if line and not line.startswith("#")):
        pattern = rule.removeprefix("!")
        if any(fnmatch(str(place), pattern) for place in (Path(path), *Path(path).parents) if str(place) != "."):
            sent = rule.startswith("!")
    return sent


def test_entry_points_exist_and_run() -> None:
    """Every script that an image or a service starts is copied there and may be run; `heedline` is an entry point."""
    stages = dockerfile()
    for service, target in (("egress", "egress"), ("render", "heedline")):
        places = copied(stages[target])
        wanted = [*stages[target].list_of("ENTRYPOINT"), *SERVICES[service].get("entrypoint", [])]
        wanted += SERVICES[service]["healthcheck"].get("test", [])
        scripts = [word for word in wanted if word.startswith("/opt/egress/")]
        assert scripts
        for script in scripts:
            source = next(
                ROOT / found / script.removeprefix(f"{place}/") if (ROOT / found).is_dir() else ROOT / found
                for found, place in places.items()
                if script in (place, f"{place}/{Path(script).name}")
            )
            assert source.stat().st_mode & 0o111, source
    assert 'heedline = "dialer.cli:main"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_images_hold_no_tools_and_run_as_nobody_special() -> None:
    """Hashes are demanded of every package, the tools stay in the stage that builds, and no image runs as root."""
    stages = dockerfile()
    runs = " ".join(stages["build"].every("RUN"))
    assert runs.count("pip install") + runs.count("python install") == runs.count("--require-hashes") + 1  # our wheel
    for name in ("heedline", "egress"):
        assert stages[name].every("USER") == ["999:999"]
        assert "pip" not in " ".join(stages[name].every("RUN"))
        assert all("tools" not in copy for copy in stages[name].every("COPY"))


def test_interpolation_is_the_specifications() -> None:
    """The checks read nested defaults and demands as compose does."""
    assert interpolate("${A:-${B:?no}}", {"B": "b"}) == "b"
    assert interpolate("${A:-${B:?no}}", {"A": "a", "B": "b"}) == "a"
    with pytest.raises(NotSet):
        interpolate("${A:?say it}", {"A": ""})
