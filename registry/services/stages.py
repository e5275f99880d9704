"""MLflow's stages: a label of a version, kept for clients that use it. It moves no traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection, transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import Invalid, NotFound
from registry.models import ModelVersion, Stage
from registry.services.models import lock, touch

if TYPE_CHECKING:
    from accounts.callers import Caller

#: Only these hold versions that another one could replace.
ACTIVE = (Stage.STAGING, Stage.PRODUCTION)
_BY_LOWER = {stage.value.lower(): stage for stage in Stage}
_ARCHIVE = """
UPDATE registry_modelversion SET stage = %s, updated_at = clock_timestamp()
WHERE model_id = %s AND stage = %s AND id <> %s AND deleted_at IS NULL RETURNING number
"""


def canonical(stage: str) -> Stage:
    """The stage of that name, in any case. Raises: Invalid."""
    found = _BY_LOWER.get(stage[:50].lower())
    if found is None:
        known = ", ".join(Stage.values)
        reason = f"Invalid Model Version stage: {stage[:50]}. Value must be one of {known}."
        raise Invalid(reason, code="no_such_stage", fields={"stage": [reason]})
    return found


@transaction.atomic
def transition(
    *, caller: Caller, version: ModelVersion, stage: str, archive_existing: bool = False
) -> ModelVersion:
    """Put the version into a stage; ``archive_existing`` archives the others that are in it.

    Raises: Invalid (no such stage, or nothing to archive from it), NotFound, NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    wanted = canonical(stage)
    if archive_existing and wanted not in ACTIVE:
        reason = (
            "Model version transition cannot archive existing model versions because "
            f"'{stage[:50]}' is not an Active stage. Valid stages are {list(map(str, ACTIVE))}"
        )
        raise Invalid(reason, fields={"archive_existing_versions": [reason]})
    model = lock(version.model)
    version = ModelVersion.objects.select_for_update().get(pk=version.pk)
    version.model = model
    if version.deleted_at is not None:
        raise NotFound(f"{version} is deleted.", code="version_not_found")
    archived: list[int] = []
    with connection.cursor() as cursor:
        if archive_existing:
            cursor.execute(_ARCHIVE, [Stage.ARCHIVED, model.pk, wanted, version.pk])
            archived = sorted(row[0] for row in cursor.fetchall())
        if version.stage == wanted and not archived:
            return version
        cursor.execute(
            "UPDATE registry_modelversion SET stage = %s, updated_at = clock_timestamp() "
            "WHERE id = %s RETURNING updated_at",
            [wanted, version.pk],
        )
        before, version.stage = version.stage, wanted
        version.updated_at = cursor.fetchone()[0]
    touch(model)
    audit.record(
        Action.VERSION_STAGE_CHANGED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(version.uid),
        object_name=str(version),
        object_digest=version.release_digest,
        before={"stage": str(before)},
        after={"stage": str(wanted)},
        details={"archived": archived},
    )
    return version
