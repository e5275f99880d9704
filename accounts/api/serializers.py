"""What goes in and out of the accounts' API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import ApiToken, ServiceAccount
from accounts.models.api_token import MAX_LIFETIME
from accounts.roles import Role, Scope
from common.api.serializers import StrictSerializer


class WorkspaceOut(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()


class MeOut(serializers.Serializer[Any]):
    """Who the caller is here."""

    pid = serializers.CharField(help_text="who they are in the audit trail")
    kind = serializers.ChoiceField(choices=["person", "service_account"])
    name = serializers.CharField()
    email = serializers.CharField(allow_blank=True, help_text="empty for a service account")
    workspace = WorkspaceOut()
    roles = serializers.ListField(child=serializers.CharField())
    scopes = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="null in a session: no limit"
    )


class TokenIn(StrictSerializer):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=[scope.value for scope in Scope]),
        min_length=1,
        max_length=len(Scope),
    )
    days = serializers.IntegerField(min_value=1, max_value=MAX_LIFETIME.days, default=30)
    service_account = serializers.CharField(
        max_length=64, required=False, help_text="its pid; without it, a token for oneself"
    )


class TokenOut(serializers.ModelSerializer[ApiToken]):
    holder = serializers.SerializerMethodField(help_text="pid of the person or service account")

    class Meta:
        model = ApiToken
        fields = [
            "key_id",
            "name",
            "holder",
            "scopes",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]

    @extend_schema_field(serializers.CharField())
    def get_holder(self, token: ApiToken) -> str:
        holder = token.service_account or token.user
        return holder.pid if holder is not None else ""


class NewTokenOut(TokenOut):
    token = serializers.CharField(help_text="its text; given here and never again")

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "token"]


class MemberOut(serializers.Serializer[Any]):
    pid = serializers.CharField()
    email = serializers.EmailField()
    name = serializers.CharField()
    is_active = serializers.BooleanField()
    roles = serializers.ListField(child=serializers.CharField())


class ServiceAccountIn(StrictSerializer):
    name = serializers.CharField(max_length=100)
    responsible = serializers.EmailField(
        max_length=254, help_text="a person of this workspace, who answers for it"
    )
    roles = serializers.ListField(
        child=serializers.ChoiceField(choices=Role.values),
        min_length=1,
        max_length=len(Role.values),
    )


class ServiceAccountOut(serializers.ModelSerializer[ServiceAccount]):
    responsible = serializers.CharField(source="responsible.pid", read_only=True)

    class Meta:
        model = ServiceAccount
        fields = ["pid", "name", "responsible", "roles", "is_active", "created_at"]
