"""From the tables to the facts that gates look at, and to what evidence is still missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q

from evaluation.models import Evidence
from evaluation.selectors import deviations
from governance.gates import policy_text
from governance.gates.evaluate import Facts, Have, Source
from governance.gates.expression import Condition, Family
from governance.models import Finding
from registry import kinds
from registry import selectors_cards as cards
from registry.models import Dataset, Environment, Kind, ModelVersion
from serving import selectors as serving

#: Model kinds whose evidence this house can make: one score per row.
MEASURABLE_KINDS = frozenset(kind for kind in Kind.values if kinds.is_measurable(kind))


@dataclass(frozen=True, slots=True)
class Need:
    """Evidence that a policy's gates need: of this kind, on this dataset, by these columns."""

    kind: str
    dataset: str = ""
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} on {self.dataset}" if self.dataset else self.kind


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked for: this version into this environment, under this policy body."""

    version: ModelVersion
    environment: Environment
    live: ModelVersion | None
    body: dict[str, Any]
    refusals: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Gathered:
    """The facts, the evidence and the card behind them, and the needs that nothing meets yet."""

    facts: Facts
    evidence: dict[tuple[str, str], Evidence] = field(default_factory=dict)
    unmet: list[Need] = field(default_factory=list)
    card_digest: str = ""


def needs(body: dict[str, Any], *, kind: str, has_live: bool) -> list[Need]:
    """Every piece of evidence that the gates look at, each once.

    A comparison with the live version is wanted whenever there is one, gate or no gate: nobody
    should sign a replacement without having seen what it changes.
    """
    found = _gated(body, has_live=has_live)
    if has_live and body["dataset"] and kind in MEASURABLE_KINDS:
        found.setdefault(("differential", body["dataset"]), set())
    # What means nothing for this kind of model is missing from nowhere.
    meaningless = kinds.not_applicable(kind)
    return [
        Need(name, dataset, tuple(sorted(groups)))
        for (name, dataset), groups in found.items()
        if name not in meaningless
    ]


def ungated(body: dict[str, Any], *, kind: str, has_live: bool) -> list[Need]:
    """The needs that no gate speaks of: the comparison that is wanted all the same."""
    gated = _gated(body, has_live=has_live)
    return [
        need
        for need in needs(body, kind=kind, has_live=has_live)
        if (need.kind, need.dataset) not in gated
    ]


def _gated(body: dict[str, Any], *, has_live: bool) -> dict[tuple[str, str], set[str]]:
    """The columns that each piece of evidence is needed by, as the gates say."""
    found: dict[tuple[str, str], set[str]] = {}
    for gate in body["gates"]:
        for item in policy_text.conditions(gate, body):
            need = _need(item)
            if need is not None and (not item.needs_live or has_live):
                found.setdefault((need.kind, need.dataset), set()).update(need.groups)
    return found


def _need(item: Condition) -> Need | None:
    if item.family is Family.EVALUATION:
        return Need("evaluation", item.dataset)
    if item.family in {Family.DELTA, Family.FLIPS}:
        return Need("differential", item.dataset)
    if item.family is Family.FAIRNESS:
        return Need("fairness", item.dataset, (item.argument,))
    return Need("explanation") if item.family is Family.EXPLANATION else None


def gather(subject: Subject) -> Gathered:
    """Look everything up; a handful of queries, however much evidence there is."""
    version, live, body = subject.version, subject.live, subject.body
    model = version.model
    wanted = needs(body, kind=model.kind, has_live=live is not None)
    names = {need.dataset for need in wanted if need.dataset}
    datasets = set(
        Dataset.objects.filter(workspace=model.workspace_id, name__in=names).values_list(
            "name", flat=True
        )
    )
    rows = _rows(version, live, wanted, names)
    chosen: dict[tuple[str, str], Evidence] = {}
    sources: dict[tuple[str, str], Source] = {}
    unmet: list[Need] = []
    for need in wanted:
        mine = [row for row in rows if row.version_id == version.pk]
        evidence = _best(mine, need, live, body["counts_as_evidence"])
        key = (need.kind, need.dataset)
        if evidence is not None:
            chosen[key] = evidence
            if evidence.state in {Evidence.State.FAILED, Evidence.State.CANCELLED}:
                unmet.append(need)
        else:
            unmet.append(need)
        sources[key] = _source(evidence, need, subject, datasets, mine)
    live_sources = {}
    if live is not None:
        theirs = [row for row in rows if row.version_id == live.pk]
        for need in wanted:
            if need.kind in {"evaluation", "fairness"}:
                found = _best(theirs, need, None, body["counts_as_evidence"])
                if found is not None and found.state == Evidence.State.COMPLETE:
                    live_sources[(need.kind, need.dataset)] = Source(
                        Have.COMPLETE, found.result, evidence_id=found.pk
                    )
    card = cards.card_of(version)
    facts = Facts(
        kind=model.kind,
        environment=subject.environment.name,
        live=live.number if live is not None else None,
        sources=sources,
        live_sources=live_sources,
        card_missing=cards.missing(version, card),
        findings=_findings(version),
        not_applicable=kinds.not_applicable(model.kind),
    )
    return Gathered(facts, chosen, unmet, card.digest if card is not None else "")


def _findings(version: ModelVersion) -> dict[str, int]:
    is_open = Q(state=Finding.State.OPEN)
    return Finding.objects.filter(model=version.model_id).aggregate(
        open=Count("pk", filter=is_open),
        open_high=Count("pk", filter=is_open & Q(severity=Finding.Severity.HIGH)),
        open_medium=Count("pk", filter=is_open & Q(severity=Finding.Severity.MEDIUM)),
    )


def _rows(
    version: ModelVersion,
    live: ModelVersion | None,
    wanted: Iterable[Need],
    names: Collection[str],
) -> list[Evidence]:
    versions = [version.pk] + ([live.pk] if live is not None else [])
    return list(
        Evidence.objects.filter(version__in=versions, kind__in={need.kind for need in wanted})
        .filter(Q(kind="explanation") | Q(dataset__name__in=names))
        .select_related("dataset")
        .defer("result")
        .order_by("-pk")
    )


def _best(
    rows: Iterable[Evidence], need: Need, live: ModelVersion | None, origins: Collection[str]
) -> Evidence | None:
    """The newest complete row that counts; else one on its way; else the newest that failed."""
    fitting = [
        row
        for row in rows
        if row.kind == need.kind
        and row.origin in origins
        and (not need.dataset or (row.dataset is not None and row.dataset.name == need.dataset))
        and (need.kind != "differential" or (live is not None and row.baseline_id == live.pk))
        and set(need.groups) <= groups_of(row)
        # A threshold, a sample or a label of somebody's own choice could be chosen until it suits.
        and not deviations(row)
    ]
    for states in (
        {Evidence.State.COMPLETE},
        {Evidence.State.WAITING, Evidence.State.RUNNING},
        {Evidence.State.FAILED, Evidence.State.CANCELLED},
    ):
        for row in fitting:
            if row.state in states:
                return row
    return None


def groups_of(evidence: Evidence) -> set[str]:
    """The columns that a fairness evaluation was asked to group by."""
    groups = evidence.params.get("groups", [])
    return {str(item) for item in groups} if isinstance(groups, list) else set()


def _source(
    evidence: Evidence | None,
    need: Need,
    subject: Subject,
    datasets: Collection[str],
    rows: Iterable[Evidence],
) -> Source:
    if evidence is None:
        return _why_missing(need, subject, datasets, rows)
    if evidence.state == Evidence.State.COMPLETE:
        return Source(Have.COMPLETE, evidence.result, evidence_id=evidence.pk)
    if evidence.state in {Evidence.State.WAITING, Evidence.State.RUNNING}:
        return Source(Have.WAITING, evidence_id=evidence.pk)
    reason = evidence.error or (
        "it was cancelled" if evidence.state == Evidence.State.CANCELLED else "it failed"
    )
    return Source(Have.FAILED, reason=reason, remedy="Run it again.", evidence_id=evidence.pk)


def _why_missing(
    need: Need, subject: Subject, datasets: Collection[str], rows: Iterable[Evidence]
) -> Source:
    version, live = subject.version, subject.live
    if need.dataset and need.dataset not in datasets:
        return Source(
            Have.MISSING,
            reason=f"there is no dataset “{need.dataset}” in this workspace",
            remedy=f"Upload the dataset “{need.dataset}”.",
        )
    without = [
        item.number
        for item in ([version, live] if need.kind == "differential" else [version])
        if item is not None and serving.endpoint_for(item) is None
    ]
    if without:
        names = " and ".join(str(number) for number in without)
        upload = f", or upload its predictions on {need.dataset}" if need.dataset else ""
        return Source(
            Have.MISSING,
            reason=f"version {names} has no endpoint, and no predictions were uploaded",
            remedy=f"Register an endpoint for version {names}{upload}.",
        )
    if refusal := subject.refusals.get(str(need)):
        return Source(Have.MISSING, reason=refusal, remedy="Put that right, then ask again.")
    reported = any(row.kind == need.kind and row.origin == Evidence.Origin.REPORTED for row in rows)
    return Source(
        Have.MISSING,
        reason=(
            "there are only reported figures, which do not count under this policy"
            if reported
            else "it was not asked for"
        ),
        remedy="Ask for it.",
    )
