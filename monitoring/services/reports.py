"""Evidently's report of a window, on demand: asked here, rendered by a job on its own queue.

The gzipped snapshot is kept so that the report can be rendered again; the page is rendered in the
same job and kept gzipped beside it, so that no web process ever imports Evidently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from jobs.errors import Fail
from jobs.registry import Done
from jobs.services.enqueue import enqueue
from monitoring import selectors
from monitoring.models import ColumnProfile, Report, Window
from monitoring.profiles.codec import unpack_profile

if TYPE_CHECKING:
    from accounts.callers import Caller
    from jobs.services.claim import Claim

KIND = "monitoring.report"
#: Evidently's own limit in the report; the monitor's rules have theirs.
DRIFT_PSI = 0.1


@transaction.atomic
def ask(*, caller: Caller, window: Window) -> tuple[Report, bool]:
    """The report of the window's present revision, and whether it was asked for before.

    One that failed is tried again. Raises: NotAllowed.
    """
    caller.insist(Capability.VIEW)
    report, is_new = Report.objects.select_for_update(of=("self",)).get_or_create(
        window=window, revision=window.revision
    )
    if not is_new and report.state != Report.State.FAILED:
        return report, True
    monitor = window.monitor
    report.state, report.error = Report.State.WAITING, ""
    report.job = enqueue(
        KIND,
        workspace=monitor.workspace,
        title=f"Evidently’s report of {monitor.name}",
        payload={"report": str(report.uid)},
        caller=caller,
        dedupe_key=f"report:{report.uid}",
    )
    report.save(update_fields=["state", "error", "job"])
    report.refresh_from_db(fields=["created_at"])
    return report, False


def render(*, report_uid: str, claim: Claim) -> Done:
    """The job's part. Safe to run twice: a report that is ready is left as it is.

    Raises: LeaseLost, Fail.
    """
    report = Report.objects.select_related("window__monitor__workspace").get(uid=report_uid)
    if report.state == Report.State.READY:
        return Done(message="It was ready.")
    window = report.window
    counted = {row.column_id: row for row in ColumnProfile.objects.filter(window=window)}
    columns = [
        (
            column.name,
            spec,
            profile,
            unpack_profile(spec, counted[column.pk].counts, counted[column.pk].facts),
        )
        for column, spec, profile in selectors.reference_columns(window.monitor)
        if column.pk in counted
    ]
    claim.save(progress=0.2, message="Evidently is computing the report.")
    from monitoring import evidently_report

    try:
        snapshot, page = evidently_report.render(columns, drift_psi=DRIFT_PSI)
    except ValueError as error:
        _write(report, claim, state=Report.State.FAILED, error=str(error)[:500])
        raise Fail(f"Evidently could not report on this window: {error}") from None
    _write(report, claim, state=Report.State.READY, snapshot=snapshot, html=page)
    return Done(
        {"columns": len(columns), "snapshot_bytes": len(snapshot), "html_bytes": len(page)},
        message=f"{len(columns)} columns.",
    )


@transaction.atomic
def _write(
    report: Report,
    claim: Claim,
    *,
    state: str,
    error: str = "",
    snapshot: bytes | None = None,
    html: bytes | None = None,
) -> None:
    claim.insist_mine()
    report.state, report.error = state, error
    report.snapshot, report.html = snapshot, html
    report.save(update_fields=["state", "error", "snapshot", "html"])
    if state == Report.State.READY:
        monitor = report.window.monitor
        audit.record(
            Action.REPORT_RENDERED,
            actor=claim.caller("monitoring").actor,
            object_type="monitor",
            object_id=str(monitor.uid),
            object_name=monitor.name,
            details={
                "report": str(report.uid),
                "window": report.window.start,
                "revision": report.revision,
            },
        )
