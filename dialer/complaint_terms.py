"""The words of complaints: who sent one, how it came, what was done about it."""

from __future__ import annotations

from enum import StrEnum


class Source(StrEnum):
    """Who sent a complaint. 12321 is China's office for complaints about bad messages and calls."""

    PERSON = "person"
    CARRIER = "carrier"
    OFFICE_12321 = "12321"
    AUTHORITY = "authority"


class Channel(StrEnum):
    """How it came."""

    TELEPHONE = "telephone"
    WEB = "web"
    APP = "app"
    LETTER = "letter"
    EMAIL = "email"
    API = "api"


class Status(StrEnum):
    """What was done about it."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"
