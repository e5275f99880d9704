"""Switch a model's gating at registration on or off."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.roles import Capability
from accounts.views.mixins import caller_required
from registry import selectors
from registry.services import gating
from registry.views.common import found_or_404


@require_POST
@caller_required(Capability.MODEL_EDIT)
def switch(request: Any, name: str) -> HttpResponse:
    """``on`` is 1 or 0; anything else changes nothing."""
    model = found_or_404(lambda: selectors.get_model(request.caller.workspace, name))
    wanted = {"1": True, "0": False}.get(request.POST.get("on", ""))
    if wanted is not None:
        gating.switch(caller=request.caller, model=model, on=wanted)
        messages.success(
            request,
            f"New versions of {model.name} wait for their gates."
            if wanted
            else f"New versions of {model.name} are ready at once.",
        )
    return redirect("registry:model-detail", name=name)
