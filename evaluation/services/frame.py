"""What all evidence is computed from, wherever the scores came from: rows in one order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evaluation import labels, selectors
from evaluation.errors import CannotCompute, needed
from evaluation.services import predictions, rows, scoring
from registry.models import Kind

if TYPE_CHECKING:
    from evaluation.models import Evidence, PredictionsFile

_REGRESSION = frozenset({Kind.REGRESSION, Kind.FORECASTING})


@dataclass(slots=True)
class Frame:
    """Scores and columns of the same rows.

    Attributes:
        keys: what names each row: its number in the dataset, or its id.
        columns: values by column name, as many as rows.
        data_digests: of every file that went in.
    """

    keys: list[str]
    scores: NDArray[np.float64]
    baseline: NDArray[np.float64] | None
    columns: dict[str, list[Any]]
    sample: dict[str, int]
    data_digests: list[str]
    latency_ms: dict[str, Any] = field(default_factory=dict)

    @property
    def against(self) -> NDArray[np.float64]:
        """The baseline's scores. Raises: CannotCompute when there are none."""
        return needed(self.baseline, "score of the baseline")

    def kept(self, keep: NDArray[np.bool_]) -> Frame:
        """Only some of the rows."""
        indices = np.flatnonzero(keep)
        return Frame(
            keys=[self.keys[index] for index in indices],
            scores=self.scores[keep],
            baseline=None if self.baseline is None else self.baseline[keep],
            columns={name: [v[index] for index in indices] for name, v in self.columns.items()},
            sample=self.sample,
            data_digests=self.data_digests,
            latency_ms=self.latency_ms,
        )


def task_of(evidence: Evidence) -> str:
    """``binary`` or ``regression``: as asked, else by the model's kind."""
    if task := evidence.params.get("task"):
        return str(task)
    return "regression" if evidence.version.model.kind in _REGRESSION else "binary"


def threshold_of(evidence: Evidence) -> float:
    """As asked, else the version's own, else one half."""
    if (asked := evidence.params.get("threshold")) is not None:
        return float(asked)
    own = evidence.version.decision_threshold
    return 0.5 if own is None else float(own)


def baseline_threshold_of(evidence: Evidence) -> float:
    """As asked for the baseline, else its version's own, else the candidate's."""
    if (asked := evidence.params.get("baseline_threshold")) is not None:
        return float(asked)
    if evidence.params.get("threshold") is not None:
        return float(evidence.params["threshold"])
    own = evidence.baseline.decision_threshold if evidence.baseline else None
    return threshold_of(evidence) if own is None else float(own)


def load(evidence: Evidence, names: Sequence[str]) -> Frame:
    """Scores (measured or uploaded) and the named columns, for the rows that were chosen."""
    wanted = list(dict.fromkeys(name for name in names if name))
    if evidence.origin == evidence.Origin.COMPUTED:
        return _computed(evidence, wanted)
    return _measured(evidence, wanted)


def read_labels(evidence: Evidence, frame: Frame) -> labels.Labels:
    """The labels of a frame's rows. Raises: CannotCompute."""
    column = selectors.label_column(evidence)
    return labels.read(
        column, frame.columns[column], task=task_of(evidence), params=evidence.params
    )


def _measured(evidence: Evidence, wanted: list[str]) -> Frame:
    dataset = needed(evidence.dataset, "dataset")
    chosen = rows.selection(dataset.rows, evidence.params, evidence.seed)
    asked = dict(scoring.arms(evidence))
    latency: dict[str, Any] = scoring.latency_of(evidence, scoring.CANDIDATE)
    baseline = None
    if scoring.BASELINE in asked:
        baseline = scoring.scores_of(evidence, scoring.BASELINE, len(chosen))
        latency = {
            scoring.CANDIDATE: latency,
            scoring.BASELINE: scoring.latency_of(evidence, scoring.BASELINE),
        }
    return Frame(
        keys=[str(number) for number in chosen],
        scores=scoring.scores_of(evidence, scoring.CANDIDATE, len(chosen)),
        baseline=baseline,
        columns=rows.columns_of(dataset, wanted, chosen) if wanted else {},
        sample={"rows": len(chosen), "of": dataset.rows},
        data_digests=[dataset.digest],
        latency_ms=latency,
    )


def _computed(evidence: Evidence, wanted: list[str]) -> Frame:
    file = needed(evidence.predictions, "predictions file")
    table = predictions.load(file)
    keys: list[str] = table.column(predictions.ROW).to_pylist()
    chosen = rows.selection(len(keys), evidence.params, evidence.seed)
    scores = np.asarray(table.column(predictions.SCORE).to_numpy(), dtype=np.float64)[chosen]
    digests = [file.digest]
    baseline = None
    if evidence.baseline_predictions is not None:
        baseline = _aligned_baseline(evidence.baseline_predictions, keys)[chosen]
        digests.append(evidence.baseline_predictions.digest)
    columns: dict[str, list[Any]] = {}
    from_file = [name for name in wanted if name in table.column_names]
    from_dataset = [name for name in wanted if name not in from_file]
    for name in from_file:
        columns[name] = table.column(name).take(chosen).to_pylist()
    if evidence.dataset is not None:
        digests.append(evidence.dataset.digest)
        columns.update(rows.columns_of(evidence.dataset, from_dataset, chosen))
    elif from_dataset:
        raise CannotCompute(
            f"The predictions file has no column “{from_dataset[0]}”.", code="no_such_column"
        )
    return Frame(
        keys=[keys[index] for index in chosen],
        scores=scores,
        baseline=baseline,
        columns=columns,
        sample={"rows": len(chosen), "of": len(keys)},
        data_digests=digests,
    )


def _aligned_baseline(file: PredictionsFile, keys: list[str]) -> NDArray[np.float64]:
    table = predictions.load(file)
    theirs = dict(
        zip(
            table.column(predictions.ROW).to_pylist(),
            table.column(predictions.SCORE).to_pylist(),
            strict=True,
        )
    )
    missing = [key for key in keys if key not in theirs]
    if missing or len(theirs) != len(keys):
        shown = f", the first missing is “{missing[0][:60]}”" if missing else ""
        raise CannotCompute(
            f"The two predictions files are not of the same rows{shown}.", code="rows_differ"
        )
    return np.array([theirs[key] for key in keys], dtype=np.float64)
