"""The doors of serving's background work: making an endpoint, and trying it until it answers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils import timezone

from common.errors import Conflict, DomainError, Invalid
from jobs.registry import Continue, Done, register
from serving.errors import EndpointRejected, EndpointUnavailable
from serving.models import Endpoint, EndpointProvision
from serving.services import endpoints, provide

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.services.claim import Claim

#: A name may be new to the resolver, and a container slow to start.
PATIENCE = timedelta(minutes=20)
_LONGEST_WAIT_S = 120.0


@register(provide.PROVIDE_JOB)
def make_endpoint(job: Job, claim: Claim) -> Done | Continue:
    """Make the endpoint of a template or a tag. Safe to run twice: it is made once."""
    provision = EndpointProvision.objects.select_related(
        "workspace", "source__model", "version__model__workspace"
    ).get(uid=UUID(job.payload["provision"]))
    try:
        provision = provide.advance(provision=provision, claim=claim)
    except Invalid as error:
        if timezone.now() - provision.asked_at > PATIENCE:
            provide.give_up(provision=provision, reason=error.message)
            return Done(message=error.message)
        return _later(job, error)
    return Done(message=provision.reason or "The endpoint is made.")


@register(provide.PROBE_JOB)
def first_probe(job: Job, claim: Claim) -> Done | Continue:
    """Try the new endpoint until it answers; what was found stands on its page each time."""
    endpoint = Endpoint.objects.select_related("workspace", "version__model__workspace").get(
        uid=UUID(job.payload["endpoint"])
    )
    if endpoint.state == Endpoint.State.READY:
        return Done(message="It answers.")
    try:
        endpoints.probe(endpoint=endpoint)
    except (EndpointUnavailable, EndpointRejected) as error:
        if timezone.now() - endpoint.created_at > PATIENCE:
            return Done(message=f"It never answered: {error.message}"[:500])
        return _later(job, error)
    except (Invalid, Conflict) as error:
        return Done(message=error.message[:500])
    return Done(message="It answers.")


def _later(job: Job, error: DomainError) -> Continue:
    tries = int(job.cursor.get("tries", 0)) + 1
    return Continue(
        cursor={"tries": tries},
        after_s=min(_LONGEST_WAIT_S, 2.0**tries),
        message=error.message[:500],
    )
