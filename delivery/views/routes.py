"""Routes and gateways: what callers reach, and whether the gateway serves what we want."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin
from delivery import selectors
from registry import selectors as registry

PAGE = 50


class RouteList(CallerMixin, TemplateView):
    """Every route with its targets' weights, and every gateway with its acknowledgement."""

    capability = Capability.VIEW
    template_name = "delivery/route_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = selectors.routes(self.caller.workspace)
        page = Paginator(found, PAGE).get_page(self.request.GET.get("page"))
        read = [it.model for it in page.object_list if it.is_read]
        live = {
            (it.model.pk, it.environment.pk): it.version
            for it in registry.live_versions(self.caller.workspace, models=read)
        }
        return super().get_context_data(
            page_obj=page,
            rows=[(it, live.get((it.model_id, it.environment_id))) for it in page.object_list],
            gateways=list(selectors.gateways(self.caller.workspace)),
            section="inventory",
            **kwargs,
        )
