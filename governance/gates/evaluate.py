"""From conditions and facts to a verdict that explains itself. Pure: no database, no clock.

A figure that is not there never passes: a gate is *waiting* while evidence is on its way, *could
not be computed* when it failed or nobody can make it, *not applicable* where the question has no
meaning (a comparison with live for a first release, an AUC of a regression).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from governance.gates.expression import FAIRNESS, METRICS, Condition, Family, Metric

REGRESSION_KINDS = frozenset({"regression", "forecasting"})


class State(StrEnum):
    """The values of ``GateResult.State``."""

    PASSES = "passes"
    FAILS = "fails"
    COULD_NOT_COMPUTE = "could_not_compute"
    NOT_APPLICABLE = "not_applicable"
    WAITING = "waiting"


class Have(StrEnum):
    """How far a piece of evidence is."""

    COMPLETE = "complete"
    WAITING = "waiting"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Source:
    """One piece of evidence as a gate sees it; ``reason`` says why there is no result."""

    have: Have
    result: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    remedy: str = ""
    evidence_id: int | None = None


MISSING = Source(Have.MISSING, reason="no evidence was asked for", remedy="Ask for it.")


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the gates of one request look at.

    Attributes:
        kind: the model's kind.
        environment: its name, for sentences.
        live: the number of the version that is live there, or None for a first release.
        sources: the candidate's evidence by (kind, dataset); explanation has dataset "".
        live_sources: the live version's own evaluation and fairness evidence, likewise.
        card_missing: parts of the model card that are empty.
        findings: ``open``, ``open_high``, ``open_medium``: how many findings are open.
        not_applicable: evidence that means nothing for this kind of model, and why.
    """

    kind: str
    environment: str
    live: int | None
    sources: Mapping[tuple[str, str], Source]
    live_sources: Mapping[tuple[str, str], Source] = field(default_factory=dict)
    card_missing: Sequence[str] = ()
    findings: Mapping[str, int] = field(default_factory=dict)
    not_applicable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says; figures in the metric's unit, shares as 0 to 1."""

    state: State
    explanation: str
    remedy: str = ""
    observed: float | None = None
    lower: float | None = None
    upper: float | None = None
    live_value: float | None = None
    is_worse_than_live: bool = False
    evidence_id: int | None = None


_WORST_FIRST = (
    State.FAILS,
    State.COULD_NOT_COMPUTE,
    State.WAITING,
    State.PASSES,
    State.NOT_APPLICABLE,
)


def judge(conditions: Sequence[Condition], facts: Facts) -> tuple[Condition, Verdict]:
    """The verdict of a gate, and the condition it is about: the worst, the first of equals."""
    judged = [(condition, judge_one(condition, facts)) for condition in conditions]
    condition, worst = min(judged, key=lambda pair: _WORST_FIRST.index(pair[1].state))
    if len(judged) == 1:
        return condition, worst
    measured = next(
        (pair for pair in judged if pair[1].state is worst.state and pair[1].observed is not None),
        (condition, worst),
    )
    said = " ".join(v.explanation for _, v in judged if v.state is worst.state)
    todo = " ".join(v.remedy for _, v in judged if v.state is worst.state and v.remedy)
    return measured[0], replace(measured[1], explanation=said, remedy=todo)


def judge_one(condition: Condition, facts: Facts) -> Verdict:
    """The verdict of one condition."""
    if condition.family is Family.CARD:
        return _card(facts)
    if condition.family is Family.FINDINGS:
        return _findings(condition, facts)
    if reason := facts.not_applicable.get(_EVIDENCE[condition.family]):
        return Verdict(State.NOT_APPLICABLE, reason)
    if condition.family is Family.EXPLANATION:
        return _explanation(facts)
    if not_applicable := _why_not_applicable(condition, facts):
        return Verdict(State.NOT_APPLICABLE, not_applicable)
    return _measured(condition, facts)


def _card(facts: Facts) -> Verdict:
    if facts.card_missing:
        missing = _and(facts.card_missing)
        return Verdict(State.FAILS, f"The card lacks {missing}.", remedy=f"Write {missing}.")
    return Verdict(State.PASSES, "The card has every section that its tier asks for.")


def _findings(condition: Condition, facts: Facts) -> Verdict:
    observed = facts.findings.get(condition.metric, 0)
    words = condition.title.lower()
    if condition.holds(observed):
        return Verdict(State.PASSES, f"{observed} {words}.", observed=observed)
    return Verdict(
        State.FAILS,
        f"{observed} {words}, allowed is {condition.limit_text}.",
        remedy="Close the open findings of this model with a resolution.",
        observed=observed,
    )


def _explanation(facts: Facts) -> Verdict:
    source = facts.sources.get(("explanation", ""), MISSING)
    if absent := _absent(source, "The explanation"):
        return absent
    features = len(source.result.get("features", []))
    return Verdict(
        State.PASSES,
        f"There is an explanation over {features} features.",
        evidence_id=source.evidence_id,
    )


def _why_not_applicable(condition: Condition, facts: Facts) -> str:
    task = (_metric(condition) or METRICS["auc"]).task
    if condition.family is not Family.FLIPS or facts.kind in REGRESSION_KINDS:
        is_regression = facts.kind in REGRESSION_KINDS
        if (task == "regression") != is_regression:
            return f"{condition.title} says nothing about a model of the kind “{facts.kind}”."
    if condition.needs_live and facts.live is None:
        return (
            f"This is a first release: no version is live in {facts.environment} to compare with."
        )
    return ""


def _metric(condition: Condition) -> Metric | None:
    return METRICS.get(condition.metric) or FAIRNESS.get(condition.metric)


_KINDS = {
    Family.EVALUATION: ("evaluation", "The evaluation"),
    Family.DELTA: ("differential", "The comparison with the live version"),
    Family.FLIPS: ("differential", "The comparison with the live version"),
    Family.FAIRNESS: ("fairness", "The fairness evaluation"),
}


_EVIDENCE = {family: kind for family, (kind, _) in _KINDS.items()} | {
    Family.EXPLANATION: "explanation"
}


def _measured(condition: Condition, facts: Facts) -> Verdict:
    kind, words = _KINDS[condition.family]
    source = facts.sources.get((kind, condition.dataset), MISSING)
    if absent := _absent(source, f"{words} on {condition.dataset}"):
        return absent
    figure = _figure(condition, source.result)
    value, lower, upper = (_number(figure.get(key)) for key in ("value", "lower95", "upper95"))
    compared = {"value": value, "lower95": lower, "upper95": upper}[condition.bound]
    if value is None or compared is None:
        what = "has no 95 % interval" if value is not None else "is not in the evidence"
        return Verdict(
            State.COULD_NOT_COMPUTE,
            f"{condition.title} {what}{_why_absent(condition, source.result)}.",
            remedy="Ask for evidence that has it, or change the policy.",
            evidence_id=source.evidence_id,
        )
    live_value, worse = _against_live(condition, facts, source.result, value)
    holds = condition.holds(compared)
    return Verdict(
        State.PASSES if holds else State.FAILS,
        _sentence(condition, value, lower, upper, compared, holds),
        remedy="" if holds else _remedy(condition),
        observed=value,
        lower=lower,
        upper=upper,
        live_value=live_value,
        is_worse_than_live=worse,
        evidence_id=source.evidence_id,
    )


def presence(source: Source, words: str) -> Verdict:
    """Whether a piece of evidence is there at all, whatever it says."""
    return _absent(source, words) or Verdict(
        State.PASSES, f"{words} is there.", evidence_id=source.evidence_id
    )


def _absent(source: Source, words: str) -> Verdict | None:
    if source.have is Have.COMPLETE:
        return None
    if source.have is Have.WAITING:
        return Verdict(State.WAITING, f"{words} is being computed.", evidence_id=source.evidence_id)
    return Verdict(
        State.COULD_NOT_COMPUTE,
        f"{words} is not there: {source.reason}".rstrip(".") + ".",
        remedy=source.remedy,
        evidence_id=source.evidence_id,
    )


def _figure(condition: Condition, result: Mapping[str, Any]) -> Mapping[str, Any]:
    if condition.family is Family.EVALUATION:
        found = _mapping(result, "metrics").get(condition.metric)
    elif condition.family is Family.DELTA:
        found = _mapping(result, "metrics_delta").get(condition.metric)
        if isinstance(found, Mapping):
            return {**found, "value": found.get("delta")}
    elif condition.family is Family.FLIPS:
        found = _mapping(result, "flips").get("share")
    else:
        found = _mapping(result, condition.metric).get(condition.argument)
    if isinstance(found, (int, float)):
        return {"value": found}
    return found if isinstance(found, Mapping) else {}


def _why_absent(condition: Condition, result: Mapping[str, Any]) -> str:
    name = condition.argument if condition.family is Family.FAIRNESS else condition.metric
    if said := _mapping(result, "not_computed").get(name):
        return f": {said}"
    if condition.family is not Family.FAIRNESS:
        return ""
    small = [
        str(item.get("value", ""))
        for item in result.get("too_small", [])
        if isinstance(item, Mapping) and item.get("column") == condition.argument
    ]
    return f": too few rows of {_and(small)}" if small else ""


def _against_live(
    condition: Condition, facts: Facts, result: Mapping[str, Any], value: float
) -> tuple[float | None, bool]:
    """The same figure for the live version, and whether ours is worse.

    With a paired interval of the difference, worse means that the interval excludes "no worse".
    """
    metric = _metric(condition)
    if facts.live is None or metric is None:
        return None, False
    sign = 1.0 if metric.higher_is_better else -1.0
    if condition.family in {Family.EVALUATION, Family.DELTA}:
        differential = facts.sources.get(("differential", condition.dataset), MISSING)
        delta = _mapping(differential.result, "metrics_delta").get(condition.metric)
        if isinstance(delta, Mapping) and _number(delta.get("baseline")) is not None:
            ends = [_number(delta.get("lower95")), _number(delta.get("upper95"))]
            known = [sign * end for end in ends if end is not None]
            worse = (
                max(known) < 0 if len(known) == 2 else sign * (_number(delta.get("delta")) or 0) < 0
            )
            return _number(delta.get("baseline")), worse
    if condition.family is Family.DELTA:
        return None, False
    live = facts.live_sources.get((_KINDS[condition.family][0], condition.dataset), MISSING)
    live_value = _number(_figure(condition, live.result).get("value"))
    if live_value is None:
        return None, False
    return live_value, sign * (value - live_value) < 0


def _sentence(
    condition: Condition,
    value: float,
    lower: float | None,
    upper: float | None,
    compared: float,
    holds: bool,
) -> str:
    show = _percent if condition.is_percent else _decimal
    if condition.family is Family.DELTA:
        show = _signed
    interval = f" [{show(lower)}, {show(upper)}]" if lower is not None and upper is not None else ""
    text = f"{condition.title} is {show(value)}{interval}"
    if condition.bound != "value":
        end = "lower" if condition.bound == "lower95" else "upper"
        text += f"; the {end} 95 % end, {show(compared)}, counts"
    verb = "as asked" if holds else "but asked is"
    return f"{text}, {verb}{' (' if holds else ' '}{condition.limit_text}{')' if holds else ''}."


def _remedy(condition: Condition) -> str:
    if condition.family is Family.EVALUATION:
        return (
            f"A version whose {condition.title} on {condition.dataset} is {condition.limit_text}."
        )
    if condition.family is Family.DELTA:
        return "A version that is no worse than the live one by more than the limit."
    if condition.family is Family.FLIPS:
        return "A version that changes fewer decisions."
    return f"A version or threshold that treats the groups of {condition.argument} more alike."


def _mapping(result: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = result.get(key)
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _decimal(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %".replace("-", "−")


def _and(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
