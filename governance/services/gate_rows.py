"""A request's gates as rows: the policy's, the comparison nobody asks for, unmapped authors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone

from governance import facts
from governance.gates import evaluate, policy_text
from governance.models import GateResult, PromotionRequest, RequestAuthor

if TYPE_CHECKING:
    from collections.abc import Iterable


def write(promotion: PromotionRequest, gathered: facts.Gathered) -> list[GateResult]:
    body = promotion.policy_revision.body
    rows = []
    for position, gate in enumerate(body["gates"]):
        conditions = policy_text.conditions(gate, body)
        condition, verdict = evaluate.judge(conditions, gathered.facts)
        title = " and ".join(dict.fromkeys(item.title for item in conditions))
        rows.append(
            GateResult(
                promotion=promotion,
                position=position,
                name=gate["check"],
                title=title,
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
                evaluated_at=timezone.now(),
            )
        )
    rows += _ungated(promotion, gathered, first=len(rows))
    unmapped = RequestAuthor.objects.filter(promotion=promotion, user__isnull=True)
    for identity in dict.fromkeys(unmapped.values_list("identity", flat=True)):
        rows.append(
            GateResult(
                promotion=promotion,
                position=len(rows),
                name=f"author {identity}",
                title=f"Author {identity}"[:300],
                metric="author",
                state=GateResult.State.FAILS,
                evaluated_at=timezone.now(),
                explanation=f"The author {identity} maps to no person, who could then sign unseen.",
                remedy="An administrator says which person it is.",
            )
        )
    fields = [
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
    GateResult.objects.filter(promotion=promotion, position__gte=len(rows)).delete()
    GateResult.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["promotion", "position"], update_fields=fields
    )
    return rows


def _ungated(
    promotion: PromotionRequest, gathered: facts.Gathered, *, first: int
) -> list[GateResult]:
    """Rows for the comparison that no gate asks for. It never fails; but while it is under way
    nobody signs, because its arrival would change what they signed."""
    rows: list[GateResult] = []
    for need in facts.ungated(
        promotion.policy_revision.body,
        kind=promotion.model.kind,
        has_live=gathered.facts.live is not None,
    ):
        verdict = evaluate.presence(
            gathered.facts.sources.get((need.kind, need.dataset), evaluate.MISSING),
            f"The comparison with version {gathered.facts.live} on {need.dataset}",
        )
        waits = verdict.state is evaluate.State.WAITING
        rows.append(
            GateResult(
                promotion=promotion,
                position=first + len(rows),
                name=f"comparison with live on {need.dataset}"[:300],
                title="Comparison with the live version",
                metric="comparison",
                state=verdict.state.value,
                severity=GateResult.Severity.BLOCK if waits else GateResult.Severity.WARN,
                explanation=verdict.explanation,
                remedy=verdict.remedy,
                evidence_id=verdict.evidence_id,
                evaluated_at=timezone.now(),
            )
        )
    return rows


def states(gates: Iterable[GateResult]) -> dict[str, str]:
    """State by gate, for the trail; an author's identity is personal: only its place is said."""
    return {
        f"author {gate.position}" if gate.metric == "author" else gate.name: str(gate.state)
        for gate in gates
    }
