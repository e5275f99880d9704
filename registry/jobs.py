"""Background work of the registry."""

from __future__ import annotations

from jobs.errors import Fail
from jobs.models import Job
from jobs.registry import Done, register
from jobs.services.claim import Claim
from registry.models import Dataset
from registry.services import datasets


@register(datasets.PROFILE_JOB)
def profile_dataset(job: Job, claim: Claim) -> Done:
    """Read a big table through. Safe to run twice: a dataset that is read is left as it is."""
    dataset = datasets.run_profile(dataset_uid=job.payload["dataset"], claim=claim)
    if dataset.state == Dataset.State.FAILED:
        raise Fail(dataset.state_reason, code="dataset_refused")
    return Done({"rows": dataset.rows}, message=f"{dataset.rows:,} rows.")
