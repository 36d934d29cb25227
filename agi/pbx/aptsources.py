"""The machine's own Debian mirror, read from its apt configuration (deb822 and one-line sources)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_DEBIAN_SUITES = frozenset(
    {"bullseye", "bookworm", "trixie", "forky", "duke", "sid", "oldstable", "stable", "testing", "unstable"}
)
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>(?:\s+\S+)*)")


@dataclass(frozen=True, slots=True)
class Source:
    """One place that packages come from. `signed_by` is a keyring's path, or empty."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def read(etc: Path) -> list[Source]:
    """Every enabled `deb` source below `etc` (`/etc/apt`), in apt's order; unreadable files are passed over."""
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    found: list[Source] = []
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if file.suffix == ".sources":
            found += parse_deb822(text)
        elif file.suffix == ".list":
            found += parse_one_line(text)
    return found


def debian(sources: Iterable[Source]) -> Source | None:
    """The source that is a whole Debian archive, if any: by its suite and component, best with `debian` in its path."""
    candidates = [
        source
        for source in sources
        if "main" in source.components
        and _DEBIAN_SUITES.intersection(source.suites)
        and not source.uri.startswith("cdrom:")
        and "security" not in _path(source)
    ]
    return min(candidates, key=lambda source: "debian" not in _path(source).rpartition("/")[2], default=None)


def parse_one_line(text: str) -> Iterator[Source]:
    """sources.list(5), one-line style."""
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.split("#", 1)[0].strip())
        if match:
            options = dict(option.partition("=")[::2] for option in (match["options"] or "").split())
            components = tuple(match["components"].split())
            yield Source(match["uri"], (match["suite"],), components, _keyring(options.get("signed-by", "")))


def parse_deb822(text: str) -> Iterator[Source]:
    """sources.list(5), deb822 style: stanzas of `Field: value`, continued on lines that begin with a blank."""
    for stanza in _stanzas(text):
        enabled = stanza.get("enabled", "yes").lower() not in {"no", "false", "without", "off", "disable", "0"}
        if enabled and "deb" in stanza.get("types", "").split():
            suites, components = tuple(stanza.get("suites", "").split()), tuple(stanza.get("components", "").split())
            for uri in stanza.get("uris", "").split():
                yield Source(uri, suites, components, _keyring(stanza.get("signed-by", "")))


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0] in " \t":
            if name:
                fields[name] += "\n" + line.strip()
        else:
            key, _, value = line.partition(":")
            name = key.strip().lower()
            fields[name] = value.strip()


def _keyring(value: str) -> str:
    """The first keyring file of a Signed-By; empty for a fingerprint or a key that is written out."""
    first = value.replace(",", " ").split()[:1]
    return first[0] if first and first[0].startswith("/") else ""


def _path(source: Source) -> str:
    return urlsplit(source.uri).path.rstrip("/").removesuffix(".list")
