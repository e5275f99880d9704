"""The sealer: what is visible and unsealed, in the order of ids, goes into the tree and is signed.

Why by the queue and not by ``id > last`` or by transaction id: a later commit may carry a smaller
id, and an effect must never be sealed before its cause (RELIABILITY section 1.3).
"""

from __future__ import annotations

import hmac
import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max

from audit import keys, merkle, note
from audit.errors import NotSealed, TrailBroken
from audit.models import Checkpoint, Event, Leaf, Node
from audit.tiles import MissingHash, Tiles, is_stored

logger = logging.getLogger(__name__)

#: PostgreSQL advisory lock, one number for the whole database: whoever holds it seals.
LOCK = 0x5EA1
BATCH = 5000
POLL_S = 0.05


def seal_once(batch: int = BATCH) -> int:
    """Seal up to ``batch`` pending events in one transaction; how many it were.

    Returns 0 as well when another process is the sealer.

    Raises:
        TrailBroken: an event or the stored tree is not what was recorded. Nothing is sealed.
    """
    with transaction.atomic():
        if not _is_the_sealer():
            return 0
        ids = _take(batch)
        if not ids:
            return 0
        hashes = _checked_hashes(ids)
        tree, origin = _tree()
        first = tree.size
        nodes: list[Node] = []

        def keep(level: int, index: int, value: bytes) -> None:
            if is_stored(level):
                nodes.append(Node(level=level, index=index, hash=value))

        for value in hashes:
            tree.push(value, keep)
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY audit_leaf (leaf_index, event_id, leaf_hash) FROM STDIN") as copy,
        ):
            for offset, (event_id, value) in enumerate(zip(ids, hashes, strict=True)):
                copy.write_row((first + offset, event_id, value))
        Node.objects.bulk_create(nodes)
        _sign(tree, origin)
    return len(ids)


def try_lock_session() -> bool:
    """Become the sealer for as long as this connection lives; False when another one is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def wait_sealed(event_ids: Iterable[int], timeout_s: float = 5.0) -> Checkpoint:
    """The first checkpoint that covers all these events, waiting for the sealer if need be.

    Call it outside a transaction, or at least after the events are committed.

    Raises:
        ValueError: no event is named.
        NotSealed: some are not inside a signed checkpoint after ``timeout_s`` seconds.
    """
    wanted = set(event_ids)
    if not wanted:
        raise ValueError("no event to wait for")
    deadline = time.monotonic() + timeout_s
    while True:
        checkpoint = _covering(wanted)
        if checkpoint is not None:
            return checkpoint
        if time.monotonic() >= deadline:
            raise NotSealed(
                f"{len(wanted)} events of the audit trail are not sealed after {timeout_s:g} s: "
                "is the sealer running?"
            )
        time.sleep(POLL_S)


def _covering(event_ids: set[int]) -> Checkpoint | None:
    leaves = Leaf.objects.filter(event_id__in=event_ids)
    indices = list(leaves.values_list("leaf_index", flat=True))
    if len(indices) < len(event_ids):
        return None
    return Checkpoint.objects.filter(tree_size__gt=max(indices)).order_by("tree_size").first()


def _is_the_sealer() -> bool:
    # The session that holds the lock gets it again; nobody else does.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _take(batch: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_take_pending(%s)", [batch])
        return sorted(row[0] for row in cursor.fetchall())


def _checked_hashes(ids: list[int]) -> list[bytes]:
    """Leaf hashes in the order of ``ids``, recomputed from the bodies and compared."""
    rows = Event.objects.filter(pk__in=ids).values_list("pk", "body", "leaf_hash", "mac")
    found: dict[int, bytes] = {}
    for pk, body, stored, mac in rows.iterator(chunk_size=2000):
        value = merkle.leaf_hash(body.encode())
        if stored is None or bytes(stored) != value:
            raise TrailBroken(f"event {pk}: its body is not the one that was hashed")
        if not hmac.compare_digest(bytes(mac), keys.mac(body)):
            raise TrailBroken(f"event {pk}: its body does not carry the application's MAC")
        found[pk] = value
    missing = [pk for pk in ids if pk not in found]
    if missing:
        raise TrailBroken(f"event {missing[0]} is in the sealer's queue and nowhere else")
    return [found[pk] for pk in ids]


def _tree() -> tuple[merkle.CompactRange, str]:
    """The tree as stored hashes give it, and its name; it must have the root last signed."""
    last = Checkpoint.objects.order_by("-tree_size").first()
    top = Leaf.objects.aggregate(top=Max("leaf_index"))["top"]
    leaves = 0 if top is None else top + 1
    if last is None:
        if leaves:
            raise TrailBroken("there are sealed events and no checkpoint")
        return merkle.CompactRange(), settings.AUDIT_ORIGIN
    if leaves != last.tree_size:
        raise TrailBroken(
            f"the last checkpoint covers {last.tree_size} events, {leaves} are sealed"
        )
    tiles = Tiles()
    try:
        hashes = [tiles.subtree(level, index) for level, index in merkle.peaks(last.tree_size)]
    except MissingHash as error:
        raise TrailBroken(f"the stored tree has a hole: {error}") from error
    tree = merkle.CompactRange(last.tree_size, hashes)
    if tree.root() != bytes(last.root):
        raise TrailBroken(
            f"the stored tree of {last.tree_size} events has not the root that was signed"
        )
    # The name was given by the first checkpoint and stays, whatever address the site has today.
    statement, _ = note.parse(last.note)
    return tree, statement.origin


def _sign(tree: merkle.CompactRange, origin: str) -> None:
    key = keys.signing_key()
    statement = note.Statement(origin, tree.size, tree.root(), datetime.now(UTC))
    Checkpoint.objects.create(
        tree_size=tree.size,
        root=statement.root,
        note=note.sign(statement, key),
        public_key=key.public_key().public_bytes_raw(),
    )
