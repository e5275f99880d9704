"""Artifacts: the list, one with what it says of itself, its bytes, and the upload."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from jobs.models import Job
from registry.api.streams import download
from registry.artifacts import present
from registry.artifacts.formats import EXECUTABLE, format_of
from registry.filters_artifacts import ArtifactFilter
from registry.models import Artifact
from registry.selectors_artifacts import artifacts_for, get_artifact, versions_naming
from registry.services import artifacts
from registry.views.common import found_or_404, put_beside

PAGE = 50
_ENVELOPE = 1024 * 1024
#: Without the script the whole file is one form, which waits on a disk before it is looked at.
FORM_BYTES = 100 * 1024 * 1024


class ArtifactForm(forms.Form):
    file = forms.FileField(max_length=1000, help_text="Any format. Nothing in it is ever run.")
    sha256 = forms.RegexField(
        r"^(sha256:)?[0-9a-fA-F]{64}$",
        label="SHA-256",
        required=False,
        help_text="If you know it: another file is then refused.",
        error_messages={"invalid": "64 hexadecimal digits."},
    )


class ArtifactListView(CallerMixin, TemplateView):
    """The workspace's artifacts, the newest first."""

    template_name = "registry/artifact_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = artifacts_for(self.caller.workspace)
        filtered = ArtifactFilter(self.request.GET, queryset=found)
        shown = filtered.qs if filtered.is_valid() else found.none()
        page = Paginator(shown, PAGE).get_page(self.request.GET.get("page"))
        totals = found.order_by().aggregate(
            total=Count("pk"),
            bytes=Sum("size"),
            executable=Count("pk", filter=Q(is_executable=True)),
        )
        return {
            "filter": filtered,
            "page": page,
            "rows": [(artifact, format_of(artifact.format)) for artifact in page.object_list],
            "may_upload": self.caller.may(Capability.MODEL_EDIT),
            **totals,
        }


class ArtifactDetailView(CallerMixin, TemplateView):
    """One artifact: what it is, what it says of itself, which versions name it."""

    template_name = "registry/artifact_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        artifact = _artifact(self.caller, kwargs["sha256"])
        return _context(self.caller, artifact)


class ArtifactCreateView(CallerMixin, TemplateView):
    """Upload a file: in parts by the script, or as one form without it."""

    template_name = "registry/artifact_form.html"
    capability = Capability.MODEL_EDIT

    # Reading a form is what checks the CSRF token, so the length is looked at before that.
    @method_decorator(csrf_exempt)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > FORM_BYTES + _ENVELOPE:
            return HttpResponse(
                f"Without the script a file has at most {FORM_BYTES // 1024**2} MB.\n",
                content_type="text/plain",
                status=413,
            )
        return self._protected(request, *args, **kwargs)

    @method_decorator(csrf_protect)
    def _protected(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._answer(ArtifactForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ArtifactForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._answer(form, status=422)
        file, sha256 = form.cleaned_data["file"], form.cleaned_data["sha256"]
        try:
            with artifacts.refusals_recorded(caller=self.caller, sha256=sha256):
                artifact, is_new = artifacts.take_file(
                    caller=self.caller,
                    name=file.name or "file",
                    source=file,
                    size=file.size,
                    sha256=sha256,
                )
        except DomainError as error:
            return self._answer(form, status=409, problem=put_beside(form, error))
        said = "is stored" if is_new else "was stored here already"
        messages.success(request, f"{artifact.name} {said}.")
        return redirect("registry:artifact-detail", sha256=artifact.sha256)

    def _answer(
        self, form: ArtifactForm, *, status: int = 200, problem: Any = None
    ) -> HttpResponse:
        context = {
            "form": form,
            "problem": problem,
            "form_bytes": FORM_BYTES,
            "most": settings.ARTIFACT_MAX_BYTES,
        }
        return self.render_to_response(context, status=status)


@require_safe
@caller_required(Capability.VIEW)
def download_artifact(request: Any, sha256: str) -> HttpResponseBase:
    """The bytes, as a file to keep."""
    return download(request, _artifact(request.caller, sha256))


@require_POST
@caller_required(Capability.MODEL_EDIT)
def inspect_artifact(request: Any, sha256: str) -> HttpResponse:
    """Inspect once more what could not be inspected."""
    artifact = _artifact(request.caller, sha256)
    try:
        artifacts.inspect_again(caller=request.caller, artifact=artifact)
    except DomainError as error:
        context = {**_context(request.caller, artifact), "problem": error}
        return render(request, "registry/artifact_detail.html", context, status=409)
    return redirect("registry:artifact-detail", sha256=artifact.sha256)


def _context(caller: Caller, artifact: Artifact) -> dict[str, Any]:
    kind = format_of(artifact.format)
    job = None
    if artifact.state == Artifact.State.INSPECTING:
        job = Job.objects.filter(
            workspace=caller.workspace, dedupe_key=f"{artifacts.INSPECT_JOB}:{artifact.uid}"
        ).last()
    return {
        "artifact": artifact,
        "format": kind,
        "notice": EXECUTABLE if artifact.is_executable else "",
        "facts": present.facts(artifact.inspection),
        "remarks": present.remarks(artifact.inspection),
        "tables": present.tables(artifact.inspection),
        "confined": artifact.inspection.get("confined"),
        "used": list(versions_naming(artifact)),
        "may_inspect": caller.may(Capability.MODEL_EDIT)
        and (artifact.state == Artifact.State.UNREADABLE or (job is not None and job.is_terminal)),
        "job": job,
    }


def _artifact(caller: Caller, sha256: str) -> Artifact:
    found: Artifact = found_or_404(lambda: get_artifact(caller.workspace, sha256))
    return found
