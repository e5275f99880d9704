"""Datasets: upload, profile, read. What is stored is named by its own digest and never changes."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction

from accounts.callers import Caller
from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.commit import after_commit
from common.errors import AlreadyExists, Invalid
from jobs.services.enqueue import enqueue
from registry import selectors
from registry.artifacts import content
from registry.artifacts.content import Checked, read_in_pieces
from registry.errors import DatasetRefused, DatasetTooLarge
from registry.models import Dataset
from registry.names import MAX_NAME, insist_name, insist_text
from registry.profiling.run import ProfilingFailed, profile
from registry.services.models import MAX_TEXT
from registry.signals import dataset_ready

if TYPE_CHECKING:
    from jobs.services.claim import Claim

MAX_BYTES = 300 * 1024 * 1024
#: Up to here the table is read while the caller waits; a bigger one is read by a job.
INLINE_BYTES = 50 * 1024 * 1024
INLINE_SECONDS = 45.0
JOB_SECONDS = 105.0
PROFILE_JOB = "registry.profile_dataset"
_CHUNK = 1024 * 1024


def upload(
    *,
    caller: Caller,
    name: str,
    fileobj: IO[bytes],
    filename: str = "",
    label_column: str = "",
    id_column: str = "",
    time_column: str = "",
    description: str = "",
) -> Dataset:
    """Take a Parquet or CSV table: store it by digest, read it through once, say what is in it.

    Not in a transaction of its own until the end: reading takes seconds and holds no lock. An edge
    wraps it in :func:`refusals_recorded`.

    Raises: DatasetRefused, DatasetTooLarge, Invalid, AlreadyExists, NotAllowed.
    """
    caller.insist(Capability.DATASET_EDIT)
    dataset = Dataset(
        workspace=caller.workspace,
        name=insist_name(name),
        description=insist_text(description, field="description", most=MAX_TEXT),
        label_column=insist_text(label_column, field="label_column", most=MAX_NAME),
        id_column=insist_text(id_column, field="id_column", most=MAX_NAME),
        time_column=insist_text(time_column, field="time_column", most=MAX_NAME),
        created_by_pid=caller.actor.pid,
    )
    _insist_name_is_free(dataset)
    with tempfile.TemporaryDirectory(prefix="cs-dataset-") as folder:
        path = Path(folder) / "upload"
        dataset.size_bytes, dataset.digest = _spool(fileobj, path)
        if dataset.size_bytes <= INLINE_BYTES:
            found = _profiled(dataset, path, timeout_s=INLINE_SECONDS)
            dataset.format = found.pop("format")
            _take(dataset, found)
        else:
            with path.open("rb") as file:
                dataset.format = "parquet" if file.read(4) == b"PAR1" else "csv"
            dataset.state = Dataset.State.PROFILING
        dataset.storage_name = store(path, dataset.digest)
        if dataset.state == Dataset.State.READY:
            _store_table(dataset, path)
    return _insert(dataset, caller=caller, filename=filename)


def run_profile(*, dataset_uid: str, claim: Claim) -> Dataset:
    """The job's part: read a big table through. Safe to run twice; a broken table is a result.

    Raises: LeaseLost.
    """
    dataset = Dataset.objects.select_related("workspace").get(uid=dataset_uid)
    if dataset.state != Dataset.State.PROFILING:
        return dataset
    refused: DatasetRefused | None = None
    with tempfile.TemporaryDirectory(prefix="cs-dataset-") as folder:
        path = Path(folder) / "upload"
        with _opened(dataset.storage_name) as file:
            _spool(file, path)
        try:
            found = _profiled(
                dataset,
                path,
                timeout_s=min(JOB_SECONDS, claim.remaining_s()),
                heartbeat=partial(claim.save, message="Reading the table."),
            )
            found.pop("format")
            _take(dataset, found)
            _store_table(dataset, path)
        except DatasetRefused as error:
            refused = error
    return _finish_profile(dataset, refused, claim)


@contextmanager
def refusals_recorded(*, caller: Caller, name: str) -> Iterator[None]:
    """For an edge, around ``upload``: a table refused for what it holds is an event."""
    try:
        yield
    except DatasetRefused as error:
        audit.refuse(
            Action.DATASET_REFUSED,
            actor=caller.actor,
            workspace=caller.workspace.slug,
            object_type="dataset",
            object_id=error.digest,
            object_name=name[:MAX_NAME],
            code=error.code,
        )
        raise


def store(path: Path, digest: str) -> str:
    """Put a file into the storage under its digest and return the name it has there.

    Raises: Unavailable.
    """
    value = digest.rpartition(":")[2]
    with path.open("rb") as file:
        checked = Checked(read_in_pieces(file), size=path.stat().st_size, sha256=value)
        return content.store(checked, value)


def storage_name(digest: str) -> str:
    """``sha256/ab/cd/…`` of ``sha256:abcd…``; made by us, so no name of a user's is a path."""
    return content.storage_name(digest)


@contextmanager
def open_table(dataset: Dataset) -> Iterator[pq.ParquetFile]:
    """The dataset's Parquet file, checked against its digest and opened.

    Raises: Conflict (not ready), DatasetRefused (the stored file is not what was uploaded).
    """
    selectors.insist_ready(dataset)
    with _opened(dataset.table_name) as file:
        _, found = _digest(file)
        if found != dataset.table_digest:
            raise DatasetRefused(
                f"The stored file of {dataset.name} is not the one that was uploaded.",
                code="digest_mismatch",
                digest=found,
            )
        file.seek(0)
        with pq.ParquetFile(file) as parquet:
            yield parquet


def read_batches(
    dataset: Dataset, columns: Sequence[str] | None = None, batch_rows: int = 1000
) -> Iterator[pa.RecordBatch]:
    """The table in its own order, ``batch_rows`` rows at a time; the last batch may be shorter.

    Raises: Invalid (no such column), Conflict (not ready).
    """
    _insist_has(dataset, columns)
    with open_table(dataset) as parquet:
        waiting: list[pa.RecordBatch] = []
        count = 0
        # Arrow ends a batch at each row group; readers count on equal ones (a cursor is a number).
        for batch in parquet.iter_batches(batch_size=batch_rows, columns=_listed(columns)):
            waiting.append(batch)
            count += batch.num_rows
            while count >= batch_rows:
                whole = _joined(waiting)
                yield whole.slice(0, batch_rows)
                rest = whole.slice(batch_rows)
                waiting, count = ([rest], rest.num_rows) if rest.num_rows else ([], 0)
        if count:
            yield _joined(waiting)


def read_table(dataset: Dataset, columns: Sequence[str] | None = None) -> pa.Table:
    """The whole table in memory; ask for the columns that are needed.

    Raises: Invalid (no such column), Conflict (not ready).
    """
    _insist_has(dataset, columns)
    with open_table(dataset) as parquet:
        return parquet.read(columns=_listed(columns))


def _opened(name: str) -> Any:
    with content.storage_trouble():
        return default_storage.open(name, "rb")


def _spool(fileobj: IO[bytes], path: Path) -> tuple[int, str]:
    """Copy in pieces, counting and hashing. Raises: DatasetTooLarge, DatasetRefused (empty)."""
    with path.open("wb") as target:
        size, digest = _digest(fileobj, into=target)
    if not size:
        raise DatasetRefused("The file is empty.", code="empty_file", digest=digest)
    return size, digest


def _digest(source: IO[bytes] | File[Any], into: IO[bytes] | None = None) -> tuple[int, str]:
    hashed, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        size += len(chunk)
        if size > MAX_BYTES and into is not None:
            reason = f"A dataset's file has at most {MAX_BYTES // 1024**2} MB."
            raise DatasetTooLarge(reason, fields={"file": [reason]})
        hashed.update(chunk)
        if into is not None:
            into.write(chunk)
    return size, "sha256:" + hashed.hexdigest()


def _profiled(
    dataset: Dataset, path: Path, *, timeout_s: float, heartbeat: Any = None
) -> dict[str, Any]:
    try:
        return profile(
            path,
            parquet_path=path.with_name("table"),
            roles={
                "label": dataset.label_column,
                "id": dataset.id_column,
                "time": dataset.time_column,
            },
            timeout_s=timeout_s,
            heartbeat=heartbeat,
        )
    except ProfilingFailed as error:
        raise DatasetRefused(
            error.message,
            code=error.code,
            fields={error.field: [error.message]},
            digest=dataset.digest,
        ) from None


def _take(dataset: Dataset, found: dict[str, Any]) -> None:
    dataset.rows, dataset.columns = found["rows"], found["columns"]
    dataset.state = Dataset.State.READY


def _store_table(dataset: Dataset, path: Path) -> None:
    """Parquet is its own table; a CSV's was written beside it by the reader."""
    if dataset.format == "parquet":
        dataset.table_name, dataset.table_digest = dataset.storage_name, dataset.digest
        return
    table = path.with_name("table")
    with table.open("rb") as file:
        _, dataset.table_digest = _digest(file)
    dataset.table_name = store(table, dataset.table_digest)


def _insist_name_is_free(dataset: Dataset) -> None:
    if Dataset.objects.filter(workspace=dataset.workspace, name=dataset.name).exists():
        raise _name_taken(dataset)


def _name_taken(dataset: Dataset) -> AlreadyExists:
    reason = f"There is a dataset named “{dataset.name}” already."
    return AlreadyExists(reason, fields={"name": [reason]})


@transaction.atomic
def _insert(dataset: Dataset, *, caller: Caller, filename: str) -> Dataset:
    try:
        with transaction.atomic():
            dataset.save(force_insert=True)
    except IntegrityError as error:
        if "dataset_name_once" not in str(error):
            raise
        raise _name_taken(dataset) from None
    dataset.refresh_from_db(fields=["created_at"])
    audit.record(
        Action.DATASET_UPLOADED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="dataset",
        object_id=str(dataset.uid),
        object_name=dataset.name,
        object_digest=dataset.digest,
        after={
            "rows": dataset.rows,
            "columns": len(dataset.columns),
            "size_bytes": dataset.size_bytes,
            "format": dataset.format,
            "state": str(dataset.state),
        },
        pii={"filename": filename[:MAX_NAME].replace("\x00", "")},
    )
    if dataset.state == Dataset.State.PROFILING:
        enqueue(
            PROFILE_JOB,
            workspace=dataset.workspace,
            title=f"Read the dataset {dataset.name}",
            payload={"dataset": str(dataset.uid)},
            caller=caller,
            dedupe_key=f"{PROFILE_JOB}:{dataset.uid}",
        )
    else:
        _announce(dataset)
    return dataset


@transaction.atomic
def _finish_profile(dataset: Dataset, refused: DatasetRefused | None, claim: Claim) -> Dataset:
    claim.insist_mine()
    present = Dataset.objects.select_for_update(of=("self",)).get(pk=dataset.pk)
    if present.state != Dataset.State.PROFILING:
        return present
    actor = Caller.system("registry", dataset.workspace).actor
    if refused is not None:
        dataset.state, dataset.state_reason = Dataset.State.FAILED, refused.message[:500]
        dataset.rows, dataset.columns, dataset.table_name, dataset.table_digest = 0, [], "", ""
    dataset.save(
        update_fields=["state", "state_reason", "rows", "columns", "table_name", "table_digest"]
    )
    audit.record(
        Action.DATASET_REFUSED if refused is not None else Action.DATASET_PROFILED,
        actor=actor,
        workspace=dataset.workspace.slug,
        object_type="dataset",
        object_id=str(dataset.uid),
        object_name=dataset.name,
        object_digest=dataset.digest,
        after={"rows": dataset.rows, "columns": len(dataset.columns), "state": str(dataset.state)},
        details={"code": refused.code} if refused is not None else None,
    )
    if refused is None:
        _announce(dataset)
    return dataset


def _announce(dataset: Dataset) -> None:
    after_commit(dataset_ready.send, Dataset, dataset=dataset)


def _insist_has(dataset: Dataset, columns: Sequence[str] | None) -> None:
    known = {column["name"] for column in dataset.columns}
    missing = [name for name in columns or () if name not in known]
    if missing:
        reason = f"{dataset.name} has no column “{missing[0][:100]}”."
        raise Invalid(reason, code="no_such_column", fields={"columns": [reason]})


def _listed(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
