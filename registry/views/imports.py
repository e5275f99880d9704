"""Imports of other registries: how far each came, and what was left out and why."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.views.generic import TemplateView

from accounts.models import User
from accounts.views.mixins import CallerMixin
from registry import selectors
from registry.views.common import found_or_404

PAGE = 100
COUNTED = (
    ("models", "Models"),
    ("versions", "Versions"),
    ("tags", "Tags"),
    ("aliases", "Aliases"),
    ("stages", "Stages"),
    ("metrics", "Reported figures"),
)


class ImportListView(CallerMixin, TemplateView):
    """Every import of the workspace, the newest first."""

    template_name = "registry/import_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        runs = selectors.imports_for(self.caller.workspace)
        page = Paginator(runs, 50).get_page(self.request.GET.get("page"))
        return {"page_obj": page, "running": runs.filter(state="running").count()}


class ImportDetailView(CallerMixin, TemplateView):
    """One import and its report."""

    template_name = "registry/import_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        run = found_or_404(lambda: selectors.get_import(self.caller.workspace, kwargs["uid"]))
        by = User.objects.filter(pid=run.started_by_pid).first()
        return {
            "run": run,
            "by": by,
            "counts": [(label, run.counts.get(name, 0)) for name, label in COUNTED],
            "left_out": run.counts.get("left_out", 0),
            "page_obj": Paginator(run.left_out, PAGE).get_page(self.request.GET.get("page")),
        }
