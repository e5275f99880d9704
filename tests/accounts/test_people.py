"""People, roles, workspaces and service accounts: who may change them, and what is left behind."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from accounts import selectors
from accounts.callers import Caller
from accounts.models import Membership, ServiceAccount, Session, User, Workspace
from accounts.roles import Role
from accounts.services import people, service_accounts, workspaces
from accounts.signals import workspace_created
from audit.actions import Action
from audit.models import Event, Pii
from common.errors import AlreadyExists, Conflict, Invalid, NotAllowed, NotFound
from tests.factories import accounts

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator(caller_for):
    return caller_for("administrator")


@pytest.fixture
def token_of_administrator(workspace, person, rf):
    from accounts.http import token_caller

    row, _ = accounts.token(workspace, user=person("administrator"))
    return token_caller(rf.get("/"), row)


def test_a_person_is_made_with_roles(administrator, workspace, recorded_actions):
    user = people.create_person(
        email=" Ada@Example.com", name="Ada", roles=["validator", "validator"], caller=administrator
    )

    assert user.email == "ada@example.com"
    assert not user.has_usable_password()
    assert selectors.roles_of(user, workspace) == {"validator"}
    assert Membership.objects.get(user=user).granted_by == administrator.user
    assert recorded_actions() == [Action.PERSON_CREATED, Action.ROLE_GRANTED]


def test_the_trail_holds_the_pseudonym_and_keeps_the_name_aside(administrator):
    # letters that no hexadecimal digest can spell by chance
    user = people.create_person(email="zoltan@example.com", name="Zoltan", caller=administrator)

    event = Event.objects.get()
    assert event.object_id == user.pid
    assert "zoltan" not in event.body.lower()
    assert set(Pii.objects.filter(event=event).values_list("value", flat=True)) >= {
        "Zoltan",
        "zoltan@example.com",
    }


def test_an_address_belongs_to_one_person_whatever_its_case(administrator, recorded_actions):
    people.create_person(email="ada@example.com", caller=administrator)

    with pytest.raises(AlreadyExists):
        people.create_person(email="ADA@example.com", caller=administrator)
    with pytest.raises(IntegrityError, match="user_email_once"), transaction.atomic():
        User.objects.create(email="Ada@example.com")

    assert recorded_actions() == [Action.PERSON_CREATED]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "a\n@example.com"}, "email"),
        ({"email": "a" * 250 + "@example.com"}, "email"),
        ({"name": "x" * 201}, "name"),
        ({"roles": ["king"]}, "role"),
    ],
)
def test_a_bad_person_is_refused_by_field(administrator, recorded_actions, changes, field):
    before = User.objects.count()

    with pytest.raises(Invalid) as refused:
        people.create_person(**{"email": "a@example.com", **changes}, caller=administrator)

    assert list(refused.value.fields) == [field]
    assert User.objects.count() == before
    assert recorded_actions() == []


def test_adding_somebody_known_gives_them_the_role(administrator, workspace):
    known = accounts.UserFactory(email="ada@example.com", name="Ada")

    user = people.add(email="ADA@example.com", name="Eve", role="auditor", caller=administrator)

    user.refresh_from_db()
    assert (user, user.name) == (known, "Ada")
    assert selectors.roles_of(known, workspace) == {"auditor"}


@pytest.mark.parametrize("role", [role for role in Role.values if role != "administrator"])
def test_only_an_administrator_changes_roles(caller_for, person, workspace, recorded_actions, role):
    caller, user = caller_for(role), person("viewer")

    for change in (
        lambda: people.grant_role(user=user, role="auditor", workspace=workspace, caller=caller),
        lambda: people.revoke_role(user=user, role="viewer", workspace=workspace, caller=caller),
        lambda: people.create_person(email="a@example.com", caller=caller),
        lambda: people.deactivate(user=user, caller=caller),
    ):
        with pytest.raises(NotAllowed):
            change()

    assert selectors.roles_of(user, workspace) == {"viewer"}
    assert recorded_actions() == []


def test_a_token_changes_no_roles(token_of_administrator, person, workspace, recorded_actions):
    """Otherwise a leaked token could make itself a person who signs."""
    user = person("viewer")

    for change in (people.grant_role, people.revoke_role):
        with pytest.raises(NotAllowed) as refused:
            change(user=user, role="viewer", workspace=workspace, caller=token_of_administrator)
        assert refused.value.code == "machine_cannot_grant"
    with pytest.raises(NotAllowed):
        service_accounts.create(
            caller=token_of_administrator, name="x", responsible=user, roles=["viewer"]
        )

    assert recorded_actions() == []


def test_nobody_gives_a_role_to_themself(administrator, workspace, recorded_actions):
    with pytest.raises(NotAllowed):
        people.grant_role(
            user=administrator.user, role="validator", workspace=workspace, caller=administrator
        )

    assert selectors.roles_of(administrator.user, workspace) == {"administrator"}
    assert recorded_actions() == []


def test_the_database_too_refuses_a_role_given_to_oneself(person, workspace):
    user = person("viewer")

    with (
        pytest.raises(IntegrityError, match="membership_not_granted_to_oneself"),
        transaction.atomic(),
    ):
        Membership.objects.create(workspace=workspace, user=user, role="validator", granted_by=user)


def test_the_database_knows_the_roles(person, workspace):
    user = person("viewer")

    with pytest.raises(IntegrityError, match="membership_role_is_known"), transaction.atomic():
        Membership.objects.create(workspace=workspace, user=user, role="king")
    with pytest.raises(IntegrityError, match="membership_role_once"), transaction.atomic():
        Membership.objects.create(workspace=workspace, user=user, role="viewer")


def test_an_administrator_has_no_say_elsewhere(administrator, person):
    elsewhere = accounts.WorkspaceFactory()

    with pytest.raises(NotFound):
        people.grant_role(
            user=person("viewer"), role="auditor", workspace=elsewhere, caller=administrator
        )
    with pytest.raises(NotFound):
        people.deactivate(user=accounts.person(elsewhere, "viewer"), caller=administrator)


def test_with_the_last_role_go_the_tokens_here(administrator, workspace, person, recorded_actions):
    user = person("viewer", "auditor")
    row, _ = accounts.token(workspace, user=user)
    elsewhere = accounts.WorkspaceFactory()
    accounts.MembershipFactory(user=user, workspace=elsewhere)
    kept, _ = accounts.token(elsewhere, user=user)

    people.revoke_role(user=user, role="viewer", workspace=workspace, caller=administrator)
    row.refresh_from_db()
    assert row.revoked_at is None
    people.revoke_role(user=user, role="auditor", workspace=workspace, caller=administrator)

    row.refresh_from_db()
    kept.refresh_from_db()
    assert row.revoked_at is not None
    assert kept.revoked_at is None
    assert recorded_actions() == [Action.ROLE_REVOKED, Action.TOKEN_REVOKED, Action.ROLE_REVOKED]


def test_a_role_that_is_not_held_cannot_be_taken(administrator, workspace, person):
    with pytest.raises(NotFound):
        people.revoke_role(
            user=person("viewer"), role="auditor", workspace=workspace, caller=administrator
        )


def test_the_last_administrator_stays(administrator, workspace, person, recorded_actions):
    with pytest.raises(Conflict) as refused:
        people.revoke_role(
            user=administrator.user,
            role="administrator",
            workspace=workspace,
            caller=administrator,
        )
    assert refused.value.code == "last_administrator"
    with pytest.raises(Conflict):
        people.deactivate(user=administrator.user, caller=Caller.system("test", workspace))
    assert recorded_actions() == []

    person("administrator")
    people.revoke_role(
        user=administrator.user, role="administrator", workspace=workspace, caller=administrator
    )
    assert recorded_actions() == [Action.ROLE_REVOKED]


def test_a_deactivated_persons_sessions_and_tokens_end_at_once(
    administrator, client_for, workspace, person, recorded_actions
):
    user, other = person("operator"), client_for("viewer")
    browser = client_for(user)
    row, _ = accounts.token(workspace, user=user)
    assert browser.get("/api/v1/me").status_code == 200

    people.deactivate(user=user, caller=administrator)

    row.refresh_from_db()
    assert row.revoked_at is not None
    assert not Session.objects.filter(user=user).exists()
    assert browser.get("/api/v1/me").status_code == 401
    assert browser.get("/accounts/profile/").status_code == 302
    assert other.get("/api/v1/me").status_code == 200
    assert selectors.roles_of(User.objects.get(pk=user.pk), workspace) == frozenset()
    assert recorded_actions() == [Action.TOKEN_REVOKED, Action.PERSON_DEACTIVATED]


def test_a_session_alone_does_not_outlive_the_flag(client_for, person):
    """Even where the rows were not deleted: the flag is read with every request."""
    user = person("operator")
    browser = client_for(user)
    User.objects.filter(pk=user.pk).update(is_active=False)

    assert browser.get("/api/v1/me").status_code == 401


def test_an_administrator_does_not_deactivate_people_of_others(administrator, person):
    user = person("viewer")
    accounts.MembershipFactory(user=user)

    with pytest.raises(NotAllowed):
        people.deactivate(user=user, caller=administrator)
    with pytest.raises(NotAllowed):
        people.deactivate(user=administrator.user, caller=administrator)

    user.refresh_from_db()
    assert user.is_active


def test_a_workspace_starts_empty_and_is_announced(recorded_actions):
    heard = []

    def listen(sender, workspace, **_):
        heard.append(workspace)

    workspace_created.connect(listen)
    try:
        user = accounts.UserFactory()
        made = workspaces.create(slug="risk", name=" Risk ", administrator=user)
    finally:
        workspace_created.disconnect(listen)

    assert heard == [made]
    assert made.name == "Risk"
    assert selectors.roles_of(user, made) == {"administrator"}
    assert recorded_actions("risk")[:2] == [Action.WORKSPACE_CREATED, Action.ROLE_GRANTED]


@pytest.mark.parametrize("slug", ["", "-a", "A", "a b", "a/b", "a" * 65, "ä"])
def test_a_bad_slug_is_refused(slug):
    with pytest.raises(Invalid) as refused:
        workspaces.create(slug=slug, name="x")

    assert list(refused.value.fields) == ["slug"]
    assert not Workspace.objects.exists()


def test_a_slug_is_taken_once(workspace, recorded_actions):
    with pytest.raises(AlreadyExists):
        workspaces.create(slug=workspace.slug, name="x")
    with (
        pytest.raises(IntegrityError, match="workspace_slug_is_a_slug"),
        transaction.atomic(),
    ):
        Workspace.objects.create(slug="No Slug", name="x")

    assert recorded_actions() == []


def test_a_service_account_has_somebody_who_answers_for_it(administrator, workspace, person):
    account = service_accounts.create(
        caller=administrator, name="ci", responsible=person("requester"), roles=["requester"]
    )

    assert account.workspace == workspace


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"roles": []}, "roles"),
        ({"roles": ["king"]}, "roles"),
        ({"roles": ["requester", "validator"]}, "roles"),
    ],
)
def test_a_bad_service_account_is_refused(administrator, person, recorded_actions, changes, field):
    values = {"name": "ci", "roles": ["requester"], "responsible": person("requester")}

    with pytest.raises(Invalid) as refused:
        service_accounts.create(caller=administrator, **{**values, **changes})

    assert list(refused.value.fields) == [field]
    assert not ServiceAccount.objects.exists()
    assert recorded_actions() == []


def test_a_stranger_cannot_answer_for_a_service_account(administrator):
    with pytest.raises(Invalid) as refused:
        service_accounts.create(
            caller=administrator,
            name="ci",
            responsible=accounts.UserFactory(),
            roles=["requester"],
        )

    assert list(refused.value.fields) == ["responsible"]


def test_people_with_a_role_are_active_and_here(workspace, person):
    ada = person("validator")
    gone = person("validator")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    accounts.person(accounts.WorkspaceFactory(), "validator")
    person("operator")

    assert list(selectors.people_with_role(workspace, "validator")) == [ada]
