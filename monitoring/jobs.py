"""Background work of monitoring. What needs SciPy or Evidently is imported when a job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.registry import Continue, Done, register
from monitoring.services.ingest import KINDS

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.services.claim import Claim


@register(KINDS["predictions"], queue="traffic")
def count_predictions(job: Job, claim: Claim) -> Done | Continue:
    """Count predictions into windows. Safe to run twice: an id counts once."""
    from monitoring.services import count

    return count.advance(ingest_uid=job.payload["ingest"], claim=claim)


@register(KINDS["labels"], queue="traffic")
def count_labels(job: Job, claim: Claim) -> Done | Continue:
    """Put labels to their predictions. Safe to run twice: a label is set, not added."""
    from monitoring.services import count

    return count.advance(ingest_uid=job.payload["ingest"], claim=claim)


@register("monitoring.report", queue="reports")
def render_report(job: Job, claim: Claim) -> Done:
    """Evidently's report of a window. Safe to run twice: one that is ready is left as it is."""
    from monitoring.services import reports

    return reports.render(report_uid=job.payload["report"], claim=claim)
