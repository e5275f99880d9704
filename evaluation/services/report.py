"""Figures from outside: kept and shown, never counted as measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.errors import Invalid
from evaluation.models import Evidence
from evaluation.results import plain
from evaluation.services import finish

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import Dataset, ModelVersion

MAX_METRICS = 100
MAX_TEXT = 500
_ENDS = ("value", "lower95", "upper95")


@transaction.atomic
def report(
    *,
    caller: Caller,
    version: ModelVersion,
    metrics: Mapping[str, Any],
    dataset: Dataset | None = None,
    source: str = "",
    kind: str = "evaluation",
) -> Evidence:
    """Keep figures that somebody else computed, as complete evidence of origin ``reported``.

    Args:
        metrics: name to a number, or to {"value", "lower95", "upper95"}.
        source: where they come from, in the reporter's words.
    Raises: NotAllowed, Invalid.
    """
    caller.insist(Capability.EVIDENCE_RUN)
    if version.model.workspace_id != caller.workspace.pk or (
        dataset is not None and dataset.workspace_id != caller.workspace.pk
    ):
        raise Invalid("There is no such version or dataset here.", code="not_found")
    if kind not in ("evaluation", "fairness"):
        raise Invalid(
            "Figures are reported as an evaluation or as fairness.",
            fields={"kind": ["evaluation or fairness"]},
        )
    if len(source) > MAX_TEXT or "\x00" in source:
        raise Invalid(
            f"The source has at most {MAX_TEXT} characters.", fields={"source": ["Too long."]}
        )
    if not metrics or len(metrics) > MAX_METRICS:
        raise Invalid(
            f"Report 1 to {MAX_METRICS} figures.", fields={"metrics": [f"1 to {MAX_METRICS}"]}
        )
    evidence = Evidence.objects.create(
        workspace=caller.workspace,
        kind=kind,
        origin=Evidence.Origin.REPORTED,
        version=version,
        dataset=dataset,
        result=plain({"metrics": {n: _figure(n, v) for n, v in metrics.items()}, "source": source}),
        data_digests=[dataset.digest] if dataset else [],
        created_by_pid=caller.actor.pid,
        created_by_label=caller.label[:200],
    )
    record(
        Action.EVIDENCE_ASKED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="evidence",
        object_id=str(evidence.uid),
        object_name=f"{evidence.get_kind_display()} of {version}"[:255],
        details={"kind": kind, "origin": "reported", "version": str(version.uid)},
    )
    finish.seal(evidence, actor=caller.actor)
    return evidence


def _figure(name: str, given: Any) -> dict[str, float]:
    if not isinstance(name, str) or not 0 < len(name) <= 100 or "\x00" in name:
        raise Invalid("A metric's name has 1 to 100 characters.", fields={"metrics": ["name"]})
    figures = given if isinstance(given, Mapping) else {"value": given}
    if "value" not in figures or set(figures) - set(_ENDS):
        raise _bad(name, "has a value, and may have lower95 and upper95")
    parsed = {}
    for end in _ENDS:
        if end in figures:
            number = figures[end]
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                raise _bad(name, "is a number")
            if not math.isfinite(number) or abs(number) > 1e15:
                raise _bad(name, "is a finite number")
            parsed[end] = float(number)
    if not parsed.get("lower95", -math.inf) <= parsed["value"] <= parsed.get("upper95", math.inf):
        raise _bad(name, "lies outside its own interval")
    return parsed


def _bad(name: str, reason: str) -> Invalid:
    return Invalid(f"{name[:100]} {reason}.", fields={f"metrics.{name[:100]}": [reason]})
