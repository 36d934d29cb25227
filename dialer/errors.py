"""The errors that Heedline raises on purpose; every one can be shown to a person as one line.

HeedlineError
├── PackError          a policy pack, or the administrator's policy, cannot be used
├── DatabaseError      the database cannot be set up or reached at the start
├── StoreUnavailable   the database did not answer now; the gate refuses meanwhile
├── AmiUnavailable     the switch's manager interface is not connected, or did not answer in time
├── AmiRefused         the switch refused a login or an action
├── UnsafeText         a text may not be put on a wire to the switch
├── ConfigError        a setting is wrong
├── SpeechError        a recogniser, its weights or its packages cannot be used
├── LogFault           the log of evidence is not as it must be; nothing is sealed meanwhile
├── RegisterError      what was asked of a register cannot be done
│   ├── NotRegistered      it speaks of something that is not there
│   ├── AlreadyRegistered  it would register a thing twice
│   └── ReceiptConflict    one receipt (idempotency key) was given to two refusals
└── FileError          a file cannot be read or written as what it should be
"""

from __future__ import annotations


class HeedlineError(Exception):
    """The base of all. `problem` says what is wrong, `cure` what to do about it; `str()` gives both as one line."""

    def __init__(self, problem: str, cure: str = "") -> None:
        super().__init__(problem, cure)
        self.problem = problem
        self.cure = cure

    def __str__(self) -> str:
        return f"{self.problem}; {self.cure}" if self.cure else self.problem


class PackError(HeedlineError):
    """A policy pack, or the administrator's policy, cannot be used; nothing of it is in force."""


class DatabaseError(HeedlineError):
    """The database cannot be set up or reached."""


class StoreUnavailable(HeedlineError):
    """The database did not answer now. For the gate this is a refusal."""


class AmiUnavailable(HeedlineError):
    """The switch's manager interface is not connected, or did not answer in time."""


class AmiRefused(HeedlineError):
    """The switch refused a login or an action."""


class UnsafeText(HeedlineError):
    """A text holds what may not be put on a wire to the switch; nothing of it was sent."""


class ConfigError(HeedlineError):
    """A setting is wrong; names it."""


class SpeechError(HeedlineError):
    """A recogniser, its weights or its packages cannot be used; names the extra, the folder or the file."""


class LogFault(HeedlineError):
    """The log of evidence is not as it must be: changed, cut, restored from an old backup, or without its key.
    `kind` is the alarm's."""

    def __init__(self, problem: str, cure: str = "", kind: str = "log_inconsistent") -> None:
        super().__init__(problem, cure)
        self.kind = kind


class RegisterError(HeedlineError):
    """What was asked of a register (sellers, trunks, consents ...) cannot be done; nothing was changed."""


class NotRegistered(RegisterError):
    """It speaks of something that is not registered."""


class AlreadyRegistered(RegisterError):
    """It would register a thing twice."""


class ReceiptConflict(RegisterError):
    """A receipt that names one refusal was given to another."""


class FileError(HeedlineError):
    """A file cannot be read or written as what it should be; names the line where there is one."""
