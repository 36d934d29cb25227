"""`heedline-verify`: checks a bundle of evidence, or a proof that the log was not rewritten. No network, no database.

Exit codes: 0 all is right, 1 something is false, 2 it cannot be read or the usage is wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .command import UNREADABLE, language_of, verify_and_tell


def main(arguments: Sequence[str] | None = None) -> None:
    """The program. Ends by `SystemExit`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    chosen = _parser().parse_args(arguments)
    code = UNREADABLE
    try:
        text, code = verify_and_tell(
            chosen.file,
            chosen.key,
            chosen.witness,
            chosen.tsa,
            language=chosen.language or language_of(os.environ),
            as_json=chosen.json,
        )
        print(text, file=sys.stderr if code == UNREADABLE and not chosen.json else sys.stdout, flush=True)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever reads the output has had enough; Python must not complain of it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heedline-verify",
        description="Check a bundle of Heedline's evidence, or a proof that its log was not rewritten. "
        "Needs no database and no network. Exit codes: 0 all is right, 1 something is false, 2 it cannot be read.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the bundle (.zip), or the proof (.json)")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="KEY",
        help="a key of the log that you trust, or a file with such keys; may be given again",
    )
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="KEY",
        help="a key of a witness who must have cosigned the checkpoint; may be given again",
    )
    parser.add_argument(
        "--tsa",
        action="append",
        default=[],
        type=Path,
        metavar="CERT",
        help="certificates (PEM or DER) of a time stamp authority that must have stamped it; may be given again",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document, for programs")
    parser.add_argument("--language", choices=["en", "zh"], help="language of messages; else as LANG says")
    return parser


if __name__ == "__main__":
    main()
