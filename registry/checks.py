"""A version's signature against everything that should fit it: its datasets, its endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from registry import signature
from registry.models import Dataset, VersionDataset
from registry.ports import input_columns_of

if TYPE_CHECKING:
    from registry.models import ModelVersion

_SHOWN = 20
#: Datasets that a form offers are looked at, the newest first.
_OFFERED = 50
_WORDS = {
    signature.Severity.ERROR: ("fails", "Does not fit", "danger"),
    signature.Severity.WARNING: ("warns", "Differs", "warning"),
    signature.Severity.NOTE: ("passes", "Fits", "success"),
    None: ("passes", "Fits", "success"),
}


@dataclass(frozen=True, slots=True)
class Check:
    """What one dataset or endpoint has to do with the signature."""

    kind: str
    name: str
    what: str
    url: str
    differences: list[signature.Difference]

    @property
    def worst(self) -> signature.Severity | None:
        return signature.worst(self.differences)

    @property
    def fits(self) -> bool:
        """Whether calls work: nothing is missing or of a type that cannot be sent."""
        return self.worst is not signature.Severity.ERROR

    @property
    def state(self) -> str:
        return _WORDS[self.worst][0]

    @property
    def words(self) -> str:
        return _WORDS[self.worst][1]

    @property
    def tone(self) -> str:
        return _WORDS[self.worst][2]

    @property
    def shown(self) -> list[signature.Difference]:
        return self.differences[:_SHOWN]

    @property
    def more(self) -> int:
        return max(0, len(self.differences) - _SHOWN)


def inputs_of(version: ModelVersion) -> list[dict[str, Any]]:
    """The columns that the release says it takes; empty when it says nothing."""
    return list(version.signature.get("inputs", ()))


def checks(version: ModelVersion) -> list[Check]:
    """The version's datasets that can be read, then its endpoints; empty without a signature."""
    inputs = inputs_of(version)
    if not inputs:
        return []
    used = (
        VersionDataset.objects.filter(version=version, dataset__state=Dataset.State.READY)
        .select_related("dataset")
        .order_by("use", "dataset__name")
    )
    found = [against(version, it.dataset, what=it.get_use_display()) for it in used]
    for name, url, columns in input_columns_of(version):
        found.append(
            Check("endpoint", name, "Endpoint", url, signature.check_columns(inputs, columns))
        )
    return found


def misfits(version: ModelVersion) -> list[Check]:
    """Of the newest datasets those that the version's endpoint could not be sent."""
    if not inputs_of(version):
        return []
    newest = Dataset.objects.filter(
        workspace=version.workspace_id, state=Dataset.State.READY
    ).order_by("-pk")[:_OFFERED]
    return [it for it in (against(version, dataset) for dataset in newest) if not it.fits]


def columns(version: ModelVersion, names: Sequence[str]) -> list[signature.Difference]:
    """What somebody who chooses these columns should know; notes are left out."""
    inputs = inputs_of(version)
    found = signature.check_columns(inputs, names) if inputs else []
    return [it for it in found if it.severity is not signature.Severity.NOTE]


def against(version: ModelVersion, dataset: Dataset, *, what: str = "Dataset") -> Check:
    """The same for one dataset, whether the version names it or not."""
    apart = {dataset.label_column, dataset.id_column, dataset.time_column}
    return Check(
        "dataset",
        dataset.name,
        what,
        reverse("registry:dataset-detail", args=[dataset.name]),
        signature.check_dataset(inputs_of(version), dataset.columns, apart=apart),
    )
