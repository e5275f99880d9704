"""The inventory as it was on a day, with who signed what was live, on which evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.generic import TemplateView

from accounts.views.mixins import CallerMixin
from audit.models import Checkpoint
from governance import as_of
from registry.inventory import end_of
from registry.selectors import environments

PAGE = 50


class AsOfForm(forms.Form):
    """A day, or today; the end of it in UTC counts."""

    on = forms.DateField(label="On", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    model = forms.CharField(label="Model", required=False, max_length=255)
    environment = forms.ChoiceField(label="Environment", required=False)

    def __init__(self, *args: Any, names: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["environment"].choices = [  # type: ignore[attr-defined]
            ("", "All"),
            *((name, name) for name in names),
        ]

    def clean_model(self) -> str:
        return str(self.cleaned_data["model"]).replace("\x00", "�")


class AsOfView(CallerMixin, TemplateView):
    """One sentence of fact for the auditor, then the places one by one."""

    template_name = "governance/as_of.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        workspace = self.caller.workspace
        form = AsOfForm(request.GET, names=[it.name for it in environments(workspace)])
        if not form.is_valid():
            return self.render_to_response({"form": form, "section": "inventory"}, status=422)
        now = datetime.now(UTC)
        day = form.cleaned_data["on"]
        at = now if day is None else min(end_of(day), now)
        rows = as_of.live_at(
            workspace,
            at,
            model=form.cleaned_data["model"],
            environment=form.cleaned_data["environment"],
        )
        if request.GET.get("format") == "csv":
            return _csv(rows, at)
        counted = as_of.totals(rows)
        paginator = Paginator(rows, PAGE)
        paginator.count = counted.places  # as counted for the sentence, and not twice
        page = paginator.get_page(request.GET.get("page"))
        query = request.GET.copy()
        query.pop("page", None)
        query["format"] = "csv"
        context = {
            "form": form,
            "section": "inventory",
            "at": at,
            "is_now": at == now,
            "totals": counted,
            "page": page,
            "rows": as_of.explain(list(page.object_list)),
            "named": form.cleaned_data["model"],
            "checkpoint": Checkpoint.objects.order_by("-tree_size").first(),
            "printed_at": now,
            "csv_url": f"{request.path}?{query.urlencode()}",
        }
        return self.render_to_response(context)


def _csv(rows: Any, at: datetime) -> HttpResponse | StreamingHttpResponse:
    response = StreamingHttpResponse(as_of.as_csv(rows, at), content_type="text/csv; charset=utf-8")
    name = f"live-as-of-{at:%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
