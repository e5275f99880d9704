"""A derived version's comparison with its parent, offered beside the gates; it blocks nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from evaluation.models import Evidence
from evaluation.services import derived
from governance.models import Gate

if TYPE_CHECKING:
    from registry.models import ModelVersion

Row = TypeVar("Row", bound=Gate)
_STATES = {
    Evidence.State.COMPLETE: Gate.State.PASSES,
    Evidence.State.WAITING: Gate.State.WAITING,
    Evidence.State.RUNNING: Gate.State.WAITING,
}


def gates(kind: type[Row], version: ModelVersion, live: ModelVersion | None) -> list[Row]:
    """One row for a version with a parent; none when the parent is what is live: that comparison
    is wanted anyway."""
    parent = version.derived_from
    if parent is None or parent == live:
        return []
    evidence = derived.compared(version)
    made = version.get_derivation_display().lower()
    row = kind(
        name=f"comparison with {parent}"[:300],
        title=f"Comparison with {parent}, which it was {made} from"[:300],
        metric="comparison",
        severity=Gate.Severity.WARN,
        state=Gate.State.COULD_NOT_COMPUTE,
        evidence=evidence,
    )
    if evidence is None:
        row.explanation = derived.why_not_compared(version)
        row.remedy = f"Let both answer, or upload predictions of {version} and {parent}."
        return [row]
    row.state = _STATES.get(Evidence.State(evidence.state), Gate.State.COULD_NOT_COMPUTE)
    row.explanation = derived.sentence(evidence)
    if row.state == Gate.State.COULD_NOT_COMPUTE:
        row.remedy = "Run it again."
    return [row]
