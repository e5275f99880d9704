"""Endpoints: create behind the address check, probe by a real predict, keep secrets, retire."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from accounts.callers import Caller
from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.commit import after_commit
from common.errors import AlreadyExists, Conflict, Invalid
from outbound.errors import AddressRefused, DeadlineExceeded, Unreachable
from outbound.services.destinations import check_url
from registry.names import insist_name
from registry.profiling.table import MAX_COLUMN_NAME, MAX_COLUMNS
from serving import mapping as mappings
from serving import secrets as sealed
from serving import selectors
from serving.errors import EndpointRefused, EndpointRejected, EndpointUnavailable
from serving.models import Endpoint, EndpointSecret
from serving.protocols import protocol_named
from serving.services.predict import predict
from serving.signals import endpoint_ready, endpoint_retired
from serving.wire import binding

if TYPE_CHECKING:
    from outbound.addresses import Pinned
    from registry.models import ModelVersion
    from serving.protocols.base import Prediction

MAX_SECRETS = 10
MAX_SECRET = 8192
MAX_PROBE_ROWS = 100
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
_OURS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def create(
    *,
    caller: Caller,
    name: str,
    version: ModelVersion,
    url: str,
    protocol: str = "mlflow",
    mapping: Mapping[str, Any] | None = None,
    input_columns: Sequence[str] | None = None,
    timeout_ms: int = 10_000,
    max_batch_rows: int = 1000,
    secrets: Mapping[str, str] | None = None,
) -> Endpoint:
    """Register where a version answers. Nothing is sent there yet; see :func:`probe`.

    The address is resolved and checked before the transaction, since a name may take seconds.
    Without ``input_columns`` the inputs of the version's signature are sent, in their order.

    Raises: EndpointRefused (the address), Invalid, AlreadyExists, Conflict, NotAllowed.
    """
    caller.insist(Capability.ENDPOINT_EDIT)
    wire = protocol_named(protocol)
    endpoint = Endpoint(
        workspace=caller.workspace,
        name=insist_name(name),
        version=version,
        url=wire.url(url),
        protocol=protocol,
        mapping=mappings.clean(mapping),
        input_columns=_columns(input_columns, version),
        timeout_ms=_within(timeout_ms, 100, 120_000, "timeout_ms"),
        max_batch_rows=_within(max_batch_rows, 1, 10_000, "max_batch_rows"),
        created_by_pid=caller.actor.pid,
    )
    if version.model.workspace_id != caller.workspace.pk:
        raise Invalid("No such version here.", fields={"version": ["No such version here."]})
    pinned = _checked(endpoint, caller)
    secrets = secrets or {}
    if len(secrets) > MAX_SECRETS:
        raise Invalid(f"At most {MAX_SECRETS} secrets.", fields={"secrets": ["Too many."]})
    for header, value in secrets.items():
        _insist_secret(header, value, endpoint.url, pinned)
    return _insert(endpoint, secrets, caller)


@contextmanager
def refusals_recorded(*, caller: Caller, name: str) -> Iterator[None]:
    """For an edge, around ``create``: an address that was refused is an event."""
    try:
        yield
    except EndpointRefused as error:
        audit.refuse(
            Action.ENDPOINT_REFUSED,
            actor=caller.actor,
            workspace=caller.workspace.slug,
            object_type="endpoint",
            object_id="",
            object_name=name[:255],
            code=error.code,
            details={"host": str(error.extra.get("host", ""))},
        )
        raise


def probe(
    *,
    endpoint: Endpoint,
    rows: Sequence[Mapping[str, Any]] | None = None,
    caller: Caller | None = None,
) -> Endpoint:
    """Try a real predict under the endpoint's total deadline, and keep what came of it.

    A health page says that a process runs; only scores say that the version answers.

    Raises: EndpointUnavailable, EndpointRejected: what was found wrong, after it was written down;
        Invalid (rows that cannot be sent), Conflict (retired), NotAllowed.
    """
    caller = caller or Caller.system("serving", endpoint.workspace)
    caller.insist(Capability.ENDPOINT_EDIT)
    if endpoint.retired_at is not None:
        raise Conflict(f"The endpoint {endpoint.name} is retired.", code="endpoint_retired")
    source = "rows that were given"
    if rows is None:
        rows, source = selectors.sample_rows(endpoint)
    if not 0 < len(rows) <= MAX_PROBE_ROWS:
        reason = f"Between 1 and {MAX_PROBE_ROWS} rows."
        raise Invalid(reason, fields={"rows": [reason]})
    try:
        answer = predict(endpoint, rows)
    except (EndpointUnavailable, EndpointRejected) as error:
        _note_probe(endpoint, caller, rows=len(rows), source=source, error=error)
        raise
    return _note_probe(endpoint, caller, rows=len(rows), source=source, answer=answer)


def set_secret(*, caller: Caller, endpoint: Endpoint, header: str, value: str) -> None:
    """Set or replace a header that is sent with every call. It is never shown again.

    Raises: EndpointRefused, Invalid, Conflict (retired, or too many), NotAllowed.
    """
    caller.insist(Capability.ENDPOINT_EDIT)
    # Before the transaction: resolving a name may take seconds, and the URL never changes.
    _insist_secret(header, value, endpoint.url, _checked(endpoint, caller))
    with transaction.atomic():
        endpoint = _lock(endpoint)
        if endpoint.retired_at is not None:
            raise Conflict(f"The endpoint {endpoint.name} is retired.", code="endpoint_retired")
        if endpoint.secrets.exclude(header=header.lower()).count() >= MAX_SECRETS:
            raise Conflict(f"An endpoint has at most {MAX_SECRETS} secrets.")
        _keep_secret(endpoint, header, value, caller)


rotate_secret = set_secret


@transaction.atomic
def retire(*, caller: Caller, endpoint: Endpoint) -> Endpoint:
    """Take it out of use for good: no more calls, and its secrets are deleted.

    Raises: Conflict (retired already), NotAllowed.
    """
    caller.insist(Capability.ENDPOINT_EDIT)
    endpoint = _lock(endpoint)
    if endpoint.retired_at is not None:
        raise Conflict(f"The endpoint {endpoint.name} is retired.", code="endpoint_retired")
    endpoint.retired_at = Now()
    endpoint.save(update_fields=["retired_at"])
    endpoint.secrets.all().delete()
    endpoint.refresh_from_db(fields=["retired_at"])
    audit.record(
        Action.ENDPOINT_RETIRED,
        actor=caller.actor,
        workspace=endpoint.workspace.slug,
        object_type="endpoint",
        object_id=str(endpoint.uid),
        object_name=endpoint.name,
    )
    after_commit(endpoint_retired.send, Endpoint, endpoint=endpoint)
    return endpoint


def _columns(given: Sequence[str] | None, version: ModelVersion) -> list[str]:
    inputs = [str(it.get("name")) for it in version.signature.get("inputs", ())]
    columns = list(given) if given else inputs
    reason = None
    if not columns:
        reason = "Name the columns to send: the version's signature has no inputs."
    elif len(columns) > MAX_COLUMNS or len(set(columns)) != len(columns):
        reason = f"At most {MAX_COLUMNS:,} columns, each once."
    elif any(not name or len(name) > MAX_COLUMN_NAME or "\x00" in name for name in columns):
        reason = f"A column's name has between 1 and {MAX_COLUMN_NAME} characters."
    if reason is not None:
        raise Invalid(reason, fields={"input_columns": [reason]})
    return columns


def _within(value: int, low: int, high: int, field: str) -> int:
    if not low <= value <= high:
        reason = f"Between {low:,} and {high:,}."
        raise Invalid(f"{field}: {reason}", fields={field: [reason]})
    return value


def _checked(endpoint: Endpoint, caller: Caller) -> Pinned:
    url = endpoint.url
    if len(url) > 1024:
        reason = "A URL has at most 1,024 characters."
        raise EndpointRefused(reason, fields={"url": [reason]})
    if "#" in url:
        raise EndpointRefused("A URL here has no fragment.", fields={"url": ["No “#”, please."]})
    try:
        return check_url(url, caller.workspace)
    except AddressRefused as error:
        # The host and nothing else of the URL: paths and queries may carry keys.
        raise EndpointRefused(
            error.message, fields={"url": [error.message]}, host=_host(url)
        ) from None
    except (Unreachable, DeadlineExceeded) as error:
        raise Invalid(
            error.message, code="host_not_found", fields={"url": [error.message]}
        ) from None


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "")[:253]
    except ValueError:
        return ""


def insist_header(header: str, value: str) -> None:
    """A header that may be set, with a value that fits into one. Raises: Invalid."""
    reason = None
    if not _HEADER.match(header) or header.lower() in _OURS:
        reason = f"“{header[:60]}” is no header that can be set."
    elif not value or len(value) > MAX_SECRET or not (value.isascii() and value.isprintable()):
        reason = f"A secret has 1 to {MAX_SECRET:,} printable ASCII characters."
    if reason is not None:
        raise Invalid(reason, fields={"secrets": [reason]})


def _insist_secret(header: str, value: str, url: str, pinned: Pinned) -> None:
    insist_header(header, value)
    if url.startswith("http://") and ipaddress.ip_address(pinned.address).is_global:
        reason = "A secret goes over https only, but for a private network that was opened."
        raise Invalid(reason, fields={"secrets": [reason]})


@transaction.atomic
def _insert(endpoint: Endpoint, secrets: Mapping[str, str], caller: Caller) -> Endpoint:
    try:
        with transaction.atomic():
            endpoint.save(force_insert=True)
    except IntegrityError as error:
        if "endpoint_name_once" not in str(error):
            raise
        reason = f"There is an endpoint named “{endpoint.name}” already."
        raise AlreadyExists(reason, fields={"name": [reason]}) from None
    endpoint.refresh_from_db(fields=["created_at"])
    version = endpoint.version
    audit.record(
        Action.ENDPOINT_CREATED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="endpoint",
        object_id=str(endpoint.uid),
        object_name=endpoint.name,
        object_digest=version.release_digest,
        after={
            "version": str(version),
            "host": _host(endpoint.url),
            "protocol": endpoint.protocol,
            "mapping": endpoint.mapping,
            "columns": len(endpoint.input_columns),
            "timeout_ms": endpoint.timeout_ms,
        },
    )
    for header, value in secrets.items():
        _keep_secret(endpoint, header, value, caller)
    return endpoint


def _keep_secret(endpoint: Endpoint, header: str, value: str, caller: Caller) -> None:
    header = header.lower()
    EndpointSecret.objects.update_or_create(
        endpoint=endpoint,
        header=header,
        defaults={
            "ciphertext": sealed.encrypt(value, bound_to=binding(endpoint, header)),
            "updated_at": Now(),
        },
    )
    audit.record(
        Action.SECRET_SET,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="endpoint",
        object_id=str(endpoint.uid),
        object_name=endpoint.name,
        details={"header": header},
    )


@transaction.atomic
def _note_probe(
    endpoint: Endpoint,
    caller: Caller,
    *,
    rows: int,
    source: str,
    answer: Prediction | None = None,
    error: EndpointUnavailable | EndpointRejected | None = None,
) -> Endpoint:
    found = _lock(endpoint)
    was_ready = found.state == Endpoint.State.READY
    detail: dict[str, Any] = {"rows": rows, "source": source}
    if answer is not None:
        found.state, found.state_reason = Endpoint.State.READY, ""
        found.probe_ms = answer.latency_ms
        detail |= {
            "scores": [float(score) for score in answer.scores[:10]],
            "answer": answer.raw_shape,
        }
    elif error is not None:
        found.state, found.state_reason = Endpoint.State.FAILING, error.message[:500]
        found.probe_ms = None
        detail |= {"code": error.code}
    found.probe_detail = detail
    found.probed_at = Now()
    fields = ["state", "state_reason", "probe_ms", "probe_detail", "probed_at"]
    found.save(update_fields=fields)
    found.refresh_from_db(fields=["probed_at"])
    for name in fields:
        setattr(endpoint, name, getattr(found, name))
    audit.record(
        Action.ENDPOINT_PROBED,
        actor=caller.actor,
        workspace=endpoint.workspace.slug,
        object_type="endpoint",
        object_id=str(endpoint.uid),
        object_name=endpoint.name,
        after={"state": str(found.state)},
        details={
            "rows": rows,
            "code": error.code if error is not None else "ok",
            "ms": round(found.probe_ms) if found.probe_ms is not None else None,
        },
    )
    if answer is not None and not was_ready:
        after_commit(endpoint_ready.send, Endpoint, endpoint=endpoint)
    return endpoint


def _lock(endpoint: Endpoint) -> Endpoint:
    return (
        Endpoint.objects.select_for_update(of=("self",))
        .select_related("workspace", "version__model")
        .get(pk=endpoint.pk)
    )
