"""Verifies bundles in memory, for the tests of the verifier."""

from __future__ import annotations

import hashlib
import io

from dialer.verifier.bundle import Trust, verify_bundle
from dialer.verifier.report import Degree, Report
from tests.bundle_maker import LogMaker, Parts, busy_log

CLIP = b"RIFF a clip"
CLIP_NAME = f"files/{hashlib.sha256(CLIP).hexdigest()}"


def checked(parts: Parts, trust: Trust | None = None) -> Report:
    """What the verifier says of a bundle."""
    return verify_bundle(io.BytesIO(parts.zipped()), trust or Trust())


def false_of(report: Report) -> list[str]:
    """What is false, one line each: the check, the place and the words."""
    return [f"{f.check.value} | {f.place.words().english} | {f.said.english}" for f in report.of(Degree.FALSE)]


def warned(report: Report) -> str:
    """All warnings as one text."""
    return "\n".join(f"{f.place.words().english}: {f.said.english}" for f in report.of(Degree.WARNING))


def proven(report: Report) -> str:
    """All that was proven as one text."""
    return "\n".join(f"{f.place.words().english}: {f.said.english}" for f in report.of(Degree.RIGHT))


def made() -> tuple[LogMaker, Parts]:
    """A right bundle of a consent, a decision, its redemption, with one file."""
    log = busy_log()
    return log, log.bundle([1, 2, 3], files=[CLIP])


def seen(parts: Parts, trust: Trust | None = None) -> list[str]:
    """What is false in a bundle whose hashes were made to fit."""
    return false_of(checked(parts.hashed(), trust))
