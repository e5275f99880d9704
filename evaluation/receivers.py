"""What other apps' facts mean here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.dispatch import receiver

from jobs.signals import job_finished

if TYPE_CHECKING:
    from jobs.models import Job


@receiver(job_finished)
def settle_evidence(sender: object, job: Job, **kwargs: Any) -> None:
    """A job that was reaped or cancelled outside its handler takes its evidence along."""
    if job.kind.startswith("evaluation."):
        from evaluation.services.finish import settle

        settle(job)
