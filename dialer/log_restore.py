"""Going on after a loss: an old backup was restored, or the log's key is gone. The log says so, and takes a new name
and a new key, so that no two checkpoints of one name ever disagree."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dialer.errors import LogFault, RegisterError
from dialer.last_signed import LastSigned, Signed
from dialer.log_check import ROLLED_BACK, examine
from dialer.log_keys import LogKeys, current, missing, new_name
from dialer.ports_log import LogTransaction
from dialer.registers import checked_text
from dialer.sealing import Sealer
from dialer.verifier.note import VerifierKey


@dataclass(frozen=True, slots=True)
class Restored:
    """What was accepted: the keys before (None: unknown) and after, and the text of the checkpoint that was lost."""

    old: VerifierKey | None
    new: VerifierKey
    lost: str | None


async def accept_restore(
    reason: str, keys: LogKeys, last: LastSigned, sealer: Sealer, is_sealed_elsewhere: Callable[[], Awaitable[bool]]
) -> Restored:
    """Accept that checkpoints were lost, or the key was. The database's log must be sound in itself.

    Raises `RegisterError` when nothing is amiss, or this is the wrong node; `LogFault` when the log is unsound.
    """
    checked_text(reason, "reason", 500)
    fault = await _amiss(keys, sealer)
    if fault is None:
        raise RegisterError(
            "nothing is amiss: the log goes on from what was signed last, and its key is here",
            "see `heedline evidence status`",
        )
    signed = last.read()
    is_key_gone = fault.kind not in (ROLLED_BACK, "log_inconsistent")
    if is_key_gone and await is_sealed_elsewhere():
        raise RegisterError("another node holds the log's key and seals", "run it there if something is amiss")
    async with keys.store.transaction() as transaction:
        await transaction.make_alone()
        return await _restore(transaction, keys, signed, reason, is_key_gone=is_key_gone)


async def _amiss(keys: LogKeys, sealer: Sealer) -> LogFault | None:
    """Why nothing can be sealed; None when it could be, and was."""
    try:
        if await sealer.ready():
            await sealer.step()
            return None
    except LogFault as fault:
        return fault
    return missing(keys.ring, sealer.stats.key) if sealer.stats.key else None


async def _restore(
    transaction: LogTransaction, keys: LogKeys, signed: Signed | None, reason: str, *, is_key_gone: bool
) -> Restored:
    state = await transaction.state()
    known = await transaction.keys()
    if state is not None:
        await examine(transaction, None)
    old = signed.key if signed else None
    if state is not None and (old is None or old.name == state.name):
        old = current(state, known).verifier  # it may have been rotated since
    if old is not None and old.public not in [key.public for key in known]:
        await transaction.add_key(old.name, old.public, keys.clock(), keys.by, None)
    names = [name for name in (signed and signed.key.name, state and state.name) if name]
    new = keys.ring.make(successor(names) if signed else new_name())
    lost = None if is_key_gone or signed is None else await _lost(transaction, signed)
    told = {"reason": reason, "lost": lost, "old": old and str(old)}
    await keys.install(transaction, new, "log.restored", told, is_new=state is None)
    return Restored(old, new, lost)


async def _lost(transaction: LogTransaction, signed: Signed) -> str | None:
    """What was signed and is not in the database: the committed checkpoint, or else the one that was about to be."""
    try:
        await examine(transaction, signed)
    except LogFault:
        return str(signed.committed) if signed.committed else None
    return signed.intended.checkpoint.text() if signed.intended else None


def successor(names: list[str]) -> str:
    """The name after these: `heedline/0a1b2c3d`, `heedline/0a1b2c3d/2`, and so on."""
    bases = ["/".join(name.split("/")[:2]) for name in names]
    numbers = [int(parts[2]) if len(parts := name.split("/")) > 2 else 1 for name in names]
    return f"{bases[0]}/{max(numbers) + 1}"
