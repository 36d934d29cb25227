"""Policy packs: the public face. The fields of each rule are documented in `dialer.policy.schema`."""

from __future__ import annotations

from dialer.policy.reading import load_pack
from dialer.policy.schema import PackFile

__all__ = ["PackFile", "load_pack"]
