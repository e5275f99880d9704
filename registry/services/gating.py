"""The switch that lets a model's new versions wait for their gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from registry.services.models import lock

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import RegisteredModel


@transaction.atomic
def switch(*, caller: Caller, model: RegisteredModel, on: bool) -> RegisteredModel:
    """Gate the model's versions at registration from now on, or no longer.

    Versions that wait already are answered as they were registered. Saying what is so already
    changes nothing and records nothing.

    Raises: NotAllowed, NotFound (the model is deleted).
    """
    caller.insist(Capability.MODEL_EDIT)
    model = lock(model)
    if model.gated_at_registration == on:
        return model
    model.gated_at_registration = on
    model.updated_at = Now()
    model.save(update_fields=["gated_at_registration", "updated_at"])
    model.refresh_from_db(fields=["updated_at"])
    audit.record(
        Action.MODEL_UPDATED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="model",
        object_id=str(model.pk),
        object_name=model.name,
        before={"gated_at_registration": not on},
        after={"gated_at_registration": on},
        details={"edited": ["gated_at_registration"]},
    )
    return model
