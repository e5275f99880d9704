"""The rollout's live page, and the buttons that steer it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError, NotFound
from delivery import selectors
from delivery.models import Rollout
from delivery.services import rollouts
from delivery.views import story

PAGE = 50


class RolloutList(CallerMixin, TemplateView):
    """What is on its way, and what came of the others."""

    capability = Capability.VIEW
    template_name = "delivery/rollout_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = selectors.rollouts(self.caller.workspace)
        state = self.request.GET.get("state", "")
        if state in Rollout.State.values:
            found = found.filter(state=state)
        page = Paginator(found, PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(
            page_obj=page, states=Rollout.State.choices, state=state, section="requests", **kwargs
        )


class RolloutDetail(CallerMixin, TemplateView):
    """One rollout; its ``live`` part is fetched again each second until it rests."""

    capability = Capability.VIEW
    template_name = "delivery/rollout_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        try:
            rollout = selectors.get_rollout(self.caller.workspace, self.kwargs["uid"])
        except NotFound as error:
            raise Http404(error.message) from error
        return super().get_context_data(**_context(rollout, self.caller), **kwargs)

    def get_template_names(self) -> list[str]:
        name = "_rollout_live" if self.request.GET.get("part") == "live" else "rollout_detail"
        return [f"delivery/{name}.html"]


def _context(rollout: Rollout, caller: Any) -> dict[str, Any]:
    return {
        "rollout": rollout,
        "section": "requests",
        "poll_url": f"{reverse('delivery:rollout-detail', args=[rollout.uid])}?part=live",
        "may_steer": caller.may(Capability.ROLLOUT_OPERATE),
        **story.of(rollout),
    }


@require_POST
@caller_required(Capability.ROLLOUT_OPERATE)
def rollout_steer(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Pause, go on, or go back; the consequence was named by the button's dialog."""
    caller: Any = request.caller  # type: ignore[attr-defined]
    wish = request.POST.get("do", "")
    reason = request.POST.get("reason", "").strip()[:500]
    try:
        if wish == "pause":
            rollouts.pause(caller=caller, uid=uid)
        elif wish == "resume":
            rollouts.resume(caller=caller, uid=uid)
        elif wish == "rollback":
            why = reason or "Rolled back by hand."
            rollouts.rollback(caller=caller, uid=uid, reason=why)
        else:
            raise NotFound("There is no such button.")
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        rollout = selectors.get_rollout(caller.workspace, uid)
        context = {**_context(rollout, caller), "problem": error}
        return render(request, "delivery/rollout_detail.html", context, status=409)
    messages.success(
        request, {"pause": "It pauses.", "resume": "It goes on."}.get(wish, "Traffic goes back.")
    )
    return redirect("delivery:rollout-detail", uid=uid)
