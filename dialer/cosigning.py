"""The log asks its witnesses to cosign its newest checkpoint (C2SP tlog-witness).

Each witness is asked by itself: one that is down, slow or lying costs its own cosignatures alone. What it answers is
believed as far as its signature goes. That it remembers a longer log than there is, or finds that the log was
rewritten, is an alarm.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dialer.errors import ConfigError, HeedlineError, LogFault, RegisterError
from dialer.hostile import printable
from dialer.ports import Clock
from dialer.ports_attempts import Alarm, AlarmStore
from dialer.ports_witness import Asker, Reply, Unanswered, WitnessStore
from dialer.proofs import Proofs, Published
from dialer.verifier.note import COSIGNATURE, Note, NoteFault, Signature, VerifierKey, read_key, read_note, verify
from dialer.webhook_urls import WITNESS, Network, checked_url

log = logging.getLogger(__name__)

CONTRADICTED = "log_contradicted"
"""The alarm: a witness remembers another log than there is."""
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,17})\n?")
_TRIES = 3
_SKEW = timedelta(minutes=5)
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Target:
    """A witness: its submission prefix, and the key that its cosignatures verify with."""

    url: str
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class WitnessState:
    """How a witness does. `size` and `at`: the newest checkpoint that it has cosigned, and when. `since`: when the
    oldest one that it has not was published; None when there is none. `problem`: why it did not when this process last
    asked it; empty when it did, or was not asked."""

    name: str
    url: str
    size: int | None
    at: datetime | None
    since: datetime | None
    problem: str


class _Contradiction(HeedlineError):
    """The witness remembers another log than there is."""


class Cosigning:
    """One witness is asked."""

    def __init__(
        self, target: Target, proofs: Proofs, store: WitnessStore, asker: Asker, alarms: AlarmStore, clock: Clock
    ) -> None:
        self.target = target
        self.problem = ""
        self._proofs, self._store, self._asker = proofs, store, asker
        self._alarms, self._clock = alarms, clock
        self._is_alarmed = False

    async def ask(self) -> None:
        """Have the newest checkpoint cosigned, unless it is. What comes of it is in `problem`; raises
        `StoreUnavailable`."""
        published = await self._proofs.latest()
        done = await self._store.cosigned(str(self.target.key))
        if published is None or (done is not None and done.size == published.checkpoint.size):
            self.problem = ""
            return
        try:
            await self._cosigned(published, done.size if done else 0)
        except _Contradiction as error:
            await self._fail(error)
            await self._alarm(error)
        except (Unanswered, LogFault) as error:
            await self._fail(error)
        else:
            if self.problem:
                log.info("the witness `%s` cosigns again", self.target.key.name)
            self.problem, self._is_alarmed = "", False

    async def state(self) -> WitnessState:
        """How the witness does. Raises `StoreUnavailable`."""
        done = await self._store.cosigned(str(self.target.key))
        size, at = (done.size, done.at) if done else (None, None)
        since = await self._store.since(size or 0)
        return WitnessState(self.target.key.name, self.target.url, size, at, since, self.problem)

    async def _cosigned(self, published: Published, old: int) -> None:
        """Raises `Unanswered`, `_Contradiction`."""
        for _ in range(_TRIES):
            if old > published.checkpoint.size:
                published = await self._newer(published, old)
            reply = await self._post(published, old)
            if reply.status != 409:
                signature = self._read(published.note, reply)
                await self._keep(published, signature)
                return
            has = _size(reply)
            if has == old:
                raise Unanswered(f"it answers that it has cosigned {has} leaves, which is what it was asked with")
            old = has
        raise Unanswered("it has cosigned another size each time that it is asked: does another node ask too?")

    async def _newer(self, published: Published, size: int) -> Published:
        """The witness has seen more than this checkpoint: another node may have published it since."""
        latest = await self._proofs.latest()
        if latest is None or latest.checkpoint.size < size:
            has = latest.checkpoint.size if latest else 0
            raise _Contradiction(
                f"it has cosigned this log at {size} leaves, and the log has {has}",
                "was the database set back to an older state? see `heedline evidence status`",
            )
        return latest

    async def _post(self, published: Published, old: int) -> Reply:
        size = published.checkpoint.size
        path = await self._proofs.consistency(old, size) if 0 < old < size else []
        lines = "".join(f"{base64.b64encode(each).decode()}\n" for each in path)
        # Signatures of others are of no use to it.
        keys = {(key.name, key.hash) for key in await self._proofs.keys()}
        own = tuple(each for each in published.note.signatures if (each.name, each.key_hash) in keys)
        body = f"old {old}\n{lines}\n{Note(published.note.text, own)}"
        return await self._asker.post(f"{self.target.url}/add-checkpoint", "text/plain; charset=utf-8", body.encode())

    def _read(self, note: Note, reply: Reply) -> Signature:
        """The witness's cosignature from its answer. Raises `Unanswered`, `_Contradiction`."""
        if reply.status == 422:
            raise _Contradiction(
                f"it finds that this checkpoint does not follow the one that it cosigned before{_said(reply)}",
                "was the log rewritten, or its database set back? run `heedline evidence fsck`",
            )
        if reply.status in (403, 404):
            raise Unanswered(
                f"it does not know this log{_said(reply)}",
                "give its operator what `heedline evidence key` prints, for `evidence.witness_for` there",
            )
        if reply.status != 200:
            raise Unanswered(f"it answered {reply.status}{_said(reply)}")
        try:
            answered = read_note(f"{note.text}\n{reply.body.decode('utf-8')}")
            if answered.text != note.text:
                raise NoteFault("it is more than signature lines")
            at = verify(answered, self.target.key)
        except (UnicodeDecodeError, NoteFault) as fault:
            raise Unanswered(f"its answer is no cosignature of its key: {printable(str(fault), _SHOWN)}") from fault
        if at is None or at > self._clock() + _SKEW:
            raise Unanswered(f"its cosignature is of {at}: its clock is wrong, or this node's")
        wanted = (self.target.key.name, self.target.key.hash)
        return next(each for each in answered.signatures if (each.name, each.key_hash) == wanted)

    async def _keep(self, published: Published, signature: Signature) -> None:
        size = published.checkpoint.size
        await self._store.add_cosignature(size, str(self.target.key), str(signature), self._clock())

    async def _fail(self, error: HeedlineError) -> None:
        if self.problem != str(error):
            log.warning("the witness `%s` has not cosigned: %s", self.target.key.name, error)
        self.problem = str(error)

    async def _alarm(self, error: HeedlineError) -> None:
        if not self._is_alarmed:
            name = self.target.key.name
            await self._alarms.raise_alarm(Alarm(self._clock(), CONTRADICTED, name, f"the witness says that {error}"))
            self._is_alarmed = True


def read_targets(witnesses: Sequence[tuple[str, str]], networks: Sequence[Network]) -> list[Target]:
    """What `evidence.witnesses` says, as (URL, key). Raises `ConfigError`."""
    targets: list[Target] = []
    for url, text in witnesses:
        try:
            key = read_key(text)
            target = Target(checked_url(url, networks, WITNESS).rstrip("/"), key)
        except NoteFault as fault:
            raise ConfigError(f"`evidence.witnesses`: {fault}", "its operator tells the witness's key") from fault
        except RegisterError as error:
            raise ConfigError(f"`evidence.witnesses`: {error.problem}", error.cure) from error
        if key.algorithm != COSIGNATURE:
            raise ConfigError(
                f"`evidence.witnesses`: `{printable(key.id)}` is the key of a log, not of a witness",
                "`heedline evidence witness-key` prints the key of a witness, on its node",
            )
        if key in [each.key for each in targets]:
            raise ConfigError(f"`evidence.witnesses` has `{printable(key.id)}` twice", "name each witness once")
        targets.append(target)
    return targets


def _size(reply: Reply) -> int:
    """What a witness says that it has. Raises `Unanswered`."""
    found = _SIZE.fullmatch(reply.body) if reply.kind == "text/x.tlog.size" else None
    if found is None:
        raise Unanswered("it answered 409, and not with the size that it has cosigned")
    return int(found[1])


def _said(reply: Reply) -> str:
    text = printable(" ".join(reply.body[: 4 * _SHOWN].decode("utf-8", "replace").split()), _SHOWN)
    return f": {text}" if text else ""
