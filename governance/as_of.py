"""What was live on a day, since when, signed by whom, on which evidence: the auditor's question.

Everything is read from rows that never change: alias history, requests and what was signed of them,
signatures. Names of models and people are as they are today.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Case, Count, Q, Value, When
from django.urls import reverse

from accounts.roles import Role
from common.csv_lines import csv_line
from common.errors import Invalid
from delivery.models import Rollout
from governance.models import PromotionRequest, Signature
from registry.models import Alias, ModelVersion, RegisteredModel
from registry.selectors import environments, standing_at

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Workspace

_CHUNK = 500
Status = PromotionRequest.Status


@dataclass(frozen=True, slots=True)
class Signed:
    """One signature as a reader needs it."""

    name: str
    role: str
    meaning: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """An alias at a moment, and what stands behind it.

    Attributes:
        environment: its name where the alias says what is live, else empty.
        how: ``approved``, ``rolled back`` (to what was approved before), or ``no approval``.
        request: the approval, if there was one; ``signed_by`` and ``evidence`` are what its last
            round holds: digests as they were signed.
    """

    model: RegisteredModel
    alias: str
    environment: str
    version: ModelVersion
    since: datetime
    until: datetime | None
    how: str
    request: PromotionRequest | None = None
    signed_by: list[Signed] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)

    @property
    def request_url(self) -> str:
        number = self.request.number if self.request else 0
        return reverse("governance:request-detail", args=[number]) if self.request else ""


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of the sentence."""

    models: int
    places: int
    #: How many name no promotion, rollout or rollback.
    without_approval: int


def live_at(
    workspace: Workspace, at: datetime, *, model: str = "", environment: str = ""
) -> QuerySet[Alias]:
    """Every alias of an environment as it stood, by model and environment; of one, where named."""
    places = {
        alias: (name, position)
        for alias, name, position in environments(workspace).values_list(
            "alias", "name", "position"
        )
        if not environment or name == environment
    }
    names = [When(name=alias, then=Value(name)) for alias, (name, _) in places.items()]
    order = [When(name=alias, then=Value(place)) for alias, (_, place) in places.items()]
    rows = Alias.objects.filter(standing_at(at), model__workspace=workspace, name__in=list(places))
    if model:
        rows = rows.filter(model__name=model)
    return (
        rows.annotate(
            environment=Case(*names, default=Value("")),
            position=Case(*order, default=Value(0)),
        )
        .select_related("model", "version__model")
        .order_by("model__name", "model", "position")
    )


def totals(rows: QuerySet[Alias]) -> Totals:
    """One query, over all that the rows hold."""
    found = rows.order_by().aggregate(
        models=Count("model", distinct=True),
        places=Count("pk"),
        # A promotion, a rollout or a rollback: each leads to an approval.
        without=Count("pk", filter=Q(reference="")),
    )
    return Totals(found["models"], found["places"], found["without"])


def cursor(row: Alias) -> str:
    """Where a page that ends with this row ends."""
    return f"{row.position}:{row.model_id}:{row.model.name}"  # type: ignore[attr-defined]


def after(rows: QuerySet[Alias], where: str) -> QuerySet[Alias]:
    """What follows in order of name, model and environment. Raises: Invalid."""
    if not where:
        return rows
    position, _, rest = where.partition(":")
    model, _, name = rest.partition(":")
    if not (position.isdecimal() and model.isdecimal()) or len(position + model) > 20:
        raise Invalid("That cursor is none.", fields={"cursor": ["Take it from “next”."]})
    same = Q(model__name=name, model=int(model), position__gt=int(position))
    return rows.filter(Q(model__name__gt=name) | Q(model__name=name, model__gt=int(model)) | same)


def explain(rows: Sequence[Alias]) -> list[Standing]:
    """What stands behind each; as many queries for five hundred as for one."""
    requests = _requests(rows)
    signatures = _signatures(requests.values())
    found = []
    for row in rows:
        request = requests.get(row.pk)
        kind = row.reference.partition(":")[0]
        how = "no approval" if request is None else "approved"
        if request is not None and kind == "rollback":
            how = "rolled back"
        found.append(
            Standing(
                model=row.model,
                alias=row.name,
                environment=getattr(row, "environment", ""),
                version=row.version,
                since=row.started_at,
                until=row.ended_at,
                how=how,
                request=request,
                signed_by=signatures.get(request.pk, []) if request else [],
                evidence=_evidence(request) if request else [],
            )
        )
    return found


def of_model(model: RegisteredModel, at: datetime) -> list[Standing]:
    """Where each of the model's aliases stood then, by name."""
    names = dict(environments(model.workspace).values_list("alias", "name"))
    rows = list(
        Alias.objects.filter(standing_at(at), model=model)
        .select_related("model", "version__model")
        .order_by("name")
    )
    for row in rows:
        row.environment = names.get(row.name, "")  # type: ignore[attr-defined]
    return explain(rows)


def as_csv(rows: QuerySet[Alias], at: datetime) -> Iterator[str]:
    """Line by line; every line begins with the moment, so that a file explains itself."""
    yield csv_line(
        [
            "as of",
            "model",
            "environment",
            "version",
            "release digest",
            "since",
            "until",
            "how",
            "request",
            "request digest",
            "signed by",
            "evidence digests",
        ]
    )
    keys = list(rows.values_list("pk", flat=True))
    for start in range(0, len(keys), _CHUNK):
        chunk = {row.pk: row for row in rows.filter(pk__in=keys[start : start + _CHUNK])}
        ordered = [chunk[key] for key in keys[start : start + _CHUNK] if key in chunk]
        for it in explain(ordered):
            yield csv_line(
                [
                    at.isoformat(),
                    it.model.name,
                    it.environment,
                    it.version.number,
                    it.version.release_digest,
                    it.since.isoformat(),
                    it.until.isoformat() if it.until else "",
                    it.how,
                    str(it.request or ""),
                    it.request.digest if it.request else "",
                    "; ".join(f"{by.name}, {by.role}, {by.at.isoformat()}" for by in it.signed_by),
                    " ".join(it.evidence),
                ]
            )


def _requests(rows: Sequence[Alias]) -> dict[int, PromotionRequest]:
    """The approval behind each row, by the row's key; at most three queries."""
    uids = {row.pk: _uid(row.reference) for row in rows}
    kinds = {row.pk: row.reference.partition(":")[0] for row in rows}
    rollouts = {
        uid: _uid(reference)
        for uid, reference in Rollout.objects.filter(
            uid__in=[uids[pk] for pk, kind in kinds.items() if kind == "rollout" and uids[pk]]
        ).values_list("uid", "reference")
    }
    wanted = {}
    for row in rows:
        uid = uids[row.pk]
        if kinds[row.pk] == "rollout":
            uid = rollouts.get(uid) if uid else None
        if kinds[row.pk] in {"promotion", "rollout"} and uid:
            wanted[row.pk] = uid
    by_uid = {
        it.uid: it
        for it in PromotionRequest.objects.filter(uid__in=wanted.values()).select_related(
            "environment"
        )
    }
    found = {pk: by_uid[uid] for pk, uid in wanted.items() if uid in by_uid}
    back = [row for row in rows if kinds[row.pk] == "rollback"]
    return found | _before(back)


def _before(rows: Sequence[Alias]) -> dict[int, PromotionRequest]:
    """A rollback leads to what had been approved before: that version's last approval by then."""
    if not rows:
        return {}
    approvals = (
        PromotionRequest.objects.filter(
            version__in=[row.version_id for row in rows],
            status__in=[Status.CARRIED_OUT, Status.APPROVED, Status.ROLLED_BACK],
        )
        .select_related("environment")
        .order_by("opened_at")
    )
    found: dict[int, PromotionRequest] = {}
    candidates = list(approvals)
    for row in rows:
        for it in candidates:
            if (
                it.version_id == row.version_id
                and it.environment.alias == row.name
                and it.opened_at <= row.started_at
            ):
                found[row.pk] = it
    return found


def _signatures(requests: Iterable[PromotionRequest]) -> dict[int, list[Signed]]:
    rounds = {it.pk: it.round for it in requests}
    found: dict[int, list[Signed]] = {}
    rows = Signature.objects.filter(
        promotion__in=list(rounds), verdict=Signature.Verdict.APPROVE
    ).select_related("user")
    for it in rows.order_by("pk"):
        if it.round == rounds[it.promotion_id]:
            role = Role(it.role).label if it.role in Role.values else it.role
            signed = Signed(str(it.user), role, it.meaning, it.signed_at)
            found.setdefault(it.promotion_id, []).append(signed)
    return found


def _evidence(request: PromotionRequest) -> list[str]:
    """The digests that stand in what was signed."""
    try:
        content = json.loads(request.content)
    except ValueError:
        return []
    digests = content.get("evidence", [])
    return [str(digest) for digest in digests] if isinstance(digests, list) else []


def _uid(reference: str) -> UUID | None:
    try:
        return UUID(reference.partition(":")[2])
    except ValueError:
        return None
