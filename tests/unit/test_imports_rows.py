"""Rows held against their models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dialer.import_rows import CONSENTS, KINDS, RowContext, validate
from dialer.imports import Chunk, Row, RowFault
from dialer.messages import row_fault_text

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CONTEXT = RowContext(NOW, "GB", frozenset({"acme"}), {"uk": "GB", "cn": "CN"})


def one(kind: str, cells: dict[str, str], context: RowContext = CONTEXT) -> tuple[Any, ...] | RowFault:
    """What becomes of a row with these cells."""
    done = validate(kind, tuple(cells), Chunk([Row(7, tuple(cells.values()))]), context)
    assert len(done.rows) + len(done.faults) == 1
    return done.rows[0] if done.rows else done.faults[0]


def test_a_consent_with_every_column() -> None:
    """All cells become the values to store, numbers as E.164 digits and times as UTC."""
    found = one(
        "consents",
        {
            "number": "020 7946 0123",
            "seller": "acme",
            "purpose": "survey",
            "basis": "written",
            "kinds": "live|prerecorded",
            "granted_at": "2026-01-01T10:00+08:00",
            "expires_at": "2027-01-01",
            "artefact_sha256": "AB" * 32,
            "artefact_media_type": "audio/wav",
            "artefact_location": "s3 bucket",
            "region": "US-FL",
            "zones": "America/New_York America/Chicago",
            "verified": "yes",
            "withdrawn_at": "",
        },
    )
    assert isinstance(found, tuple)
    *values, payload = found
    said = json.loads(payload)
    assert (said["callee"], said["artefact"]) == ("+442079460123", ["ab" * 32, "audio/wav", "s3 bucket"])
    assert (said["granted_at"], said["withdrawn_at"]) == ("2026-01-01T02:00:00+00:00", None)
    assert tuple(values) == (
        442079460123,
        "acme",
        "survey",
        "written",
        ("live", "prerecorded"),
        datetime(2026, 1, 1, 2, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
        bytes.fromhex("ab" * 32),
        "audio/wav",
        "s3 bucket",
        "US-FL",
        ("America/New_York", "America/Chicago"),
        True,
        None,
    )
    assert len(values) == 14


GOOD = {"number": "+442079460123", "seller": "acme", "granted_at": "2026-01-01"}


@pytest.mark.parametrize(
    ("changes", "column", "code"),
    [
        ({"number": ""}, "number", "missing"),
        ({"number": "abc"}, "number", "number.characters"),
        ({"number": "٠٢٠٧٩٤٦٠١٢٣"}, "number", "number.characters"),
        ({"number": "1" * 500}, "number", "number.too_long"),
        ({"number": "+1555&PJSIP/900@trunk"}, "number", "number.characters"),
        ({"number": "999"}, "number", "not_e164"),
        ({"seller": "nobody"}, "seller", "seller_unknown"),
        ({"seller": "*"}, "seller", "seller_unknown"),
        ({"purpose": "Two words"}, "purpose", "purpose"),
        ({"basis": "hearsay"}, "basis", "choice"),
        ({"kinds": "live fax"}, "kinds", "choice"),
        ({"granted_at": "yesterday"}, "granted_at", "instant"),
        ({"granted_at": "2026-01-01T10:00"}, "granted_at", "offset"),
        ({"granted_at": "2027-01-01"}, "granted_at", "future"),
        ({"granted_at": "0001-01-01T00:00+14:00"}, "granted_at", "instant"),
        ({"expires_at": "2025-01-01"}, "expires_at", "order"),
        ({"artefact_sha256": "ab"}, "artefact_sha256", "sha256"),
        ({"artefact_location": "a drawer"}, "artefact_sha256", "artefact"),
        ({"artefact_location": "x" * 501}, "artefact_location", "long"),
        ({"artefact_location": "a\u202eb"}, "artefact_location", "characters"),
        ({"region": "Florida"}, "region", "region"),
        ({"region": "US-FL", "zones": "Mars/Olympus"}, "zones", "zone"),
        ({"zones": "America/New_York"}, "region", "zones_alone"),
        ({"verified": "maybe"}, "verified", "choice"),
        ({"withdrawn_at": "2030-01-01"}, "withdrawn_at", "future"),
    ],
)
def test_each_bad_cell_is_named(changes: dict[str, str], column: str, code: str) -> None:
    """The fault says line, column and what is wrong, in printable words."""
    fault = one("consents", {**GOOD, **changes})
    assert isinstance(fault, RowFault)
    assert (fault.line, fault.column, fault.code) == (7, column, code)
    assert fault.value.isprintable()
    assert row_fault_text(fault.code, fault.detail, "zh")


def test_every_bad_cell_of_a_row_is_told() -> None:
    """Two bad cells are two faults of one line."""
    cells = {**GOOD, "basis": "hearsay", "region": "Florida"}
    done = validate("consents", tuple(cells), Chunk([Row(3, tuple(cells.values()))]), CONTEXT)
    assert {fault.column for fault in done.faults} == {"basis", "region"}


def test_the_default_seller_fills_blanks_only() -> None:
    """A row that names a seller keeps it; one that names none gets the default, unknown defaults included."""
    context = RowContext(NOW, "GB", frozenset({"acme", "other"}), {}, "other")
    named, blank = one("consents", GOOD, context), one("consents", {**GOOD, "seller": ""}, context)
    assert not isinstance(named, RowFault)
    assert not isinstance(blank, RowFault)
    assert (named[1], blank[1]) == ("acme", "other")
    nobody = RowContext(NOW, "GB", default_seller="none")
    unknown = one("consents", {**GOOD, "seller": ""}, nobody)
    assert isinstance(unknown, RowFault)
    assert unknown.code == "seller_unknown"


def test_a_refusal_needs_to_say_to_whom() -> None:
    """No seller is a fault; `*` is every seller; the time defaults to now."""
    fault = one("refusals", {"number": "+442079460123"})
    assert isinstance(fault, RowFault)
    assert (fault.column, fault.code) == ("seller", "missing")
    found = one("refusals", {"number": "+442079460123", "seller": "*"})
    assert isinstance(found, tuple)
    *values, payload = found
    assert tuple(values) == (442079460123, None, "import", NOW, None)
    said = json.loads(payload)
    assert (said["callee"], said["seller"], said["how"], said["at"]) == (
        "+442079460123",
        None,
        "import",
        NOW.isoformat(),
    )


def test_a_presented_number_is_read_by_its_own_trunk() -> None:
    """Rows of one file may have trunks of several countries, and service codes are numbers there."""
    uk = one("numbers", {"trunk": "uk", "number": "020 7946 0999", "holder": "Acme", "seller": "*"})
    cn = one("numbers", {"trunk": "cn", "number": "95588", "holder": "Bank", "seller": "acme"})
    assert not isinstance(uk, RowFault)
    assert not isinstance(cn, RowFault)
    assert (uk[1], uk[3], cn[1], cn[3]) == ("+442079460999", None, "95588", "acme")
    bad = one("numbers", {"trunk": "fr", "number": "1", "holder": "x", "seller": "*"})
    assert isinstance(bad, RowFault)
    assert bad.code == "trunk_unknown"
    worse = one("numbers", {"trunk": "uk", "number": "abc", "holder": "x", "seller": "*"})
    assert isinstance(worse, RowFault)
    assert (worse.column, worse.code) == ("number", "number.characters")


def test_every_kind_is_found_by_its_name() -> None:
    """Chunks that went to another process find their model by name, and its fields are the columns."""
    for name, kind in KINDS.items():
        assert kind.name == name
        assert set(kind.columns.known) == set(kind.model.model_fields)
    assert CONSENTS.columns.required == ("number", "granted_at")
