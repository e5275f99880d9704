"""Is the trail what was recorded? The database's, or an export's, told in one sentence."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from audit import keys, merkle, note, offline
from audit.models import Checkpoint, Event, Leaf, Node, Pending, Pii
from audit.services.record import commitment, projections
from audit.tiles import is_stored

if TYPE_CHECKING:
    from django.db.models import QuerySet

MAX_PROBLEMS = 20
PAGE = 2000


@dataclass
class Report:
    """What was checked and what was found; ``problems`` is empty when the trail is intact."""

    events: int = 0
    pending: int = 0
    checkpoints: int = 0
    erased: int = 0
    origin: str = ""
    keys: list[str] = field(default_factory=list)
    key_was_given: bool = False
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    sentence: str = ""

    @property
    def ok(self) -> bool:
        return not self.problems

    def problem(self, text: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)
        elif len(self.problems) == MAX_PROBLEMS:
            self.problems.append(f"… and more; only the first {MAX_PROBLEMS} are shown")


def verify_export(
    path: str | Path, *, key: str | None = None, checkpoint: str | None = None
) -> Report:
    """Check an export with the very verifier that lies in it, but with our copy of it.

    Args:
        key: fingerprint of the signing key, from outside the export.
        checkpoint: text of a signed checkpoint that was kept outside.
    """
    result = offline.check(str(path), key=key, checkpoint=checkpoint)
    return Report(
        events=result.events,
        checkpoints=result.checkpoints,
        origin=result.origin,
        keys=result.keys,
        key_was_given=result.key_was_given,
        notes=result.notes,
        problems=result.problems,
        sentence=result.sentence(),
    )


def verify_database(*, key: str | None = None, checkpoint: str | None = None) -> Report:
    """Recompute every hash, MAC, column, node, root and signature of the trail.

    Whoever owns the database and holds the signing key can rewrite history so that this finds
    nothing; then only a ``checkpoint`` kept outside shows it.

    Args:
        key: fingerprint of the signing key from outside; without it, the configured key counts as
            known, and on a host without one the keys stored beside the checkpoints.
        checkpoint: text of a signed checkpoint that was kept outside.
    """
    report = Report()
    with _one_snapshot():
        trusted = _trusted_keys(key, report)
        signed = _signed_roots(trusted, report)
        if checkpoint is not None:
            _add_outside(checkpoint, trusted, signed, report)
        size = _check_tree(signed, report)
        _check_unsealed(report)
        for unreached in sorted(each for each in signed if each > size):
            for whose, _ in signed[unreached]:
                report.problem(f"{whose} covers {unreached} events, the trail has {size}")
    report.sentence = _sentence(report)
    return report


@contextmanager
def _one_snapshot() -> Iterator[None]:
    """One unchanging view, while others go on recording and sealing."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _trusted_keys(key: str | None, report: Report) -> list[bytes]:
    stored = list(
        dict.fromkeys(
            bytes(value)
            for value in Checkpoint.objects.order_by("tree_size").values_list(
                "public_key", flat=True
            )
        )
    )
    report.keys = [keys.fingerprint(value) for value in stored]
    configured = keys.configured_public_key()
    if key is not None:
        report.key_was_given = True
        wanted = key.strip().lower()
        wanted = wanted if wanted.startswith("sha256:") else f"sha256:{wanted}"
        known = [*stored, *([configured] if configured else [])]
        found = [value for value in known if keys.fingerprint(value) == wanted]
        if not found:
            report.problem(f"no checkpoint is signed by the key you named, {wanted}")
        return found[:1]
    if configured is not None:
        return [configured]
    return stored


#: At a size: whose checkpoint it is, and the root that it names.
Signed = dict[int, list[tuple[str, bytes]]]


def _signed_roots(trusted: list[bytes], report: Report) -> Signed:
    signed: Signed = {}
    for row in Checkpoint.objects.order_by("tree_size").iterator(chunk_size=PAGE):
        whose = f"the signed checkpoint of {row.tree_size} events"
        report.checkpoints += 1
        statement = _verified(row.note, trusted)
        if statement is None:
            report.problem(f"{whose} carries no valid signature of a key we trust")
            continue
        if statement.size != row.tree_size or statement.root != bytes(row.root):
            report.problem(f"{whose} says something else than its row")
        if report.origin and statement.origin != report.origin:
            report.problem(f"{whose} is of another log, {statement.origin}")
        report.origin = report.origin or statement.origin
        signed.setdefault(statement.size, []).append((whose, statement.root))
    return signed


def _add_outside(text: str, trusted: list[bytes], signed: Signed, report: Report) -> None:
    statement = _verified(text, trusted)
    if statement is None:
        report.problem("your checkpoint is not signed by this log's key")
    elif report.origin and statement.origin != report.origin:
        report.problem(f"your checkpoint is of another log, {statement.origin}")
    else:
        signed.setdefault(statement.size, []).append(("your checkpoint", statement.root))


def _verified(text: str, trusted: list[bytes]) -> note.Statement | None:
    for key in trusted:
        try:
            return note.verify(text, key)
        except note.BadNote:
            continue
    return None


def _check_tree(signed: Signed, report: Report) -> int:
    """Rebuild the tree leaf by leaf from the bodies; the number of leaves."""
    tree = merkle.CompactRange()
    nodes: dict[tuple[int, int], bytes] = {}

    def keep(level: int, index: int, value: bytes) -> None:
        if is_stored(level):
            nodes[level, index] = value

    for page in _pages(Leaf.objects.select_related("event"), "leaf_index"):
        personal = _personal([leaf.event_id for leaf in page])
        for leaf in page:
            if leaf.leaf_index != tree.size:
                report.problem(
                    f"sealed event {tree.size} is missing: {leaf.leaf_index} stands in its place"
                )
                return tree.size
            value = _check_event(leaf.event, personal.get(leaf.event_id, []), report)
            if value != bytes(leaf.leaf_hash):
                report.problem(
                    f"event {leaf.event_id} is not what was sealed as number {tree.size}"
                )
            tree.push(value, keep)
            for whose, root in signed.get(tree.size, []):
                if root != tree.root():
                    report.problem(f"the first {tree.size} events do not have the root of {whose}")
    _check_nodes(nodes, report)
    if tree.size and tree.size not in signed:
        report.problem(f"the last sealed events, up to number {tree.size - 1}, carry no signature")
    return tree.size


def _check_nodes(nodes: dict[tuple[int, int], bytes], report: Report) -> None:
    for level, index, value in Node.objects.values_list("level", "index", "hash").iterator():
        if nodes.pop((level, index), None) != bytes(value):
            report.problem(f"the stored node {level}/{index} is not the tree's")
    for level, index in sorted(nodes):
        report.problem(f"the stored node {level}/{index} is missing")


def _check_unsealed(report: Report) -> None:
    """What waits for the sealer: MAC and hash are all that protects it until then."""
    waiting = set(Pending.objects.values_list("pk", flat=True))
    report.pending = len(waiting)
    for page in _pages(Event.objects.filter(leaf=None), "pk"):
        personal = _personal([event.pk for event in page])
        for event in page:
            if event.pk not in waiting:
                report.problem(f"event {event.pk} is neither sealed nor waiting to be")
            waiting.discard(event.pk)
            _check_event(event, personal.get(event.pk, []), report)
    for pk in sorted(waiting):
        report.problem(f"event {pk} waits to be sealed, but is gone or sealed already")


def _check_event(event: Event, personal: list[Pii], report: Report) -> bytes:
    """Report what is wrong with one event; its leaf hash as the body gives it."""
    report.events += 1
    value = merkle.leaf_hash(event.body.encode())
    if event.leaf_hash is None or bytes(event.leaf_hash) != value:
        report.problem(f"event {event.pk}: the body is not the one that was hashed")
    if keys.has_mac_key() and not hmac.compare_digest(bytes(event.mac), keys.mac(event.body)):
        report.problem(f"event {event.pk}: the body does not carry the application's MAC")
    try:
        body: dict[str, Any] = json.loads(event.body)
        columns = {"uid": body["uid"], **projections(body)}
        held: dict[str, str] = dict(body["pii"])
    except (ValueError, KeyError, TypeError):
        report.problem(f"event {event.pk}: the body is not an event")
        return value
    for name, said in columns.items():
        shown = getattr(event, name)
        if (str(shown) if name == "uid" else shown) != said:
            report.problem(f"event {event.pk}: the column {name} says something else than the body")
    for item in personal:
        if held.pop(item.field, None) != commitment(bytes(item.salt), item.value):
            report.problem(f"event {event.pk}: the {item.field} beside it is not what was recorded")
    report.erased += len(held)
    return value


def _personal(event_ids: list[int]) -> dict[int, list[Pii]]:
    found: dict[int, list[Pii]] = {}
    for item in Pii.objects.filter(event_id__in=event_ids):
        found.setdefault(item.event_id, []).append(item)
    return found


def _pages(rows: QuerySet[Any], order: str) -> Iterator[list[Any]]:
    after = -1
    while page := list(rows.filter(**{f"{order}__gt": after}).order_by(order)[:PAGE]):
        yield page
        after = getattr(page[-1], order)


def _sentence(report: Report) -> str:
    if not report.ok:
        return f"NOT VALID: {report.problems[0]}."
    if report.erased:
        report.notes.append(
            f"{report.erased} personal values are erased; the tree is intact without them."
        )
    who = (
        "signed by the key you named"
        if report.key_was_given
        else "but no outside key fingerprint was given, so this host vouches for its own key"
    )
    waiting = f", {report.pending} of them not sealed yet" if report.pending else ""
    return f"VALID: all {report.events} events are as they were recorded{waiting}; {who}."
