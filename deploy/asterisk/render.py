"""Writes the egress's configuration into a folder: the templates beside this file, the modules, the manager's user.

    python render.py FOLDER      the configuration, from the variables of the environment
    python render.py --modules   the modules that it loads, one a line

Runs in the one-shot service `render` of docker-compose.yml, after `heedline pbx install` has written the dialplan
there. A value that cannot stand in its file is an error that names the variable, and then nothing is written.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from agi.install import manager_user
from agi.pbx import settings
from agi.pbx.binary import AsteriskBinary
from dialer.hostile import printable

TEMPLATES = ("asterisk", "extensions", "pjsip", "manager", "logger", "rtp")
# Beyond the list that every switch of Heedline's has: a container is behind its host's address translation.
MODULES = (*settings.MODULES, "res_pjsip_nat")

# The program is in the other image; what would be said of it here stands in our own asterisk.conf.
_ELSEWHERE = AsteriskBinary(Path("/usr/sbin/asterisk"), (), Path(), Path(), "")

_SECRET = re.compile(r"[A-Za-z0-9_-]{32,128}")
_HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_FOLDER = re.compile(r"/[A-Za-z0-9_./-]+")


def values(env: Mapping[str, str]) -> dict[str, str]:
    """What stands in the templates. ValueError names the variable that is missing or cannot stand there."""

    def take(name: str, check: Callable[[str], str], default: str = "") -> str:
        text = env.get(name) or default
        if not text:
            raise ValueError(f"`{name}` is not set; see deploy/env.example")
        try:
            return check(text)
        except ValueError as error:
            raise ValueError(f"`{name}` is `{printable(text, 64)}`: {error}") from None

    first, last = take("HEEDLINE_RTP_FIRST", _port, "10000"), take("HEEDLINE_RTP_LAST", _port, "10199")
    if int(last) - int(first) < 3:
        raise ValueError("`HEEDLINE_RTP_LAST` must be at least 3 above `HEEDLINE_RTP_FIRST`: a call takes four ports")
    return {
        "etc": take("EGRESS_ETC", _folder, "/etc/heedline-switch"),
        "run": take("EGRESS_RUN", _folder, "/run/asterisk"),
        "shipped": _shipped(env),
        "sip_bind": take("EGRESS_SIP_BIND", _socket, "0.0.0.0:5060"),
        "public_address": take("HEEDLINE_PUBLIC_ADDRESS", _address),
        "public_port": take("HEEDLINE_SIP_PORT", _port),
        "pbx_addresses": take("HEEDLINE_PBX_ADDRESSES", _networks),
        "carrier_host": take("HEEDLINE_CARRIER_HOST", _host),
        "carrier_port": take("HEEDLINE_CARRIER_PORT", _port, "5060"),
        "manager_address": take("HEEDLINE_EGRESS_ADDRESS", _address),
        "manager_port": take("EGRESS_MANAGER_PORT", _port, "5038"),
        "manager_user": manager_user(
            "heedline",
            _secret(Path(take("HEEDLINE_AMI_SECRET_FILE", _folder))),
            f"{take('HEEDLINE_SERVICE_ADDRESS', _address)}/255.255.255.255",
        ),
        "rtp_first": first,
        "rtp_last": last,
    }


def render(env: Mapping[str, str]) -> dict[str, str]:
    """The configuration's files by name. Raises ValueError."""
    folder, known = Path(__file__).parent, values(env)
    shared = settings.base(Path(known["run"]), _ELSEWHERE, MODULES, known["manager_address"])
    templates = {f"{name}.conf": (folder / f"{name}.conf").read_text("utf-8") for name in TEMPLATES}
    return {**shared, **{name: _fill(text, known) for name, text in templates.items()}}


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Each file whole or not at all, readable by its owner alone."""
    os.umask(0o077)
    for name, text in files.items():
        draft = folder / f".{name}.part"
        draft.unlink(missing_ok=True)
        draft.write_text(text, "utf-8")
        draft.replace(folder / name)


def _fill(template: str, known: Mapping[str, str]) -> str:
    """`%{name}`, as in the dialplan's templates."""
    return re.sub(r"%\{(\w+)\}", lambda found: known[found[1]], template)


def _shipped(env: Mapping[str, str]) -> str:
    """The two folders of the program itself, when it is not where it was built for."""
    named = {"astmoddir": env.get("EGRESS_MODULES"), "astdatadir": env.get("EGRESS_DATA")}
    return "".join(f"{key} => {_folder(path)}\n" for key, path in named.items() if path)


def _port(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("not a port")
    return text


def _address(text: str) -> str:
    return str(ipaddress.IPv4Address(text))


def _networks(text: str) -> str:
    found = [ipaddress.IPv4Network(part.strip()) for part in text.split(",")]
    if any(network.prefixlen == 0 for network in found):
        raise ValueError("the whole internet is no PBX")
    return ",".join(map(str, found))


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError("neither a host name nor an IPv4 address")
    return text


def _socket(text: str) -> str:
    address, _, port = text.rpartition(":")
    return f"{_address(address)}:{_port(port)}"


def _folder(text: str) -> str:
    if not _FOLDER.fullmatch(text):
        raise ValueError("not an absolute path of plain characters")
    return text


def _secret(file: Path) -> str:
    secret = file.read_text("utf-8").strip()
    if not _SECRET.fullmatch(secret):
        raise ValueError(
            f"`{file}` does not hold 32 to 128 letters, digits, `-` or `_`; deploy/make-secrets.sh makes one"
        )
    return secret


def main(arguments: list[str]) -> int:
    """The program; its exit code."""
    if arguments == ["--modules"]:
        print(*MODULES, sep="\n")
        return 0
    try:
        (folder,) = arguments
        write(Path(folder), render(os.environ))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
