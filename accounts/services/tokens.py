"""API tokens: ``cs_<id8>_<secret>_<crc>``. Only a SHA-256 of the secret is kept.

The secret has 256 random bits, so a fast hash is enough: there is nothing to guess. The checksum
lets a mistyped token be refused without asking the database, and lets secret scanners know ours.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import ApiToken, Membership, ServiceAccount, User, Workspace
from accounts.models.api_token import MAX_LIFETIME
from accounts.roles import Capability, Scope
from audit.actions import Action
from audit.services import record as audit
from common.errors import Invalid, InvalidTransition, NotAllowed, NotFound

if TYPE_CHECKING:
    from accounts.callers import Caller

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
SECRET_LENGTH = 43  # of 62 letters: 256 bits
CRC_LENGTH = 6
USED_EVERY = timedelta(minutes=1)

_FORMAT = re.compile(r"cs_([0-9a-z]{8})_([0-9A-Za-z]{32,64})_([0-9A-Za-z]{6})")


@transaction.atomic
def create(
    *,
    workspace: Workspace,
    name: str,
    scopes: Iterable[str],
    days: int,
    caller: Caller,
    user: User | None = None,
    service_account: ServiceAccount | None = None,
) -> tuple[ApiToken, str]:
    """Make a token for a person or a service account; its text is returned here and never again.

    Args:
        days: lifetime, 1 to 90.
        scopes: at least one of ``Scope``; what the token may do is this and the roles behind it.

    Raises:
        NotAllowed: a token asks for a token, somebody for another person's, or a non-administrator
            for a service account's.
        Invalid: name, scopes or lifetime.
        NotFound: the service account belongs to another workspace, or the person to none here.
    """
    wanted = _checked(name, scopes, days)
    _insist_may_create(caller, workspace, user, service_account)
    key_id, secret = _random(8, ID_ALPHABET), _random(SECRET_LENGTH, ALPHABET)
    now = timezone.now()
    token = ApiToken.objects.create(
        workspace=workspace,
        user=user,
        service_account=service_account,
        key_id=key_id,
        secret_sha256=digest(secret),
        name=name.strip(),
        scopes=wanted,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    audit.record(
        Action.TOKEN_CREATED,
        actor=caller.actor,
        workspace=workspace.slug,
        object_type="token",
        object_id=key_id,
        object_name=token.name,
        after={
            "scopes": wanted,
            "expires_at": token.expires_at,
            "holder": service_account.pid if service_account is not None else _pid(user),
        },
    )
    return token, format_token(key_id, secret)


@transaction.atomic
def revoke(*, token: ApiToken, caller: Caller) -> ApiToken:
    """End a token at once. Its person may, and an administrator of its workspace.

    Raises:
        NotFound: it is neither theirs nor, for administrators, of their workspace.
        InvalidTransition: it was revoked before.
    """
    held = ApiToken.objects.select_for_update(of=("self",)).get(pk=token.pk)
    _insist_may_revoke(caller, held)
    if held.revoked_at is not None:
        raise InvalidTransition("This token was revoked before.")
    return _revoke(held, caller, at=timezone.now())


@transaction.atomic
def revoke_all(*, user: User, caller: Caller, workspace: Workspace | None = None) -> int:
    """End every live token of a person (here, or everywhere), and of nobody else; returns how many.

    Called by the services that take somebody's access away; they decide who may.
    """
    live = ApiToken.objects.select_for_update(of=("self",)).filter(user=user, revoked_at=None)
    if workspace is not None:
        live = live.filter(workspace=workspace)
    now = timezone.now()
    return len([_revoke(token, caller, at=now) for token in live.order_by("pk")])


def authenticate(raw: str) -> ApiToken | None:
    """The live token with this text, its holder fetched along; None for anything else."""
    parts = parse(raw)
    if parts is None:
        return None
    key_id, secret = parts
    now = timezone.now()
    token = (
        ApiToken.objects.select_related("workspace", "user", "service_account__responsible")
        .filter(key_id=key_id, revoked_at=None, expires_at__gt=now)
        .first()
    )
    if token is None or not hmac.compare_digest(bytes(token.secret_sha256), digest(secret)):
        return None
    if not _is_holder_active(token):
        return None
    if touch(token.pk, last_used_at=token.last_used_at, now=now):
        token.last_used_at = now
    return token


def parse(raw: str) -> tuple[str, str] | None:
    """Key id and secret of a text that is a token by its form and checksum, else None."""
    found = _FORMAT.fullmatch(raw)
    if found is None or not _is_checksum(found[1], found[2], found[3]):
        return None
    return found[1], found[2]


def format_token(key_id: str, secret: str) -> str:
    return f"cs_{key_id}_{secret}_{_checksum(key_id, secret)}"


def _checked(name: str, scopes: Iterable[str], days: int) -> list[str]:
    fields: dict[str, list[str]] = {}
    if not 0 < len(name.strip()) <= 100:
        fields["name"] = ["Give it a name of 1 to 100 characters."]
    wanted = sorted({str(scope) for scope in scopes})
    unknown = sorted(set(wanted) - {scope.value for scope in Scope})
    if unknown:
        fields["scopes"] = [f"There is no scope {', '.join(unknown)[:200]}."]
    elif not wanted:
        fields["scopes"] = ["Choose at least one scope."]
    if not 1 <= days <= MAX_LIFETIME.days:
        fields["days"] = [f"A token lives 1 to {MAX_LIFETIME.days} days."]
    if fields:
        raise Invalid("The token cannot be made like this.", fields=fields)
    return wanted


def _insist_may_create(
    caller: Caller,
    workspace: Workspace,
    user: User | None,
    service_account: ServiceAccount | None,
) -> None:
    if (user is None) == (service_account is None):
        raise Invalid("A token stands for a person or for a service account.")
    if caller.token is not None:
        # Otherwise a leaked token could outlive its own expiry and widen its own scopes.
        raise NotAllowed("A token cannot make tokens; sign in.", code="machine_cannot_make_tokens")
    if caller.workspace != workspace:
        raise NotFound("There is no such workspace.")
    if service_account is not None:
        if service_account.workspace_id != workspace.pk:
            raise NotFound("There is no such service account.")
        if not service_account.is_active:
            raise InvalidTransition("This service account is no longer active.")
        caller.insist(Capability.WORKSPACE_ADMIN)
        return
    if not caller.is_system and caller.user != user:
        raise NotAllowed("A person's token can only be made by that person.")
    if not Membership.objects.filter(user=user, workspace=workspace).exists():
        raise NotFound("This person holds no role in this workspace.")


def _insist_may_revoke(caller: Caller, token: ApiToken) -> None:
    if caller.is_system:
        return
    if token.workspace_id != caller.workspace.pk:
        raise NotFound("There is no such token.")
    if caller.token is not None and caller.token.pk == token.pk:
        return  # a job may throw its own token away
    if caller.token is None and caller.user is not None and caller.user.pk == token.user_id:
        return
    if not caller.may(Capability.WORKSPACE_ADMIN):
        raise NotFound("There is no such token.")


def _revoke(token: ApiToken, caller: Caller, *, at: datetime) -> ApiToken:
    token.revoked_at = at
    token.save(update_fields=["revoked_at"])
    audit.record(
        Action.TOKEN_REVOKED,
        actor=caller.actor,
        workspace=token.workspace.slug,
        object_type="token",
        object_id=token.key_id,
        object_name=token.name,
    )
    return token


def _is_holder_active(token: ApiToken) -> bool:
    service = token.service_account
    if service is not None:
        # The person who answers for it left: nobody answers for it now.
        return service.is_active and service.responsible.is_active
    return token.user is not None and token.user.is_active


def touch(pk: int, *, last_used_at: datetime | None, now: datetime) -> bool:
    """Note the use, at most once a minute, so that reading stays reading; whether it was noted."""
    if last_used_at is not None and now - last_used_at < USED_EVERY:
        return False
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
    ApiToken.objects.filter(stale, pk=pk).update(last_used_at=now)
    return True


def _pid(user: User | None) -> str:
    return user.pid if user is not None else ""


def _random(length: int, alphabet: str) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _checksum(key_id: str, secret: str) -> str:
    number = zlib.crc32(f"cs_{key_id}_{secret}".encode())
    text = ""
    for _ in range(CRC_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        text = ALPHABET[digit] + text
    return text


def _is_checksum(key_id: str, secret: str, given: str) -> bool:
    return hmac.compare_digest(_checksum(key_id, secret), given)
