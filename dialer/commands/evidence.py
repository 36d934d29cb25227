"""`heedline evidence`: the log, its proofs, bundles, erasure. Each command stands in a file of its own."""

from __future__ import annotations

from dialer.commands.evidence_consistency import consistency
from dialer.commands.evidence_erase import erase, retention
from dialer.commands.evidence_export import export
from dialer.commands.evidence_fsck import fsck
from dialer.commands.evidence_log import accept_restore, key, rotate_key, status
from dialer.commands.evidence_verify import verify
from dialer.commands.evidence_witness import witness_key, witnesses
from dialer.commands.terminal import group

app = group("Evidence: the log that anyone can check; bundles, proofs, erasure.")
app.command("fsck")(fsck)
app.command("consistency")(consistency)
app.command("verify")(verify)
app.command("export")(export)
app.command("status")(status)
app.command("key")(key)
app.command("rotate-key")(rotate_key)
app.command("accept-restore")(accept_restore)
app.command("witness-key")(witness_key)
app.command("witnesses")(witnesses)
app.command("erase")(erase)
app.command("retention")(retention)
