"""`heedline evidence status|key|rotate-key|accept-restore`: the log and its keys."""

# ruff: noqa: PLC0415 - heavy modules are imported where they are used, so that `--help` is quick

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dialer.commands.terminal import AsJson, actor, answer, opened, pairs, run, say, settings
from dialer.errors import LogFault

if TYPE_CHECKING:
    from dialer.log_restore import Restored
    from dialer.ports_log import Queue
    from dialer.proofs import Published
    from dialer.verifier.note import VerifierKey


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the database and the keys' folder say of the log now. `witnesses` are names of who cosigned."""

    key: VerifierKey | None
    is_here: bool
    latest: Published | None
    queue: Queue
    now: datetime
    problem: str

    @property
    def oldest_s(self) -> float | None:
        """Seconds that the first waiting entry has waited."""
        return (self.now - self.queue.oldest).total_seconds() if self.queue.oldest else None

    @property
    def witnesses(self) -> list[str]:
        """Names of those that cosigned the newest checkpoint."""
        if self.latest is None:
            return []
        own = self.latest.checkpoint.origin
        return [signature.name for signature in self.latest.note.signatures if signature.name != own]


def status(as_json: AsJson = False) -> None:
    """Say how the log does: its newest checkpoint, what waits to be sealed, whether its key is here, what is amiss.

    Nothing is sealed by this. Exits 0 when nothing is amiss, else 1.

    Example: `heedline evidence status`
    """
    seen = run(_look())
    document = {
        "log": seen.key and seen.key.name,
        "key": seen.key and seen.key.id,
        "key_here": seen.is_here,
        "size": seen.latest.checkpoint.size if seen.latest else 0,
        "root": seen.latest.checkpoint.root if seen.latest else None,
        "checkpoint_at": seen.latest.at if seen.latest else None,
        "witnesses": seen.witnesses,
        "waiting": seen.queue.count,
        "oldest_waiting_s": seen.oldest_s and round(seen.oldest_s, 3),
        "problem": seen.problem,
    }
    answer(as_json, document, lambda: _tell(seen))
    raise typer.Exit(1 if seen.problem else 0)


def _tell(seen: _Seen) -> None:
    latest = seen.latest
    pairs(
        [
            (say("log", "日志"), seen.key and seen.key.name),
            (say("key", "密钥"), seen.key and seen.key.id),
            (say("key is here", "密钥在本机"), seen.is_here),
            (say("entries sealed", "已封存条目"), latest.checkpoint.size if latest else 0),
            (say("newest checkpoint", "最新检查点"), latest.at if latest else None),
            (say("cosigned by", "联署者"), seen.witnesses),
            (say("waiting", "等待封存"), seen.queue.count),
            (say("first waits for, s", "最早等待（秒）"), None if seen.oldest_s is None else f"{seen.oldest_s:.1f}"),
        ]
    )
    if seen.problem:
        typer.echo(say(f"amiss: {seen.problem}", f"异常：{seen.problem}"), err=True)


async def _look() -> _Seen:
    from db.log_store import PostgresLogStore
    from dialer.app import clock
    from dialer.evidence_node import open_proofs, open_sealer

    async with opened() as (database, _):
        store, proofs = PostgresLogStore(database.pool), open_proofs(database)
        keys, queue, now = await proofs.keys(), await store.queue(), clock()
        sealer = open_sealer(settings(), database.pool)
        problem = ""
        try:
            await sealer.look()
            latest = await proofs.latest()
        except LogFault as fault:
            problem, latest = str(fault), None
        key = sealer.stats.key or (keys[-1] if keys else None)
        return _Seen(key, sealer.stats.here, latest, queue, now, problem)


def key(as_json: AsJson = False) -> None:
    """Print the public key that the log's checkpoints verify with now, for whoever is to check them; keep it safe.

    Example: `heedline evidence key > log.pub`, then `heedline evidence verify FILE.zip --key "$(cat log.pub)"`
    """

    async def work() -> list[VerifierKey]:
        from dialer.evidence_node import open_proofs

        async with opened() as (database, _):
            return await open_proofs(database).keys()

    keys = run(work())
    if not keys:
        raise LogFault("there is no log yet", "run `heedline serve` once")
    document = {"key": str(keys[-1]), "keys": [str(each) for each in keys]}
    answer(as_json, document, lambda: typer.echo(str(keys[-1])))


def rotate_key(as_json: AsJson = False) -> None:
    """Make a new key in place of the log's present one; an entry, signed by both, links them.

    A running service goes on with the new key at once. Other nodes that shall be able to seal need a copy of its file.
    Keep the old file: whoever trusts the old key checks newer checkpoints through that entry.

    Example: `heedline evidence rotate-key`
    """

    async def work() -> tuple[VerifierKey, VerifierKey]:
        from dialer.evidence_node import open_log_keys

        async with opened() as (database, _):
            return await open_log_keys(settings(), database, actor()).rotate()

    old, new = run(work())
    text = say(f"the log's key is `{new}` now, in place of `{old.id}`", f"日志密钥现为 `{new}`，替代 `{old.id}`")
    answer(as_json, {"old": str(old), "new": str(new)}, lambda: typer.echo(text))


def accept_restore(
    reason: Annotated[str, typer.Option(help="What was lost and why; the log keeps it.", metavar="TEXT")],
    as_json: AsJson = False,
) -> None:
    """Go on after a loss: an old backup was restored, or the log's key is gone for good. That is an entry.

    What was sealed since the backup is lost; the entry holds the last checkpoint of it. The log goes on under a new
    name with a new key, so that nobody is shown two different logs of one name.

    Example: `heedline evidence accept-restore --reason "disk failure, backup of 3 May, see ticket 4711"`
    """

    async def work() -> Restored:
        from dialer.evidence_node import is_sealed_elsewhere, open_log_keys, open_sealer
        from dialer.last_signed import LastSigned
        from dialer.log_restore import accept_restore

        chosen = settings()
        async with opened() as (database, _):
            keys, sealer = open_log_keys(chosen, database, actor()), open_sealer(chosen, database.pool)
            last = LastSigned(chosen.keys_folder)
            return await accept_restore(reason, keys, last, sealer, lambda: is_sealed_elsewhere(database))

    done = run(work())
    document: dict[str, Any] = {"old": done.old and str(done.old), "new": str(done.new), "lost": done.lost}
    text = say(
        f"the log goes on as `{done.new.name}` with the key `{done.new}`; give it to whoever checks the log",
        f"日志以 `{done.new.name}` 之名继续，密钥为 `{done.new}`；请告知所有核验者",
    )
    answer(as_json, document, lambda: typer.echo(text))
