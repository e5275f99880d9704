"""Recalls: an order that nobody runs a version any more, and its lifting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.errors import AlreadyExists, Conflict, Invalid, InvalidTransition, NotFound
from delivery.models import Device, Recall

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.callers import Caller
    from registry.models import ModelVersion

MAX_REASON = 500


def why_not(version: ModelVersion) -> str:
    """Why this version may not be given to anybody, as a sentence; empty when it may."""
    if Recall.objects.filter(version=version, lifted_at=None).exists():
        return f"Version {version.number} is called back: lift the recall first."
    return ""


@transaction.atomic
def order(
    *, caller: Caller, version: ModelVersion, reason: str, devices: int | None = None
) -> Recall:
    """Call a version back. It takes effect with every reader's next question.

    ``devices`` is how many whoever gives the order was told are on it; when meanwhile there are
    more, the order is not carried out behind their back.

    Raises: Invalid (no reason), Conflict (more devices), AlreadyExists, NotAllowed.
    """
    caller.insist(Capability.ROLLOUT_OPERATE)
    reason = _reason(reason)
    affected = Device.objects.filter(model=version.model_id, version=version).count()
    if devices is not None and affected > devices:
        raise Conflict(
            f"{affected:,} devices are on version {version.number} now, not {devices:,}:"
            " order it again with that number.",
            code="more_devices",
            devices=affected,
        )
    recall = Recall(
        workspace=caller.workspace,
        model=version.model,
        version=version,
        reason=reason,
        devices=affected,
        ordered_by_pid=caller.actor.pid,
        ordered_by_label=caller.label[:200],
    )
    try:
        with transaction.atomic():
            recall.save(force_insert=True)
    except IntegrityError as error:
        if "recall_one_open_per_version" not in str(error):
            raise
        raise AlreadyExists(
            f"Version {version.number} is called back already.", code="recalled"
        ) from None
    recall.refresh_from_db(fields=["ordered_at"])
    _record(Action.RECALL_ORDERED, caller, recall, reason)
    return recall


@transaction.atomic
def lift(*, caller: Caller, uid: str | UUID, reason: str) -> Recall:
    """End a recall: the version may be run again where it is live.

    Raises: NotFound, InvalidTransition (lifted already), Invalid, NotAllowed.
    """
    caller.insist(Capability.ROLLOUT_OPERATE)
    recall = (
        Recall.objects.select_for_update(of=("self",))
        .select_related("version__model", "model")
        .filter(workspace=caller.workspace, uid=uid)
        .first()
    )
    if recall is None:
        raise NotFound("There is no such recall.", code="recall_not_found")
    if recall.lifted_at is not None:
        raise InvalidTransition("This recall is lifted already.")
    recall.lifted_reason = _reason(reason)
    recall.lifted_at = timezone.now()
    recall.lifted_by_pid = caller.actor.pid
    recall.save(update_fields=["lifted_at", "lifted_by_pid", "lifted_reason"])
    _record(Action.RECALL_LIFTED, caller, recall, recall.lifted_reason)
    return recall


def _reason(given: str) -> str:
    reason = given.strip()
    if not 1 <= len(reason) <= MAX_REASON or "\x00" in reason:
        text = f"Say why, in at most {MAX_REASON} characters."
        raise Invalid(text, fields={"reason": [text]})
    return reason


def _record(action: Action, caller: Caller, recall: Recall, reason: str) -> None:
    record(
        action,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(recall.version.uid),
        object_name=str(recall.version),
        object_digest=recall.version.release_digest,
        details={"recall": str(recall.uid), "devices": recall.devices},
        pii={"reason": reason},
    )
