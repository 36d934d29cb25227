"""Where a webhook may be, or whatever else is asked at an address that people name: its URL, and the address that the
URL comes to. Pure.

Whoever registers a webhook names a host that this machine then connects to. So that it cannot be used to reach what
only this machine can reach (server-side request forgery), an address must be public, or in a network that the
administrator allows (`webhooks.allow_networks`). The URL alone proves nothing, for a name may come to any address:
`objection` is asked again of the very address that a connection is about to be made to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

from dialer.errors import ConfigError, RegisterError
from dialer.hostile import printable

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

LIMIT = 2000
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
# Below 1024 other ports are of other services, which might take a request for something that it is not.
_PORTS = (80, 443)

# IANA's registries of special-purpose addresses (RFC 6890) and what else no receiver on the Internet has.
_SPECIAL: Sequence[tuple[Network, str]] = [
    (ip_network(network), word)
    for network, word in (
        ("0.0.0.0/8", "an address of no host"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address behind a carrier's translation"),
        ("127.0.0.0/8", "a loopback address"),
        ("168.63.129.16/32", "a cloud's address for its own machines"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a protocol's own address"),
        ("192.0.2.0/24", "an address of documentation"),
        ("192.88.99.0/24", "a relay's address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address of benchmarks"),
        ("198.51.100.0/24", "an address of documentation"),
        ("203.0.113.0/24", "an address of documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "an address of no host"),
        ("::1/128", "a loopback address"),
        ("::ffff:0:0/96", "an IPv4 address in disguise"),
        ("::/96", "an IPv4 address in disguise"),
        ("64:ff9b::/96", "an IPv4 address in disguise"),
        ("64:ff9b:1::/48", "an IPv4 address in disguise"),
        ("100::/64", "an address that discards"),
        ("2001::/32", "an IPv4 address in disguise"),
        ("2001::/23", "a protocol's own address"),
        ("2001:db8::/32", "an address of documentation"),
        ("2002::/16", "an IPv4 address in disguise"),
        ("3fff::/20", "an address of documentation"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
    )
]
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # of IPv6, all that IANA has given out


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a URL is for: how it is called, the setting that allows private networks for it, one that is right.
    `needs_tls` says why it is reached without TLS in allowed networks alone; empty: it is reached everywhere."""

    noun: str
    setting: str
    example: str
    needs_tls: str
    without_login: str


WEBHOOK = Purpose(
    noun="a webhook",
    setting="webhooks.allow_networks",
    example="https://crm.example/heedline",
    needs_tls="refusals tell of people",
    without_login="messages are signed",
)
# Checkpoints are public, and answers are signed.
WITNESS = Purpose(
    noun="a witness",
    setting="evidence.allow_networks",
    example="https://witness.example/log/witness",
    needs_tls="",
    without_login="checkpoints are signed",
)
AUTHORITY = Purpose(
    noun="a time-stamping authority",
    setting="evidence.allow_networks",
    example="https://tsa.example/tsr",
    needs_tls="",
    without_login="anonymous authorities alone are asked",
)


def allowed_networks(texts: Sequence[str], setting: str = WEBHOOK.setting) -> tuple[Network, ...]:
    """What a setting says. Raises `ConfigError` that names what is no network."""
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            raise ConfigError(
                f"`{setting}`: `{printable(text, 64)}` is no network: {error}",
                "write it like `10.1.0.0/16`, or `10.1.2.3` for one address",
            ) from error
    return tuple(networks)


def objection(address: Address, networks: Sequence[Network], *, plain: bool) -> str | None:
    """Why no connection is made to this address; None when one may be. `plain`: without TLS, which is for allowed
    networks alone."""
    if any(address in network for network in networks):
        return None
    special = next((word for network, word in _SPECIAL if address in network), None)
    if special is None and isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        special = "a reserved address"
    if special is None and not address.is_global:
        special = "no public address"
    if special is not None:
        return f"`{address}` is {special}"
    return f"`{address}` is not in an allowed network, and only those are reached without TLS" if plain else None


def checked_url(text: str, networks: Sequence[Network], purpose: Purpose = WEBHOOK) -> str:
    """The URL in the form in which it is used. Raises `RegisterError` when it cannot be for this purpose."""
    if len(text) > LIMIT:
        raise RegisterError(f"the URL has {len(text)} characters", f"use one of at most {LIMIT}")
    if not text.isprintable() or " " in text or "\\" in text:
        raise _wrong(text, "holds a space, a backslash or an invisible character", purpose)
    scheme, mark, rest = text.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if not mark or scheme.lower() not in ("http", "https"):
        raise _wrong(text, "does not begin with `https://`", purpose)
    if "@" in authority:
        # What it says is not shown: it may be a password.
        raise RegisterError("the URL holds a user or a password", f"leave them out; {purpose.without_login}")
    if "#" in rest:
        raise _wrong(text, "has a fragment", purpose)
    try:
        url = URL(text)
        host = _checked_host(url.raw_host or "", bracketed=authority.startswith("["))
        used = str(url.with_host(host))
    except ValueError as error:  # of yarl, and of names that IDNA does not know
        raise _wrong(text, f"is no URL: {printable(str(error), 100)}", purpose) from error
    if url.port is None or not (url.port in _PORTS or 1024 <= url.port <= 65535):
        raise RegisterError(f"`{printable(text, 100)}` has the port {url.port}", "use 443, 80, or one from 1024 on")
    _check_place(host, networks, purpose, plain=purpose.needs_tls != "" and url.scheme == "http")
    if len(used) > LIMIT:
        raise RegisterError(f"the URL has {len(used)} characters when it is encoded", f"use one of at most {LIMIT}")
    return used


def _checked_host(host: str, *, bracketed: bool) -> str:
    """The host without the dot at the end. Raises `ValueError`."""
    if bracketed or ":" in host:
        return str(IPv6Address(host.replace("%", " ")))  # with a zone it is none
    name = host.removesuffix(".")
    labels = name.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        return str(IPv4Address(name))  # the C library reads `2130706433` and `0x7f.1` as addresses too
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"`{printable(host, 80)}` is no host")
    return name


def _check_place(host: str, networks: Sequence[Network], purpose: Purpose, *, plain: bool) -> None:
    """Raises `RegisterError` when what the host says already rules it out."""
    try:
        address: Address | None = ip_address(host)
    except ValueError:
        local = host == "localhost" or host.endswith(".localhost")  # RFC 6761
        address = ip_address("127.0.0.1") if local else None
    cure = f"an administrator can allow its network in `{purpose.setting}`"
    if address is not None and (why := objection(address, networks, plain=plain)):
        raise RegisterError(f"{purpose.noun} cannot be there: {why}", cure)
    if plain and not networks:
        raise RegisterError(f"{purpose.noun} needs `https`: {purpose.needs_tls}", f"without TLS, {cure}")


def _wrong(text: str, what: str, purpose: Purpose) -> RegisterError:
    return RegisterError(f"`{printable(text, 100)}` {what}", f"write it like `{purpose.example}`")
