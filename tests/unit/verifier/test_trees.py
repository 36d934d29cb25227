"""The tree is the one of RFC 6962: published vectors, and a second, unrelated implementation, agree."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import (  # type: ignore[import-untyped]  # it ships no types
    InclusionProof,
    InmemoryTree,
    verify_consistency,
    verify_inclusion,
)

from dialer.verifier.tree import (
    EMPTY_ROOT,
    Frontier,
    ProofFault,
    Stretch,
    check_consistency,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    range_path,
    root_by_inclusion,
    root_by_range,
    root_of,
)

# The vectors of Certificate Transparency's reference implementation.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION: list[tuple[int, int, list[str]]] = [
    (0, 1, []),
    (
        0,
        8,
        [
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (
        1,
        5,
        [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
CONSISTENCY: list[tuple[int, int, list[str]]] = [
    (1, 1, []),
    (1, 8, INCLUSION[1][2]),
    (
        6,
        8,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        [
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]


def subtrees(hashes: list[bytes]) -> Callable[[int, int], bytes]:
    """The hashes over stretches of these leaves."""
    return lambda low, high: root_of(hashes[low:high])


def hashes_of(count: int) -> list[bytes]:
    """The hashes of so many different leaves."""
    return [leaf_hash(b"leaf %d" % index) for index in range(count)]


@pytest.mark.parametrize("size", range(1, 9))
def test_published_roots(size: int) -> None:
    """The roots of the published leaves are the published ones, whole and appended one by one."""
    frontier = Frontier()
    for leaf in HASHES[:size]:
        frontier.append(leaf)
    assert root_of(HASHES[:size]).hex() == frontier.root().hex() == ROOTS[size - 1]


def test_empty_root() -> None:
    """The root of no leaves is the SHA-256 of nothing (RFC 6962, section 2.1)."""
    assert root_of([]) == Frontier().root() == EMPTY_ROOT == hashlib.sha256().digest()


@pytest.mark.parametrize(("index", "size", "path"), INCLUSION)
def test_published_inclusion(index: int, size: int, path: list[str]) -> None:
    """The published audit paths are made, and lead to the published roots."""
    assert [hash.hex() for hash in inclusion_path(index, size, subtrees(HASHES))] == path
    assert root_by_inclusion(index, size, HASHES[index], list(map(bytes.fromhex, path))).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("old", "new", "path"), CONSISTENCY)
def test_published_consistency(old: int, new: int, path: list[str]) -> None:
    """The published proofs of consistency are made, and accepted."""
    assert [hash.hex() for hash in consistency_path(old, new, subtrees(HASHES))] == path
    roots = bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1])
    check_consistency(old, new, *roots, list(map(bytes.fromhex, path)))


def forest(count: int) -> InmemoryTree:
    """The other implementation's tree of the same leaves."""
    tree = InmemoryTree(algorithm="sha256")
    for index in range(count):
        tree.append_entry(b"leaf %d" % index)
    return tree


LARGEST = 300
HASHES_300, TREE = hashes_of(LARGEST), forest(LARGEST)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, LARGEST), st.data())
def test_inclusion_agrees(size: int, data: st.DataObject) -> None:
    """pymerkle accepts our audit paths, we accept its own, and roots and paths are the same."""
    index = data.draw(st.integers(0, size - 1))
    root, theirs = TREE.get_root(size), TREE.prove_inclusion(index + 1, size)
    path = inclusion_path(index, size, subtrees(HASHES_300))
    assert root == root_of(HASHES_300[:size])
    assert root_by_inclusion(index, size, HASHES_300[index], theirs.path[1:]) == root
    ours = InclusionProof("sha256", True, size, index + 1, theirs.rule, [HASHES_300[index], *path])
    verify_inclusion(HASHES_300[index], root, ours, index=index + 1, size=size)
    assert path == theirs.path[1:]


@settings(max_examples=150, deadline=None)
@given(st.integers(1, LARGEST), st.data())
def test_consistency_agrees(new: int, data: st.DataObject) -> None:
    """We accept pymerkle's proofs of consistency, which are ours in another shape.

    Where the older tree ends with a left subtree, pymerkle takes the subtree right of it apart down to its first leaf.
    """
    old = data.draw(st.integers(1, new))
    theirs = TREE.prove_consistency(old, new)
    verify_consistency(TREE.get_root(old), TREE.get_root(new), theirs)
    path, subset = list(theirs.path), list(theirs.subset)
    if not subset[0]:
        edge = subset.index(1)
        right = path[0]
        for bit, hash in zip(theirs.rule, path[1:edge], strict=False):
            right = node_hash(hash, right) if bit else node_hash(right, hash)
        path = [path[edge], right, *path[edge + 1 :]]
    path = path[1:] if old == new or old & (old - 1) == 0 else path
    assert path == consistency_path(old, new, subtrees(HASHES_300))
    check_consistency(old, new, TREE.get_root(old), TREE.get_root(new), path)


def test_every_small_tree() -> None:
    """In every tree of up to 20 leaves every leaf, beginning and stretch is proven, and by its own proof alone."""
    for size in range(1, 21):
        hashes = HASHES_300[:size]
        root, subtree = root_of(hashes), subtrees(hashes)
        for index in range(size):
            path = inclusion_path(index, size, subtree)
            assert root_by_inclusion(index, size, hashes[index], path) == root
            check_consistency(index, size, root_of(hashes[:index]), root, consistency_path(index, size, subtree))
            for end in range(index + 1, size + 1):
                proof = range_path(index, end, size, subtree)
                assert root_by_range(index, end, size, hashes[index:end], proof) == root


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 2**60), st.data())
def test_shapes_of_large_trees(size: int, data: st.DataObject) -> None:
    """In trees of any size a leaf's path and a stretch of one leaf are the same hashes in another order."""
    index = data.draw(st.integers(0, size - 1))

    def subtree(low: int, high: int) -> bytes:
        return hashlib.sha256(b"%d %d" % (low, high)).digest()

    path, leaf = inclusion_path(index, size, subtree), subtree(index, index + 1)
    around = range_path(index, index + 1, size, subtree)
    assert sorted(path) == sorted(around)
    assert root_by_inclusion(index, size, leaf, path) == root_by_range(index, index + 1, size, [leaf], around)


@settings(max_examples=150, deadline=None)
@given(st.integers(2, LARGEST), st.data())
def test_no_other_proof(size: int, data: st.DataObject) -> None:
    """A proof with a hash changed, dropped, doubled or swapped, or at another place, proves nothing."""
    index = data.draw(st.integers(0, size - 1))
    subtree = subtrees(HASHES_300)
    root, path = subtree(0, size), inclusion_path(index, size, subtree)
    at = data.draw(st.integers(0, len(path) - 1))
    wrong = [*path[:at], hashlib.sha256(path[at]).digest(), *path[at + 1 :]]
    assert root_by_inclusion(index, size, HASHES_300[index], wrong) != root
    for other in (path[:at] + path[at + 1 :], [*path, path[at]], [*path[:at], path[at][:31], *path[at + 1 :]]):
        with pytest.raises(ProofFault):
            root_by_inclusion(index, size, HASHES_300[index], other)
    elsewhere = data.draw(st.integers(0, size - 1).filter(lambda other: other != index))
    with contextlib.suppress(ProofFault):
        assert root_by_inclusion(elsewhere, size, HASHES_300[index], path) != root


@settings(max_examples=150, deadline=None)
@given(st.integers(2, LARGEST), st.data())
def test_no_other_consistency(new: int, data: st.DataObject) -> None:
    """A rewritten log, or a changed proof, is not consistent."""
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    subtree = subtrees(HASHES_300)
    other = [*HASHES_300[:changed], leaf_hash(b"rewritten"), *HASHES_300[changed + 1 :]]
    with pytest.raises(ProofFault):
        check_consistency(old, new, subtree(0, old), root_of(other[:new]), consistency_path(old, new, subtrees(other)))
    path = consistency_path(old, new, subtree)
    at = data.draw(st.integers(0, len(path) - 1))
    for wrong in ([*path[:at], bytes(32), *path[at + 1 :]], path[:at] + path[at + 1 :], [*path, path[at]]):
        with pytest.raises(ProofFault):
            check_consistency(old, new, subtree(0, old), subtree(0, new), wrong)


@pytest.mark.parametrize("count", [4095, 4096, 4097, 12_289])
def test_long_logs(count: int) -> None:
    """A log that is hashed a subtree at a time has the root of one that grew leaf by leaf."""
    hashes, frontier, stretch = hashes_of(count), Frontier(), Stretch(0)
    for hash in hashes:
        frontier.append(hash)
        stretch.append(hash)
    assert root_of(hashes) == frontier.root() == stretch.root(count, [])
    again = Frontier(count, frontier.hashes)
    again.append(hashes[0])
    assert again.root() == root_of([*hashes, hashes[0]])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Frontier(3, [bytes(32)]), "has 2 perfect subtrees, not 1"),
        (lambda: inclusion_path(3, 3, subtrees(HASHES)), "there is no leaf 3 in a log of 3"),
        (lambda: inclusion_path(-1, 3, subtrees(HASHES)), "there is no leaf -1"),
        (lambda: root_by_inclusion(0, 0, HASHES[0], []), "there is no leaf 0 in a log of 0"),
        (lambda: consistency_path(4, 3, subtrees(HASHES)), "no beginning of one of 3"),
        (lambda: check_consistency(4, 3, b"", b"", []), "is shorter than the one of 4"),
        (lambda: check_consistency(0, 3, bytes(32), HASHES[0], []), "the root of the empty log is wrong"),
        (lambda: check_consistency(3, 3, HASHES[0], HASHES[1], []), "two different roots for 3 leaves"),
        (lambda: check_consistency(3, 3, HASHES[0], HASHES[0], [HASHES[0]]), "where none is needed"),
        (lambda: check_consistency(2, 3, HASHES[0], HASHES[0], []), "the proof is too short"),
        (lambda: range_path(3, 3, 5, subtrees(HASHES)), "is not in a log of 5"),
        (lambda: root_by_range(1, 9, 8, HASHES, []), "is not in a log of 8"),
        (lambda: root_by_range(1, 3, 8, HASHES, []), "has 2 leaves, and 8 are given"),
        (lambda: root_by_range(1, 3, 8, HASHES[1:3], []), "the proof of the stretch is too short"),
        (lambda: root_by_range(0, 8, 8, HASHES, [HASHES[0]]), "the proof of the stretch is too long"),
        (lambda: root_by_range(1, 8, 8, HASHES[1:], [b""]), "not of 32 bytes"),
    ],
)
def test_wrong_places(call: Callable[[], object], said: str) -> None:
    """What is not in the tree is told, in both languages."""
    with pytest.raises(ProofFault, match=said) as caught:
        call()
    assert caught.value.said.chinese != caught.value.said.english
