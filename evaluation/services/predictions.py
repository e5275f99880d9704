"""Uploaded predictions: read in a process of their own, matched to their rows, kept by digest."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.core.files.storage import default_storage

from audit.actions import Action
from audit.services import record as audit
from evaluation.errors import CannotCompute, PredictionsRefused
from evaluation.models import PredictionsFile
from registry.profiling.run import ProfilingFailed, profile
from registry.services import datasets

if TYPE_CHECKING:
    import pyarrow as pa

    from accounts.callers import Caller
    from registry.models import Dataset, ModelVersion

MAX_BYTES = 100 * 1024 * 1024
READ_SECONDS = 45.0
ROW, SCORE = "row", "score"
#: Names that the columns of an upload may have, the first that is there wins.
ROW_NAMES = ("row", "row_id", "id")
SCORE_NAMES = ("score", "prediction", "probability", "output")
_CHUNK = 1024 * 1024


def store(
    *,
    caller: Caller,
    version: ModelVersion,
    dataset: Dataset | None,
    fileobj: IO[bytes],
    probability: bool,
) -> PredictionsFile:
    """Check and keep one file of predictions; the same file again gives the same row.

    Args:
        probability: the model is binary, so every score must lie between 0 and 1.
    Raises: PredictionsRefused, with a sentence that says which row is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="cs-predictions-") as folder:
        path = Path(folder) / "upload"
        digest = _spool(fileobj, path)
        known = PredictionsFile.objects.filter(version=version, dataset=dataset, digest=digest)
        if (present := known.first()) is not None:
            return present
        try:
            table = _read(path, digest)
            table = matched(table, dataset, probability=probability)
        except PredictionsRefused as refusal:
            refusal.digest = digest
            raise
        kept = Path(folder) / "kept"
        _write(table, kept)
        name = datasets.store(kept, _digest_of(kept))
    row, _ = PredictionsFile.objects.get_or_create(
        version=version,
        dataset=dataset,
        digest=digest,
        defaults={
            "workspace": caller.workspace,
            "storage_name": name,
            "rows": table.num_rows,
            "columns": list(table.column_names),
            "created_by_pid": caller.actor.pid,
        },
    )
    return row


@contextmanager
def refusals_recorded(*, caller: Caller, version: ModelVersion) -> Iterator[None]:
    """For an edge, around ``ask``: predictions refused for what they hold are an event."""
    try:
        yield
    except PredictionsRefused as error:
        audit.refuse(
            Action.PREDICTIONS_REFUSED,
            actor=caller.actor,
            workspace=caller.workspace.slug,
            object_type="version",
            object_id=str(version.uid),
            object_name=str(version)[:255],
            code=error.code,
            details={"file": error.digest} if error.digest else None,
        )
        raise


def load(file: PredictionsFile) -> pa.Table:
    """The kept table, checked against nothing but its name, which is its digest."""
    import pyarrow.parquet as pq

    with default_storage.open(file.storage_name, "rb") as stored:
        raw = stored.read()
    if datasets.storage_name("sha256:" + hashlib.sha256(raw).hexdigest()) != file.storage_name:
        raise CannotCompute(
            "The stored predictions are not the ones that were uploaded.", code="digest_mismatch"
        )
    import io

    return pq.read_table(io.BytesIO(raw))


def matched(table: pa.Table, dataset: Dataset | None, *, probability: bool) -> pa.Table:
    """The table with ``row`` and ``score`` first, in the dataset's own order where there is one.

    Raises: PredictionsRefused for a missing column or row, a row given twice or unknown, a score
        that is no number, or no probability where one is wanted.
    """
    import pyarrow as pa

    row_name = _first(table, (*ROW_NAMES, dataset.id_column if dataset else ""))
    score_name = _first(table, SCORE_NAMES)
    if score_name is None:
        raise PredictionsRefused(
            "There is no score: name its column “score”.", code="no_score_column"
        )
    scores = _scores(table.column(score_name), probability=probability)
    if row_name is None:
        if dataset is not None and dataset.rows != table.num_rows:
            raise PredictionsRefused(
                f"There are {table.num_rows:,} rows without ids, but {dataset.name} has "
                f"{dataset.rows:,}: add a column “row” with the row's id or number.",
                code="rows_missing",
            )
        keys = [str(index) for index in range(table.num_rows)]
    else:
        keys = _keys(table.column(row_name))
    position = {key: index for index, key in enumerate(keys)}
    if len(position) != len(keys):
        raise PredictionsRefused(f"Row {_twice(keys)} is there twice.", code="duplicate_row")
    others = [name for name in table.column_names if name not in (row_name, score_name)]
    if ROW in others or SCORE in others:
        raise PredictionsRefused("Two columns could be the row or the score.", code="ambiguous")
    order = list(range(len(keys)))
    if dataset is not None:
        wanted = dataset_keys(dataset) if row_name else keys
        order = _aligned(wanted, position, dataset)
        keys = wanted
    arrays: dict[str, Any] = {
        ROW: pa.array(keys, pa.string()),
        SCORE: pa.array(scores, pa.float64()).take(pa.array(order)),
    }
    for name in others:
        arrays[name] = table.column(name).take(pa.array(order))
    return pa.table(arrays)


def dataset_keys(dataset: Dataset) -> list[str]:
    """What names each row of a dataset: its id column's text, else its number from 0."""
    if not dataset.id_column:
        return [str(index) for index in range(dataset.rows)]
    return _keys(datasets.read_table(dataset, [dataset.id_column]).column(0))


def _spool(fileobj: IO[bytes], path: Path) -> str:
    hashed, size = hashlib.sha256(), 0
    with path.open("wb") as target:
        while chunk := fileobj.read(_CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise PredictionsRefused(
                    f"A predictions file has at most {MAX_BYTES // 1024**2} MB.", code="too_large"
                )
            hashed.update(chunk)
            target.write(chunk)
    digest = "sha256:" + hashed.hexdigest()
    if not size:
        raise PredictionsRefused("The file is empty.", code="empty_file", digest=digest)
    return digest


def _read(path: Path, digest: str) -> pa.Table:
    """Parse the upload in a killable process, then read the Parquet that came of it."""
    import pyarrow.parquet as pq

    table = path.with_name("table")
    try:
        found = profile(path, parquet_path=table, roles={}, timeout_s=READ_SECONDS)
    except ProfilingFailed as error:
        raise PredictionsRefused(error.message, code=error.code, digest=digest) from None
    return pq.read_table(path if found["format"] == "parquet" else table)


def _write(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _first(table: pa.Table, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name and name in table.column_names), None)


def _scores(column: Any, *, probability: bool) -> list[float]:
    values: list[float] = []
    for index, value in enumerate(column.to_pylist()):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            what = "is missing" if value is None else "is not a number"
            raise PredictionsRefused(
                f"The score of line {index + 1} {what}.", code="score_not_a_number"
            )
        number = float(value)
        if number != number or number in (float("inf"), float("-inf")):
            raise PredictionsRefused(
                f"The score of line {index + 1} is not a finite number.", code="score_not_a_number"
            )
        if probability and not 0.0 <= number <= 1.0:
            raise PredictionsRefused(
                f"The score of line {index + 1} is {number:g}: a probability lies between 0 and 1.",
                code="score_out_of_range",
            )
        values.append(number)
    return values


def _keys(column: Any) -> list[str]:
    keys = []
    for index, value in enumerate(column.to_pylist()):
        if value is None:
            raise PredictionsRefused(f"Line {index + 1} has no row id.", code="row_id_missing")
        # 17.0 and 17 are one row: a CSV with a gap somewhere turns whole numbers into floats.
        whole = isinstance(value, float) and value.is_integer()
        keys.append(str(int(value)) if whole else str(value))
    return keys


def _twice(keys: list[str]) -> str:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return f"“{key[:60]}”"
        seen.add(key)
    return "one"


def _aligned(wanted: list[str], position: dict[str, int], dataset: Dataset) -> list[int]:
    missing = [key for key in wanted if key not in position]
    if missing:
        raise PredictionsRefused(
            f"{len(missing):,} of the {len(wanted):,} rows of {dataset.name} have no prediction, "
            f"the first is “{missing[0][:60]}”.",
            code="rows_missing",
        )
    if len(position) > len(wanted):
        known = set(wanted)
        unknown = next(key for key in position if key not in known)
        raise PredictionsRefused(f"{dataset.name} has no row “{unknown[:60]}”.", code="unknown_row")
    return [position[key] for key in wanted]
