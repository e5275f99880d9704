"""What governance says about models in the inventory: when validated, and what is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Count, Max, Min
from django.urls import reverse

from common.ui.figures import plural
from governance.models import Finding, PromotionRequest, Signature
from registry.models import Alias
from registry.needs import Need, last_alias, live_only
from registry.ports import Cell, Remark

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Workspace
    from registry.models import RegisteredModel

#: A finding that has been open for so long is old.
OLD_DAYS = 30
Status = PromotionRequest.Status
#: What was signed by everybody who had to.
_SIGNED = (Status.APPROVED, Status.CARRIED_OUT, Status.ROLLED_BACK)
_SEVERITIES = ("high", "medium", "low")
_TONES = {"high": "danger", "medium": "warning", "low": "secondary"}


class ValidatedPart:
    """When and by whom a model was last signed for, and whether that has run out."""

    title = "Validated"

    def cells(
        self, *, workspace: Workspace, models: Sequence[RegisteredModel]
    ) -> Mapping[int, Cell]:
        keys = [it.pk for it in models]
        now = datetime.now(UTC)
        last = (
            PromotionRequest.objects.filter(model__in=keys, status__in=_SIGNED)
            .order_by("model_id", "-pk")
            .distinct("model_id")
        )
        requests = {it.model_id: it for it in last}
        signed: dict[int, Signature] = {
            it.promotion_id: it
            for it in Signature.objects.filter(
                promotion__in=[it.pk for it in requests.values()],
                verdict=Signature.Verdict.APPROVE,
            )
            .select_related("user")
            .order_by("pk")
        }
        live = dict(
            Alias.objects.filter(model__in=keys, ended_at=None, name=last_alias(workspace))
            .order_by()
            .values_list("model", "version")
        )
        return {
            key: _validated(requests.get(key), signed, is_live=key in live, now=now) for key in keys
        }

    def remarks(self, *, workspace: Workspace) -> Sequence[Remark]:
        """None of its own: the need “validation” is counted in the sentence."""
        return []


def _validated(
    request: PromotionRequest | None,
    signed: Mapping[int, Signature],
    *,
    is_live: bool,
    now: datetime,
) -> Cell:
    signature = signed.get(request.pk) if request is not None else None
    if request is None or signature is None:
        if is_live:
            return Cell("never signed", tone="warning", icon="alert-triangle", below="and live")
        return Cell("not yet", below="first validation waits")
    url = reverse("governance:request-detail", args=[request.number])
    by = f"{signature.user}"
    day = f"{signature.signed_at:%-d %b %Y}"
    if is_live and request.valid_until < now:
        late = max(1, (now - request.valid_until).days)
        return Cell(
            day,
            tone="danger",
            icon="clock",
            url=url,
            below=f"{by}; overdue {plural(late, 'day')}",
        )
    return Cell(
        day,
        tone="success",
        icon="check",
        url=url,
        below=f"{by}; due {request.valid_until:%-d %b %Y}" if is_live else by,
    )


class FindingsPart:
    """How many findings are open, of which severity, and how old the oldest is."""

    title = "Findings"

    def cells(
        self, *, workspace: Workspace, models: Sequence[RegisteredModel]
    ) -> Mapping[int, Cell]:
        rows = (
            _open(workspace)
            .filter(model__in=[it.pk for it in models])
            .order_by()
            .values_list("model", "severity")
            .annotate(Count("pk"), Min("opened_at"))
        )
        found: dict[int, dict[str, tuple[int, datetime]]] = {}
        for model, severity, number, since in rows:
            found.setdefault(model, {})[severity] = (number, since)
        listing = reverse("governance:finding-list")
        return {it.pk: _findings(found.get(it.pk, {}), listing) for it in models}

    def remarks(self, *, workspace: Workspace) -> Sequence[Remark]:
        since = datetime.now(UTC) - timedelta(days=OLD_DAYS)
        old = _open(workspace).filter(opened_at__lt=since).count()
        if not old:
            return []
        words = plural(old, "finding is,findings are")
        return [Remark(f"{words} older than {OLD_DAYS} days", reverse("governance:finding-list"))]


def _open(workspace: Workspace) -> QuerySet[Finding]:
    return Finding.objects.filter(workspace=workspace, state=Finding.State.OPEN)


def _findings(by_severity: Mapping[str, tuple[int, datetime]], listing: str) -> Cell:
    if not by_severity:
        return Cell("0")
    worst = next(it for it in _SEVERITIES if it in by_severity)
    oldest = min(since for _, since in by_severity.values())
    age = (datetime.now(UTC) - oldest).days
    words = ", ".join(
        f"{by_severity[severity][0]} {severity}"
        for severity in _SEVERITIES
        if severity in by_severity
    )
    return Cell(
        words,
        tone=_TONES[worst],
        icon="alert-triangle" if worst != "low" else "info-circle",
        url=listing,
        below=f"oldest {plural(age, 'day')}" if age else "since today",
    )


def _unvalidated(
    models: QuerySet[RegisteredModel], workspace: Workspace
) -> QuerySet[RegisteredModel]:
    """Live, and never signed for, or signed for until a day that has passed."""
    approved = (
        PromotionRequest.objects.filter(workspace=workspace, status__in=_SIGNED)
        .order_by()
        .values("model")
        .annotate(last=Max("pk"))
        .values("last")
    )
    standing = PromotionRequest.objects.filter(
        pk__in=approved, valid_until__gte=datetime.now(UTC)
    ).values("model")
    return live_only(models, workspace).exclude(pk__in=standing)


def _waiting(models: QuerySet[RegisteredModel], workspace: Workspace) -> QuerySet[RegisteredModel]:
    open_requests = PromotionRequest.objects.filter(workspace=workspace, status=Status.OPEN)
    return models.filter(pk__in=open_requests.values("model"))


NEEDS = (
    Need(
        "validation",
        "validation: never signed, or overdue",
        "live model has no standing validation",
        "live models have no standing validation",
        _unvalidated,
    ),
    Need(
        "signature",
        "a signature: a request is open",
        "model waits for signatures",
        "models wait for signatures",
        _waiting,
    ),
)
