"""The dialplan fragments that a PBX and the egress include, filled in.

The templates are the `heedline-*.conf` files beside this module: plain dialplan with `%{name}` where a setting goes.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from math import ceil
from pathlib import Path
from types import MappingProxyType

# National emergency numbers (ITU-T E.129 lists), by ISO 3166-1 country. 112 is also reached from any GSM phone.
EMERGENCY_NUMBERS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "AU": ("000", "106", "112"),
        "CA": ("911",),
        "CN": ("110", "119", "120", "122"),
        "DE": ("110", "112"),
        "ES": ("112",),
        "FR": ("112", "114", "15", "17", "18"),
        "GB": ("112", "999"),
        "HK": ("112", "999"),
        "IN": ("100", "101", "102", "108", "112"),
        "IT": ("112", "113", "115", "118"),
        "JP": ("110", "118", "119"),
        "SG": ("995", "999"),
        "US": ("911",),
    }
)

_WORD_CHARACTERS = string.ascii_letters + string.digits + "_.-"

#: The recorded prompts as they are shipped: a folder of each language (`en`, `zh`) with `heedline-*.wav`.
SOUNDS: Path = Path(str(resources.files("agi.dialplan"))) / "sounds"


class Fragment(StrEnum):
    """The files, each named for what includes it."""

    COMMON = "heedline-common.conf"
    GATE = "heedline-gate.conf"
    OUTBOUND = "heedline-outbound.conf"
    REFUSED = "heedline-refused.conf"
    ANNOUNCE = "heedline-announce.conf"
    CALLBACK = "heedline-callback.conf"
    TAP = "heedline-tap.conf"
    FEATURES = "heedline-features.conf"
    EGRESS = "heedline-egress.conf"


# What each kind of switch includes in extensions.conf, in this order.
PBX_FRAGMENTS = (
    Fragment.COMMON,
    Fragment.GATE,
    Fragment.OUTBOUND,
    Fragment.REFUSED,
    Fragment.ANNOUNCE,
    Fragment.CALLBACK,
    Fragment.TAP,
)
EGRESS_FRAGMENTS = (Fragment.COMMON, Fragment.EGRESS)
# What the call centre's switch includes in features.conf, under `[applicationmap]`.
FEATURES_FRAGMENTS = (Fragment.FEATURES,)


@dataclass(frozen=True, slots=True)
class DialplanSettings:
    """What an administrator chooses.

    `agi` is the FastAGI server as `host:port`. `deadline_s` is how long a channel waits for the gate's answer, seconds;
    keep it above the server's own deadline, which answers with a reason. `ring_s` is how long a callee may ring.
    `egress` and `carrier` are PJSIP endpoint names. `emergency` are the emergency numbers by country. `callee_key` and
    `agent_key` refuse in mid-call: one to four of `0-9*#`. `audio` is the AudioSocket server as `host:port`; empty:
    announcements are played by the switch alone. `sounds` is the folder of the prompts, absolute, as the switch sees
    it.
    """

    agi: str
    deadline_s: float = 1.5
    ring_s: int = 45
    egress: str = "egress"
    carrier: str = "carrier"
    emergency: Mapping[str, Sequence[str]] = field(default_factory=lambda: EMERGENCY_NUMBERS)
    callee_key: str = "9"
    agent_key: str = "*7"
    audio: str = ""
    sounds: str = str(SOUNDS)

    def __post_init__(self) -> None:
        """ValueError names the setting that could not stand in a dialplan."""
        _demand("agi", self.agi, _SERVER)
        _demand("audio", self.audio, f"({_SERVER})?")
        _demand("callee's key", self.callee_key, r"[0-9*#]{1,4}")
        _demand("agent's key", self.agent_key, r"[0-9*#]{1,4}")
        _demand("folder of sounds", self.sounds, r"/[^\x00-\x1f\x7f,;:&|$(){}\[\]\"'\\^]*")
        _demand("egress", self.egress, r"[A-Za-z0-9_.-]+")
        _demand("carrier", self.carrier, r"[A-Za-z0-9_.-]+")
        if not 0.1 <= self.deadline_s <= 30:
            raise ValueError(f"deadline must be 0.1 to 30 seconds, not `{self.deadline_s}`")
        if not 1 <= self.ring_s <= 600:
            raise ValueError(f"ring time must be 1 to 600 seconds, not `{self.ring_s}`")
        # One that begins like the other would wait for the rest of it, or never be heard.
        if self.callee_key.startswith(self.agent_key) or self.agent_key.startswith(self.callee_key):
            raise ValueError(f"the keys must be told apart: `{self.callee_key}` and `{self.agent_key}` cannot")
        for country, numbers in self.emergency.items():
            _demand("emergency country", country, r"[A-Z]{2}")
            for number in numbers:
                _demand("emergency number", number, r"[0-9]{2,6}")


_SERVER = r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"


class _Template(string.Template):
    """`%{name}`: the dialplan's own `${name}` stays as it is."""

    delimiter = "%"


def render(fragment: Fragment, settings: DialplanSettings) -> str:
    """One fragment as dialplan text."""
    template = resources.files("agi.dialplan").joinpath(fragment).read_text(encoding="utf-8")
    return _Template(template).substitute(
        agi=settings.agi,
        deadline=f"{settings.deadline_s:g}",
        patience=str(ceil(settings.deadline_s) + 1),
        ring=str(settings.ring_s),
        egress=settings.egress,
        carrier=settings.carrier,
        word_characters=_WORD_CHARACTERS,
        callee_key=settings.callee_key,
        agent_key=settings.agent_key,
        audio=settings.audio,
        sounds=settings.sounds.rstrip("/"),
        emergency_outbound=_emergency(settings.emergency, "heedline-emergency"),
        emergency_egress=_emergency(settings.emergency, "heedline-egress-emergency"),
    )


def _emergency(numbers: Mapping[str, Sequence[str]], context: str) -> str:
    """One exact extension for each number, with the countries that use it."""
    countries: dict[str, list[str]] = {}
    for country in sorted(numbers):
        for number in numbers[country]:
            countries.setdefault(number, []).append(country)
    return "\n".join(
        f"; {' '.join(users)}\nexten => {number},1,Gosub({context},s,1({number}))"
        for number, users in sorted(countries.items())
    )


def _demand(name: str, value: str, pattern: str) -> None:
    if not re.fullmatch(pattern, value):
        raise ValueError(f"{name} `{value}` cannot stand in a dialplan")
