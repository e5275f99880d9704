"""What delivery does when something below says something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.dispatch import receiver

from accounts.callers import Caller
from delivery.models import Rollout
from delivery.services import reconcile, rollouts
from jobs.signals import job_finished
from monitoring.signals import threshold_crossed

if TYPE_CHECKING:
    from jobs.models import Job
    from monitoring.models import Alert


@receiver(threshold_crossed)
def abort_running_canary(sender: Any, *, alert: Alert, **_: Any) -> None:
    """Traffic goes back when the model that is being rolled out raises an alert."""
    with transaction.atomic():
        running = (
            Rollout.objects.select_for_update(of=("self",))
            .select_related("workspace", "route__model", "to_version")
            .filter(
                route__model_id=alert.monitor.model_id,
                route__environment_id=alert.monitor.environment_id,
                state__in=[Rollout.State.QUEUED, Rollout.State.RUNNING, Rollout.State.PAUSED],
                abort_requested=False,
            )
        )
        for rollout in running:
            rollouts.request_abort(
                rollout=rollout,
                caller=Caller.system("delivery", rollout.workspace),
                reason=f"Alert A-{alert.number} on {alert.monitor.name} was raised meanwhile.",
            )


@receiver(job_finished)
def call_an_operator(sender: Any, *, job: Job, **_: Any) -> None:
    """A job that was given up leaves its rollout half way: say so at once."""
    if job.kind == rollouts.KIND and job.state != job.State.SUCCEEDED:
        reconcile.pick_up(job)
