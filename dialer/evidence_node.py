"""Wiring of the evidence: what seals, proves, exports and erases, opened on a database.

A part of the wiring, like `dialer.app`.
"""

from __future__ import annotations
