"""Receipts of a model's batch runs: the list, filtered, as a page and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.generic import TemplateView

from accounts.roles import Capability
from accounts.views.mixins import CallerMixin
from common.csv_lines import csv_line
from delivery.filters import ReceiptFilter
from delivery.models import BatchReceipt
from registry import selectors as registry
from registry.views.common import found_or_404

PAGE = 50
COLUMNS = (
    "run",
    "came to",
    "used version",
    "live version",
    "environment",
    "rows",
    "started",
    "finished",
    "why",
    "input",
    "output",
    "sent by",
)


class ReceiptList(CallerMixin, TemplateView):
    """What each run used, and whether it was live; the newest first."""

    capability = Capability.VIEW
    template_name = "delivery/receipt_list.html"

    def get(  # type: ignore[override]
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        self.model = found_or_404(lambda: registry.get_model(self.caller.workspace, kwargs["name"]))
        all_ = BatchReceipt.objects.filter(model=self.model).select_related(
            "version", "expected", "environment"
        )
        self.filter = ReceiptFilter(request.GET or None, queryset=all_)
        if request.GET.get("format") == "csv":
            answer = StreamingHttpResponse(
                _as_csv(self.filter.qs), content_type="text/csv; charset=utf-8"
            )
            answer["Content-Disposition"] = 'attachment; filename="receipts.csv"'
            return answer
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        query = self.request.GET.copy()
        query["format"] = "csv"
        return super().get_context_data(
            model=self.model,
            figures=figures(self.model),
            form=self.filter.form,
            page_obj=Paginator(self.filter.qs, PAGE).get_page(self.request.GET.get("page")),
            csv_url=f"{self.request.path}?{query.urlencode()}",
            is_filtered=bool(self.request.GET),
            section="inventory",
            **kwargs,
        )


def figures(model: Any) -> dict[str, Any]:
    """How many runs, how many did not agree, and when the last one came."""
    wrong = Q(state=BatchReceipt.State.MISMATCH)
    return BatchReceipt.objects.filter(model=model).aggregate(
        all=Count("pk"), wrong=Count("pk", filter=wrong), last=Max("received_at")
    )


def _as_csv(receipts: QuerySet[BatchReceipt]) -> Iterator[str]:
    yield csv_line(COLUMNS)
    for it in receipts.iterator(chunk_size=500):
        yield csv_line(
            (
                it.run_id,
                it.state,
                it.version.number if it.version is not None else it.stated,
                it.expected.number if it.expected is not None else "",
                it.environment.name,
                it.rows,
                it.started_at.isoformat(),
                it.finished_at.isoformat(),
                it.reason,
                it.input_digest,
                it.output_digest,
                it.sent_by_label,
            )
        )
