"""Reads of evidence, always within one workspace."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Q, QuerySet

from evaluation.errors import EvidenceNotFound
from evaluation.models import Evidence
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


def times_used(dataset: Dataset, version: ModelVersion) -> int:
    """How often versions of this model were judged on this dataset: a holdout wears out."""
    return (
        Evidence.objects.filter(dataset=dataset, version__model=version.model_id)
        .filter(Q(state=Evidence.State.COMPLETE))
        .count()
    )
