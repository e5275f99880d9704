"""The trail as a zip that verifies itself: streamed, in memory a few hundred kilobytes at most.

A whole export holds every sealed event, and the tree is rebuilt from them. A workspace's export
holds that workspace's events, each with its inclusion proof, and nothing of other workspaces.
"""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from io import RawIOBase
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from audit import keys, merkle, offline
from audit.errors import NothingSealed
from audit.models import Checkpoint, Leaf, Pii
from audit.tiles import Tiles

if TYPE_CHECKING:
    from django.db.models import QuerySet

PAGE = 1000
MAX_CHECKPOINTS = 1000

README = """\
The audit trail of Countersign, exported.

    python3 -I -S verify.py --key sha256:...

in the folder where the zip was unpacked. It needs Python 3.8 or newer, no network and no other
software; better than the verify.py in here is the one that you already have. Take the key's
fingerprint from somewhere else than this zip: the audit page of the site, a printed report, a
colleague. Without it the check says only that the export agrees with itself.

events.jsonl       one sealed event a line: its number "i" and "body", the exact bytes hashed
checkpoints.json   signed statements of size and root (C2SP signed notes, Ed25519), oldest first
keys.json          the public keys that signed them
disclosures.jsonl  names and free texts, each with the salt that fits it to its body's commitment
about.json         what this export is
{more}
Event hash: SHA-256(0x00 || body). Tree: RFC 6962. Events that are not sealed yet are not in here.
"""
PARTIAL = """\
proofs.jsonl       for each event the hashes that lead to the root of the last checkpoint
consistency.json   the hashes that show that the last checkpoint continues the first
"""


def write_export(fileobj: IO[bytes], *, workspace: str | None = None) -> None:
    """Write the zip; ``workspace`` limits it to that slug's events, with proofs.

    Raises: NothingSealed: there is no signed checkpoint yet.
    """
    for chunk in chunks(workspace=workspace):
        fileobj.write(chunk)


def chunks(*, workspace: str | None = None) -> Iterator[bytes]:
    """The zip piece by piece, for a streamed answer.

    No transaction stays open: the size is fixed at the start, and sealed rows never change.

    Raises: NothingSealed: there is no signed checkpoint yet.
    """
    last = Checkpoint.objects.order_by("-tree_size").first()
    if last is None:
        raise NothingSealed("Nothing is sealed yet, so there is nothing to export.")
    return _chunks(last, workspace)


def _chunks(last: Checkpoint, workspace: str | None) -> Iterator[bytes]:
    sink = _Sink()
    checkpoints = _checkpoints(is_partial=workspace is not None)
    size = last.tree_size
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        more = PARTIAL if workspace is not None else ""
        archive.writestr("README.txt", README.format(more=more))
        archive.writestr("verify.py", Path(offline.__file__).read_text(encoding="utf-8"))
        about = {
            "format": offline.FORMAT,
            "made_at": datetime.now(UTC).isoformat(),
            "tree_size": size,
            "workspace": workspace,
        }
        archive.writestr("about.json", _json(about))
        archive.writestr("keys.json", _json(_keys(checkpoints)))
        archive.writestr("checkpoints.json", _json([item.note for item in checkpoints]))
        yield sink.drain()
        yield from _member(archive, sink, "events.jsonl", _events(size, workspace))
        yield from _member(archive, sink, "disclosures.jsonl", _disclosures(size, workspace))
        if workspace is not None:
            tiles = Tiles()
            yield from _member(archive, sink, "proofs.jsonl", _proofs(size, workspace, tiles))
            growth = merkle.consistency_proof(checkpoints[0].tree_size, size, tiles.subtree)
            archive.writestr("consistency.json", _json([_b64(value) for value in growth]))
    yield sink.drain()


def _member(
    archive: zipfile.ZipFile, sink: _Sink, name: str, lines: Iterator[dict[str, Any]]
) -> Iterator[bytes]:
    with archive.open(name, "w", force_zip64=True) as member:
        for number, line in enumerate(lines, start=1):
            member.write(_json(line).encode() + b"\n")
            if number % PAGE == 0:
                yield sink.drain()
    yield sink.drain()


def _leaves(size: int, workspace: str | None) -> QuerySet[Leaf]:
    leaves = Leaf.objects.filter(leaf_index__lt=size).order_by("leaf_index")
    return leaves if workspace is None else leaves.filter(event__workspace=workspace)


def _pages(size: int, workspace: str | None, *fields: str) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of the leaves, their index first, page by page from where the last page ended."""
    after = -1
    while True:
        rows = _leaves(size, workspace).filter(leaf_index__gt=after)
        page = list(rows.values_list("leaf_index", *fields)[:PAGE])
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1][0]


def _events(size: int, workspace: str | None) -> Iterator[dict[str, Any]]:
    for page in _pages(size, workspace, "event__body"):
        for index, body in page:
            yield {"i": index, "body": body}


def _proofs(size: int, workspace: str, tiles: Tiles) -> Iterator[dict[str, Any]]:
    for page in _pages(size, workspace):
        for (index,) in page:
            proof = merkle.inclusion_proof(index, size, tiles.subtree)
            yield {"i": index, "inclusion": [_b64(value) for value in proof]}


def _disclosures(size: int, workspace: str | None) -> Iterator[dict[str, Any]]:
    for page in _pages(size, workspace, "event_id"):
        index_of = {event_id: index for index, event_id in page}
        values = Pii.objects.filter(event_id__in=index_of).order_by("event_id", "field")
        for item in values.values_list("event_id", "field", "salt", "value"):
            event_id, field, salt, value = item
            yield {
                "i": index_of[event_id],
                "field": field,
                "salt": bytes(salt).hex(),
                "value": value,
            }


def _checkpoints(*, is_partial: bool) -> list[Checkpoint]:
    """First and last, and between them as many, evenly spaced, as one can check in a minute."""
    sizes = list(Checkpoint.objects.order_by("tree_size").values_list("tree_size", flat=True))
    if is_partial:
        sizes = sizes if len(sizes) < 2 else [sizes[0], sizes[-1]]
    elif len(sizes) > MAX_CHECKPOINTS:
        step = (len(sizes) - 1) / (MAX_CHECKPOINTS - 1)
        sizes = [sizes[round(number * step)] for number in range(MAX_CHECKPOINTS)]
    return list(Checkpoint.objects.filter(tree_size__in=sizes).order_by("tree_size"))


def _keys(checkpoints: list[Checkpoint]) -> list[dict[str, str]]:
    public_keys = dict.fromkeys(bytes(item.public_key) for item in checkpoints)
    return [
        {"algorithm": "Ed25519", "public_key": _b64(key), "fingerprint": keys.fingerprint(key)}
        for key in public_keys
    ]


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


class _Sink(RawIOBase):
    """What ZipFile writes to; it cannot seek, so the zip is written forwards only."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def drain(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data
