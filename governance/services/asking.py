"""Asking for the evidence that a policy needs and nobody has asked for yet."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.callers import Caller
from common.errors import DomainError
from evaluation.models import Evidence
from governance.facts import MEASURABLE_KINDS, Gathered, Need, Subject
from registry.models import Dataset
from serving import selectors as serving

if TYPE_CHECKING:
    from governance.models import PromotionRequest

logger = logging.getLogger(__name__)


def ask_missing(
    promotion: PromotionRequest, subject: Subject, gathered: Gathered
) -> list[Evidence]:
    """Ask for what can be computed at an endpoint; what cannot is explained by its gate.

    Evidence that failed is asked for again: the caller decided that it is worth another try.
    """
    caller = Caller.system("governance", promotion.workspace)
    asked = []
    for need in gathered.unmet:
        arguments = _arguments(need, subject)
        if arguments is None:
            continue
        from evaluation.services import request as evidence_requests

        try:
            with transaction.atomic():
                asked.append(evidence_requests.ask(caller=caller, **arguments))
        except DomainError as error:
            logger.info("REQ-%s: %s was not asked for: %s", promotion.number, need, error.code)
    return asked


def _arguments(need: Need, subject: Subject) -> dict[str, Any] | None:
    version = subject.version
    if version.model.kind not in MEASURABLE_KINDS:
        return None
    dataset = Dataset.objects.filter(
        workspace=version.model.workspace_id, name=need.dataset or subject.body["dataset"]
    ).first()
    endpoint = serving.endpoint_for(version)
    if dataset is None or endpoint is None:
        return None
    arguments: dict[str, Any] = {
        "kind": need.kind, "version": version, "dataset": dataset, "endpoint": endpoint,
        "origin": Evidence.Origin.MEASURED, "params": {},
    }
    if need.kind == "differential":
        if subject.live is None or serving.endpoint_for(subject.live) is None:
            return None
        arguments["baseline"] = subject.live
    if need.kind == "fairness":
        arguments["params"] = {"groups": list(need.groups)}
    return arguments
