"""A model's other name: versions, aliases, requests and history follow, for they name the model
by its row; what was written down before keeps the name it had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import AlreadyExists
from registry.names import insist_name
from registry.services.models import lock

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import RegisteredModel


@transaction.atomic
def rename(*, caller: Caller, model: RegisteredModel, name: str) -> RegisteredModel:
    """Give the model this name. The one it has already changes nothing and records nothing.

    Raises: Invalid, AlreadyExists, NotFound (deleted meanwhile), NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    name = insist_name(name)
    model = lock(model)
    before = model.name
    if name == before:
        return model
    model.name, model.updated_at = name, Now()
    try:
        with transaction.atomic():
            model.save(update_fields=["name", "updated_at"])
    except IntegrityError as error:
        if "model_name_once" not in str(error):
            raise
        reason = f"There is a model named “{name}” already."
        raise AlreadyExists(reason, fields={"name": [reason]}) from None
    model.refresh_from_db(fields=["updated_at"])
    audit.record(
        Action.MODEL_RENAMED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="model",
        object_id=str(model.pk),
        object_name=name,
        before={"name": before},
        after={"name": name},
    )
    return model
