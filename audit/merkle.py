"""The Merkle tree of RFC 6962, as pure functions over hashes.

Leaves are numbered from 0. A *complete subtree* (level, index) has the 2**level leaves from
``index * 2**level`` on; a tree of any size is a row of complete subtrees, the largest first, and
every proof is a list of hashes of such rows. Nothing here reads a database: proofs take a function
that knows complete subtrees, so that a caller may keep only some of them (tiles).

Source: RFC 6962 section 2.1; the verifiers follow RFC 9162 sections 2.1.3.2 and 2.1.4.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

#: Hash of the complete subtree (level, index); level 0 is a leaf.
Subtree = Callable[[int, int], bytes]
#: Told of every complete subtree (level, index, hash) the moment it is complete.
Sink = Callable[[int, int, bytes], None]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """SHA-256 over 0x00 and the leaf's bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 over 0x01 and both children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def peaks(size: int) -> list[tuple[int, int]]:
    """The complete subtrees (level, index) that make up a tree of ``size``, left to right."""
    found = []
    start = 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            found.append((level, start >> level))
            start += 1 << level
    return found


def fold(hashes: Sequence[bytes]) -> bytes:
    """Root over a row of complete subtrees, the largest first; of the empty tree when empty."""
    if not hashes:
        return EMPTY_ROOT
    value = hashes[-1]
    for left in reversed(hashes[:-1]):
        value = node_hash(left, value)
    return value


@dataclass
class CompactRange:
    """A tree that remembers one hash per peak: enough to grow and to give its root.

    Attributes:
        size: number of leaves so far.
        hashes: of ``peaks(size)``, in that order.
    """

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.hashes) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} has {self.size.bit_count()} peaks")

    def push(self, leaf: bytes, sink: Sink | None = None) -> None:
        """Add a leaf's hash; ``sink`` hears of each subtree that this completes, leaf included."""
        level, index, value = 0, self.size, leaf
        if sink is not None:
            sink(level, index, value)
        while index & 1:
            value = node_hash(self.hashes.pop(), value)
            level, index = level + 1, index >> 1
            if sink is not None:
                sink(level, index, value)
        self.hashes.append(value)
        self.size += 1

    def root(self) -> bytes:
        return fold(self.hashes)


def root(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes."""
    tree = CompactRange()
    for leaf in leaves:
        tree.push(leaf)
    return tree.root()


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """Hashes that lead from leaf ``index`` to the root of the tree of ``size`` leaves.

    Raises: ValueError unless ``0 <= index < size``.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    proof = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_range_hash(middle, high, subtree))
            high = middle
        else:
            proof.append(_range_hash(low, middle, subtree))
            low = middle
    return proof[::-1]


def consistency_proof(old_size: int, size: int, subtree: Subtree) -> list[bytes]:
    """Hashes that show that the tree of ``old_size`` leaves is the beginning of that of ``size``.

    Raises: ValueError unless ``0 <= old_size <= size``.
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {old_size} is not the beginning of one of {size}")
    if old_size in (0, size):
        return []
    proof = []
    low, high = 0, size
    is_whole = True  # the old tree's root is known to the verifier as long as we never went right
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            proof.append(_range_hash(middle, high, subtree))
            high = middle
        else:
            proof.append(_range_hash(low, middle, subtree))
            low = middle
            is_whole = False
    if not is_whole:
        proof.append(_range_hash(low, high, subtree))
    return proof[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes
) -> bool:
    """Whether ``proof`` leads from this leaf hash to this root."""
    if not 0 <= index < size:
        return False
    node, last = index, size - 1
    value = leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and value == root_hash


def verify_consistency(
    old_size: int, size: int, old_root: bytes, root_hash: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether ``proof`` shows that the old tree is the beginning of the new one."""
    if not 0 <= old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root_hash
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_root and new == root_hash


def _split(size: int) -> int:
    """The largest power of two smaller than ``size`` (``size`` >= 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_hash(low: int, high: int, subtree: Subtree) -> bytes:
    """Hash over leaves [low, high); ``low`` is a multiple of a power of two >= its length."""
    return fold([subtree(level, (low >> level) + index) for level, index in peaks(high - low)])
