"""The tree against the recursive definitions of RFC 6962, copied as they stand there."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle

sizes = st.integers(min_value=1, max_value=600)


def leaves(size: int) -> list[bytes]:
    return [merkle.leaf_hash(str(number).encode()) for number in range(size)]


def naive_root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return hashlib.sha256(b"\x01" + naive_root(hashes[:k]) + naive_root(hashes[k:])).digest()


def naive_path(m: int, hashes: list[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if m < k:
        return [*naive_path(m, hashes[:k]), naive_root(hashes[k:])]
    return [*naive_path(m - k, hashes[k:]), naive_root(hashes[:k])]


def naive_subproof(m: int, hashes: list[bytes], is_whole: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if is_whole else [naive_root(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*naive_subproof(m, hashes[:k], is_whole), naive_root(hashes[k:])]
    return [*naive_subproof(m - k, hashes[k:], False), naive_root(hashes[:k])]


def split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def subtree_of(hashes: list[bytes]) -> merkle.Subtree:
    def subtree(level: int, index: int) -> bytes:
        part = hashes[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "asked for a subtree that is not complete"
        return naive_root(part)

    return subtree


def test_known_answers_of_the_empty_tree_and_the_first_leaf():
    # The values that every RFC 6962 implementation prints.
    assert (
        merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert (
        merkle.leaf_hash(b"").hex()
        == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )


@given(size=sizes)
def test_root_equals_the_recursive_definition(size):
    assert merkle.root(leaves(size)) == naive_root(leaves(size))


@given(size=sizes, data=st.data())
def test_inclusion_proof_equals_the_definition_and_verifies(size, data):
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))

    proof = merkle.inclusion_proof(index, size, subtree_of(hashes))

    assert proof == naive_path(index, hashes)
    assert merkle.verify_inclusion(hashes[index], index, size, proof, naive_root(hashes))


@given(size=sizes, data=st.data())
def test_consistency_proof_equals_the_definition_and_verifies(size, data):
    hashes = leaves(size)
    old = data.draw(st.integers(1, size))

    proof = merkle.consistency_proof(old, size, subtree_of(hashes))

    assert proof == naive_subproof(old, hashes, True)
    assert merkle.verify_consistency(old, size, naive_root(hashes[:old]), naive_root(hashes), proof)


@given(size=st.integers(2, 300), data=st.data())
def test_inclusion_fails_for_any_other_leaf_index_size_or_proof(size, data):
    hashes = leaves(size)
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
    top = naive_root(hashes)
    proof = merkle.inclusion_proof(index, size, subtree_of(hashes))
    at = data.draw(st.integers(0, len(proof) - 1))
    bent = [*proof[:at], bytes(32), *proof[at + 1 :]]

    assert not merkle.verify_inclusion(hashes[other], index, size, proof, top)
    assert not merkle.verify_inclusion(hashes[index], other, size, proof, top)
    assert not merkle.verify_inclusion(hashes[index], index, size, bent, top)
    assert not merkle.verify_inclusion(hashes[index], index, size, proof[:-1], top)
    assert not merkle.verify_inclusion(hashes[index], index, size, [*proof, proof[0]], top)


@given(size=st.integers(2, 300), data=st.data())
def test_consistency_fails_when_history_was_rewritten(size, data):
    hashes = leaves(size)
    old = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old - 1))
    rewritten = [*hashes]
    rewritten[changed] = merkle.leaf_hash(b"another story")

    proof = merkle.consistency_proof(old, size, subtree_of(rewritten))

    assert not merkle.verify_consistency(
        old, size, naive_root(hashes[:old]), naive_root(rewritten), proof
    )


@given(first=st.integers(0, 300), more=st.integers(0, 300))
def test_compact_range_grows_from_stored_peaks_and_names_every_complete_subtree(first, more):
    hashes = leaves(first + more)
    subtree = subtree_of(hashes)
    tree = merkle.CompactRange(
        first, [subtree(level, index) for level, index in merkle.peaks(first)]
    )
    heard: dict[tuple[int, int], bytes] = {}

    for leaf in hashes[first:]:
        tree.push(leaf, lambda level, index, value: heard.update({(level, index): value}))

    assert tree.root() == naive_root(hashes)
    complete = {
        (level, index)
        for level in range(10)
        for index in range((first + more) >> level)
        if (index + 1) << level > first
    }
    assert set(heard) == complete
    assert all(value == subtree(level, index) for (level, index), value in heard.items())


def test_impossible_questions_are_refused():
    subtree = subtree_of(leaves(4))
    with pytest.raises(ValueError, match="not in a tree"):
        merkle.inclusion_proof(4, 4, subtree)
    with pytest.raises(ValueError, match="not the beginning"):
        merkle.consistency_proof(5, 4, subtree)
    with pytest.raises(ValueError, match="peaks"):
        merkle.CompactRange(3, [])
    assert not merkle.verify_inclusion(bytes(32), 0, 0, [], bytes(32))
    assert not merkle.verify_consistency(3, 2, bytes(32), bytes(32), [])
    assert not merkle.verify_consistency(1, 2, merkle.leaf_hash(b""), bytes(32), [])
