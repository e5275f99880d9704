"""Where a model's new versions get their endpoint from: set, look at, take away."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db import transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import Invalid, NotFound
from jobs.clock import ClockTimestamp
from outbound import secrets as outbox_secrets
from outbound.addresses import is_public
from outbound.errors import AddressRefused, DeadlineExceeded, Unreachable
from outbound.services.destinations import check_url
from registry.profiling.table import MAX_COLUMN_NAME, MAX_COLUMNS
from registry.services.models import lock
from serving import mapping as mappings
from serving import secrets as sealed
from serving import selectors
from serving.errors import EndpointRefused
from serving.models import EndpointSource, EndpointSourceSecret
from serving.protocols import protocol_named
from serving.services.endpoints import MAX_SECRETS, insist_header
from serving.url_template import has_open_host, origin_of, why_not_a_template

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import RegisteredModel

Kind = EndpointSource.Kind
MIN_SECRET = 16
MAX_HOOK_SECRET = 1000
_ORIGIN = re.compile(r"https?://[^/?#@\s]+\Z")
#: What ``put`` keeps where nothing else is said.
_DEFAULTS: Mapping[str, Any] = {
    "template": "",
    "origin": "",
    "hook_url": "",
    "answer_within_s": 900,
    "protocol": "mlflow",
    "mapping": None,
    "input_columns": (),
    "timeout_ms": 10_000,
    "max_batch_rows": 1000,
}


def put(
    *,
    caller: Caller,
    model: RegisteredModel,
    kind: str,
    hook_secret: str | None = None,
    secrets: Mapping[str, str] | None = None,
    **given: Any,
) -> EndpointSource:
    """Say where this model's new versions get their endpoint from, instead of what was said before.

    Args:
        given: ``template``, ``origin``, ``hook_url``, ``answer_within_s`` and, as an endpoint has
            them, ``protocol``, ``mapping``, ``input_columns``, ``timeout_ms``, ``max_batch_rows``.
        hook_secret: key of the hook's signatures; None keeps the present one.
        secrets: headers that every endpoint made from it sends; None keeps the present ones.

    Raises: EndpointRefused (the hook's address), Invalid, NotAllowed.
    """
    caller.insist(Capability.ENDPOINT_EDIT)
    wanted = _content(kind, {**_DEFAULTS, **given})
    if kind == Kind.HOOK:
        _insist_callable(wanted["hook_url"], caller)
    for header, value in (secrets or {}).items():
        insist_header(header, value)
    if len(secrets or {}) > MAX_SECRETS:
        raise _wrong("secrets", f"At most {MAX_SECRETS} secrets.")
    return _save(caller, model, wanted, hook_secret, secrets)


@transaction.atomic
def remove(*, caller: Caller, model: RegisteredModel) -> None:
    """New versions get no endpoint by themselves any more; those that have one keep it.

    Raises: NotFound, NotAllowed.
    """
    caller.insist(Capability.ENDPOINT_EDIT)
    lock(model)
    source = get(model)
    source.removed_at = ClockTimestamp()
    source.sealed_secret = ""
    source.save(update_fields=["removed_at", "sealed_secret"])
    before = _facts(source)
    source.secrets.all().delete()
    _record(Action.ENDPOINT_SOURCE_REMOVED, source, caller, before=before)


def get(model: RegisteredModel) -> EndpointSource:
    """Raises: NotFound."""
    source = selectors.source_of(model)
    if source is None:
        raise NotFound(f"{model.name} has no source of endpoints.", code="no_endpoint_source")
    return source


def headers_of(source: EndpointSource) -> dict[str, str]:
    """The headers in the clear, for the endpoint that is made. Raises: SecretUnreadable."""
    return {
        it.header: sealed.decrypt(bytes(it.ciphertext), bound_to=_binding(source, it.header))
        for it in source.secrets.all()
    }


@transaction.atomic
def _save(
    caller: Caller,
    model: RegisteredModel,
    wanted: dict[str, Any],
    hook_secret: str | None,
    secrets: Mapping[str, str] | None,
) -> EndpointSource:
    lock(model)
    # Without the selector's prefetched secrets: they are about to change.
    source = EndpointSource.objects.filter(model=model, removed_at=None).first()
    before = _facts(source) if source is not None else None
    if source is None:
        source = EndpointSource(
            workspace=caller.workspace, model=model, created_by_pid=caller.actor.pid
        )
    held_for = _bound_origin(source)
    hook_origin = origin_of(source.hook_url)
    for key, value in wanted.items():
        setattr(source, key, value)
    _set_hook_secret(source, hook_secret, same_origin=hook_origin == origin_of(source.hook_url))
    source.updated_at = ClockTimestamp()
    source.save()
    _set_headers(source, secrets, same_origin=held_for == _bound_origin(source))
    source.refresh_from_db(fields=["created_at", "updated_at"])
    _record(Action.ENDPOINT_SOURCE_SET, source, caller, before=before, after=_facts(source))
    return source


def _set_hook_secret(source: EndpointSource, secret: str | None, *, same_origin: bool) -> None:
    if source.kind != Kind.HOOK:
        source.sealed_secret = ""
        return
    if secret:
        if not MIN_SECRET <= len(secret) <= MAX_HOOK_SECRET or "\x00" in secret:
            raise _wrong(
                "hook_secret",
                f"The hook's secret has {MIN_SECRET} to {MAX_HOOK_SECRET} characters.",
            )
        source.sealed_secret = outbox_secrets.seal(secret)
    elif not source.sealed_secret:
        raise _wrong("hook_secret", "A hook is called signed, so it needs a secret.")
    elif not same_origin:
        raise _wrong("hook_secret", "The hook moves to another host: give its secret again.")


def _set_headers(
    source: EndpointSource, secrets: Mapping[str, str] | None, *, same_origin: bool
) -> None:
    if secrets is not None:
        source.secrets.all().delete()
        EndpointSourceSecret.objects.bulk_create(
            EndpointSourceSecret(
                source=source,
                header=header.lower(),
                ciphertext=sealed.encrypt(value, bound_to=_binding(source, header.lower())),
            )
            for header, value in secrets.items()
        )
    held = source.secrets.exists()
    if held and secrets is None and not same_origin:
        raise _wrong("secrets", "The endpoints move to another host: give the secrets again.")
    if held and not _bound_origin(source):
        # Whoever names a host would otherwise be sent the secret.
        reason = (
            "A secret goes to a host that is written out in the template."
            if source.kind == Kind.TEMPLATE
            else "A secret goes to one origin only: name it."
        )
        raise _wrong("origin" if source.kind != Kind.TEMPLATE else "template", reason)


def _bound_origin(source: EndpointSource) -> str:
    """Where the secrets of its endpoints may go; empty when that is nowhere fixed."""
    if source.kind != Kind.TEMPLATE:
        return source.origin
    if not source.template or has_open_host(source.template):
        return ""
    return origin_of(source.template.replace("{", "").replace("}", ""))


def _content(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    if kind not in Kind.values:
        raise _wrong("kind", "A source is a template, a tag or a hook.")
    unknown = set(given) - set(_DEFAULTS)
    if unknown:
        raise TypeError(f"unknown: {sorted(unknown)}")
    if kind == Kind.TEMPLATE and (reason := why_not_a_template(given["template"])) is not None:
        raise _wrong("template", reason)
    protocol_named(given["protocol"])
    origin = given["origin"].rstrip("/") if kind != Kind.TEMPLATE else ""
    if origin and not (_ORIGIN.match(origin) and origin_of(origin)):
        raise _wrong("origin", "An origin looks like https://models.example or https://x:8443.")
    for field, low, high in (
        ("timeout_ms", 100, 120_000),
        ("max_batch_rows", 1, 10_000),
        ("answer_within_s", 60, 86_400),
    ):
        if not low <= given[field] <= high:
            raise _wrong(field, f"Between {low:,} and {high:,}.")
    return {
        **given,
        "kind": kind,
        "template": given["template"] if kind == Kind.TEMPLATE else "",
        "hook_url": given["hook_url"] if kind == Kind.HOOK else "",
        "origin": origin_of(origin) if origin else "",
        "mapping": mappings.clean(given["mapping"]),
        "input_columns": _columns(given["input_columns"]),
    }


def _columns(given: Sequence[str]) -> list[str]:
    columns = list(given or ())
    if len(columns) > MAX_COLUMNS or len(set(columns)) != len(columns):
        raise _wrong("input_columns", f"At most {MAX_COLUMNS:,} columns, each once.")
    if any(not name or len(name) > MAX_COLUMN_NAME or "\x00" in name for name in columns):
        raise _wrong("input_columns", f"A column's name has 1 to {MAX_COLUMN_NAME} characters.")
    return columns


def _insist_callable(url: str, caller: Caller) -> None:
    if not url or len(url) > 1024:
        raise _wrong("hook_url", "The hook's URL has 1 to 1,024 characters.")
    try:
        pinned = check_url(url, caller.workspace)
    except AddressRefused as error:
        host = (urlsplit(url).hostname or "")[:253] if "[" not in url else ""
        raise EndpointRefused(
            error.message, fields={"hook_url": [error.message]}, host=host
        ) from None
    except (Unreachable, DeadlineExceeded) as error:
        raise Invalid(
            error.message, code="host_not_found", fields={"hook_url": [error.message]}
        ) from None
    if url.startswith("http:") and is_public(ipaddress.ip_address(pinned.address)):
        reason = "A public address is called over https only."
        raise EndpointRefused(reason, fields={"hook_url": [reason]})


def _binding(source: EndpointSource, header: str) -> str:
    return f"source:{source.uid}:{header}"


def _wrong(field: str, reason: str) -> Invalid:
    return Invalid(reason, fields={field: [reason]})


def _facts(source: EndpointSource) -> dict[str, Any]:
    # Of URLs the origin only: paths and queries may carry keys.
    return {
        "kind": str(source.kind),
        "host": urlsplit(source.template or source.hook_url or source.origin).netloc,
        "protocol": source.protocol,
        "timeout_ms": source.timeout_ms,
        "columns": len(source.input_columns),
        "headers": sorted(it.header for it in source.secrets.all()) if source.pk else [],
    }


def _record(action: Action, source: EndpointSource, caller: Caller, **what: Any) -> None:
    audit.record(
        action,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="endpoint_source",
        object_id=str(source.uid),
        object_name=source.model.name,
        **what,
    )
