"""Forms of the account pages: shape only; the services know the rules."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from accounts.models import User
from accounts.models.api_token import MAX_LIFETIME, SIGNING_ROLES
from accounts.roles import Role, Scope

SCOPES = [
    (Scope.READ, "read: look at everything"),
    (Scope.REGISTRY_WRITE, "registry:write: models, versions, datasets"),
    (Scope.SERVING_WRITE, "serving:write: endpoints"),
    (Scope.EVIDENCE_WRITE, "evidence:write: ask for evidence"),
    (Scope.REQUEST_WRITE, "requests:write: promotion requests, findings"),
    (Scope.PREDICTIONS_WRITE, "predictions:write: log predictions and labels"),
    (Scope.MONITORING_WRITE, "monitoring:write: monitors, alerts"),
    (Scope.ROLLOUTS_WRITE, "rollouts:write: pause, abort, roll back"),
    (Scope.POLICIES_WRITE, "policies:write: policies"),
    (Scope.AUDIT_READ, "audit:read: the trail and its exports"),
    (Scope.ADMIN, "admin: the workspace's settings"),
    (Scope.GATEWAY, "gateway: for a gateway's agent"),
    (Scope.METRICS, "metrics: for Prometheus"),
]
MACHINE_ROLES = [(value, label) for value, label in Role.choices if value not in SIGNING_ROLES]


class TokenForm(forms.Form):
    """A token for oneself or for a service account."""

    name = forms.CharField(max_length=100, help_text="What will use it, such as “CI of team A”.")
    scopes = forms.MultipleChoiceField(choices=SCOPES, widget=forms.CheckboxSelectMultiple)
    days = forms.IntegerField(
        label="Valid for (days)", min_value=1, max_value=MAX_LIFETIME.days, initial=30
    )


class PersonForm(forms.Form):
    """Somebody by e-mail, with a first role here."""

    email = forms.EmailField(max_length=254, label="E-mail")
    name = forms.CharField(max_length=200, required=False)
    role = forms.ChoiceField(choices=Role.choices)


class RoleForm(forms.Form):
    """One role, to give or to take."""

    role = forms.ChoiceField(choices=Role.choices)


class PersonChoice(forms.ModelChoiceField):
    def label_from_instance(self, person: User) -> str:
        return f"{person} ({person.email})" if person.name else person.email


class ServiceAccountForm(forms.Form):
    """A machine's identity; ``people`` are those who may answer for it."""

    name = forms.CharField(max_length=100)
    responsible = PersonChoice(queryset=User.objects.none())
    roles = forms.MultipleChoiceField(choices=MACHINE_ROLES, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, people: QuerySet[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("PersonChoice", self.fields["responsible"]).queryset = people
