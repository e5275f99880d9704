"""Facts after which a derived version may be compared with its parent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from evaluation.services import derived
from evaluation.signals import evidence_finished
from registry.models import ModelVersion
from registry.signals import dataset_ready, version_registered
from serving.signals import endpoint_ready

if TYPE_CHECKING:
    from evaluation.models import Evidence
    from registry.models import Dataset
    from serving.models import Endpoint


@receiver(version_registered)
def compare_a_new_version(sender: object, version: ModelVersion, **_: Any) -> None:
    """Its parent may be ready to be asked, and its predictions there already."""
    if version.derived_from_id is not None:
        derived.look(version.pk)


@receiver(endpoint_ready)
def compare_where_it_answers(sender: object, endpoint: Endpoint, **_: Any) -> None:
    """The version answers now; whoever was derived from it, too, may be waiting for that."""
    derived.look(endpoint.version_id)


@receiver(evidence_finished)
def compare_what_was_evaluated(sender: object, evidence: Evidence, **_: Any) -> None:
    """Predictions of the version have come, or its parent has been judged on a dataset."""
    derived.look(evidence.version_id)


@receiver(dataset_ready)
def compare_on_new_data(sender: object, dataset: Dataset, **_: Any) -> None:
    """The validation data of a version can be read now."""
    users = ModelVersion.objects.filter(datasets__dataset=dataset, deleted_at=None)
    for pk in users.order_by("pk").values_list("pk", flat=True)[:100]:
        derived.look(pk)
