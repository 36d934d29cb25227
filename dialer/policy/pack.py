"""Policy packs: the public face.

`load_packs` reads every pack, `PackSet.with_admin` applies an administrator's policy, `PackSet.for_callee` gives the
one `Pack` that `dialer.policy.decide` needs. The fields of each rule are documented in `dialer.policy.schema`.
"""

from __future__ import annotations

from dialer.policy.admin import AdminPolicy, Loosening, Tightening, load_admin
from dialer.policy.compiled import Pack
from dialer.policy.packset import PackSet, load_packs
from dialer.policy.reading import load_pack
from dialer.policy.schema import PackFile, Rule

__all__ = [
    "AdminPolicy",
    "Loosening",
    "Pack",
    "PackFile",
    "PackSet",
    "Rule",
    "Tightening",
    "load_admin",
    "load_pack",
    "load_packs",
]
