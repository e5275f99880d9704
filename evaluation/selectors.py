"""Reads of evidence, always within one workspace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import QuerySet

from evaluation.errors import EvidenceNotFound
from evaluation.models import Evidence
from evaluation.params import DEFAULTS
from registry.selectors import environments, live_version

if TYPE_CHECKING:
    from accounts.models import Workspace
    from registry.models import Dataset, ModelVersion

#: What passes a gate unless its policy says otherwise; "reported" is shown, never passes.
COUNTS = (Evidence.Origin.MEASURED, Evidence.Origin.COMPUTED)


def evidence_for(workspace: Workspace) -> QuerySet[Evidence]:
    """The workspace's evidence, the newest first, with all that a list shows."""
    return Evidence.objects.in_workspace(workspace).with_context().order_by("-pk")


def for_version(version: ModelVersion) -> QuerySet[Evidence]:
    """A version's evidence, the newest first."""
    return Evidence.objects.filter(version=version).with_context().order_by("-pk")


def get_evidence(workspace: Workspace, uid: UUID | str) -> Evidence:
    """The evidence. Raises: EvidenceNotFound."""
    try:
        wanted = UUID(str(uid))
    except ValueError:
        wanted = None
    found = evidence_for(workspace).filter(uid=wanted).first() if wanted else None
    if found is None:
        raise EvidenceNotFound("There is no such evidence in this workspace.")
    return found


def latest_complete(
    version: ModelVersion,
    kind: str,
    *,
    dataset: Dataset | None = None,
    origins: Iterable[str] = COUNTS,
    baseline: ModelVersion | None = None,
) -> Evidence | None:
    """The newest complete evidence of that kind; of that dataset and baseline where given."""
    rows = for_version(version).complete().filter(kind=kind, origin__in=list(origins))  # type: ignore[attr-defined]
    if dataset is not None:
        rows = rows.filter(dataset=dataset)
    if baseline is not None:
        rows = rows.filter(baseline=baseline)
    found: Evidence | None = rows.first()
    return found


def latest(
    version: ModelVersion,
    kind: str,
    *,
    dataset: Dataset | None = None,
    baseline: ModelVersion | None = None,
) -> Evidence | None:
    """The newest evidence of that kind in whatever state, so that a gate can tell them apart."""
    rows = for_version(version).filter(kind=kind)
    if dataset is not None:
        rows = rows.filter(dataset=dataset)
    if baseline is not None:
        rows = rows.filter(baseline=baseline)
    return rows.first()


def live_baseline(version: ModelVersion) -> ModelVersion | None:
    """What a version is compared with: live in the environment nearest to users, not itself."""
    for environment in reversed(list(environments(version.model.workspace))):
        live = live_version(version.model, environment.name)
        if live is not None and live.pk != version.pk:
            return live
    return None


def label_column(evidence: Evidence) -> str:
    """Where the labels stand: as asked, else the dataset's own, else the uploaded ``label``."""
    if asked := evidence.params.get("label_column"):
        return str(asked)
    if evidence.kind == Evidence.Kind.EXPLANATION:
        return ""
    if evidence.dataset is not None and evidence.dataset.label_column:
        return evidence.dataset.label_column
    if evidence.predictions is not None and "label" in evidence.predictions.columns:
        return "label"
    return ""


_WORDS = {"favourable": "favourable side", "limit": "limit of the ratio"}


def deviations(evidence: Evidence) -> list[str]:
    """Where the question differs from the usual one, a sentence each; empty for the usual one.

    Whoever asks may choose the threshold, the sample and what counts as positive, and could choose
    until the figure suits: a gate or a reader should know.
    """
    params, usual = evidence.params, DEFAULTS.get(evidence.kind, {})
    found = []
    own = evidence.version.decision_threshold
    if "threshold" in params and params["threshold"] != own:
        theirs = "it has none" if own is None else f"its own is {own:g}"
        found.append(f"The threshold was set to {params['threshold']:g}; {theirs}.")
    if "baseline_threshold" in params:
        found.append(f"The other version decides at {params['baseline_threshold']:g}, as asked.")
    dataset_label = evidence.dataset.label_column if evidence.dataset else ""
    if dataset_label and params.get("label_column", dataset_label) != dataset_label:
        found.append(f"The label is {params['label_column']}, not the dataset’s {dataset_label}.")
    if "positive_label" in params:
        found.append(f"Positive was said to be “{params['positive_label']}”.")
    if "label_above" in params:
        found.append(f"Positive was said to be above {params['label_above']:g}.")
    if "max_rows" in params:
        found.append(f"At most {params['max_rows']:,} rows were drawn, with seed {evidence.seed}.")
    if "task" in params:
        found.append(f"The scores were read as {params['task']}.")
    for name in ("favourable", "limit", "tolerance_abs", "tolerance_rel", "min_group_rows"):
        if name in usual and params.get(name, usual[name]) != usual[name]:
            shown = _WORDS.get(name, name.replace("_", " "))
            found.append(f"The {shown} was set to {params[name]}; usual is {usual[name]}.")
    return found


def times_used(dataset: Dataset, version: ModelVersion) -> int:
    """How often versions of this model were judged on this dataset: a holdout wears out."""
    return (
        Evidence.objects.filter(dataset=dataset, version__model=version.model_id)
        .complete()
        .exclude(kind=Evidence.Kind.EXPLANATION)
        .count()
    )
