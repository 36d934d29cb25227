"""What cosigning and time-stamping ask of the store and of the network, and the data that crosses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dialer.errors import HeedlineError


class Unanswered(HeedlineError):
    """Nobody answered, or not as can be read; `problem` says why, for people."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `kind` is its media type in lower case, without parameters."""

    status: int
    kind: str
    body: bytes


class Asker(Protocol):
    """The way out to a witness or an authority."""

    async def post(self, url: str, kind: str, body: bytes) -> Reply:
        """Post once. Bounded in time and size, whatever the peer does. Raises `Unanswered`."""


@dataclass(frozen=True, slots=True)
class Signed:
    """The newest checkpoint that a witness has cosigned, or an authority stamped: its size, and when."""

    size: int
    at: datetime


class WitnessStore(Protocol):
    """Where cosignatures and time stamps are kept. Every method raises `StoreUnavailable`."""

    async def cosigned(self, witness: str) -> Signed | None:
        """The greatest checkpoint that this witness has cosigned."""

    async def add_cosignature(self, size: int, witness: str, line: str, at: datetime) -> None:
        """Keep a signature line, unless there is one of this witness on this checkpoint."""

    async def newest_cosigned(self) -> int | None:
        """The size of the greatest checkpoint that any witness has cosigned."""

    async def stamped(self, authority: str) -> Signed | None:
        """The greatest checkpoint that this authority has stamped."""

    async def add_timestamp(self, size: int, authority: str, response: bytes, at: datetime) -> None:
        """Keep a time stamp, unless there is one of this authority on this checkpoint."""

    async def since(self, size: int) -> datetime | None:
        """When the oldest checkpoint of more than this size was published; None when there is none."""


class LeafStore(Protocol):
    """Where leaves are."""

    async def leaves(self, start: int, end: int) -> list[bytes]:
        """Canonical bytes of the leaves from `start` to before `end`, of those that there are. Raises
        `StoreUnavailable`."""
