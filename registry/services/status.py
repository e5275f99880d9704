"""The status of a version: pending until its gates have spoken, then ready or failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.commit import after_commit
from common.errors import InvalidTransition
from registry.models import ModelVersion
from registry.models.model_version import Status
from registry.signals import version_settled

if TYPE_CHECKING:
    from accounts.callers import Caller

MAX_MESSAGE = 500  # what MLflow's own column holds


@transaction.atomic
def settle(
    *, caller: Caller, version: ModelVersion, status: str, message: str = ""
) -> ModelVersion:
    """Answer for a version: READY or FAILED_REGISTRATION, with a message for who registered it.

    It never goes back to pending. Saying the same again changes nothing and records nothing.

    Raises: NotAllowed, InvalidTransition (to pending, or the version is deleted).
    """
    caller.insist(Capability.MODEL_EDIT)
    version = (
        ModelVersion.objects.select_for_update(of=("self",))
        .select_related("model__workspace")
        .get(pk=version.pk)
    )
    if version.deleted_at is not None:
        raise InvalidTransition(f"{version} is deleted.")
    if status == Status.PENDING or status not in Status.values:
        raise InvalidTransition(f"{version} is answered with READY or FAILED_REGISTRATION.")
    message = message.strip().replace("\x00", "")[:MAX_MESSAGE]
    before = str(version.status)
    if (before, version.status_message) == (status, message):
        return version
    version.status, version.status_message = status, message
    version.updated_at = Now()
    version.save(update_fields=["status", "status_message", "updated_at"])
    version.refresh_from_db(fields=["updated_at"])
    audit.record(
        Action.VERSION_STATUS_CHANGED,
        actor=caller.actor,
        workspace=version.model.workspace.slug,
        object_type="version",
        object_id=str(version.uid),
        object_name=str(version),
        object_digest=version.release_digest,
        before={"status": before},
        after={"status": str(version.status)},
        details={"message": message},
    )
    if before != status:
        after_commit(version_settled.send, ModelVersion, version=version)
    return version
