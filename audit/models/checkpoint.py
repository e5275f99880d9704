"""The Merkle tree over the trail (RFC 6962) and the signed statements of its size and root."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Leaf(models.Model):
    """An event's place in the tree: gap-free, given by the sealer and by nobody else."""

    leaf_index = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField("audit.Event", models.PROTECT, related_name="leaf")
    leaf_hash = models.BinaryField()

    def __str__(self) -> str:
        return f"leaf {self.leaf_index}"


class Node(models.Model):
    """A stored inner hash at every eighth level (tiles of 256 leaves)."""

    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["level", "index"], name="audit_node_once")]

    def __str__(self) -> str:
        return f"node {self.level}/{self.index}"


class Checkpoint(models.Model):
    """A signed note: at this size the tree had this root (C2SP tlog-checkpoint)."""

    tree_size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    note = models.TextField()
    public_key = models.BinaryField(
        max_length=32,
        help_text="Ed25519; to be believed only by a fingerprint from outside",
    )
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["tree_size"]

    def __str__(self) -> str:
        return f"checkpoint {self.tree_size}"
