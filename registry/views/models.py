"""The inventory, one model, and the forms that make and change it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin
from common.errors import DomainError
from registry import inventory, selectors
from registry.filters import ModelFilter
from registry.forms import AsOfForm, ModelForm
from registry.models import RegisteredModel, SavedView
from registry.ports import inventory_parts, page_parts
from registry.services import models
from registry.summary import summary
from registry.views.common import found_or_404, put_beside
from registry.views.saved import saved_views

PAGE = 50
HISTORY = 50


class ModelListView(CallerMixin, TemplateView):
    """The inventory: a sentence that leads to what needs doing, filters, then the models."""

    template_name = "registry/model_list.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        workspace = self.caller.workspace
        as_of = AsOfForm(request.GET)
        day = as_of.cleaned_data.get("on") if as_of.is_valid() else None
        at = inventory.end_of(day) if day is not None else None
        found = selectors.models_for(workspace)
        if at is not None:
            found = found.filter(created_at__lte=at)
        filtered = ModelFilter(request.GET, queryset=found, request=request)
        models_ = filtered.qs if filtered.is_valid() else found.none()
        filtered.form.fields["on"] = as_of.fields["on"]
        if request.GET.get("format") == "csv" and filtered.is_valid():
            response = StreamingHttpResponse(
                inventory.as_csv(workspace, models_, at=at), content_type="text/csv; charset=utf-8"
            )
            response["Content-Disposition"] = 'attachment; filename="inventory.csv"'
            return response
        page = Paginator(models_, PAGE).get_page(request.GET.get("page"))
        query = request.GET.copy()
        query.pop("page", None)
        query["format"] = "csv"
        context = {
            "summary": summary(workspace),
            "filter": filtered,
            "page": page,
            "rows": inventory.rows(workspace, list(page.object_list), at=at),
            "environments": list(selectors.environments(workspace)),
            "parts": [] if at is not None else [part.title for part in inventory_parts()],
            "day": day,
            "csv_url": f"{request.path}?{query.urlencode()}",
            "may_create": self.caller.may(Capability.MODEL_EDIT),
            "saved": saved_views(self.caller, SavedView.Page.INVENTORY, request.GET),
        }
        status = 200 if filtered.is_valid() and as_of.is_valid() else 422
        return self.render_to_response(context, status=status)


class ModelDetailView(CallerMixin, TemplateView):
    """One model: what is live where and since when, its versions, where its aliases ever stood."""

    template_name = "registry/model_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        workspace = self.caller.workspace
        model = found_or_404(lambda: selectors.get_model(workspace, kwargs["name"]))
        day = AsOfForm(self.request.GET)
        at = _moment(day)
        live = selectors.live_versions(workspace, models=[model], at=at)
        here = {it.environment.pk: it for it in live}
        page = Paginator(selectors.versions_for(model), PAGE).get_page(self.request.GET.get("page"))
        standing = list(selectors.open_aliases(model))
        names: dict[int, list[str]] = {}
        for alias in standing:
            names.setdefault(alias.version_id, []).append(alias.name)
        history = list(selectors.alias_history(model)[: HISTORY + 1])
        return {
            "model": model,
            "newest": selectors.versions_for(model).first(),
            "places": [(it, here.get(it.pk)) for it in selectors.environments(workspace)],
            "live": live,
            "page": page,
            "versions": [(version, names.get(version.pk, [])) for version in page.object_list],
            "history": history[:HISTORY],
            "more_history": len(history) > HISTORY,
            "protected": selectors.protected_aliases(workspace),
            "as_of_form": day,
            "at": at,
            "spans": selectors.as_of(model, at) if at is not None else [],
            "may_edit": self.caller.may(Capability.MODEL_EDIT),
            "parts": page_parts(caller=self.caller, model=model),
            "may_ask": self.caller.may(Capability.REQUEST_OPEN),
        }


class ModelCreateView(CallerMixin, TemplateView):
    """Put a model into the inventory."""

    template_name = "registry/model_form.html"
    capability = Capability.MODEL_EDIT

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = ModelForm(workspace=self.caller.workspace, initial={"owner": self.caller.user})
        return self.render_to_response({"form": form})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ModelForm(request.POST, workspace=self.caller.workspace)
        if not form.is_valid():
            return self.render_to_response({"form": form}, status=422)
        try:
            model = models.create(caller=self.caller, **form.cleaned_data)
        except DomainError as error:
            problem = put_beside(form, error)
            return self.render_to_response({"form": form, "problem": problem}, status=409)
        messages.success(request, f"{model.name} is in the inventory. Register its first version.")
        return redirect("registry:model-detail", name=model.name)


class ModelEditView(CallerMixin, TemplateView):
    """Change what is said about a model."""

    template_name = "registry/model_form.html"
    capability = Capability.MODEL_EDIT

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        model = self._model(kwargs["name"])
        initial = {
            name: getattr(model, name)
            for name in ("purpose", "kind", "tier", "owner", "description")
        }
        form = ModelForm(workspace=self.caller.workspace, model=model, initial=initial)
        return self.render_to_response({"form": form, "model": model})

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        model = self._model(name)
        form = ModelForm(request.POST, workspace=self.caller.workspace, model=model)
        if not form.is_valid():
            return self.render_to_response({"form": form, "model": model}, status=422)
        content = dict(form.cleaned_data)
        if content["owner"] == model.owner:
            del content["owner"]
        try:
            models.update(caller=self.caller, model=model, **content)
        except DomainError as error:
            problem = put_beside(form, error)
            return self.render_to_response(
                {"form": form, "model": model, "problem": problem}, status=409
            )
        messages.success(request, f"{model.name} was changed.")
        return redirect("registry:model-detail", name=model.name)

    def _model(self, name: str) -> RegisteredModel:
        model: RegisteredModel = found_or_404(
            lambda: selectors.get_model(self.caller.workspace, name)
        )
        return model


def inventory_link(**query: str) -> str:
    """The inventory, filtered."""
    return f"{reverse('registry:model-list')}?{urlencode(query)}"


def _moment(form: AsOfForm) -> datetime | None:
    day = form.cleaned_data.get("on") if form.is_valid() else None
    if day is None:
        return None
    return min(inventory.end_of(day), datetime.now(UTC))
