"""What governance does when an app below tells a fact. Each receiver calls one service."""

from __future__ import annotations

import logging
from typing import Any

from accounts.callers import Caller
from common.errors import DomainError
from governance.jobs import CHECK
from governance.models import Finding, PromotionRequest
from governance.services import findings, promotions, registration
from jobs.services.enqueue import enqueue

logger = logging.getLogger(__name__)


def on_version_registered(sender: Any, *, version: Any, **_: Any) -> None:
    """What the policy needs to know about it runs behind: whoever registers does not wait."""
    if registration.concerns(version):
        enqueue(
            CHECK,
            workspace=version.model.workspace,
            title=f"Registration check of {version}",
            payload={"version": str(version.uid)},
            caller=Caller.system("governance", version.model.workspace),
            dedupe_key=f"registration:{version.uid}",
        )


def on_evidence_finished(sender: Any, *, evidence: Any, **_: Any) -> None:
    """Requests and checks of that version, or comparing with it, look at their gates again."""
    _check(version=evidence.version_id)
    _check(live_version=evidence.version_id)
    _refresh(PromotionRequest.objects.open().filter(version=evidence.version_id))
    _refresh(PromotionRequest.objects.open().filter(live_version=evidence.version_id))


def on_endpoint_ready(sender: Any, *, endpoint: Any, **_: Any) -> None:
    """What could not be measured for want of an endpoint is asked for now."""
    _check(version=endpoint.version_id, ask=True)
    _check(live_version=endpoint.version_id, ask=True)
    _refresh(PromotionRequest.objects.open().filter(version=endpoint.version_id), ask=True)
    _refresh(PromotionRequest.objects.open().filter(live_version=endpoint.version_id), ask=True)


def on_dataset_ready(sender: Any, *, dataset: Any, **_: Any) -> None:
    """Where a policy names a dataset that was missing, the evidence is asked for now."""
    _check(
        workspace=dataset.workspace_id,
        state="could_not_compute",
        policy_revision__body__contains={"dataset": dataset.name},
        ask=True,
    )
    waiting = (
        PromotionRequest.objects.open()
        .filter(workspace=dataset.workspace_id, gates__state="could_not_compute")
        .distinct()
    )
    _refresh(waiting, ask=True)


def on_card_revised(sender: Any, *, version: Any, **_: Any) -> None:
    """Who wrote the card became an author, and what was signed says which card: look again."""
    _check(version=version.pk)
    _refresh(PromotionRequest.objects.open().filter(version=version.pk))


def on_alias_moved(sender: Any, *, model: Any, name: str, protected: bool = True, **_: Any) -> None:
    """Something else is live: open requests and running checks compare with that now."""
    if not protected:
        return
    _check(version__model=model, environment__alias=name, state="running", ask=True)
    _refresh(PromotionRequest.objects.open().filter(model=model, environment__alias=name), ask=True)


def on_threshold_crossed(sender: Any, *, alert: Any, **_: Any) -> None:
    """An alert becomes a finding: somebody has to deal with it by a date."""
    model = alert.monitor.model
    findings.open_finding(
        caller=Caller.system("governance", alert.workspace),
        severity=_severity(alert.rule.severity),
        title=f"{alert}, {alert.rule.name}: {model.name}"[:300],
        description=alert.cause,
        model=model,
        source=Finding.Source.ALERT,
        reference=f"alert:{alert.uid}",
    )


def on_rollout_finished(sender: Any, *, rollout: Any, outcome: str, **_: Any) -> None:
    """A rollout that came back, or needs an operator, becomes a finding."""
    if outcome not in {"rolled_back", "needs_operator"}:
        return
    model = rollout.route.model
    words = "was rolled back" if outcome == "rolled_back" else "needs an operator"
    number = rollout.to_version.number
    findings.open_finding(
        caller=Caller.system("governance", rollout.workspace),
        severity=Finding.Severity.HIGH,
        title=f"The rollout of {model.name} {number} {words}"[:300],
        description=rollout.reason,
        version=rollout.to_version,
        promotion=_promotion_of(rollout.reference),
        source=Finding.Source.ROLLOUT,
        reference=f"rollout:{rollout.uid}:{outcome}",
    )


def on_receipt_mismatched(sender: Any, *, receipt: Any, **_: Any) -> None:
    """A batch run that used what was not live becomes a finding, once a run."""
    model = receipt.model
    findings.open_finding(
        caller=Caller.system("governance", receipt.workspace),
        severity=Finding.Severity.HIGH if model.tier == 1 else Finding.Severity.MEDIUM,
        title=f"A batch run of {model.name} did not use what was live"[:300],
        description=f"Run {receipt.run_id}: {receipt.reason}",
        model=model,
        version=receipt.version,
        source=Finding.Source.RECEIPT,
        reference=f"receipt:{receipt.uid}",
    )


def _severity(value: str) -> str:
    return value if value in Finding.Severity.values else Finding.Severity.HIGH


def _promotion_of(reference: str) -> PromotionRequest | None:
    kind, _, uid = reference.partition(":")
    if kind != "promotion":
        return None
    return PromotionRequest.objects.filter(uid=uid).first()


def _check(*, ask: bool = False, **which: Any) -> None:
    registration.refresh_all(registration.open_checks().filter(**which), ask=ask)


def _refresh(rows: Any, *, ask: bool = False) -> None:
    for promotion in rows.order_by("pk"):
        try:
            promotions.refresh_gates(promotion, ask=ask)
        except DomainError as error:
            # One request's trouble must not keep the others from being looked at.
            logger.warning("%s was not refreshed: %s", promotion, error.message)
