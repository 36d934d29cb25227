"""All packs, the administrator's changes applied, and the one compiled `Pack` that holds for a callee.

A callee may be in several places: the packs of every candidate region combine by conjunction.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from dialer.errors import PackError
from dialer.numbers import Number, NumberFault
from dialer.policy.admin import AdminPolicy, Loosening, apply_admin
from dialer.policy.compiled import Pack, Place
from dialer.policy.facts import Address
from dialer.policy.reading import load_pack
from dialer.policy.schema import PackFile

_CACHED: Final = 4096
_NO_CHANGES: Final = AdminPolicy()


class PackSet:
    """Every pack by id. Make one with `load_packs`; immutable but for its cache."""

    def __init__(self, packs: Iterable[PackFile], admin: AdminPolicy = _NO_CHANGES) -> None:
        self._shipped = {pack.id: pack for pack in packs}
        self._admin = admin
        self._packs = {id_: apply_admin(pack, admin) for id_, pack in self._shipped.items()}
        self._longest_cap = max((pack.longest_cap for pack in self._packs.values()), default=timedelta(0))
        self._by_region = {region: pack for pack in self._packs.values() for region in pack.regions}
        self._rest = next((pack for pack in self._packs.values() if not pack.regions), None)
        self._compiled: dict[tuple[tuple[str, ...], tuple[str, ...]], Pack | None] = {}

    @property
    def packs(self) -> tuple[PackFile, ...]:
        """The packs as they are in force, by id."""
        return tuple(self._packs[id_] for id_ in sorted(self._packs))

    @property
    def loosenings(self) -> tuple[Loosening, ...]:
        """What the administrator has loosened, for evidence."""
        return self._admin.loosen

    @property
    def admin(self) -> AdminPolicy:
        """All that the administrator has changed."""
        return self._admin

    def with_admin(self, admin: AdminPolicy) -> PackSet:
        """The shipped packs with these changes (and no others).

        Raises:
            PackError: a pack or rule that is named does not exist, or a changed pack is not valid.
        """
        for id_ in sorted(admin.packs - self._shipped.keys()):
            known = ", ".join(f"`{each}`" for each in sorted(self._shipped))
            raise PackError(f"administrator's policy: there is no pack `{id_}`", f"name one of {known}")
        return PackSet(self._shipped.values(), admin)

    def longest_cap(self) -> timedelta:
        """How far back attempts must be known, whoever is called."""
        return self._longest_cap

    def for_callee(self, number: Number | NumberFault, address: Address | None = None) -> Pack | None:
        """The rules that hold for a callee, from every place where he may be; None when nothing covers one of them.

        A verified address replaces what the number suggests, another is added to it.
        """
        regions, subdivisions = _places(number, address)
        key = (regions, subdivisions)
        if key not in self._compiled:
            if len(self._compiled) >= _CACHED:
                self._compiled.clear()
            self._compiled[key] = self._compile(regions, subdivisions)
        return self._compiled[key]

    def _compile(self, regions: tuple[str, ...], subdivisions: tuple[str, ...]) -> Pack | None:
        found = [self._by_region.get(region, self._rest) for region in regions] or [self._rest]
        files = {pack.id: pack for pack in found if pack is not None}
        if None in found:
            return None
        ordered = tuple(files[id_] for id_ in sorted(files))
        shipped_lists = frozenset(
            rule.list for pack in ordered for rule in self._shipped[pack.id].rules if rule.kind == "list"
        )
        version = "+".join(f"{pack.id}@{pack.version}" for pack in ordered)
        digest = self._admin.digest(files)
        return Pack(
            files=ordered,
            place=Place(regions, subdivisions),
            version=f"{version}+admin:{digest}" if digest else version,
            governed_lists=shipped_lists,
        )


def _places(number: Number | NumberFault, address: Address | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Candidate regions and subdivisions, each once."""
    replaced = address is not None and address.verified and address.region
    regions: tuple[str, ...] = ()
    subdivisions: tuple[str, ...] = ()
    if isinstance(number, Number) and not replaced:
        regions, subdivisions = number.regions, number.subdivisions
    if address is not None and address.region:
        regions = (*regions, address.region.partition("-")[0])
        if "-" in address.region:
            subdivisions = (*subdivisions, address.region)
    return tuple(dict.fromkeys(regions)), tuple(dict.fromkeys(subdivisions))


def load_packs(directory: Traversable | Path | None = None) -> PackSet:
    """Every `*.toml` of a folder, by default the packs that are shipped.

    Raises:
        PackError: a pack is not valid, two cover one region or share an id, or there is none.
    """
    folder = directory if directory is not None else resources.files("dialer.policy") / "packs"
    try:
        entries = sorted((each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name)
        texts = [(each.name, each.read_bytes().decode()) for each in entries]
    except (OSError, UnicodeDecodeError) as error:
        raise PackError(
            f"the policy packs in `{folder}` cannot be read: {error}", "see that it is a folder of UTF-8 files"
        ) from None
    if not texts:
        raise PackError(f"there are no policy packs in `{folder}`", "name a folder with `*.toml` packs")
    packs = [(origin, load_pack(text, origin)) for origin, text in texts]
    _check_apart(packs)
    return PackSet(pack for _, pack in packs)


def _check_apart(packs: list[tuple[str, PackFile]]) -> None:
    ids: dict[str, str] = {}
    covered: dict[str, str] = {}
    for origin, pack in packs:
        if pack.id in ids:
            raise PackError(f"{origin}: id: `{pack.id}` is also the id of {ids[pack.id]}", "give each pack its own id")
        ids[pack.id] = origin
        for region in pack.regions or ("the rest",):
            if region in covered:
                raise PackError(f"{origin}: regions: `{region}` is also covered by {covered[region]}", "cover it once")
            covered[region] = origin


__all__ = ["PackSet", "load_packs"]
