"""Signed notes, checkpoints and cosignatures as others publish them are accepted; whatever is changed in one is not."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from dialer.verifier.note import (
    COSIGNATURE,
    Checkpoint,
    Note,
    NoteFault,
    cosign,
    read_checkpoint,
    read_key,
    read_note,
    sign,
    verifier_key,
    verify,
)
from tests.bundle_maker import key_of

# From the documentation of golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM="
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
SAYING = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# Signed tree heads of Go's checksum database.
SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
TREE_HEADS = [
    (
        3935567,
        "SapHtgdNCeF00Cx8kqztePV24kgzNg++Xovae42HAMw=",
        "Az3grsm7Wm4CVNR1RHq9BFnu9jzcRlU2uw7lr0gfUWgO6+rqPNjT+fUTl9gH0NRTgdwW9nItuQSMbhSaLCsk8YeYSAs=",
    ),
    (
        65209736,
        "5+uGFjx6xBZG8ip1+wi77v+grwbhhukIrxEUS8PXvRo=",
        "Az3grnbssgK7ubgFX36gVETtNv0U23qxyAhAMai2QUfeGa3nB/akvkMdlUErfcZz7l/R3cVtYspg3dxXABkGZZKdsQ8=",
    ),
]
# A checkpoint of a Certificate Transparency log with the lines of public witnesses (C2SP tlog-cosignature).
WITNESSED = (
    "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    "— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQI"
    "gIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n"
    "— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei5"
    "9RA23oHP7Ry1k3ZFWwQ=\n"
    "— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4Ascyl"
    "P3v7sEodkRAErumC2q44vdgJY096st5BQ==\n"
    "— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNW"
    "VuE0tgh0XwzdZsDsUAQ==\n"
    "— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0Dr"
    "AWfBw==\n"
    "— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvK"
    "FYe/TmN9DAg==\n"
)
WITNESSED_LOG = "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
WITNESSES = [
    "transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM",
    "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO",
    "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2",
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
]


def tree_head(at: int) -> Note:
    """A published tree head."""
    size, root, line = TREE_HEADS[at]
    return read_note(f"go.sum database tree\n{size}\n{root}\n\n— sum.golang.org {line}\n")


def test_published_note() -> None:
    """The note with two signatures is read, both are right, and it is written as it was."""
    text = f"{SAYING}\n{PETER_LINE}{ENOCH_LINE}"
    note = read_note(text)
    assert (note.text, str(note)) == (SAYING, text)
    assert verify(note, read_key(PETER)) is verify(note, read_key(ENOCH)) is None


def test_published_signing_key() -> None:
    """Signing with the published private key gives the published signature and verifier key."""
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(PETER_SEED))
    assert str(verifier_key("PeterNeumann", key)) == PETER
    assert f"{sign(SAYING, 'PeterNeumann', key)}\n" == PETER_LINE


@pytest.mark.parametrize("at", [0, 1])
def test_published_tree_heads(at: int) -> None:
    """Tree heads of Go's checksum database are checkpoints with right signatures, and wrong at another size."""
    note = tree_head(at)
    verify(note, read_key(SUMDB))
    checkpoint = read_checkpoint(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("go.sum database tree", TREE_HEADS[at][0])
    assert checkpoint.text() == note.text
    other = Note(Checkpoint(checkpoint.origin, checkpoint.size + 1, checkpoint.root).text(), note.signatures)
    with pytest.raises(NoteFault, match="is wrong"):
        verify(other, read_key(SUMDB))


def test_published_cosignatures() -> None:
    """A checkpoint in use is right by its log's key and by each of four public witnesses, at the time that they say."""
    note = read_note(WITNESSED)
    assert verify(note, read_key(WITNESSED_LOG)) is None
    for witness in WITNESSES:
        assert verify(note, read_key(witness)) == datetime(2026, 5, 23, 21, 50, 24, tzinfo=UTC)
    with pytest.raises(NoteFault):
        verify(Note(note.text.replace("1432088532", "1432088533"), note.signatures), read_key(WITNESSES[0]))


def test_cosignature_covers_its_time() -> None:
    """A cosignature whose time was changed is wrong, and one of no time or of no date is refused."""
    key = key_of("w")
    at = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    note = Note("log\n1\nAAAA\n", ())
    line = cosign(note.text, "w", key, at)
    witness = verifier_key("w", key, COSIGNATURE)
    assert verify(note.with_signatures(line), witness) == at
    for seconds in (0, 1, 2**40, 2**64 - 1):
        other = type(line)(line.name, line.key_hash, seconds.to_bytes(8, "big") + line.signed[8:])
        with pytest.raises(NoteFault):
            verify(note.with_signatures(other), witness)
    with pytest.raises(NoteFault):
        verify(note.with_signatures(sign(note.text, "w", key)), witness)


def test_cosignature_of_no_time() -> None:
    """A cosignature of the time zero, rightly signed, does not count (C2SP tlog-cosignature)."""
    key = key_of("w")
    note = Note("log\n1\nAAAA\n", (cosign("log\n1\nAAAA\n", "w", key, datetime.fromtimestamp(0, UTC)),))
    with pytest.raises(NoteFault, match="of no possible time"):
        verify(note, verifier_key("w", key, COSIGNATURE))


def test_signature_for_another_purpose() -> None:
    """A key's plain signature is no cosignature, and its cosignature no plain one, whatever hash is written on it."""
    key = key_of("w")
    plain, cosigner = verifier_key("w", key), verifier_key("w", key, COSIGNATURE)
    note = Note("log\n1\nAAAA\n", ())
    assert plain.hash != cosigner.hash
    relabelled = type(sign("", "w", key))("w", cosigner.hash, bytes(8) + sign(note.text, "w", key).signed)
    with pytest.raises(NoteFault):
        verify(note.with_signatures(relabelled), cosigner)


def test_unknown_signer() -> None:
    """A key that has not signed is named; one that has under another name has not."""
    with pytest.raises(NoteFault, match=r"`EnochRoot\+af0cfe78` has not signed it"):
        verify(read_note(f"{SAYING}\n{PETER_LINE}"), read_key(ENOCH))
    with pytest.raises(NoteFault):
        verify(read_note(f"{SAYING}\n{PETER_LINE}".replace("— Peter", "— Carmen")), read_key(PETER))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(SAYING) + 120), st.characters(codec="utf-8"))
def test_any_other_character(at: int, other: str) -> None:
    """A note in which one character is another is refused, or its signature is wrong."""
    text = f"{SAYING}\n{PETER_LINE}"
    at = min(at, len(text) - 1)
    changed = text[:at] + other + text[at + 1 :]
    if changed == text:
        return
    with pytest.raises(NoteFault):
        verify(read_note(changed), read_key(PETER))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n",
        SAYING,
        SAYING + "\n",
        SAYING + PETER_LINE,
        f"{SAYING}\n{PETER_LINE}"[:-1],
        f"{SAYING}\n{PETER_LINE}\n",
        f"{SAYING}\n{PETER_LINE}x\n",
        f"{SAYING}\n{PETER_LINE}".replace("— ", "- "),
        f"{SAYING}\n{PETER_LINE}".replace("=\n", "\n"),
        f"{SAYING}\n{PETER_LINE}".replace("AM=", "AN="),
        f"{SAYING}\n— PeterNeumann x08g\n",
        f"{SAYING}\n— Peter+Neumann x08go/ZJ\n",
        f"{SAYING}\n—  x08go/ZJ\n",
        f"{SAYING}\t\n{PETER_LINE}",
        f"{SAYING}\r\n{PETER_LINE}",
        f"{SAYING}\ud800\n\n{PETER_LINE}",
        "x" * 1_000_000 + f"\n\n{PETER_LINE}",
    ],
    ids=range(19),
)
def test_malformed_notes(text: str) -> None:
    """What is no signed note is refused."""
    with pytest.raises(NoteFault):
        read_note(text)


ROOT = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n1\n",
        f"\n1\n{ROOT}\n",
        f"log\n01\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n+1\n{ROOT}\n",
        f"log\n1.0\n{ROOT}\n",
        f"log\n1_0\n{ROOT}\n",
        f"log\n١\n{ROOT}\n",
        f"log\n{'9' * 19}\n{ROOT}\n",
        f"log\n\n{ROOT}\n",
        f"log\n1\n{ROOT[:-4]}\n",
        f"log\n1\n{ROOT[:-2]}9=\n",
        f"log\n1\n{ROOT} \n",
        f"log\n1\n{ROOT}",
        f"log\n1\n{ROOT}\n\nmore\n",
    ],
)
def test_malformed_checkpoints(text: str) -> None:
    """What is no checkpoint is refused: sizes and roots have one way to be written."""
    with pytest.raises(NoteFault):
        read_checkpoint(text)


def test_checkpoint_with_more() -> None:
    """A checkpoint may have lines of extension behind the root."""
    assert read_checkpoint(f"log\n0\n{ROOT}\nmore\n") == Checkpoint("log", 0, bytes(range(32)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        PETER[:-4],
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("Peter", "peter"),
        PETER.replace("Neumann", " Neumann"),
        PETER.replace("+ARpc", "+ZRpc"),
        PETER + "AAAA",
        "+" + PETER,
    ],
)
def test_malformed_keys(text: str) -> None:
    """A key that was cut, mistyped or is of another algorithm is refused."""
    with pytest.raises(NoteFault):
        read_key(text)


def test_keys_round_trip() -> None:
    """A key is written as it was read."""
    assert [str(read_key(text)) for text in (PETER, ENOCH, SUMDB, *WITNESSES)] == [PETER, ENOCH, SUMDB, *WITNESSES]
