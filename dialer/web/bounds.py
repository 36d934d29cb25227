"""How much one client may ask for: buckets of tokens in memory, one for each client, that fill at a steady rate."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second for long, and so many at once."""

    per_s: float
    burst: int


class Buckets:
    """One bucket for each key (GCRA: of a bucket only the instant is kept at which it is full again). Of keys beyond
    the newest 10,000 nothing is remembered."""

    def __init__(self, rate: Rate, now: Callable[[], float] = monotonic) -> None:
        self._interval = 1 / rate.per_s
        self._depth = rate.burst * self._interval
        self._now = now
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait(self, key: str) -> float:
        """Seconds until the next would be granted; 0: now."""
        now = self._now()
        return max(0.0, max(self._full_at.get(key, now), now) + self._interval - self._depth - now)

    def take(self, key: str) -> float:
        """As `wait`, and when it is 0 the bucket has one less."""
        if (wait := self.wait(key)) > 0:
            return wait
        now = self._now()
        self._full_at[key] = max(self._full_at.get(key, now), now) + self._interval
        self._full_at.move_to_end(key)
        if len(self._full_at) > _REMEMBERED:
            self._full_at.popitem(last=False)
        return 0.0


class Known:
    """The newest 10,000 keys that were told."""

    def __init__(self) -> None:
        self._keys: OrderedDict[bytes, None] = OrderedDict()

    def add(self, key: bytes) -> None:
        """Remember a key."""
        self._keys[key] = None
        self._keys.move_to_end(key)
        if len(self._keys) > _REMEMBERED:
            self._keys.popitem(last=False)

    def __contains__(self, key: bytes) -> bool:
        return key in self._keys


def address_key(remote: str | None) -> str:
    """Whose bucket an address has; of IPv6 that of its /64, which is one client's."""
    try:
        address = ipaddress.ip_address((remote or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


def retry_after(wait: float) -> str:
    """`Retry-After` in whole seconds."""
    return str(max(1, math.ceil(wait)))
