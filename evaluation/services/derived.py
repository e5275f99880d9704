"""A version that was derived from another is compared with it, without anybody having to ask.

Pruning, quantising or distilling promises "the same answers, cheaper": so the first question is
always the same, and it is asked as soon as it can be answered. Once: what was asked for is not
asked for again by itself, whatever came of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import transaction

from accounts.callers import Caller
from common.errors import DomainError
from evaluation.models import Evidence, PredictionsFile
from evaluation.services import request
from registry.models import Dataset, ModelVersion, VersionDataset
from serving.selectors import endpoint_for

if TYPE_CHECKING:
    from registry.models import ModelVersion as Version

logger = logging.getLogger(__name__)


def look(version_id: int) -> list[Evidence]:
    """Ask what can be asked now about a version and its parent, and its derivatives and it."""
    rows = ModelVersion.objects.filter(deleted_at=None, derived_from__isnull=False)
    concerned = rows.filter(pk=version_id) | rows.filter(derived_from=version_id)
    asked = [compare(pk) for pk in concerned.order_by("pk").values_list("pk", flat=True)]
    return [it for it in asked if it is not None]


@transaction.atomic
def compare(version_id: int) -> Evidence | None:
    """Ask for the differential against the parent, unless it was asked for before, or cannot be."""
    # The version's row is the lock: of two facts that arrive at once, one asks.
    version = (
        ModelVersion.objects.select_for_update(of=("self",), no_key=True)
        .select_related("workspace", "model__workspace", "derived_from__model")
        .get(pk=version_id)
    )
    parent = version.derived_from
    if parent is None or compared(version):
        return None
    found = _where(version, parent)
    if found is None:
        return None
    dataset, origin = found
    try:
        with transaction.atomic():
            return request.ask(
                caller=Caller.system("evaluation", version.workspace),
                kind=Evidence.Kind.DIFFERENTIAL,
                version=version,
                baseline=parent,
                dataset=dataset,
                origin=origin,
            )
    except DomainError as error:
        # A kind without such evidence, a column that is missing: the page says what is not there.
        logger.info("%s is not compared with %s: %s", version, parent, error.code)
        return None


def compared(version: Version) -> Evidence | None:
    """The newest comparison of the version with its parent, in whatever state."""
    return (
        Evidence.objects.filter(
            version=version, baseline=version.derived_from_id, kind=Evidence.Kind.DIFFERENTIAL
        )
        .select_related("version__model", "baseline__model", "dataset")
        .order_by("-pk")
        .first()
    )


def why_not_compared(version: Version) -> str:
    """What is missing before it can be asked for, as a sentence."""
    parent = version.derived_from
    if parent is None:
        return ""
    without = [str(it) for it in (version, parent) if endpoint_for(it) is None]
    if without:
        return (
            f"{' and '.join(without)} {'has' if len(without) == 1 else 'have'} no endpoint, and "
            "there are no predictions of both on one dataset."
        )
    if not list(_datasets(version, parent)):
        return "Neither names a validation dataset, and the parent was never evaluated on one."
    return "The comparison is not offered for these two: ask for it by hand to see why."


def sentence(evidence: Evidence) -> str:
    """What the comparison says, or how far it is."""
    on = f" on {evidence.dataset.name}" if evidence.dataset else ""
    if evidence.state == Evidence.State.COMPLETE:
        flips, rows = evidence.result.get("flips"), evidence.result.get("rows", 0)
        if flips:
            return f"{flips['total']:,} of {rows:,} decisions differ{on}."
        return f"{rows:,} answers were compared{on}."
    if evidence.state in {Evidence.State.WAITING, Evidence.State.RUNNING}:
        return f"It is being computed{on}."
    return f"It could not be computed{on}: {evidence.error or 'it was cancelled'}."


def _where(version: Version, parent: Version) -> tuple[Dataset | None, str] | None:
    """On which data, and by asking both endpoints or from predictions that are there."""
    if all(endpoint_for(it) is not None for it in (version, parent)):
        for dataset in _datasets(version, parent):
            return dataset, Evidence.Origin.MEASURED
    files = PredictionsFile.objects.filter(
        version__in=[version.pk, parent.pk], dataset__isnull=False
    )
    theirs = set(files.filter(version=parent).values_list("dataset_id", flat=True))
    mine = files.filter(version=version, dataset__in=theirs).select_related("dataset")
    newest = mine.order_by("-pk").first()
    return (newest.dataset, Evidence.Origin.COMPUTED) if newest is not None else None


def _datasets(version: Version, parent: Version) -> Iterable[Dataset]:
    """The validation data of the version, of its parent, else what the parent was judged on."""
    for of in (version, parent):
        used = VersionDataset.objects.filter(
            version=of, use=VersionDataset.Use.VALIDATION, dataset__state=Dataset.State.READY
        ).select_related("dataset")
        for row in used.order_by("dataset__name"):
            yield row.dataset
    judged = (
        Evidence.objects.filter(
            version=parent,
            state=Evidence.State.COMPLETE,
            dataset__state=Dataset.State.READY,
            kind__in=[Evidence.Kind.EVALUATION, Evidence.Kind.DIFFERENTIAL],
        )
        .select_related("dataset")
        .defer("result")
        .order_by("-pk")
        .first()
    )
    if judged is not None and judged.dataset is not None:
        yield judged.dataset
