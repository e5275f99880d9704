"""Asking for the evidence that a policy needs and nobody has asked for yet."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.callers import Caller
from common.errors import DomainError
from evaluation.models import Evidence, PredictionsFile
from evaluation.params import MAX_COLUMNS
from evaluation.services import request as evidence_requests
from governance.facts import MEASURABLE_KINDS, Gathered, Need, Subject
from governance.gates import policy_text
from governance.gates.expression import Family
from registry.models import Dataset
from serving import selectors as serving

if TYPE_CHECKING:
    from registry.models import ModelVersion

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, and why the rest was not, by “kind on dataset”."""

    evidence: list[Evidence] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)


def ask_missing(subject: Subject, gathered: Gathered) -> Asked:
    """Ask for what can be computed at an endpoint; what cannot is explained by its gate.

    Evidence that failed is asked for again: the caller decided that it is worth another try. The
    caller keeps what was refused, so that the gate can say why.
    """
    caller = Caller.system("governance", subject.version.model.workspace)
    asked = Asked()
    for need in gathered.unmet:
        arguments = _arguments(need, subject)
        if arguments is None:
            continue
        try:
            with transaction.atomic():
                asked.evidence.append(evidence_requests.ask(caller=caller, **arguments))
        except DomainError as error:
            logger.info("%s: %s was not asked for: %s", subject.version, need, error.code)
            asked.refusals[str(need)] = error.message[:500]
    return asked


def segments_of(body: dict[str, Any]) -> list[str]:
    """The columns by which flips are counted: the policy's own, and those of its fairness gates."""
    wanted = list(body.get("segments", []))
    for gate in body["gates"]:
        wanted += [
            item.argument
            for item in policy_text.conditions(gate, body)
            if item.family is Family.FAIRNESS
        ]
    return list(dict.fromkeys(wanted))[:MAX_COLUMNS]


def _arguments(need: Need, subject: Subject) -> dict[str, Any] | None:
    version = subject.version
    if version.model.kind not in MEASURABLE_KINDS:
        return None
    dataset = Dataset.objects.filter(
        workspace=version.model.workspace_id, name=need.dataset or subject.body["dataset"]
    ).first()
    if dataset is None:
        return None
    versions = [version]
    arguments: dict[str, Any] = {
        "kind": need.kind,
        "version": version,
        "dataset": dataset,
        "params": {},
    }
    if need.kind == "differential":
        if subject.live is None:
            return None
        versions.append(subject.live)
        arguments["baseline"] = subject.live
        if segments := segments_of(subject.body):
            arguments["params"] = {"segments": segments}
    elif need.kind == "fairness":
        arguments["params"] = {"groups": list(need.groups)}
    origin = _origin(need, versions, dataset)
    return {**arguments, "origin": origin} if origin is not None else None


def _origin(need: Need, versions: list[ModelVersion], dataset: Dataset) -> str | None:
    """Measured where every version has an endpoint, else computed from predictions that were
    uploaded, else not at all."""
    if all(serving.endpoint_for(version) is not None for version in versions):
        return Evidence.Origin.MEASURED
    uploaded = set(
        PredictionsFile.objects.filter(version__in=versions, dataset=dataset).values_list(
            "version_id", flat=True
        )
    )
    if need.kind != "explanation" and uploaded == {version.pk for version in versions}:
        return Evidence.Origin.COMPUTED
    return None
