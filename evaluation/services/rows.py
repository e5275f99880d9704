"""Which rows of a dataset evidence looks at, and how they are read in equal batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from registry.services import datasets

if TYPE_CHECKING:
    from evaluation.models import Evidence
    from registry.models import Dataset

DEFAULT_BATCH = 500
_READ_ROWS = 5000


def selection(total: int, params: Mapping[str, Any], seed: int) -> NDArray[np.int64]:
    """Row numbers from 0, ascending: all, or ``max_rows`` of them drawn without replacement."""
    cap = params.get("max_rows")
    if cap is None or cap >= total:
        return np.arange(total, dtype=np.int64)
    picked = np.random.default_rng(seed).choice(total, size=cap, replace=False)
    return np.sort(picked).astype(np.int64)


def batch_rows(evidence: Evidence) -> int:
    """Rows per call, fixed for one evidence so that a batch number means the same rows always."""
    return int(evidence.params.get("batch_rows", DEFAULT_BATCH))


def batches(
    dataset: Dataset, columns: Sequence[str], chosen: NDArray[np.int64], size: int
) -> Iterator[list[dict[str, Any]]]:
    """The chosen rows in order, ``size`` at a time, read a few thousand at a time."""
    waiting: list[dict[str, Any]] = []
    offset = 0
    for batch in datasets.read_batches(dataset, columns, _READ_ROWS):
        low, high = np.searchsorted(chosen, (offset, offset + batch.num_rows))
        if high > low:
            waiting.extend(batch.take(chosen[low:high] - offset).to_pylist())
        offset += batch.num_rows
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
        if high == len(chosen):
            break
    if waiting:
        yield waiting


def columns_of(
    dataset: Dataset, names: Sequence[str], chosen: NDArray[np.int64]
) -> dict[str, list[Any]]:
    """Values of some columns for the chosen rows, by name."""
    table = datasets.read_table(dataset, list(names)).take(chosen)
    return {name: table.column(name).to_pylist() for name in names}


def rows_at(dataset: Dataset, names: Sequence[str], numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Some rows as dicts, in the order of ``numbers``."""
    table = datasets.read_table(dataset, list(names))
    rows: list[dict[str, Any]] = table.take(np.asarray(numbers, dtype=np.int64)).to_pylist()
    return rows
