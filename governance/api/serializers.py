"""What comes in and goes out of governance's API."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import StrictSerializer
from governance.models import Finding, GateResult, Policy, PolicyRevision, PromotionRequest
from governance.selectors import Slot
from governance.services.clearance import Clearance

MAX_SOURCE = 64 * 1024


class PolicyIn(StrictSerializer):
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=MAX_SOURCE, help_text="the policy in YAML or JSON"
    )


class RevisionIn(PolicyIn):
    seen_revision = serializers.IntegerField(
        min_value=1, required=False, help_text="the revision it was written on top of"
    )


class RevisionOut(serializers.ModelSerializer[PolicyRevision]):
    body = serializers.JSONField(read_only=True)

    class Meta:
        model = PolicyRevision
        fields = (
            "number",
            "digest",
            "tiers",
            "environment",
            "kinds",
            "source",
            "body",
            "created_by_label",
            "created_at",
        )


class PolicyOut(serializers.ModelSerializer[Policy]):
    """A policy with its newest revision."""

    revision = serializers.SerializerMethodField()

    class Meta:
        model = Policy
        fields = ("uid", "name", "created_at", "retired_at", "revision")

    @extend_schema_field(RevisionOut(allow_null=True))
    def get_revision(self, policy: Policy) -> Any:
        newest = max(policy.revisions.all(), key=lambda item: item.number, default=None)
        return RevisionOut(newest).data if newest is not None else None


class RequestIn(StrictSerializer):
    model = serializers.CharField(max_length=255)
    version = serializers.IntegerField(min_value=1)
    environment = serializers.CharField(max_length=64)
    comment = serializers.CharField(max_length=5000, required=False, allow_blank=True)


class ApproveIn(StrictSerializer):
    digest = serializers.CharField(max_length=71, help_text="the request digest that was seen")
    meaning = serializers.CharField(
        max_length=300, help_text="one of the policy's meanings, word for word"
    )
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    reason = serializers.CharField(max_length=5000, required=False, allow_blank=True)
    role = serializers.CharField(max_length=32, required=False, allow_blank=True)


class RejectIn(ApproveIn):
    meaning = serializers.CharField(max_length=300, required=False, allow_blank=True)
    reason = serializers.CharField(max_length=5000)


class WithdrawIn(StrictSerializer):
    reason = serializers.CharField(max_length=5000, required=False, allow_blank=True)


class ClearanceIn(StrictSerializer):
    digest = serializers.CharField(max_length=200, help_text="release digest about to be deployed")
    wait = serializers.IntegerField(
        min_value=0,
        max_value=60,
        required=False,
        default=0,
        help_text="seconds to wait for an answer that is final",
    )


class ReasonOut(serializers.Serializer[Any]):
    code = serializers.CharField()
    message = serializers.CharField()


class ClearanceOut(serializers.Serializer[Any]):
    """``state`` is cleared, waiting or blocked."""

    state = serializers.ChoiceField(choices=["cleared", "waiting", "blocked"])
    request = serializers.UUIDField()
    number = serializers.IntegerField()
    release_digest = serializers.CharField()
    reasons = ReasonOut(many=True)


class GateOut(serializers.ModelSerializer[Any]):
    evidence = serializers.UUIDField(source="evidence.uid", allow_null=True, default=None)

    class Meta:
        model = GateResult
        fields = (
            "name",
            "title",
            "state",
            "severity",
            "comparison",
            "observed",
            "lower",
            "upper",
            "limit",
            "live_value",
            "explanation",
            "remedy",
            "evidence",
        )


class SignerOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    meaning = serializers.CharField()
    signed_at = serializers.DateTimeField()


class ApprovalOut(serializers.Serializer[Any]):
    role = serializers.CharField()
    needed = serializers.IntegerField()
    signed_by = SignerOut(many=True)


class LinksOut(serializers.Serializer[Any]):
    page = serializers.CharField()
    clearance = serializers.CharField()


class RequestRowOut(serializers.ModelSerializer[PromotionRequest]):
    """A request as lists show it."""

    model = serializers.CharField(source="model.name")
    version = serializers.IntegerField(source="version.number")
    environment = serializers.CharField(source="environment.name")
    replaces = serializers.IntegerField(source="live_version.number", allow_null=True, default=None)
    policy = serializers.CharField(source="policy_revision.policy.name")
    policy_revision = serializers.IntegerField(source="policy_revision.number")
    requested_by = serializers.CharField(source="requested_by.get_full_name")
    requested_through = serializers.CharField(
        source="requested_through.name", allow_null=True, default=None
    )
    rollout = serializers.UUIDField(source="rollout_uid", allow_null=True)

    class Meta:
        model = PromotionRequest
        fields: tuple[str, ...] = (
            "uid",
            "number",
            "status",
            "model",
            "version",
            "environment",
            "replaces",
            "digest",
            "round",
            "release_digest",
            "policy",
            "policy_revision",
            "requested_by",
            "requested_through",
            "opened_at",
            "valid_until",
            "closed_at",
            "closed_reason",
            "rollout",
        )


class RequestOut(RequestRowOut):
    """A request with its gates, approvals and clearance; ``context`` holds them."""

    gates = serializers.SerializerMethodField()
    approvals = serializers.SerializerMethodField()
    clearance = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()
    meanings = serializers.SerializerMethodField()

    class Meta(RequestRowOut.Meta):
        fields = (
            *RequestRowOut.Meta.fields,
            "comment",
            "gates",
            "approvals",
            "meanings",
            "clearance",
            "links",
        )

    @extend_schema_field(GateOut(many=True))
    def get_gates(self, promotion: PromotionRequest) -> Any:
        return GateOut(self.context["gates"], many=True).data

    @extend_schema_field(ApprovalOut(many=True))
    def get_approvals(self, promotion: PromotionRequest) -> Any:
        slots: list[Slot] = self.context["slots"]
        rows = [
            {
                "role": slot.role,
                "needed": slot.needed,
                "signed_by": [
                    {"name": str(item.user), "meaning": item.meaning, "signed_at": item.signed_at}
                    for item in slot.signed
                ],
            }
            for slot in slots
        ]
        return ApprovalOut(rows, many=True).data

    @extend_schema_field(serializers.DictField(child=serializers.ListField()))
    def get_meanings(self, promotion: PromotionRequest) -> Any:
        return promotion.policy_revision.body["meanings"]

    @extend_schema_field(ClearanceOut)
    def get_clearance(self, promotion: PromotionRequest) -> Any:
        return clearance_data(promotion, self.context["clearance"])

    @extend_schema_field(LinksOut)
    def get_links(self, promotion: PromotionRequest) -> Any:
        return {
            "page": reverse("governance:request-detail", args=[promotion.number]),
            "clearance": reverse("v1:promotion-request-clearance", args=[promotion.uid])
            + f"?digest={promotion.release_digest}",
        }


def clearance_data(promotion: PromotionRequest, found: Clearance) -> dict[str, Any]:
    """A clearance as the API says it."""
    return {
        "state": found.state.value,
        "request": str(promotion.uid),
        "number": promotion.number,
        "release_digest": promotion.release_digest,
        "reasons": [{"code": item.code, "message": item.message} for item in found.reasons],
    }


class FindingIn(StrictSerializer):
    severity = serializers.ChoiceField(choices=Finding.Severity.choices)
    title = serializers.CharField(max_length=300)
    description = serializers.CharField(max_length=10_000, required=False, allow_blank=True)
    due_on = serializers.DateField(required=False)
    owner = serializers.EmailField(required=False, help_text="e-mail of a person here")
    model = serializers.CharField(max_length=255, required=False)
    version = serializers.IntegerField(min_value=1, required=False)


class FindingChangeIn(StrictSerializer):
    severity = serializers.ChoiceField(choices=Finding.Severity.choices, required=False)
    due_on = serializers.DateField(required=False)
    owner = serializers.EmailField(required=False, help_text="e-mail of a person here")


class FindingCloseIn(StrictSerializer):
    resolution = serializers.CharField(max_length=10_000)


class FindingOut(serializers.ModelSerializer[Finding]):
    owner = serializers.EmailField(source="owner.email", allow_null=True, default=None)
    model = serializers.CharField(source="model.name", allow_null=True, default=None)
    version = serializers.IntegerField(source="version.number", allow_null=True, default=None)
    request = serializers.UUIDField(source="promotion.uid", allow_null=True, default=None)
    closed_by = serializers.CharField(
        source="closed_by.get_full_name", allow_null=True, default=None
    )

    class Meta:
        model = Finding
        fields = (
            "uid",
            "number",
            "severity",
            "state",
            "title",
            "description",
            "due_on",
            "owner",
            "model",
            "version",
            "request",
            "source",
            "reference",
            "opened_by_label",
            "opened_at",
            "resolution",
            "closed_by",
            "closed_at",
        )
