"""A version without an endpoint gets one: from a template, from its tag, or by asking a hook.

Beginning is a few rows in one transaction, so it costs a registration next to nothing. Names are
resolved and addresses judged in a job. A refusal is what happened, kept beside the version, and
never an error of whoever registered it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.urls import reverse

from accounts.callers import Caller
from accounts.http import workspace_path
from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import AlreadyExists, Conflict, DomainError, Invalid
from jobs.clock import ClockTimestamp
from jobs.services.enqueue import enqueue
from outbound import secrets as outbox_secrets
from outbound.models import Message
from outbound.services import send
from registry.models import ModelVersion, Status
from serving import selectors
from serving.errors import EndpointRefused
from serving.models import Endpoint, EndpointProvision, EndpointSource
from serving.services import endpoints, sources
from serving.url_template import fill, origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.services.claim import Claim

#: A version's tag that holds the URL of its endpoint.
TAG = "countersign.endpoint"
PROVIDE_JOB = "serving.provide"
PROBE_JOB = "serving.first_probe"
#: What a hook is told: the type of the Standard Webhooks message.
WANTED = "endpoint.wanted"
State = EndpointProvision.State
Kind = EndpointSource.Kind
_SWEEP = 50
_MISSED_FOR = timedelta(days=1)


def begin(*, version: ModelVersion, caller: Caller | None = None) -> EndpointProvision | None:
    """Start to get the version an endpoint; None where there is no source, or no need.

    ``caller`` is who asks for it by hand, and may ask again; by itself a version is tried once.

    Raises (by hand only): Conflict, NotAllowed.
    """
    if caller is not None:
        caller.insist(Capability.ENDPOINT_EDIT)
    source = selectors.source_of(version.model)
    reason = _why_not(version, source)
    if reason is None and source is not None:
        try:
            return _begin(version, source, caller)
        except IntegrityError as error:  # somebody was quicker
            if "endpoint_provision_open_once" not in str(error):
                raise
            reason = "It is being made already."
    if caller is not None:
        raise Conflict(reason or "It was tried already.", code="no_provision")
    return None


def advance(*, provision: EndpointProvision, claim: Claim | None = None) -> EndpointProvision:
    """Make the endpoint of a template or a tag. A name that does not resolve yet is an error.

    Raises: Invalid with code ``host_not_found``: try again a little later.
    """
    if provision.state != State.TRYING:
        return provision
    caller = Caller.system("serving", provision.workspace)
    try:
        url = _url(provision)
        with endpoints.refusals_recorded(caller=caller, name=str(provision.version)):
            return _make(provision, caller, url=url, claim=claim)
    except DomainError as error:
        if error.code == "host_not_found":
            raise
        return give_up(provision=provision, reason=error.message)


def answer(
    *, caller: Caller, provision: EndpointProvision, url: str, given: Mapping[str, Any]
) -> EndpointProvision:
    """What a hook answers when the version stands: where. Counts once; a refused URL does not.

    Raises: EndpointRefused, Invalid, Conflict (answered before, or too late), NotAllowed.
    """
    caller.insist(Capability.ENDPOINT_EDIT)
    try:
        return _make(provision, caller, url=url, given=given)
    except (EndpointRefused, Invalid) as error:
        EndpointProvision.objects.filter(pk=provision.pk, state=State.WAITING).update(
            reason=f"Its answer was refused: {error.message}"[:500]
        )
        raise


@transaction.atomic
def decline(*, caller: Caller, provision: EndpointProvision, reason: str) -> EndpointProvision:
    """What a hook answers when it cannot stand the version up.

    Raises: Conflict, NotAllowed.
    """
    caller.insist(Capability.ENDPOINT_EDIT)
    provision = _lock(provision)
    _insist_open(provision)
    _record_answer(provision, caller, made=False)
    return _finish(provision, State.FAILED, f"The hook says: {reason}")


@transaction.atomic
def give_up(*, provision: EndpointProvision, reason: str) -> EndpointProvision:
    """It cannot be made; why stays beside the version."""
    provision = _lock(provision)
    if provision.state not in EndpointProvision.OPEN:
        return provision
    return _finish(provision, State.FAILED, reason)


def sweep() -> None:
    """Periodic: end what waited too long, and begin what a crash kept from beginning."""
    late = EndpointProvision.objects.filter(state=State.WAITING, expires_at__lte=ClockTimestamp())
    late.update(
        state=State.EXPIRED,
        reason="The hook did not answer in time.",
        finished_at=ClockTimestamp(),
    )
    undelivered = EndpointProvision.objects.filter(
        state=State.WAITING, message__state=Message.State.FAILED
    ).select_related("message")
    for provision in undelivered[:_SWEEP]:
        told = provision.message.error if provision.message is not None else ""
        give_up(provision=provision, reason=f"The hook was not reached. {told}")
    for version in _missed():
        begin(version=version)


def _missed() -> list[ModelVersion]:
    """Versions of the last day, newer than their model's source, that were never tried."""
    if not EndpointSource.objects.filter(removed_at=None).exists():
        return []  # so that a house without sources does not read its versions every half minute
    found = (
        ModelVersion.objects.filter(
            Q(model__endpoint_sources__kind__in=[Kind.TEMPLATE, Kind.HOOK])
            | Q(tags__has_key=TAG, model__endpoint_sources__kind=Kind.TAG),
            model__endpoint_sources__removed_at=None,
            created_at__gt=F("model__endpoint_sources__created_at"),
            created_at__gte=Now() - _MISSED_FOR,
            deleted_at=None,
        )
        .exclude(status=Status.FAILED)
        .exclude(Exists(EndpointProvision.objects.filter(version=OuterRef("pk"))))
        .exclude(Exists(Endpoint.objects.filter(version=OuterRef("pk"), retired_at=None)))
        .select_related("model__workspace", "workspace")
        .order_by("pk")
    )
    return list(found[:_SWEEP])


def _why_not(version: ModelVersion, source: EndpointSource | None) -> str | None:
    if source is None:
        return "This model has no source of endpoints."
    if version.deleted_at is not None or version.status == Status.FAILED:
        return "This version is deleted or was refused."
    if source.kind == Kind.TAG and not version.tags.get(TAG):
        return f"This version has no tag {TAG}."
    if selectors.endpoint_for(version) is not None:
        return "This version has an endpoint already."
    return None


@transaction.atomic
def _begin(
    version: ModelVersion, source: EndpointSource, caller: Caller | None
) -> EndpointProvision | None:
    if caller is None and EndpointProvision.objects.filter(version=version).exists():
        return None
    hooked = source.kind == Kind.HOOK
    provision = EndpointProvision(
        workspace=version.workspace,
        version=version,
        source=source,
        kind=source.kind,
        state=State.WAITING if hooked else State.TRYING,
        asked_by_pid=caller.actor.pid if caller else "",
    )
    if hooked:
        provision.expires_at = ClockTimestamp() + timedelta(seconds=source.answer_within_s)
    with transaction.atomic():
        provision.save(force_insert=True)
    provision.refresh_from_db(fields=["asked_at", "expires_at"])
    if hooked:
        _ask_hook(provision, source, caller)
    else:
        enqueue(
            PROVIDE_JOB,
            workspace=version.workspace,
            title=f"Make an endpoint of {version}",
            payload={"provision": str(provision.uid)},
            caller=caller,
            dedupe_key=f"{PROVIDE_JOB}:{provision.uid}",
        )
    return provision


def _ask_hook(provision: EndpointProvision, source: EndpointSource, caller: Caller | None) -> None:
    provision.message = send.webhook(
        workspace=provision.workspace,
        url=source.hook_url,
        event=WANTED,
        payload=wanted(provision, source),
        secret=outbox_secrets.unseal(source.sealed_secret),
        dedupe_key=f"endpoint-hook:{provision.uid}",
        purpose="endpoint.hook",
        subscription=source.uid,
    )
    provision.save(update_fields=["message"])
    actor = (caller or Caller.system("serving", provision.workspace)).actor
    audit.record(
        Action.ENDPOINT_HOOK_CALLED,
        actor=actor,
        workspace=provision.workspace.slug,
        object_type="version",
        object_id=str(provision.version.uid),
        object_name=str(provision.version),
        object_digest=provision.version.release_digest,
        details={"host": origin_of(source.hook_url), "answer": str(provision.uid)},
    )


def wanted(provision: EndpointProvision, source: EndpointSource) -> dict[str, Any]:
    """What the hook is told: which release, and where to answer until when."""
    version = provision.version
    path = reverse("v1:endpoint-hook-answer", args=[provision.uid])
    told: dict[str, Any] = {
        "id": str(provision.uid),
        "answer_url": settings.BASE_URL.rstrip("/") + workspace_path(version.workspace.slug, path),
        "expires_at": provision.expires_at.isoformat() if provision.expires_at else None,
        "model": version.model.name,
        "version": version.number,
        "semantic_version": version.semantic_version,
        "digest": version.release_digest,
        "source": version.source,
        "run_id": version.run_id,
        "logged_model_id": version.logged_model_id,
        "git_commit": version.git_commit,
        "protocol": source.protocol,
        "input_columns": source.input_columns,
    }
    parts = {
        "artifacts": version.release.get("artifacts", []),
        "signature": version.signature,
    }
    # A release of hundreds of files is looked up by its digest instead.
    return {**told, **parts} if len(str(parts)) < send.MAX_BODY // 2 else told


def _url(provision: EndpointProvision) -> str:
    version, source = provision.version, provision.source
    if provision.kind == Kind.TAG:
        return str(version.tags.get(TAG, ""))
    values = {
        "model": version.model.name,
        "version": str(version.number),
        "semantic_version": version.semantic_version,
        "digest": version.release_digest.removeprefix("sha256:"),
    }
    return fill(source.template, values)


@transaction.atomic
def _make(
    provision: EndpointProvision,
    caller: Caller,
    *,
    url: str,
    given: Mapping[str, Any] | None = None,
    claim: Claim | None = None,
) -> EndpointProvision:
    """The endpoint and the end of the provision, together. The row stays locked while the name
    is resolved: a second answer waits, and then finds that it is late."""
    if claim is not None:
        claim.insist_mine()
    provision = _lock(provision)
    _insist_open(provision)
    source, version = provision.source, provision.version
    _insist_origin(source, url)
    content: dict[str, Any] = {
        "protocol": source.protocol,
        "mapping": source.mapping,
        "input_columns": source.input_columns or None,
        "timeout_ms": source.timeout_ms,
        "max_batch_rows": source.max_batch_rows,
        **(given or {}),
    }
    content["secrets"] = {**sources.headers_of(source), **(content.get("secrets") or {})}
    endpoint = _create(caller, version, url, content)
    if provision.kind == Kind.HOOK:
        _record_answer(provision, caller, made=True)
    provision.endpoint = endpoint
    provision.url = endpoint.url
    enqueue(
        PROBE_JOB,
        workspace=version.workspace,
        title=f"Probe the new endpoint of {version}",
        payload={"endpoint": str(endpoint.uid)},
        caller=caller,
        dedupe_key=f"{PROBE_JOB}:{endpoint.uid}",
    )
    return _finish(provision, State.MADE, "")


def _create(
    caller: Caller, version: ModelVersion, url: str, content: Mapping[str, Any]
) -> Endpoint:
    name = f"{version.model.name[:230]} {version.number}"
    try:
        return endpoints.create(caller=caller, name=name, version=version, url=url, **content)
    except AlreadyExists:
        count = Endpoint.objects.filter(version=version).count() + 1
        return endpoints.create(
            caller=caller, name=f"{name} ({count})", version=version, url=url, **content
        )


def _insist_origin(source: EndpointSource, url: str) -> None:
    if source.origin and origin_of(url) != source.origin:
        reason = f"The URL must be at {source.origin}."
        raise EndpointRefused(reason, fields={"url": [reason]}, host=origin_of(url))


def _insist_open(provision: EndpointProvision) -> None:
    if provision.state not in EndpointProvision.OPEN:
        raise Conflict("This was answered or ended before.", code="hook_is_over")
    late = EndpointProvision.objects.filter(pk=provision.pk, expires_at__lte=ClockTimestamp())
    if late.exists():
        raise Conflict("The time to answer is over.", code="hook_expired")


def _finish(provision: EndpointProvision, state: str, reason: str) -> EndpointProvision:
    provision.state, provision.reason = state, reason[:500]
    provision.finished_at = ClockTimestamp()
    provision.save(update_fields=["state", "reason", "finished_at", "endpoint", "url"])
    provision.refresh_from_db(fields=["finished_at"])
    return provision


def _record_answer(provision: EndpointProvision, caller: Caller, *, made: bool) -> None:
    audit.record(
        Action.ENDPOINT_HOOK_ANSWERED,
        actor=caller.actor,
        workspace=provision.workspace.slug,
        object_type="version",
        object_id=str(provision.version.uid),
        object_name=str(provision.version),
        object_digest=provision.version.release_digest,
        details={"answer": str(provision.uid), "made": made},
    )


def _lock(provision: EndpointProvision) -> EndpointProvision:
    return (
        EndpointProvision.objects.select_for_update(of=("self",))
        .select_related("workspace", "source__model", "version__model__workspace")
        .get(pk=provision.pk)
    )
