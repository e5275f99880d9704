"""What allauth and axes tell, passed on to our services."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from allauth.account import signals as allauth
from django.contrib.auth.signals import user_login_failed
from django.dispatch import receiver

from accounts import http, lockout
from accounts.services import sign_in
from audit.actor import Actor

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

logger = logging.getLogger(__name__)


@receiver(allauth.user_logged_in, dispatch_uid="accounts.signed_in")
def on_signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    sign_in.signed_in(user=user, actor=http.person_actor(request, user))


@receiver(user_login_failed, dispatch_uid="accounts.sign_in_failed")
def on_sign_in_failed(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    """A locked-out address is recorded by the attempt that locked it, not by each one after."""
    if request is None or getattr(request, "axes_locked_out", False):
        return
    sign_in.sign_in_failed(
        email=lockout.username(request, credentials),
        actor=Actor(
            pid="unknown",
            kind="user",
            auth={"method": "password"},
            request=http.request_facts(request),
        ),
        reason="wrong_credentials",
    )


@receiver(allauth.password_changed, dispatch_uid="accounts.password_changed")
@receiver(allauth.password_reset, dispatch_uid="accounts.password_reset")
@receiver(allauth.password_set, dispatch_uid="accounts.password_set")
def on_password_changed(request: HttpRequest, user: User, **_: Any) -> None:
    sign_in.password_changed(
        user=user, actor=http.person_actor(request, user), keep=request.session.session_key
    )
