"""Pages of evidence: the list, one piece of it, a version's, and asking for more."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError, NotFound
from evaluation import references, selectors, words
from evaluation.filters import EvidenceFilter
from evaluation.forms import AskForm
from evaluation.models import Evidence
from evaluation.params import OFFERED
from evaluation.services import predictions
from evaluation.services import request as requests
from evaluation.views.detail import parts
from registry import checks
from registry.models import ModelVersion

PER_PAGE = 50
PART_ROWS = 20


class EvidenceListView(CallerMixin, TemplateView):
    """All evidence of the workspace, the newest first."""

    template_name = "evaluation/evidence_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = selectors.evidence_for(self.caller.workspace)
        narrowed = EvidenceFilter(self.request.GET or None, queryset=found)
        rows = narrowed.qs if narrowed.form.is_valid() or not self.request.GET else found.none()
        page = Paginator(rows, PER_PAGE).get_page(self.request.GET.get("page"))
        return super().get_context_data(
            **kwargs,
            form=narrowed.form,
            page_obj=page,
            total=page.paginator.count,
            section="inventory",
        )


class EvidenceDetailView(CallerMixin, TemplateView):
    """One piece of evidence: what it says, how sure that is, and what it was computed from."""

    template_name = "evaluation/evidence_detail.html"
    problem: DomainError | None = None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        try:
            evidence = selectors.get_evidence(self.caller.workspace, self.kwargs["uid"])
        except NotFound as error:
            raise Http404(error.message) from error
        may_run = self.caller.may(Capability.EVIDENCE_RUN)
        context: dict[str, Any] = {
            "evidence": evidence,
            "fact": words.fact(evidence),
            "problem": self.problem,
            "section": "inventory",
            "may_retry": may_run
            and evidence.state in (Evidence.State.FAILED, Evidence.State.CANCELLED),
            **_bar(evidence, self.caller),
            "would_help": words.would_help(evidence),
            "asked": _asked(evidence),
            "deviations": selectors.deviations(evidence),
        }
        if evidence.dataset is not None:
            context["times_used"] = selectors.times_used(evidence.dataset, evidence.version)
        if evidence.state == Evidence.State.COMPLETE:
            context.update(parts(evidence))
        return super().get_context_data(**kwargs, **context)


class EvidenceProgressView(CallerMixin, TemplateView):
    """The bar of evidence that is being computed; polled each second until it is over."""

    template_name = "components/_progress.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        try:
            evidence = selectors.get_evidence(self.caller.workspace, self.kwargs["uid"])
        except NotFound as error:
            raise Http404(error.message) from error
        if evidence.job is None:
            raise Http404("Nothing computes reported figures.")
        return super().get_context_data(**kwargs, **_bar(evidence, self.caller))

    def render_to_response(self, context: dict[str, Any], **options: Any) -> HttpResponse:
        response = super().render_to_response(context, **options)
        if context["job"].is_terminal and getattr(self.request, "htmx", False):
            # The page around the bar has a result to show now.
            response["HX-Refresh"] = "true"
        return response


class VersionEvidenceView(CallerMixin, TemplateView):
    """A version's evidence as a part of other pages; a page of its own when opened alone."""

    def get_template_names(self) -> list[str]:
        part = bool(getattr(self.request, "htmx", False))
        return [f"evaluation/{'_version_evidence' if part else 'version_evidence'}.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        version = _version_or_404(self.caller, self.kwargs["uid"])
        found = list(selectors.for_version(version)[: PART_ROWS + 1])
        return super().get_context_data(
            **kwargs,
            version=version,
            found=found[:PART_ROWS],
            more=len(found) > PART_ROWS,
            section="inventory",
            may_ask=self.caller.may(Capability.EVIDENCE_RUN),
        )


class EvidenceAskView(CallerMixin, TemplateView):
    """Ask for evidence about one version."""

    template_name = "evaluation/evidence_ask.html"
    capability = Capability.EVIDENCE_RUN

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        version = kwargs.pop("version", None) or _version_or_404(self.caller, self.kwargs["uid"])
        form = kwargs.pop("form", None) or self._form(version)
        return super().get_context_data(
            **kwargs,
            version=version,
            form=form,
            section="inventory",
            live=selectors.live_baseline(version),
            misfits=checks.misfits(version),
        )

    def post(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        version = _version_or_404(self.caller, uid)
        form = self._form(version, request.POST, request.FILES)
        if not form.is_valid():
            return self._again(version, form, None, 422)
        given = form.cleaned_data
        try:
            with predictions.refusals_recorded(caller=self.caller, version=version):
                evidence = requests.ask(
                    caller=self.caller,
                    kind=given["kind"],
                    origin=given["origin"],
                    version=version,
                    dataset=given["dataset"],
                    baseline=given["baseline"],
                    params=form.params(),
                    seed=given["seed"] or 0,
                    predictions=given["predictions"],
                    baseline_predictions=given["baseline_predictions"],
                )
        except DomainError as error:
            return self._again(version, form, error, 409)
        return redirect("evaluation:evidence-detail", uid=evidence.uid)

    def _form(self, version: ModelVersion, *data: Any) -> AskForm:
        kind = self.request.GET.get("kind")
        return AskForm(
            *data,
            version=version,
            workspace=self.caller.workspace,
            initial={"kind": kind} if kind in OFFERED else None,
        )

    def _again(
        self, version: ModelVersion, form: AskForm, problem: DomainError | None, status: int
    ) -> HttpResponse:
        context = self.get_context_data(version=version, form=form, problem=problem)
        return render(self.request, self.template_name, context, status=status)


@require_POST
@caller_required(Capability.EVIDENCE_RUN)
def cancel(request: HttpRequest, uid: UUID) -> HttpResponse:
    return _act(request, uid, requests.cancel, "It is asked to stop.")


@require_POST
@caller_required(Capability.EVIDENCE_RUN)
def retry(request: HttpRequest, uid: UUID) -> HttpResponse:
    return _act(request, uid, requests.retry, "It runs again, from the start.")


def _act(request: HttpRequest, uid: UUID, service: Any, done: str) -> HttpResponse:
    """Call the service and go back to the page; a refusal is shown on it, with 409."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    try:
        service(caller=caller, uid=uid)
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        view = EvidenceDetailView()
        view.setup(request, uid=uid)
        view.caller, view.problem = caller, error
        return render(request, view.template_name, view.get_context_data(), status=409)
    messages.success(request, done)
    return redirect("evaluation:evidence-detail", uid=uid)


def _bar(evidence: Evidence, caller: Caller) -> dict[str, Any]:
    """What ``components/_progress.html`` is included with."""
    may_cancel = caller.may(Capability.EVIDENCE_RUN) and not evidence.is_terminal
    return {
        "job": evidence.job,
        "poll_url": reverse("evaluation:evidence-progress", args=[evidence.uid]),
        "cancel_url": reverse("evaluation:evidence-cancel", args=[evidence.uid])
        if may_cancel
        else "",
        "label": "Progress of the evidence",
    }


def _version_or_404(caller: Caller, uid: UUID) -> ModelVersion:
    try:
        return references.version_of(caller.workspace, uid)
    except NotFound as error:
        raise Http404(error.message) from error


def _asked(evidence: Evidence) -> list[tuple[str, Any]]:
    """What was asked, for the narrow column: terms and descriptions."""
    items: list[tuple[str, Any]] = [("Version", str(evidence.version))]
    if evidence.baseline:
        items.append(("Compared with", str(evidence.baseline)))
    if evidence.dataset:
        items.append(("Dataset", evidence.dataset.name))
    if evidence.endpoint:
        items.append(("Endpoint", evidence.endpoint.name))
    for name, value in evidence.params.items():
        shown = ", ".join(str(item) for item in value) if isinstance(value, list) else value
        shown = f"{shown:g}" if isinstance(shown, float) else shown
        items.append((name.replace("_", " ").capitalize(), shown))
    items.append(("Seed", evidence.seed))
    if evidence.digest:
        from common.ui.states import digest

        items.append(("Digest", digest(evidence.digest)))
        for value in evidence.data_digests:
            items.append(("Data", digest(value)))
        items.append(("Release", digest(evidence.version.release_digest)))
    return [(term, format_html("{}", value)) for term, value in items]
