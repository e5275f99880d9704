"""Online learners: plans, due snapshots, what is handed in, and the frozen fallback.

A model that goes on learning has no version that somebody could sign. So at set times its state is
frozen: the bytes, by their digest, become a version derived from the one that is live, and take
the way of every other version. Until one is approved, readers keep what was; when what is live may
not be used, there is a version that was approved once and no longer changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.errors import Invalid, NotFound
from delivery.models import LearningPlan, Snapshot
from jobs.services.enqueue import enqueue
from outbound import secrets
from outbound.services.destinations import check_url
from outbound.services.send import webhook

if TYPE_CHECKING:
    from registry.models import RegisteredModel

KIND = "delivery.snapshot"
EVERY_S = 30
MIN_EVERY_S, MAX_EVERY_S = 60, 366 * 24 * 3600
State = Snapshot.State


@dataclass(frozen=True, slots=True)
class Age:
    """How old the newest snapshot is; stale is what is older than the plan wants, twice over."""

    last_at: datetime | None
    seconds: float | None
    is_stale: bool


@transaction.atomic
def set_plan(
    *,
    caller: Caller,
    model: RegisteredModel,
    every_seconds: int,
    url: str,
    how: str = LearningPlan.How.FETCH,
    secret: str = "",
) -> LearningPlan:
    """Freeze the model every so often; who sets it answers for the snapshots, as their author.

    Raises: Invalid, AddressRefused, NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    if caller.user is None:
        raise Invalid("A plan is set by a person, or for one who answers for it.")
    _insist(every_seconds, how, url, secret)
    check_url(url, caller.workspace)
    plan = LearningPlan.objects.select_for_update(of=("self",)).filter(model=model).first()
    before = _shown(plan) if plan is not None and plan.stopped_at is None else None
    plan = plan or LearningPlan(model=model, workspace=caller.workspace)
    now = timezone.now()
    plan.every_seconds = every_seconds
    plan.how = how
    plan.url = url
    plan.sealed_secret = secrets.seal(secret) if secret else ""
    plan.set_by = caller.user
    plan.set_at = now
    plan.next_at = now
    plan.stopped_at = None
    plan.save()
    record_learning(Action.LEARNING_PLANNED, caller, model, before=before, after=_shown(plan))
    return plan


@transaction.atomic
def stop(*, caller: Caller, model: RegisteredModel) -> LearningPlan:
    """No snapshot is due any more. Raises: NotFound, NotAllowed."""
    caller.insist(Capability.MODEL_EDIT)
    plan = lock_plan(model)
    before = _shown(plan)
    plan.stopped_at = timezone.now()
    plan.save(update_fields=["stopped_at"])
    record_learning(Action.LEARNING_PLANNED, caller, model, before=before, after=None)
    return plan


def ask_due() -> int:
    """Ask for every snapshot that is due; returns how many. Called by beat.

    A time that nobody was there to notice is not made up for: the next one is counted from now.
    """
    due = LearningPlan.objects.filter(stopped_at=None, next_at__lte=timezone.now())
    asked = 0
    for pk in list(due.order_by("next_at").values_list("pk", flat=True)[:200]):
        with transaction.atomic():
            plan = (
                LearningPlan.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("model__workspace", "workspace", "set_by")
                .filter(pk=pk, stopped_at=None, next_at__lte=timezone.now())
                .first()
            )
            if plan is not None:
                _ask(plan, Caller.system("delivery", plan.workspace))
                asked += 1
    return asked


@transaction.atomic
def ask_now(*, caller: Caller, model: RegisteredModel) -> Snapshot:
    """Ask for one between the times. Raises: NotFound, NotAllowed."""
    caller.insist(Capability.MODEL_EDIT)
    return _ask(lock_plan(model), caller)


def age(plan: LearningPlan, now: datetime | None = None) -> Age:
    """When the learner's state was last seen, registered or unchanged, and whether that is old."""
    now = now or timezone.now()
    last = (
        plan.snapshots.filter(state__in=[State.REGISTERED, State.UNCHANGED])
        .order_by("-pk")
        .values_list("ended_at", flat=True)
        .first()
    )
    seconds = (now - last).total_seconds() if last is not None else None
    waited = seconds if seconds is not None else (now - plan.set_at).total_seconds()
    return Age(last, seconds, plan.stopped_at is None and waited > 2 * plan.every_seconds)


def get_plan(model: RegisteredModel) -> LearningPlan:
    """The plan that is followed. Raises: NotFound."""
    plan = (
        LearningPlan.objects.select_related("model", "set_by")
        .filter(model=model, stopped_at=None)
        .first()
    )
    if plan is None:
        raise NotFound(f"{model.name} has no plan for snapshots.", code="plan_not_found")
    return plan


def shown_url(url: str) -> str:
    """The address without its query, which may hold a key."""
    return url.partition("?")[0]


def _ask(plan: LearningPlan, caller: Caller) -> Snapshot:
    """A row, and a job or a signed call that does the rest; the caller holds the plan's lock."""
    now = timezone.now()
    plan.next_at = now + timedelta(seconds=plan.every_seconds)
    plan.save(update_fields=["next_at"])
    # One that nobody answered is over when the next is due.
    plan.snapshots.filter(state=State.ASKED).update(
        state=State.FAILED, reason="Nothing came until the next one was due.", ended_at=now
    )
    snapshot = Snapshot.objects.create(plan=plan)
    if plan.how == LearningPlan.How.HOOK:
        webhook(
            workspace=plan.workspace,
            url=plan.url,
            event="snapshot.due",
            payload={
                "model": plan.model.name,
                "snapshot": str(snapshot.uid),
                "hand_in": f"{settings.BASE_URL}/w/{plan.workspace.slug}/api/v1/models/"
                f"{plan.model.name}/snapshots",
            },
            secret=secrets.unseal(plan.sealed_secret),
            dedupe_key=f"snapshot:{snapshot.uid}",
            purpose="snapshot",
        )
    else:
        enqueue(
            KIND,
            workspace=plan.workspace,
            title=f"Snapshot of {plan.model.name}",
            payload={"snapshot": str(snapshot.uid)},
            caller=caller,
            dedupe_key=f"snapshot:{snapshot.uid}",
        )
    details = {"snapshot": str(snapshot.uid), "how": str(plan.how)}
    record_learning(Action.SNAPSHOT_ASKED, caller, plan.model, details=details)
    return snapshot


def lock_plan(model: RegisteredModel) -> LearningPlan:
    plan = (
        LearningPlan.objects.select_for_update(of=("self",))
        .select_related("model__workspace", "workspace", "set_by")
        .filter(model=model, stopped_at=None)
        .first()
    )
    if plan is None:
        raise NotFound(f"{model.name} has no plan for snapshots.", code="plan_not_found")
    return plan


def _insist(every_seconds: int, how: str, url: str, secret: str) -> None:
    fields: dict[str, list[str]] = {}
    if not MIN_EVERY_S <= every_seconds <= MAX_EVERY_S:
        fields["every_seconds"] = ["Between a minute and a year."]
    if how not in LearningPlan.How.values:
        fields["how"] = ["One of fetch and hook."]
    if len(url) > 2000:
        fields["url"] = ["At most 2,000 characters."]
    if how == LearningPlan.How.HOOK and len(secret) < 16:
        fields["secret"] = ["A hook is signed: at least 16 characters."]
    if fields:
        raise Invalid(" ".join(it[0] for it in fields.values()), fields=fields)


def _shown(plan: LearningPlan) -> dict[str, Any]:
    return {
        "every_seconds": plan.every_seconds,
        "how": str(plan.how),
        "url": shown_url(plan.url),
        "set_by": plan.set_by.pid,
    }


def record_learning(action: Action, caller: Caller, model: RegisteredModel, **said: Any) -> None:
    record(
        action,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="model",
        object_id=str(model.pk),
        object_name=model.name,
        **said,
    )
