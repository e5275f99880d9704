"""Workspaces, people, roles, service accounts and tokens."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from accounts.models import ApiToken, Membership, ServiceAccount, User, Workspace
from accounts.roles import Role, Scope

PASSWORD = "correct horse battery staple"


class WorkspaceFactory(DjangoModelFactory):
    """A bare workspace: no signal, so no environments. The fixture ``workspace`` has them."""

    class Meta:
        model = Workspace

    slug = factory.Sequence(lambda n: f"team-{n}")
    name = factory.LazyAttribute(lambda it: it.slug.replace("-", " ").capitalize())


class UserFactory(DjangoModelFactory):
    """A person who signs in with ``PASSWORD``; in no workspace yet."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"person{n}@example.com")
    name = factory.Sequence(lambda n: f"Person {n}")

    @classmethod
    def _create(cls, model_class, *args, **kwargs):
        kwargs.setdefault("password", PASSWORD)
        return model_class.objects.create_user(*args, **kwargs)


class MembershipFactory(DjangoModelFactory):
    class Meta:
        model = Membership

    workspace = factory.SubFactory(WorkspaceFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.VIEWER


class ServiceAccountFactory(DjangoModelFactory):
    """``CI`` with a builder's roles; its responsible person holds no role unless given one."""

    class Meta:
        model = ServiceAccount

    workspace = factory.SubFactory(WorkspaceFactory)
    name = factory.Sequence(lambda n: f"ci-{n}")
    responsible = factory.SubFactory(UserFactory)
    roles = factory.LazyFunction(lambda: [Role.MODEL_OWNER.value, Role.REQUESTER.value])


def person(workspace: Workspace | None, *roles: str, **fields: object) -> User:
    """A person with these roles in ``workspace``."""
    user: User = UserFactory(**fields)
    for role in roles:
        MembershipFactory(workspace=workspace, user=user, role=role)
    return user


def token(
    workspace: Workspace,
    *,
    user: User | None = None,
    service_account: ServiceAccount | None = None,
    scopes: list[str] | None = None,
    days: int = 30,
    name: str = "test",
) -> tuple[ApiToken, str]:
    """A token row and its text, without the service's event; every scope unless given some."""
    from datetime import timedelta

    from django.utils import timezone

    from accounts.services import tokens

    now = timezone.now()
    key_id = tokens._random(8, tokens.ID_ALPHABET)
    secret = tokens._random(tokens.SECRET_LENGTH, tokens.ALPHABET)
    row = ApiToken.objects.create(
        workspace=workspace,
        user=user,
        service_account=service_account,
        key_id=key_id,
        secret_sha256=tokens.digest(secret),
        name=name,
        scopes=[scope.value for scope in Scope] if scopes is None else scopes,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    return row, tokens.format_token(key_id, secret)
