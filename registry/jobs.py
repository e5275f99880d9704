"""Background work of the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.errors import Fail
from jobs.registry import Done, register
from registry.models import Dataset
from registry.services import datasets

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.services.claim import Claim


@register(datasets.PROFILE_JOB)
def profile_dataset(job: Job, claim: Claim) -> Done:
    """Read a big table through. Safe to run twice: a dataset that is read is left as it is."""
    dataset = datasets.run_profile(dataset_uid=job.payload["dataset"], claim=claim)
    if dataset.state == Dataset.State.FAILED:
        raise Fail(dataset.state_reason, code="dataset_refused")
    return Done({"rows": dataset.rows}, message=f"{dataset.rows:,} rows.")
