"""Predictions and labels come in: checked at once, counted by a job, and not kept."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import Invalid
from common.ids import uuid7
from jobs.models import Job
from jobs.services.enqueue import enqueue
from monitoring.errors import KeyReused, RowsRefused, UploadTooLarge
from monitoring.intake.run import convert
from monitoring.intake.shape import (
    ID,
    LABEL,
    MAX_WINDOWS,
    NUMBER,
    SCORE,
    TEXT,
    TIME,
    BadRows,
    Column,
    Shape,
)
from monitoring.models import Ingest, Monitor

if TYPE_CHECKING:
    from accounts.callers import Caller

MAX_BYTES = 64 * 1024 * 1024
KINDS = {"predictions": "monitoring.ingest", "labels": "monitoring.labels"}
#: How far a sender's clock may be ahead, in seconds.
AHEAD_S = 24 * 3600
_CHUNK = 1024 * 1024


def receive(
    *,
    caller: Caller,
    monitor: Monitor,
    what: str,
    fileobj: IO[bytes],
    format: str,
    idempotency_key: str = "",
) -> tuple[Ingest, bool]:
    """Take one upload of rows; every row is checked before anything is kept.

    Not in a transaction until the end: reading takes a while and holds no lock. An edge wraps it
    in :func:`refusals_recorded`. The checked rows wait in the storage until a job has counted
    them, and are deleted then.

    Returns: the upload, and whether it had been taken before (the same bytes, or the same key).
    Raises: RowsRefused, UploadTooLarge, KeyReused, Invalid, NotAllowed.
    """
    caller.insist(Capability.PREDICTIONS_WRITE)
    _insist_key(idempotency_key)
    if what == Ingest.What.LABELS and not monitor.label_column:
        raise Invalid(f"{monitor.name} has no label column.", code="no_labels")
    with tempfile.TemporaryDirectory(prefix="cs-rows-") as folder:
        path, plain = Path(folder) / "upload", Path(folder) / "plain"
        digest = _spool(fileobj, path)
        known = _known(monitor, what, digest, idempotency_key)
        if known is not None and not _is_worth_repeating(known):
            return known, True
        try:
            rows = convert(path, plain, format=format, shape=_shape(monitor, what, path, format))
            if what == Ingest.What.PREDICTIONS:
                _insist_span(plain, monitor)
        except BadRows as bad:
            raise RowsRefused(
                bad.message, code=bad.code, fields=bad.errors, rows=bad.rows, digest=digest
            ) from None
        # The name is ours; nothing that was sent is part of a path.
        with plain.open("rb") as file:
            stored = default_storage.save(f"ingest/{uuid7()}", File(file))
    try:
        return _insert(
            caller=caller,
            ingest=Ingest(
                monitor=monitor,
                what=what,
                digest=digest,
                idempotency_key=idempotency_key,
                format=format,
                storage_name=stored,
                rows=rows,
                created_by_pid=caller.actor.pid,
            ),
        )
    except BaseException:
        default_storage.delete(stored)
        raise


@contextmanager
def refusals_recorded(*, caller: Caller, monitor: Monitor) -> Iterator[None]:
    """For an edge, around ``receive``: rows refused for what they hold are an event."""
    try:
        yield
    except RowsRefused as error:
        audit.refuse(
            Action.PREDICTIONS_REFUSED,
            actor=caller.actor,
            workspace=caller.workspace.slug,
            object_type="monitor",
            object_id=str(monitor.uid),
            object_name=monitor.name,
            code=error.code,
            details={"file": error.digest, "rows": error.extra.get("rows", [])},
        )
        raise


def state_of(ingest: Ingest) -> str:
    """``waiting``, ``done`` or ``failed``."""
    if ingest.finished_at is not None:
        return "done"
    job = ingest.job
    return "failed" if job is None or job.is_terminal else "waiting"


def sweep() -> int:
    """Delete rows whose job ended without counting them (run periodically); how many uploads."""
    ended = (
        Ingest.objects.exclude(storage_name="")
        .filter(job__state__in=[*Job.TERMINAL])
        .order_by("pk")[:100]
    )
    count = 0
    for ingest in ended:
        forget_rows(ingest)
        count += 1
    return count


def forget_rows(ingest: Ingest) -> None:
    """Delete the waiting rows, then their name: no crash between leaves rows behind unknown."""
    if ingest.storage_name:
        default_storage.delete(ingest.storage_name)
        Ingest.objects.filter(pk=ingest.pk, storage_name=ingest.storage_name).update(
            storage_name=""
        )


def _insist_key(key: str) -> None:
    if len(key) > 100 or not (key.isascii() and key.isprintable()):
        raise Invalid(
            "An Idempotency-Key has at most 100 readable ASCII characters.",
            fields={"Idempotency-Key": ["Not a key."]},
        )


def _spool(fileobj: IO[bytes], path: Path) -> str:
    hashed, size = hashlib.sha256(), 0
    with path.open("wb") as target:
        while chunk := fileobj.read(_CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise UploadTooLarge(f"An upload has at most {MAX_BYTES // 1024**2} MB.")
            hashed.update(chunk)
            target.write(chunk)
    if not size:
        raise RowsRefused("The body is empty (is Content-Length set?).", code="empty_body")
    return "sha256:" + hashed.hexdigest()


def _known(monitor: Monitor, what: str, digest: str, key: str) -> Ingest | None:
    """The upload that came before, locked when there is a transaction to lock it in."""
    found = Ingest.objects.select_related("job").filter(monitor=monitor)
    if key:
        same_key = found.filter(idempotency_key=key).first()
        if same_key is not None and (same_key.digest != digest or same_key.what != what):
            raise KeyReused("This Idempotency-Key came with other rows before.")
    return found.filter(what=what, digest=digest).first()


def _is_worth_repeating(known: Ingest) -> bool:
    """A failed upload; or labels of which some met no prediction yet."""
    state = state_of(known)
    is_short = known.what == Ingest.What.LABELS and known.accepted < known.rows
    return state == "failed" or (state == "done" and is_short)


def _shape(monitor: Monitor, what: str, path: Path, format: str) -> Shape:
    latest = time.time() + AHEAD_S
    if what == Ingest.What.LABELS:
        return Shape(
            (
                Column(_named(path, format, monitor.id_column, "id"), "id", ID, nullable=False),
                Column(
                    _named(path, format, monitor.label_column, "label"),
                    "label",
                    LABEL,
                    nullable=False,
                ),
            ),
            latest,
        )
    features = tuple(
        Column(
            column["name"],
            f"c{position}",
            NUMBER if column["kind"] == "numeric" else TEXT,
            nullable=True,
        )
        for position, column in enumerate(monitor.columns)
        if column["name"] != monitor.score_column
    )
    return Shape(
        (
            Column(monitor.id_column, "id", ID, nullable=False),
            Column(monitor.time_column, "at", TIME, nullable=False),
            Column(monitor.score_column, "score", SCORE, nullable=False),
            *features,
        ),
        latest,
    )


def _named(path: Path, format: str, own: str, common: str) -> str:
    """The monitor's name of a column, or the common one where the upload uses that."""
    import json

    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    if own == common:
        return own
    try:
        if format == "parquet":
            names = list(pq.read_schema(path).names)
        else:
            with path.open("rb") as lines:
                first = next((line for line in lines if line.strip()), b"{}")
            names = list(json.loads(first)) if len(first) < _CHUNK else []
    except (ArrowException, OSError, ValueError, TypeError, RecursionError):
        return own
    return common if common in names and own not in names else own


def _insist_span(plain: Path, monitor: Monitor) -> None:
    import numpy as np
    import pyarrow.parquet as pq

    from monitoring.calendar import starts

    at = pq.read_table(plain, columns=["at"]).column("at").to_numpy()
    count = np.unique(starts(at, monitor.window_kind)).size
    if count > MAX_WINDOWS:
        raise BadRows(
            f"The times lie in {count:,} windows; an upload has at most {MAX_WINDOWS}.",
            code="too_many_windows",
            errors={monitor.time_column: ["Spread over too long a time."]},
        )


@transaction.atomic
def _insert(*, caller: Caller, ingest: Ingest) -> tuple[Ingest, bool]:
    monitor = ingest.monitor
    known = _known(monitor, ingest.what, ingest.digest, ingest.idempotency_key)
    if known is not None:
        known = Ingest.objects.select_for_update(of=("self",)).get(pk=known.pk)
        if not _is_worth_repeating(known):
            default_storage.delete(ingest.storage_name)
            return known, True
        known.storage_name, known.finished_at = ingest.storage_name, None
        known.format = ingest.format
        ingest = known
    else:
        try:
            with transaction.atomic():
                ingest.save(force_insert=True)
        except IntegrityError:
            # The same upload at the same moment: the other one is in.
            known = _known(monitor, ingest.what, ingest.digest, ingest.idempotency_key)
            if known is None:
                raise
            default_storage.delete(ingest.storage_name)
            return known, True
    is_labels = ingest.what == Ingest.What.LABELS
    noun = "labels" if is_labels else "predictions"
    ingest.job = enqueue(
        KINDS[ingest.what],
        workspace=monitor.workspace,
        title=f"Count {ingest.rows:,} {noun} of {monitor.name}",
        payload={"ingest": str(ingest.uid)},
        caller=caller,
        dedupe_key=f"ingest:{ingest.uid}",
    )
    ingest.save(update_fields=["job", "storage_name", "finished_at", "format"])
    ingest.refresh_from_db(fields=["created_at"])
    audit.record(
        Action.LABELS_RECEIVED if is_labels else Action.PREDICTIONS_RECEIVED,
        actor=caller.actor,
        object_type="monitor",
        object_id=str(monitor.uid),
        object_name=monitor.name,
        object_digest=ingest.digest,
        details={"rows": ingest.rows, "ingest": str(ingest.uid)},
    )
    return ingest, False
