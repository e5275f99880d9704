"""Findings: open, change, close with a resolution."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import Invalid, InvalidTransition, NotAllowed
from governance.models import Finding
from governance.services import numbers
from registry.selectors import is_member

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import User
    from governance.models import PromotionRequest
    from registry.models import ModelVersion, RegisteredModel

MAX_TEXT = 10_000
#: When nobody says otherwise: how long a finding of this severity may stay open, in days.
DUE_DAYS = {Finding.Severity.HIGH: 14, Finding.Severity.MEDIUM: 30, Finding.Severity.LOW: 90}


@transaction.atomic
def open_finding(
    *,
    caller: Caller,
    severity: str,
    title: str,
    description: str = "",
    due_on: date | None = None,
    owner: User | None = None,
    model: RegisteredModel | None = None,
    version: ModelVersion | None = None,
    promotion: PromotionRequest | None = None,
    source: str = Finding.Source.PERSON,
    reference: str = "",
) -> Finding:
    """Open a finding, by default due by its severity and owned by the model's owner.

    A ``reference`` (at most 200 characters) is told once: a second call returns the first finding.

    Raises: Invalid, NotAllowed.
    """
    caller.insist(Capability.FINDING_EDIT)
    if severity not in Finding.Severity.values:
        raise _wrong("severity", f"One of {', '.join(Finding.Severity.values)}.")
    title = title.strip()
    if not 1 <= len(title) <= 300:
        raise _wrong("title", "A title of 1 to 300 characters, please.")
    if len(description) > MAX_TEXT:
        raise _wrong("description", f"At most {MAX_TEXT:,} characters.")
    if version is not None:
        model = version.model
    if model is not None and model.workspace_id != caller.workspace.pk:
        raise NotAllowed("That model belongs to another workspace.")
    if promotion is not None and promotion.workspace_id != caller.workspace.pk:
        raise NotAllowed("That request belongs to another workspace.")
    if owner is None and model is not None and is_member(model.owner, caller.workspace):
        # An owner who has left leaves the finding without one, and not unopened.
        owner = model.owner
    _insist_owner(caller, owner)
    known = Finding.objects.filter(workspace=caller.workspace, source=source, reference=reference)
    if reference and (found := known.first()) is not None:
        return found
    finding = Finding(
        workspace=caller.workspace,
        number=numbers.take(caller.workspace, "finding"),
        severity=severity,
        title=title,
        description=description.strip(),
        due_on=due_on or _due(severity),
        owner=owner,
        source=source,
        reference=reference,
        model=model,
        version=version,
        promotion=promotion,
        opened_by_pid=caller.actor.pid,
        opened_by_label=caller.label[:200],
    )
    try:
        with transaction.atomic():
            finding.save(force_insert=True)
    except IntegrityError as error:
        # Told twice at once: the first one stands.
        if "finding_once_per_reference" not in str(error):
            raise
        return known.get()
    finding.refresh_from_db(fields=["opened_at"])
    _record(Action.FINDING_OPENED, caller, finding, after=_shown(finding))
    return finding


@transaction.atomic
def update(
    *,
    caller: Caller,
    finding: Finding,
    severity: str | None = None,
    due_on: date | None = None,
    owner: User | None = None,
) -> Finding:
    """Give an open finding another severity, date or owner; None leaves a value as it is.

    Raises: Invalid, InvalidTransition (closed), NotAllowed.
    """
    caller.insist(Capability.FINDING_EDIT)
    finding = _lock_open(caller, finding)
    before = _shown(finding)
    if severity is not None:
        if severity not in Finding.Severity.values:
            raise _wrong("severity", f"One of {', '.join(Finding.Severity.values)}.")
        finding.severity = severity
    if owner is not None:
        _insist_owner(caller, owner)
        finding.owner = owner
    finding.due_on = due_on or finding.due_on
    after = _shown(finding)
    if after != before:
        finding.save(update_fields=["severity", "owner", "due_on"])
        _record(Action.FINDING_UPDATED, caller, finding, before=before, after=after)
    return finding


@transaction.atomic
def close(*, caller: Caller, finding: Finding, resolution: str) -> Finding:
    """Close a finding with what was done about it; it stays in the list of closed ones.

    Raises: Invalid (no resolution), InvalidTransition (closed already), NotAllowed.
    """
    caller.insist(Capability.FINDING_EDIT)
    resolution = resolution.strip()
    if not 1 <= len(resolution) <= MAX_TEXT:
        raise _wrong("resolution", "Say what was done about it.")
    finding = _lock_open(caller, finding)
    finding.state = Finding.State.CLOSED
    finding.resolution = resolution
    finding.closed_by = caller.user
    finding.closed_at = timezone.now()
    finding.save(update_fields=["state", "resolution", "closed_by", "closed_at"])
    _record(
        Action.FINDING_CLOSED,
        caller,
        finding,
        after={"state": finding.state},
        pii={"resolution": resolution},
    )
    return finding


def _lock_open(caller: Caller, finding: Finding) -> Finding:
    found = (
        Finding.objects.select_for_update(of=("self",))
        .select_related("owner", "model")
        .get(pk=finding.pk, workspace=caller.workspace)
    )
    if found.state != Finding.State.OPEN:
        raise InvalidTransition(f"{found} is closed.")
    return found


def _due(severity: str) -> date:
    return timezone.now().date() + timedelta(days=DUE_DAYS[Finding.Severity(severity)])


def _insist_owner(caller: Caller, owner: User | None) -> None:
    if owner is not None and not is_member(owner, caller.workspace):
        raise _wrong("owner", "The owner must be an active person with a role in this workspace.")


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(message, fields={field: [message]})


def _shown(finding: Finding) -> dict[str, Any]:
    return {
        "severity": str(finding.severity),
        "due_on": finding.due_on,
        "owner": finding.owner.pid if finding.owner is not None else None,
        "model": finding.model.name if finding.model is not None else None,
        "version": finding.version.number if finding.version is not None else None,
        "source": str(finding.source),
        "reference": finding.reference,
    }


def _record(action: Action, caller: Caller, finding: Finding, **said: Any) -> None:
    audit.record(
        action,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="finding",
        object_id=str(finding.uid),
        object_name=str(finding),
        pii={"title": finding.title, **said.pop("pii", {})},
        **said,
    )
