"""Gates as rows, of a request or of a registration check: judged, and written in their places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.utils import timezone

from governance import components, derived, facts
from governance.gates import evaluate, policy_text
from governance.gates.expression import Family
from governance.models import (
    CheckGate,
    Gate,
    GateResult,
    PromotionRequest,
    RegistrationCheck,
    RequestAuthor,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import Model

    from governance.gates.expression import Condition

Row = TypeVar("Row", bound=Gate)

#: Columns that an evaluation writes; position and owner say which row it is.
WRITTEN = [
    "name",
    "title",
    "metric",
    "state",
    "severity",
    "comparison",
    "observed",
    "lower",
    "upper",
    "limit",
    "live_value",
    "is_worse_than_live",
    "explanation",
    "remedy",
    "evidence",
    "evaluated_at",
]
#: What people may still write after a version is registered: at registration it decides nothing.
PAPERWORK = frozenset({Family.CARD, Family.FINDINGS})


def write(promotion: PromotionRequest, gathered: facts.Gathered) -> list[GateResult]:
    """A request's rows: the policy's gates, the comparison nobody asked for, unmapped authors."""
    body = promotion.policy_revision.body
    rows: list[GateResult] = []
    for gate in body["gates"]:
        rows.append(_judged(GateResult, gate, policy_text.conditions(gate, body), gathered))
    rows += _ungated(GateResult, body, promotion.model.kind, gathered)
    rows += derived.gates(GateResult, promotion.version, promotion.live_version)
    rows += components.gates(GateResult, promotion.version, promotion.environment)
    unmapped = RequestAuthor.objects.filter(promotion=promotion, user__isnull=True)
    for identity in dict.fromkeys(unmapped.values_list("identity", flat=True)):
        rows.append(
            GateResult(
                name=f"author {identity}",
                title=f"Author {identity}"[:300],
                metric="author",
                state=GateResult.State.FAILS,
                explanation=f"The author {identity} maps to no person, who could then sign unseen.",
                remedy="An administrator says which person it is.",
            )
        )
    for row in rows:
        row.promotion = promotion
    return _stored(GateResult, rows, promotion=promotion)


def write_check(
    check: RegistrationCheck, body: dict[str, Any], gathered: facts.Gathered
) -> list[CheckGate]:
    """A registration check's rows. What only people can write (the card, open findings) is shown
    and decides at promotion: nobody can write the card of a version that is not there yet."""
    rows: list[CheckGate] = []
    for gate in body["gates"]:
        conditions = policy_text.conditions(gate, body)
        measured = [item for item in conditions if item.family not in PAPERWORK]
        row = _judged(CheckGate, gate, measured or conditions, gathered)
        if not measured:
            row.severity = CheckGate.Severity.WARN
            row.explanation = f"{row.explanation} It decides at promotion."
        rows.append(row)
    rows += _ungated(CheckGate, body, check.version.model.kind, gathered)
    for row in rows:
        row.check_run = check
        if row.metric == "comparison":
            row.severity = CheckGate.Severity.WARN
    return _stored(CheckGate, rows, check_run=check)


def _judged(
    kind: type[Row], gate: dict[str, Any], conditions: Sequence[Condition], gathered: facts.Gathered
) -> Row:
    condition, verdict = evaluate.judge(conditions, gathered.facts)
    return kind(
        name=gate["check"],
        title=" and ".join(dict.fromkeys(item.title for item in conditions)),
        metric=condition.metric or condition.family.value,
        state=verdict.state.value,
        severity=gate["severity"],
        comparison=condition.comparison,
        observed=verdict.observed,
        lower=verdict.lower,
        upper=verdict.upper,
        limit=condition.limit if condition.comparison else None,
        live_value=verdict.live_value,
        is_worse_than_live=verdict.is_worse_than_live,
        explanation=verdict.explanation,
        remedy=verdict.remedy,
        evidence_id=verdict.evidence_id,
    )


def _ungated(
    kind: type[Row], body: dict[str, Any], model_kind: str, gathered: facts.Gathered
) -> list[Row]:
    """Rows for the comparison that no gate asks for. It never fails; but while it is under way
    nobody signs, because its arrival would change what they signed."""
    rows: list[Row] = []
    has_live = gathered.facts.live is not None
    for need in facts.ungated(body, kind=model_kind, has_live=has_live):
        verdict = evaluate.presence(
            gathered.facts.sources.get((need.kind, need.dataset), evaluate.MISSING),
            f"The comparison with version {gathered.facts.live} on {need.dataset}",
        )
        waits = verdict.state is evaluate.State.WAITING
        rows.append(
            kind(
                name=f"comparison with live on {need.dataset}"[:300],
                title="Comparison with the live version",
                metric="comparison",
                state=verdict.state.value,
                severity=Gate.Severity.BLOCK if waits else Gate.Severity.WARN,
                explanation=verdict.explanation,
                remedy=verdict.remedy,
                evidence_id=verdict.evidence_id,
            )
        )
    return rows


def _stored(kind: type[Row], rows: list[Row], **owner: Model) -> list[Row]:
    """Write the rows in their places, and take away what is left of a longer list."""
    now = timezone.now()
    for position, row in enumerate(rows):
        row.position, row.evaluated_at = position, now
    mine = kind._default_manager.filter(**owner)
    mine.filter(position__gte=len(rows)).delete()
    kind._default_manager.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=[*owner, "position"],
        update_fields=WRITTEN,
    )
    return rows


def states(gates: Iterable[Gate]) -> dict[str, str]:
    """State by gate, for the trail; an author's identity is personal: only its place is said."""
    return {
        f"author {gate.position}" if gate.metric == "author" else gate.name: str(gate.state)
        for gate in gates
    }
