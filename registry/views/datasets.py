"""Datasets: the list, one with the profile of its columns, and the upload."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin
from common.errors import DomainError
from jobs.models import Job
from registry import selectors
from registry.filters import DatasetFilter
from registry.forms import DatasetForm
from registry.services import datasets
from registry.sparks import bars
from registry.views.common import found_or_404, put_beside

PAGE = 50
_ENVELOPE = 1024 * 1024


class DatasetListView(CallerMixin, TemplateView):
    """The workspace's datasets, the newest first."""

    template_name = "registry/dataset_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = selectors.datasets_for(self.caller.workspace)
        filtered = DatasetFilter(self.request.GET, queryset=found)
        shown = filtered.qs if filtered.is_valid() else found.none()
        page = Paginator(shown, PAGE).get_page(self.request.GET.get("page"))
        return {
            "filter": filtered,
            "page": page,
            "total": found.count(),
            "failed": found.filter(state="failed").count(),
            "may_upload": self.caller.may(Capability.DATASET_EDIT),
        }


class DatasetDetailView(CallerMixin, TemplateView):
    """One dataset: what its columns hold, and which versions came from it."""

    template_name = "registry/dataset_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        workspace = self.caller.workspace
        dataset = found_or_404(lambda: selectors.get_dataset(workspace, kwargs["name"]))
        roles = {
            dataset.label_column: "label",
            dataset.id_column: "id",
            dataset.time_column: "time",
        }
        roles.pop("", None)
        job = None
        if dataset.state == dataset.State.PROFILING:
            job = Job.objects.filter(
                workspace=workspace, dedupe_key=f"{datasets.PROFILE_JOB}:{dataset.uid}"
            ).first()
        return {
            "dataset": dataset,
            "columns": [
                {
                    **column,
                    "role": roles.get(column["name"], ""),
                    "bars": bars(column),
                    "null_share": column["nulls"] / dataset.rows if dataset.rows else 0.0,
                    "common": [
                        (value, count / dataset.rows) for value, count in column.get("top", [])[:3]
                    ],
                }
                for column in dataset.columns
            ],
            "gaps": [column for column in dataset.columns if column["nulls"]],
            "used": list(
                dataset.versions.select_related("version__model").order_by("-version__pk")[:PAGE]
            ),
            "job": job,
        }


class DatasetCreateView(CallerMixin, TemplateView):
    """Upload a table."""

    template_name = "registry/dataset_form.html"
    capability = Capability.DATASET_EDIT

    # Reading a form is what checks the CSRF token, so the length is looked at before that.
    @method_decorator(csrf_exempt)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > datasets.MAX_BYTES + _ENVELOPE:
            return HttpResponse(
                f"A file has at most {datasets.MAX_BYTES // 1024**2} MB.\n",
                content_type="text/plain",
                status=413,
            )
        return self._protected(request, *args, **kwargs)

    @method_decorator(csrf_protect)
    def _protected(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_to_response({"form": DatasetForm()})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = DatasetForm(request.POST, request.FILES)
        if not form.is_valid():
            return self.render_to_response({"form": form}, status=422)
        content = dict(form.cleaned_data)
        file = content.pop("file")
        try:
            with datasets.refusals_recorded(caller=self.caller, name=content["name"]):
                dataset = datasets.upload(
                    caller=self.caller, fileobj=file, filename=file.name or "", **content
                )
        except DomainError as error:
            problem = put_beside(form, error)
            return self.render_to_response({"form": form, "problem": problem}, status=409)
        said = f"{dataset.rows:,} rows were read." if dataset.rows else "It is being read."
        messages.success(request, f"{dataset.name} is stored. {said}")
        return redirect("registry:dataset-detail", name=dataset.name)
