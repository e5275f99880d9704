"""Registration checks: what the policy's gates say about a new version, and what follows.

The evidence that the policy needs runs behind the registration. For a model that is gated at
registration the outcome settles the version's status: READY, FAILED_REGISTRATION, or READY with
the promotion still blocked when the evidence could not be had in time.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.conf import settings
from django.db import transaction
from django.db.models import BooleanField, Case, Q, Value, When
from django.db.models.functions import Now

from accounts.callers import Caller
from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.db import fetch_one
from common.errors import Conflict, DomainError
from evaluation.models import Evidence
from governance import facts
from governance import registration as words
from governance.models import CheckGate, Policy, RegistrationCheck
from governance.services import asking, gate_rows, policies
from registry import selectors as registry
from registry.models import Environment, ModelVersion
from registry.models.model_version import Status
from registry.services import status as statuses
from serving import selectors as serving
from serving.models import Endpoint, EndpointProvision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from governance.models import PolicyRevision
    from registry.models import RegisteredModel

logger = logging.getLogger(__name__)

State = RegistrationCheck.State
UNSETTLED = (State.RUNNING, State.COULD_NOT_COMPUTE)
#: A registration that nobody looked at after this long was forgotten in a crash.
FORGOTTEN = timedelta(seconds=15)
LOOK_BACK = timedelta(minutes=10)
BATCH = 100
#: Asked at every registration, so it is asked cheaply.
_HAS_POLICY = """
SELECT 1 FROM governance_policy p JOIN governance_policyrevision r ON r.policy_id = p.id
WHERE p.workspace_id = %s AND p.retired_at IS NULL AND %s = ANY(r.tiers) LIMIT 1
"""


def concerns(version: ModelVersion) -> bool:
    """Whether a check would say anything: the model is gated, or a policy is for its tier."""
    model = version.model
    return (
        model.gated_at_registration
        or version.status == Status.PENDING
        or fetch_one(_HAS_POLICY, [model.workspace_id, model.tier]) is not None
    )


@transaction.atomic
def begin(version: ModelVersion) -> RegistrationCheck:
    """Look at a new version: ask for its evidence and judge what is there. Safe to do twice."""
    known = RegistrationCheck.objects.filter(version=version).first()
    check = known or _create(version)
    return refresh(check, ask=known is None)


@transaction.atomic
def run_again(*, caller: Caller, version: ModelVersion) -> RegistrationCheck:
    """Check a version anew, under the newest policy and with what evidence there is now.

    Evidence that failed is asked for again; what is complete counts as it is. A version that
    could not be checked, or failed, gets the status that comes out this time.

    Raises: NotAllowed, Conflict (the version is deleted, or its evidence is running).
    """
    caller.insist(Capability.EVIDENCE_RUN)
    known = RegistrationCheck.objects.filter(version=version).first()
    if known is None:
        return refresh(_create(version), ask=True, caller=caller)
    check = _lock(known)
    if check.version.deleted_at is not None:
        raise Conflict(f"{version} is deleted.", code="version_deleted")
    if check.state == State.RUNNING:
        raise Conflict("Its evidence is still running.", code="check_running")
    revision, environment = _policy_for(version.model)
    check.policy_revision, check.environment = revision, environment
    check.state = State.RUNNING if revision is not None else State.NO_POLICY
    check.runs += 1
    check.begun_at = Now()
    check.save(update_fields=["policy_revision", "environment", "state", "runs", "begun_at"])
    return refresh(check, ask=True, caller=caller)


@transaction.atomic
def refresh(
    check: RegistrationCheck, *, ask: bool = False, caller: Caller | None = None
) -> RegistrationCheck:
    """Judge the gates from what is there now, and settle the status when that is possible.

    A check that has come to its end, with no gate waiting, stays as it is until it is run again.
    """
    check = _lock(check)
    if check.version.deleted_at is not None or not _is_open(check):
        return check
    gates = _judge(check, ask=ask, caller=caller)
    _settle(check, gates)
    return check


def refresh_all(checks: QuerySet[RegistrationCheck], *, ask: bool = False) -> int:
    """Refresh each in a transaction of its own; one's trouble does not keep the others."""
    rows = list(checks.order_by("pk")[:BATCH])
    for check in rows:
        try:
            refresh(check, ask=ask)
        except DomainError as error:
            logger.warning("the %s was not refreshed: %s", check, error.message)
    return len(rows)


def open_checks() -> QuerySet[RegistrationCheck]:
    """Those that more evidence would change."""
    return RegistrationCheck.objects.filter(
        Q(state__in=UNSETTLED) | Q(gates__state=CheckGate.State.WAITING)
    ).distinct()


def keep_moving() -> int:
    """What a crash or the clock left to do; returns how many versions. Called by beat.

    Registrations that no check was begun for, gates whose evidence ended unheard, and versions
    that have waited to their deadline, all by the database's clock.
    """
    done = 0
    for version in _forgotten():
        try:
            begin(version)
        except DomainError as error:
            logger.warning("no registration check of %s: %s", version, error.message)
        done += 1
    ended = Evidence.TERMINAL
    stale = RegistrationCheck.objects.filter(
        gates__state=CheckGate.State.WAITING, gates__evidence__state__in=ended
    ).distinct()
    done += refresh_all(stale)
    waiting = RegistrationCheck.objects.filter(
        # The end of an endpoint that was to come is not announced: it is looked up.
        Q(deadline_at__lte=Now()) | Q(state=State.COULD_NOT_COMPUTE),
        state__in=UNSETTLED,
        is_gated=True,
        version__status=Status.PENDING,
        version__deleted_at=None,
    )
    return done + refresh_all(waiting)


def _forgotten() -> Iterable[ModelVersion]:
    rows = ModelVersion.objects.filter(
        registration_check=None, deleted_at=None, created_at__lte=Now() - FORGOTTEN
    ).select_related("model__workspace")
    pending = rows.filter(status=Status.PENDING).order_by("pk")[:BATCH]
    recent = (
        rows.filter(
            workspace__in=Policy.objects.filter(retired_at=None).values("workspace"),
            updated_at__gte=Now() - LOOK_BACK,
            created_at__gte=Now() - LOOK_BACK,
        )
        .exclude(status=Status.PENDING)
        .order_by("pk")[:BATCH]
    )
    return [*pending, *(version for version in recent if concerns(version))]


def _create(version: ModelVersion) -> RegistrationCheck:
    version = ModelVersion.objects.select_related("model__workspace").get(pk=version.pk)
    revision, environment = _policy_for(version.model)
    check, _ = RegistrationCheck.objects.get_or_create(
        version=version,
        defaults={
            "workspace": version.model.workspace,
            "environment": environment,
            "policy_revision": revision,
            "state": State.RUNNING if revision is not None else State.NO_POLICY,
            "is_gated": version.status == Status.PENDING or version.model.gated_at_registration,
            "deadline_at": version.created_at
            + timedelta(seconds=settings.REGISTRATION_DEADLINE_SECONDS),
        },
    )
    return check


def _policy_for(model: RegisteredModel) -> tuple[PolicyRevision | None, Environment | None]:
    """The policy of the last environment that has one for this model: the hardest question."""
    for environment in registry.environments(model.workspace).reverse():
        try:
            return policies.find(model, environment), environment
        except policies.NoPolicy:
            continue
    return None, None


def _lock(check: RegistrationCheck) -> RegistrationCheck:
    """The check's row, fresh and locked, with ``is_late`` by the database's clock."""
    found = (
        RegistrationCheck.objects.select_for_update(of=("self",))
        .annotate(
            is_late=Case(
                When(deadline_at__lte=Now(), then=Value(True)),
                default=Value(False),
                output_field=BooleanField(),
            )
        )
        .select_related(
            "workspace",
            "environment",
            "policy_revision__policy",
            "live_version",
            "version__model__workspace",
        )
        .get(pk=check.pk)
    )
    # The join was read when the statement began; whoever held the lock may have settled it since.
    found.version.refresh_from_db(fields=["status", "status_message", "deleted_at"])
    return found


def _is_open(check: RegistrationCheck) -> bool:
    if check.state in UNSETTLED or check.version.status == Status.PENDING:
        return True
    return check.gates.filter(state=CheckGate.State.WAITING).exists() or check.evaluated_at is None


def _judge(check: RegistrationCheck, *, ask: bool, caller: Caller | None) -> list[CheckGate]:
    before = gate_rows.states(check.gates.order_by("position"))
    was, check.live_version = (check.state, check.evaluated_at is None), None
    gates: list[CheckGate] = []
    if check.terms is None:
        check.gates.all().delete()
    else:
        revision, environment = check.terms
        live = registry.live_version(check.version.model, environment.name)
        if live is not None and live.pk != check.version_id:
            check.live_version = live
        subject = facts.Subject(
            version=check.version,
            environment=environment,
            live=check.live_version,
            body=revision.body,
            refusals=check.refusals,
        )
        if ask:
            found = asking.ask_missing(subject, facts.gather(subject))
            check.refusals = found.refusals
            subject = replace(subject, refusals=found.refusals)
        gates = gate_rows.write_check(check, revision.body, facts.gather(subject))
        check.state = words.state_of(gates)
    check.evaluated_at = Now()
    check.save(update_fields=["state", "live_version", "refusals", "evaluated_at"])
    states = gate_rows.states(gates)
    if was != (check.state, False) or before != states:
        _record(check, states, caller)
    return gates


def _settle(check: RegistrationCheck, gates: list[CheckGate]) -> None:
    if not check.is_gated:
        return
    version = check.version
    now = words.Situation(
        status=version.status,
        is_late=check.is_late,  # type: ignore[attr-defined]
        is_coming=_is_coming(version),
        is_in_use=any(
            live.version.pk == version.pk
            for live in registry.live_versions(check.workspace, models=[version.model])
        ),
        url=url_of(version),
    )
    answer = words.answer(check.state, gates, now)
    if answer is not None:
        statuses.settle(
            caller=Caller.system("governance", check.workspace),
            version=version,
            status=answer.status,
            message=answer.message,
        )


def _is_coming(version: ModelVersion) -> bool:
    """Whether an endpoint is being stood up, or was and is not probed yet."""
    newest = serving.provisions_of(version).first()
    if newest is None:
        return False
    return newest.state in EndpointProvision.OPEN or (
        newest.endpoint is not None and newest.endpoint.state == Endpoint.State.UNKNOWN
    )


def url_of(version: ModelVersion) -> str:
    """The check's place on the version's page, with its workspace, for clients and mail."""
    name = quote(version.model.name, safe="")
    slug = version.model.workspace.slug
    return f"{settings.BASE_URL}/w/{slug}/models/{name}/versions/{version.number}/#registration"


def _record(check: RegistrationCheck, gates: dict[str, str], caller: Caller | None) -> None:
    revision = check.policy_revision
    audit.record(
        Action.REGISTRATION_CHECKED,
        actor=(caller or Caller.system("governance", check.workspace)).actor,
        workspace=check.workspace.slug,
        object_type="version",
        object_id=str(check.version.uid),
        object_name=str(check.version),
        object_digest=check.version.release_digest,
        after={"state": str(check.state)},
        details={
            "run": check.runs,
            "gated": check.is_gated,
            "environment": check.environment.name if check.environment else None,
            "policy": revision.policy.name if revision else None,
            "policy_revision": revision.number if revision else None,
            "gates": gates,
        },
    )
