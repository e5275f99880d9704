"""The frozen version that readers take when what is live may not be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from accounts.roles import Capability
from audit.actions import Action
from common.errors import Conflict, NotFound
from delivery.models import Fallback
from delivery.services import recalls
from delivery.services.learning import record_learning
from registry import selectors as registry
from registry.models import Alias
from registry.names import insist_text

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel


@transaction.atomic
def freeze(*, caller: Caller, version: ModelVersion, reason: str = "") -> Fallback:
    """Freeze a version to fall back on; it must have been live once, so somebody approved it.

    Raises: Conflict (never approved, or called back), NotAllowed.
    """
    caller.insist(Capability.ROLLOUT_OPERATE)
    reason = insist_text(reason.strip(), field="reason", most=500)
    if not was_live(version):
        raise Conflict(
            f"Version {version.number} was live nowhere, so nobody has approved it.",
            code="never_approved",
        )
    if refusal := recalls.why_not(version):
        raise Conflict(refusal, code="recalled")
    before = Fallback.objects.filter(model=version.model_id).select_related("version").first()
    fallback, _ = Fallback.objects.update_or_create(
        model=version.model,
        defaults={
            "version": version,
            "reason": reason,
            "set_by_pid": caller.actor.pid,
            "set_by_label": caller.label[:200],
            "set_at": timezone.now(),
        },
    )
    record_learning(
        Action.FALLBACK_SET,
        caller,
        version.model,
        before={"version": before.version.number if before is not None else None},
        after={"version": version.number, "release_digest": version.release_digest},
        pii={"reason": reason} if reason else None,
    )
    return fallback


@transaction.atomic
def clear(*, caller: Caller, model: RegisteredModel) -> None:
    """There is nothing to fall back on any more. Raises: NotFound, NotAllowed."""
    caller.insist(Capability.ROLLOUT_OPERATE)
    fallback = Fallback.objects.select_related("version").filter(model=model).first()
    if fallback is None:
        raise NotFound(f"{model.name} has no fallback.", code="fallback_not_found")
    fallback.delete()
    before = {"version": fallback.version.number}
    record_learning(Action.FALLBACK_SET, caller, model, before=before, after={"version": None})


def was_live(version: ModelVersion) -> bool:
    """Whether the version ever stood where only an approved promotion puts one."""
    places = registry.environments(version.model.workspace).values("alias")
    return Alias.objects.filter(version=version, name__in=places).exists()
