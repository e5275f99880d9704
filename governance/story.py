"""What a request's page says, from the rows alone: no canned sentence, no overall score.

The order is the point (design/README.md): one sentence of fact; what fails or is worse than live;
what is not known; what changed; where decisions flip; what passes, folded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from evaluation.models import Evidence
from governance.flips import flips_chart
from governance.gates import policy_text
from governance.gates.expression import METRICS, Family
from governance.models import Gate, GateResult, PromotionRequest
from governance.release_changes import changes

State = GateResult.State


@dataclass(frozen=True, slots=True)
class GateRow:
    """A gate as the table shows it, figures already in words."""

    gate: Gate
    label: str
    tone: str
    limit: str
    live: str
    observed: str
    interval: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that nobody knows, and what would tell."""

    text: str
    remedy: str = ""
    url: str = ""
    is_retryable: bool = False


@dataclass(slots=True)
class Story:
    """The parts of the page, in its order."""

    fact: SafeString
    worse: list[GateRow] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    changed: list[tuple[str, str]] = field(default_factory=list)
    flips: dict[str, Any] | None = None
    passed: list[GateRow] = field(default_factory=list)
    aside: list[GateRow] = field(default_factory=list)
    running: list[Evidence] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)


def tell(promotion: PromotionRequest, gates: Sequence[GateResult]) -> Story:
    """Read the evidence that the request's digest names, and say what it says."""
    evidence = signed_evidence(promotion)
    story = Story(_fact(promotion, gates, evidence))
    story.evidence = list(evidence.values())
    for gate in gates:
        row = gate_row(gate)
        if gate.state == State.FAILS or (gate.state == State.PASSES and gate.is_worse_than_live):
            story.worse.append(row)
        elif gate.state == State.PASSES:
            story.passed.append(row)
        elif gate.state == State.NOT_APPLICABLE:
            story.aside.append(row)
        elif gate.state == State.COULD_NOT_COMPUTE:
            story.unknown.append(_unknown_gate(gate))
    story.unknown += _unknown_evidence(promotion, evidence)
    story.changed = changes(promotion.live_version, promotion.version)
    story.flips = flips_chart(evidence.get("differential"))
    story.running = list(
        Evidence.objects.filter(
            version=promotion.version_id,
            state__in=[Evidence.State.WAITING, Evidence.State.RUNNING],
        )
        .select_related("job", "dataset")
        .defer("result")
        .order_by("pk")
    )
    return story


def signed_evidence(promotion: PromotionRequest) -> dict[str, Evidence]:
    """The evidence in the request's content, by kind; the policy's own dataset goes first."""
    digests = json.loads(promotion.content)["evidence"]
    rows = Evidence.objects.filter(version=promotion.version_id, digest__in=digests).select_related(
        "dataset", "baseline"
    )
    own = promotion.policy_revision.body["dataset"]
    found: dict[str, Evidence] = {}
    for row in sorted(rows, key=lambda item: item.dataset is None or item.dataset.name != own):
        found.setdefault(row.kind, row)
    return found


def gate_row(gate: Gate) -> GateRow:
    """One gate with its figures in the words of its metric."""
    show = _shower(gate)
    label, tone = "", ""
    if gate.state == State.FAILS and gate.severity == GateResult.Severity.WARN:
        label, tone = "Fails, warns only", "warning"
    elif gate.state == State.PASSES and gate.is_worse_than_live:
        label, tone = "Passes, worse", "warning"
    sign = {">=": "≥", "<=": "≤", "==": "="}.get(gate.comparison, gate.comparison)
    has_interval = gate.lower is not None and gate.upper is not None
    return GateRow(
        gate=gate,
        label=label,
        tone=tone,
        limit=f"{sign} {show(gate.limit)}" if gate.limit is not None and sign else "–",
        live=_plain_live(gate, show),
        observed=show(gate.observed) if gate.observed is not None else "–",
        interval=f"{show(gate.lower)} – {show(gate.upper)}" if has_interval else "",
    )


def _plain_live(gate: Gate, show: Any) -> str:
    if gate.live_value is None:
        return "–"
    # Beside a difference stands the live figure itself, which has no sign of its own.
    return _minus(f"{gate.live_value:.3f}") if _is_difference(gate) else str(show(gate.live_value))


def _is_difference(gate: Gate) -> bool:
    return "live." in gate.name


def _shower(gate: Gate) -> Any:
    if gate.metric == "decision_flips":
        return lambda value: f"{value * 100:.1f} %"
    if gate.metric.startswith("open"):
        return lambda value: f"{value:.0f}"
    if _is_difference(gate):
        return lambda value: _minus(f"{value:+.3f}")
    return lambda value: _minus(f"{value:.3f}")


def _minus(text: str) -> str:
    return text.replace("-", "−")


# --- The sentence of fact ---------------------------------------------------------------------


def _fact(
    promotion: PromotionRequest, gates: Sequence[GateResult], evidence: Mapping[str, Evidence]
) -> SafeString:
    parts = []
    number = promotion.version.number
    if "differential" in evidence:
        parts += _said_differential(number, evidence["differential"].result)
    elif promotion.live_version is None:
        parts.append(
            format_html(
                "Version {} would be the <strong>first release</strong> in {}.",
                number,
                promotion.environment.name,
            )
        )
    if "evaluation" in evidence and not any("metrics_delta" in e.result for e in evidence.values()):
        parts += _said_evaluation(evidence["evaluation"])
    parts += [_said_fairness(gate) for gate in gates if _is_unfair(gate)]
    waiting = sum(gate.state == State.WAITING for gate in gates)
    if waiting:
        parts.append(
            format_html("<strong>{} of {}</strong> gates wait for evidence.", waiting, len(gates))
        )
    if not parts:
        missing = sum(gate.blocks for gate in gates)
        parts.append(
            format_html(
                "Nothing was measured for version {} yet: <strong>{} of {}</strong> gates stand in "
                "the way.",
                number,
                missing,
                len(gates),
            )
        )
    return format_html_join(" ", "{}", ((part,) for part in parts))


def _said_differential(number: int, result: Mapping[str, Any]) -> list[SafeString]:
    parts = []
    flips = result.get("flips")
    rows = result.get("rows", 0)
    if isinstance(flips, Mapping):
        parts.append(_said_flips(number, flips, rows))
    elif rows:
        diff = result.get("abs_diff", {})
        parts.append(
            format_html(
                "Version {} answers <strong>{}</strong> apart from the live one on average, over "
                "{} rows.",
                number,
                f"{diff.get('mean', 0):.4g}",
                f"{rows:,}",
            )
        )
    deltas = result.get("metrics_delta", {})
    for name in ("auc", "rmse"):
        delta = deltas.get(name)
        if isinstance(delta, Mapping) and delta.get("delta") is not None:
            parts.append(
                format_html(
                    "{} <strong>{}</strong>{}.",
                    METRICS[name].title,
                    _minus(f"{delta['delta']:+.3f}"),
                    _interval(delta, "+.3f"),
                )
            )
    return parts


def _said_flips(number: int, flips: Mapping[str, Any], rows: int) -> SafeString:
    total = int(flips.get("total", 0))
    if total == 0:
        return format_html(
            "Version {} changes <strong>none of {}</strong> decisions.", number, f"{rows:,}"
        )
    down, up = int(flips.get("to_negative", 0)), int(flips.get("to_positive", 0))
    more, word = (down, "negative") if down >= up else (up, "positive")
    return format_html(
        "Version {} changes <strong>{} of {}</strong> decisions, {} of them to <em>{}</em>.",
        number,
        f"{total:,}",
        f"{rows:,}",
        f"{more:,}",
        word,
    )


def _said_evaluation(evidence: Evidence) -> list[SafeString]:
    metrics = evidence.result.get("metrics", {})
    on = f" on {evidence.dataset.name}" if evidence.dataset else ""
    for name in ("auc", "rmse"):
        figure = metrics.get(name)
        if isinstance(figure, Mapping) and figure.get("value") is not None:
            return [
                format_html(
                    "{}{} is <strong>{}</strong>{}.",
                    METRICS[name].title,
                    on,
                    _minus(f"{figure['value']:.3f}"),
                    _interval(figure, ".3f"),
                )
            ]
    return []


def _is_unfair(gate: GateResult) -> bool:
    return gate.metric in {"selection_rate_ratio", "equalized_odds_difference"} and (
        gate.observed is not None and gate.state == State.FAILS
    )


def _said_fairness(gate: GateResult) -> SafeString:
    ends = {"lower95": gate.lower, "upper95": gate.upper}
    side = "under" if gate.comparison in {">=", ">"} else "over"
    name = f"The {gate.title[:1].lower()}{gate.title[1:]}"
    end = ""
    if ".lower95" in gate.name or ".upper95" in gate.name:
        end = "its lower end " if ".lower95" in gate.name else "its upper end "
    return format_html(
        "{} is <strong>{}</strong>{}, {}{} the limit of {}.",
        name.replace(",", " by"),
        f"{gate.observed:.3f}",
        _interval(ends, ".3f"),
        end,
        side,
        f"{gate.limit:g}",
    )


def _interval(figure: Mapping[str, Any], spec: str) -> str:
    low, high = figure.get("lower95"), figure.get("upper95")
    if low is None or high is None:
        return ""
    return f" [{_minus(format(low, spec))}, {_minus(format(high, spec))}]"


# --- What is not known ------------------------------------------------------------------------


def _unknown_gate(gate: GateResult) -> Unknown:
    url = ""
    if gate.evidence is not None:
        url = reverse("evaluation:evidence-detail", args=[gate.evidence.uid])
    return Unknown(
        text=f"{gate.title}: {gate.explanation}",
        remedy=gate.remedy,
        url=url,
        is_retryable=gate.state == State.COULD_NOT_COMPUTE,
    )


def _unknown_evidence(
    promotion: PromotionRequest, evidence: Mapping[str, Evidence]
) -> list[Unknown]:
    found = []
    fairness = evidence.get("fairness")
    for item in (fairness.result.get("too_small", []) if fairness is not None else [])[:10]:
        if isinstance(item, Mapping):
            found.append(
                Unknown(
                    f"{item.get('column')} “{item.get('value')}” has {item.get('rows')} rows: too "
                    "few to judge fairness there."
                )
            )
    for row in evidence.values():
        excluded = row.result.get("excluded", {})
        for why, count in excluded.items() if isinstance(excluded, Mapping) else ():
            if count:
                on = f" on {row.dataset.name}" if row.dataset else ""
                found.append(
                    Unknown(
                        f"{count:,} rows were left out of the {row.kind}{on}: "
                        f"{str(why).replace('_', ' ')}."
                    )
                )
    reported = ", ".join(sorted(promotion.version.reported_metrics)[:8])
    if reported:
        by = promotion.version.created_through or promotion.version.created_by
        found.append(Unknown(f"{reported}: reported by {by}, not measured here."))
    body = promotion.policy_revision.body
    families = {
        item.family for gate in body["gates"] for item in policy_text.conditions(gate, body)
    }
    if Family.FAIRNESS not in families and promotion.model.kind == "binary":
        found.append(Unknown("Whether it treats groups alike: the policy has no fairness gate."))
    return found
