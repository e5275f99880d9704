"""The proof that one event is in the signed trail, worked out again when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit import keys, merkle, note
from audit.models import Checkpoint, Leaf
from audit.tiles import MissingHash, Tiles

if TYPE_CHECKING:
    from audit.models import Event


@dataclass(frozen=True)
class Proof:
    """How an event's hash leads to a signed root.

    Attributes:
        hashes: from the leaf upwards, RFC 6962 inclusion proof in the tree of the checkpoint.
        holds: whether body, proof, root and signature fit together right now.
    """

    leaf_index: int
    leaf_hash: bytes
    hashes: list[bytes]
    checkpoint: Checkpoint
    fingerprint: str
    holds: bool


def prove(event: Event) -> Proof | None:
    """The event's proof under the first checkpoint that covers it; None while it is not sealed."""
    leaf = Leaf.objects.filter(event=event).first()
    if leaf is None:
        return None
    covering = Checkpoint.objects.filter(tree_size__gt=leaf.leaf_index)
    checkpoint = covering.order_by("tree_size").first()
    if checkpoint is None:
        return None
    value = merkle.leaf_hash(event.body.encode())
    size, root = checkpoint.tree_size, bytes(checkpoint.root)
    public_key = bytes(checkpoint.public_key)
    try:
        hashes = merkle.inclusion_proof(leaf.leaf_index, size, Tiles().subtree)
    except MissingHash:
        hashes = []
    return Proof(
        leaf_index=leaf.leaf_index,
        leaf_hash=value,
        hashes=hashes,
        checkpoint=checkpoint,
        fingerprint=keys.fingerprint(public_key),
        holds=merkle.verify_inclusion(value, leaf.leaf_index, size, hashes, root)
        and _is_signed(checkpoint, public_key),
    )


def _is_signed(checkpoint: Checkpoint, public_key: bytes) -> bool:
    try:
        statement = note.verify(checkpoint.note, public_key)
    except note.BadNote:
        return False
    return (statement.size, statement.root) == (checkpoint.tree_size, bytes(checkpoint.root))
