"""Receipts of batch runs: kept whether they agree or not, and looked at the moment they come.

A run read its version before it began, and may have gone on with what it read for a lease. So a
run agrees when its release was live when it began, or had been within the lease before that; not
when it was called back, or when the version had been taken back because something was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.roles import Capability
from audit.actions import Action
from audit.services.record import record
from common.canonical import digest_of
from common.commit import after_commit
from common.errors import Conflict, Invalid
from delivery.models import BatchReceipt, Fallback, Recall, Route
from delivery.signals import receipt_mismatched
from registry.models import Alias, ModelVersion

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import Environment, RegisteredModel

State = BatchReceipt.State
#: Clocks of other machines run a little ahead.
SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run says of itself; ``digest`` or ``version`` names the release it used."""

    run_id: str
    rows: int
    started_at: datetime
    finished_at: datetime
    digest: str = ""
    version: int | None = None
    input_digest: str = ""
    output_digest: str = ""


@transaction.atomic
def receive(
    *, caller: Caller, model: RegisteredModel, environment: Environment, run: Run
) -> tuple[BatchReceipt, bool]:
    """Keep a run's receipt, judged; returns it and whether it is new.

    The same receipt sent again changes nothing. A receipt that does not agree is told upwards
    once, after the commit.

    Raises: Invalid, Conflict (another receipt for that run), NotAllowed.
    """
    caller.insist(Capability.PREDICTIONS_WRITE)
    _insist_sane(run)
    content = _content(environment, run)
    known = BatchReceipt.objects.filter(model=model, run_id=run.run_id).first()
    if known is not None:
        return _the_same(known, content), False
    version, stated = _version(model, run)
    verdict = _judge(model, environment, version, run, stated)
    receipt = BatchReceipt(
        workspace=caller.workspace,
        model=model,
        environment=environment,
        run_id=run.run_id,
        version=version,
        stated=stated,
        expected=verdict.expected,
        rows=run.rows,
        started_at=run.started_at,
        finished_at=run.finished_at,
        input_digest=run.input_digest,
        output_digest=run.output_digest,
        content_digest=content,
        state=State.ACCEPTED if verdict.agrees else State.MISMATCH,
        reason=verdict.reason[:500],
        sent_by_pid=caller.actor.pid,
        sent_by_label=caller.label[:200],
    )
    try:
        with transaction.atomic():
            receipt.save(force_insert=True)
    except IntegrityError as error:
        if "receipt_once_per_run" not in str(error):
            raise
        return _the_same(BatchReceipt.objects.get(model=model, run_id=run.run_id), content), False
    receipt.refresh_from_db(fields=["received_at"])
    _record(caller, receipt)
    if not verdict.agrees:
        after_commit(_tell, receipt)
    return receipt, True


def _tell(receipt: BatchReceipt) -> None:
    receipt_mismatched.send(BatchReceipt, receipt=receipt)


@dataclass(frozen=True, slots=True)
class _Verdict:
    agrees: bool
    reason: str
    expected: ModelVersion | None


def _judge(
    model: RegisteredModel,
    environment: Environment,
    version: ModelVersion | None,
    run: Run,
    stated: str,
) -> _Verdict:
    """Whether that release might be used when the run began, by the alias's own history."""
    rows = list(
        Alias.objects.filter(model=model, name=environment.alias, started_at__lte=run.started_at)
        .select_related("version")
        .order_by("-started_at", "-pk")[:50]
    )
    now_live = rows[0] if rows and _stood_at(rows[0], run.started_at) else None
    expected = now_live.version if now_live is not None else None
    live = f"version {expected.number} was live" if expected is not None else "nothing was live"
    where = f"in {environment.name} when it began"
    if version is None:
        named = f"{stated[:19]}…" if stated.startswith("sha256:") else stated
        return _Verdict(False, f"No version of {model.name} is {named}; {live} {where}.", expected)
    used = f"version {version.number}"
    recall = (
        Recall.objects.filter(version=version, ordered_at__lte=run.started_at)
        .exclude(lifted_at__lte=run.started_at)
        .first()
    )
    if recall is not None:
        when = f"{recall.ordered_at.astimezone(UTC):%d %b %Y %H:%M} UTC"
        return _Verdict(False, f"It used {used}, which was called back on {when}.", expected)
    if expected is not None and version.pk == expected.pk:
        return _Verdict(True, f"It used {used}, which was live {where}.", expected)
    route = Route.objects.filter(model=model, environment=environment).first()
    seconds = (route and route.lease_seconds) or settings.ROUTE_LEASE_SECONDS
    oldest = run.started_at - timedelta(seconds=seconds)
    for index, row in enumerate(rows):
        ended = row.ended_at
        if row.version_id != version.pk or ended is None or ended < oldest:
            continue
        successor = rows[index - 1] if index else None
        if successor is not None and successor.reference.startswith("rollback:"):
            reason = f"It used {used}, which had been rolled back; {live} {where}."
            return _Verdict(False, reason, expected)
        reason = f"It used {used}, live until {_when(ended)}: within the lease; {live} {where}."
        return _Verdict(True, reason, expected)
    if route is not None and route.held_version_id == version.pk:
        return _Verdict(True, f"It used {used}, which rings still waiting are given.", expected)
    if Fallback.objects.filter(model=model, version=version, set_at__lte=run.started_at).exists():
        return _Verdict(True, f"It used {used}, the frozen fallback.", expected)
    return _Verdict(False, f"It used {used}, but {live} {where}.", expected)


def _stood_at(row: Alias, moment: datetime) -> bool:
    return row.ended_at is None or row.ended_at > moment


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%d %b %H:%M} UTC"


def _version(model: RegisteredModel, run: Run) -> tuple[ModelVersion | None, str]:
    """The version that the run names, and how it was named. Raises: Invalid."""
    found = ModelVersion.objects.filter(model=model).select_related("model").order_by("-number")
    if run.digest:
        version = found.filter(release_digest=run.digest).first()
        if run.version is not None and (version is None or version.number != run.version):
            text = "The digest and the version name different releases."
            raise Invalid(text, fields={"version": [text]})
        return version, run.digest
    if run.version is None:
        text = "Say which release it used: “digest” or “version”."
        raise Invalid(text, fields={"digest": [text]})
    return found.filter(number=run.version).first(), f"version {run.version}"


def _insist_sane(run: Run) -> None:
    if run.finished_at < run.started_at:
        text = "It cannot end before it begins."
        raise Invalid(text, fields={"finished_at": [text]})
    if run.finished_at > timezone.now() + SKEW:
        text = "That lies in the future: a receipt is sent when the run is over."
        raise Invalid(text, fields={"finished_at": [text]})


def _content(environment: Environment, run: Run) -> str:
    return digest_of(
        {
            "environment": environment.name,
            "run_id": run.run_id,
            "digest": run.digest,
            "version": run.version,
            "rows": run.rows,
            "started_at": run.started_at.astimezone(UTC).isoformat(),
            "finished_at": run.finished_at.astimezone(UTC).isoformat(),
            "input_digest": run.input_digest,
            "output_digest": run.output_digest,
        }
    )


def _the_same(known: BatchReceipt, content: str) -> BatchReceipt:
    if known.content_digest != content:
        raise Conflict(
            f"There is another receipt for the run “{known.run_id[:80]}”.", code="run_differs"
        )
    return known


def _record(caller: Caller, receipt: BatchReceipt) -> None:
    after: dict[str, Any] = {
        "run_id": receipt.run_id,
        "environment": receipt.environment.name,
        "used": receipt.stated,
        "expected": receipt.expected.number if receipt.expected is not None else None,
        "rows": receipt.rows,
        "reason": receipt.reason,
    }
    record(
        Action.RECEIPT_ACCEPTED if receipt.state == State.ACCEPTED else Action.RECEIPT_REFUSED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="receipt",
        object_id=str(receipt.uid),
        object_name=f"{receipt.model.name}, {receipt}",
        object_digest=receipt.content_digest,
        after=after,
    )
