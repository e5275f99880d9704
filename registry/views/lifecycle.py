"""Rename, retire, delete, tag and stage by hand; each says what comes of it before it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from registry import selectors
from registry.forms_lifecycle import RenameForm, StageForm, TagForm
from registry.models import ModelVersion, RegisteredModel
from registry.services import deletion, models, stages, tags
from registry.services.rename import rename
from registry.views.common import found_or_404, put_beside


class ConfirmView(CallerMixin, TemplateView):
    """A question, its consequences, and the one button that does it."""

    template_name = "registry/confirm.html"
    capability = Capability.MODEL_EDIT

    def model(self) -> RegisteredModel:
        found: RegisteredModel = found_or_404(
            lambda: selectors.get_model(self.caller.workspace, self.kwargs["name"])
        )
        return found

    def version(self) -> ModelVersion:
        found: ModelVersion = found_or_404(
            lambda: selectors.get_version(
                self.caller.workspace, self.kwargs["name"], self.kwargs["number"]
            )
        )
        return found

    def answer(self, context: dict[str, Any], *, problem: Any = None, status: int = 200) -> Any:
        return self.render_to_response({**context, "problem": problem}, status=status)


class ModelRenameView(ConfirmView):
    """Another name for a model."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        model = self.model()
        return self.answer(_rename_context(model, RenameForm(initial={"name": model.name})))

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        model = self.model()
        form = RenameForm(request.POST)
        if not form.is_valid():
            return self.answer(_rename_context(model, form), status=422)
        try:
            renamed = rename(caller=self.caller, model=model, name=form.cleaned_data["name"])
        except DomainError as error:
            problem = put_beside(form, error)
            return self.answer(_rename_context(model, form), problem=problem, status=409)
        messages.success(request, f"{name} is {renamed.name} now.")
        return redirect("registry:model-detail", name=renamed.name)


class ModelRetireView(ConfirmView):
    """The end of a model that was live, or a new beginning."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.answer(_retire_context(self.model()))

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        model = self.model()
        retired = model.retired_at is None
        models.set_retired(caller=self.caller, model=model, retired=retired)
        messages.success(request, f"{name} is {'retired' if retired else 'in use again'}.")
        return redirect("registry:model-detail", name=name)


class ModelDeleteView(ConfirmView):
    """A model that was never live goes."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.answer(_delete_model_context(self.model()))

    def post(self, request: HttpRequest, name: str) -> HttpResponse:
        model = self.model()
        try:
            with deletion.refusals_recorded(caller=self.caller, target=model):
                deletion.delete_model(caller=self.caller, model=model)
        except DomainError as error:
            return self.answer(_delete_model_context(model), problem=error, status=409)
        messages.success(request, f"{name} was deleted.")
        return redirect("registry:model-list")


class VersionDeleteView(ConfirmView):
    """A version that was never live goes."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.answer(_delete_version_context(self.version()))

    def post(self, request: HttpRequest, name: str, number: int) -> HttpResponse:
        version = self.version()
        try:
            with deletion.refusals_recorded(caller=self.caller, target=version):
                deletion.delete_version(caller=self.caller, version=version)
        except DomainError as error:
            return self.answer(_delete_version_context(version), problem=error, status=409)
        messages.success(request, f"Version {number} of {name} was deleted.")
        return redirect("registry:model-detail", name=name)


@require_POST
@caller_required(Capability.MODEL_EDIT)
def tag_model(request: Any, name: str) -> HttpResponse:
    """Set or take off one tag of a model."""
    model = found_or_404(lambda: selectors.get_model(request.caller.workspace, name))
    _tag(
        request,
        set_one=lambda key, value: tags.set_on_model(
            caller=request.caller, model=model, key=key, value=value
        ),
        delete_one=lambda key: tags.delete_from_model(caller=request.caller, model=model, key=key),
    )
    return redirect(reverse("registry:model-detail", args=[name]) + "#change")


@require_POST
@caller_required(Capability.MODEL_EDIT)
def tag_version(request: Any, name: str, number: int) -> HttpResponse:
    """Set or take off one tag of a version."""
    version = found_or_404(lambda: selectors.get_version(request.caller.workspace, name, number))
    _tag(
        request,
        set_one=lambda key, value: tags.set_on_version(
            caller=request.caller, version=version, key=key, value=value
        ),
        delete_one=lambda key: tags.delete_from_version(
            caller=request.caller, version=version, key=key
        ),
    )
    return redirect(reverse("registry:version-detail", args=[name, number]) + "#change")


@require_POST
@caller_required(Capability.MODEL_EDIT)
def stage_version(request: Any, name: str, number: int) -> HttpResponse:
    """Put a version into a stage."""
    version = found_or_404(lambda: selectors.get_version(request.caller.workspace, name, number))
    form = StageForm(request.POST)
    if form.is_valid():
        try:
            stages.transition(caller=request.caller, version=version, **form.cleaned_data)
            messages.success(request, f"{version} is in stage {form.cleaned_data['stage']}.")
        except DomainError as error:
            messages.error(request, error.message)
    else:
        messages.error(request, "Choose one of the stages.")
    return redirect(reverse("registry:version-detail", args=[name, number]) + "#change")


def _tag(
    request: Any, *, set_one: Callable[[str, str], None], delete_one: Callable[[str], None]
) -> None:
    form = TagForm(request.POST)
    if not form.is_valid():
        messages.error(request, "A tag has a name of at most 250 characters.")
        return
    key = form.cleaned_data["key"]
    try:
        if request.POST.get("do") == "delete":
            delete_one(key)
            messages.success(request, f"“{key}” was taken off.")
        else:
            set_one(key, form.cleaned_data["value"])
            messages.success(request, f"“{key}” was set.")
    except DomainError as error:
        messages.error(request, error.message)


def _rename_context(model: RegisteredModel, form: RenameForm) -> dict[str, Any]:
    return {
        "model": model,
        "title": f"Rename {model.name}",
        "consequences": [
            "Versions, aliases, requests and monitors follow. The trail keeps the old name where "
            "it was written.",
            "Pipelines and services that load it as "
            f"models:/{model.name}/… fail from now on, until they say the new name.",
        ],
        "form": form,
        "button": "Rename",
        "tone": "primary",
        "back": reverse("registry:model-detail", args=[model.name]),
    }


def _retire_context(model: RegisteredModel) -> dict[str, Any]:
    retire = model.retired_at is None
    return {
        "model": model,
        "title": f"Retire {model.name}" if retire else f"Take {model.name} back into use",
        "consequences": (
            [
                "No version can be registered and none promoted any more.",
                "What is live stays live, and everything stays to be read.",
            ]
            if retire
            else ["Versions can be registered and promoted again."]
        ),
        "button": "Retire the model" if retire else "Take it back into use",
        "tone": "danger" if retire else "primary",
        "back": reverse("registry:model-detail", args=[model.name]),
    }


def _delete_model_context(model: RegisteredModel) -> dict[str, Any]:
    count = selectors.versions_for(model).count()
    return {
        "model": model,
        "title": f"Delete {model.name}",
        "why_not": deletion.why_not(model),
        "consequences": [
            f"{'Its version goes' if count == 1 else f'Its {count} versions go'} with it, and its "
            "aliases stand nowhere.",
            "Its name is free for another model. The trail and the evidence stay.",
            "Nobody can take this back.",
        ],
        "button": "Delete the model",
        "tone": "danger",
        "back": reverse("registry:model-detail", args=[model.name]),
    }


def _delete_version_context(version: ModelVersion) -> dict[str, Any]:
    names = sorted(version.aliases.filter(ended_at=None).values_list("name", flat=True))
    gone = f"{', '.join('@' + name for name in names)} will stand nowhere." if names else ""
    return {
        "model": version.model,
        "version": version,
        "title": f"Delete version {version.number} of {version.model.name}",
        "why_not": deletion.why_not(version),
        "consequences": [
            it
            for it in (
                gone,
                f"The number {version.number} is never given again. The trail and the evidence "
                "stay.",
                "Nobody can take this back.",
            )
            if it
        ],
        "button": "Delete the version",
        "tone": "danger",
        "back": reverse("registry:version-detail", args=[version.model.name, version.number]),
    }
