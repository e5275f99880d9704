"""The comparison of versions: its address says all of it. And the way to a differential."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError, Invalid, NotFound
from evaluation import words
from evaluation.models import Evidence
from evaluation.services import request as requests
from governance import compare, compare_pictures
from registry.selectors import get_dataset

_TEXT = 400


class CompareView(CallerMixin, TemplateView):
    """Side by side: ``?v=model:3&v=model:4``; the first is what others are held against."""

    template_name = "governance/compare.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        given = request.GET.getlist("v")
        if not given:
            return self.render_to_response({"found": None, "section": "inventory"})
        try:
            versions = compare.find(self.caller.workspace, compare.parse(given))
        except NotFound as error:
            raise Http404(error.message) from error
        except Invalid as error:
            return self.render_to_response(
                {"found": None, "problem": error, "section": "inventory"}, status=422
            )
        found = compare.compare(versions)
        refs = [f"{it.model.name}:{it.number}" for it in versions]
        names = {it.model.name for it in versions}
        pictures = compare_pictures.metrics(found)
        context = {
            "found": found,
            "section": "inventory",
            "title": ", ".join(str(it) for it in versions),
            "fact": _fact(found),
            "heads": [
                {
                    "version": it,
                    "label": str(it.number) if len(names) == 1 else str(it),
                    "without": _address(refs[:index] + refs[index + 1 :]),
                    "first": _address([refs[index], *refs[:index], *refs[index + 1 :]]),
                }
                for index, it in enumerate(versions)
            ],
            "may_drop": len(versions) > compare.FEWEST,
            "first_picture": pictures[0] if pictures else None,
            "pictures": pictures[1:],
            "importance": compare_pictures.importance(found),
            "between": [
                {
                    "it": it,
                    "fact": words.fact(it.evidence) if it.evidence else "",
                    "is_complete": it.evidence is not None
                    and it.evidence.state == Evidence.State.COMPLETE,
                }
                for it in found.between
            ],
            "texts": [
                ("What the release says", "parameters", "Key", found.parameters, False),
                ("Columns in and out", "columns", "Column", found.columns, False),
                ("Datasets", "datasets", "Dataset", found.datasets, True),
                ("Artifacts", "artifacts", "File", found.artifacts, True),
            ],
            "refs": refs,
            "may_ask": self.caller.may(Capability.EVIDENCE_RUN) and bool(found.datasets_to_ask),
            "api_url": f"{reverse('v1:compare')}?{urlencode({'versions': ','.join(refs)})}",
        }
        return self.render_to_response(context)


class AskForm(forms.Form):
    """Which of them, on which dataset."""

    version = forms.CharField(max_length=_TEXT)
    dataset = forms.CharField(max_length=255)


@require_POST
@caller_required(Capability.EVIDENCE_RUN)
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for the differential of one of them against the first."""
    caller: Caller = request.caller  # type: ignore[attr-defined]
    form = AskForm(request.POST)
    given = request.POST.getlist("v")
    try:
        versions = compare.find(caller.workspace, compare.parse(given))
        if not form.is_valid():
            raise Invalid("Choose a version and a dataset.")
        wanted = form.cleaned_data["version"]
        version = next(
            (it for it in versions[1:] if f"{it.model.name}:{it.number}" == wanted), None
        )
        if version is None:
            raise Invalid("Choose one of the versions after the first.")
        evidence = requests.ask(
            caller=caller,
            kind=Evidence.Kind.DIFFERENTIAL,
            version=version,
            baseline=versions[0],
            dataset=get_dataset(caller.workspace, form.cleaned_data["dataset"]),
        )
    except NotFound as error:
        raise Http404(error.message) from error
    except DomainError as error:
        messages.error(request, error.message)
        return redirect(_address(given))
    return redirect("evaluation:evidence-detail", uid=evidence.uid)


def _address(refs: list[str]) -> str:
    return f"{reverse('governance:compare')}?{urlencode({'v': refs}, doseq=True)}"


def _fact(found: compare.Comparison) -> str:
    """What can be said of the metric that comes first, or that nothing can."""
    labels = [str(it) for it in found.versions]
    for table in found.metrics:
        for row in table.rows:
            if sum(cell.value is not None for cell in row.cells) > 1:
                return compare_pictures.caption(row, labels, table.dataset).removesuffix(
                    " Bars are 95 % intervals."
                )
    return "No two of them were measured on the same dataset: no figure stands against another."
