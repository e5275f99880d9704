"""From what a caller writes (names, numbers, ids) to rows of its own workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from common.errors import Invalid, NotFound
from registry.models import ModelVersion
from registry.selectors import get_dataset, get_version
from serving.selectors import get_endpoint

if TYPE_CHECKING:
    from accounts.models import Workspace
    from registry.models import Dataset
    from serving.models import Endpoint


def version_named(
    workspace: Workspace, *, model: str, version: str, field: str = "version"
) -> ModelVersion:
    """By the model's name and the version's number, or by the version's uid alone.

    Raises: Invalid, for ``field``.
    """
    if model:
        if not version.isascii() or not version.isdigit() or len(version) > 9:
            reason = "Beside the model’s name this is the version’s number."
            raise Invalid(reason, fields={field: [reason]})
        try:
            return get_version(workspace, model, int(version))
        except NotFound as error:
            named = field if error.code == "version_not_found" else "model"
            raise Invalid(error.message, code=error.code, fields={named: [error.message]}) from None
    try:
        return version_of(workspace, UUID(version))
    except (ValueError, NotFound):
        reason = "Name the model and the version’s number, or give the version’s uid."
        raise Invalid(reason, code="version_not_found", fields={field: [reason]}) from None


def version_of(workspace: Workspace, uid: UUID) -> ModelVersion:
    """The version with this uid. Raises: NotFound."""
    found = (
        ModelVersion.objects.filter(model__workspace=workspace, uid=uid, deleted_at=None)
        .select_related("model__workspace")
        .first()
    )
    if found is None:
        raise NotFound("There is no such version here.", code="version_not_found")
    return found


def dataset_named(workspace: Workspace, name: str) -> Dataset | None:
    """By name; nothing for an empty one. Raises: Invalid."""
    return get_dataset(workspace, name, field="dataset") if name else None


def endpoint_with(workspace: Workspace, uid: UUID | None) -> Endpoint | None:
    """By uid; nothing for none. Raises: Invalid."""
    if uid is None:
        return None
    try:
        return get_endpoint(workspace, uid)
    except NotFound as error:
        raise Invalid(
            error.message, code=error.code, fields={"endpoint": [error.message]}
        ) from None
