"""Telling the other apps that a job is over."""

from __future__ import annotations

import logging

from jobs.models import Job
from jobs.signals import job_finished

logger = logging.getLogger(__name__)


def announce(job: Job) -> None:
    """Send ``job_finished``; a receiver that fails is logged and harms nobody else."""
    for receiver, answer in job_finished.send_robust(sender=Job, job=job):
        if isinstance(answer, Exception):
            logger.error("job %s: receiver %r failed", job.uid, receiver, exc_info=answer)
