"""What comes in and goes out about receipts, devices, rings, recalls and snapshots."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from common.api.serializers import StrictSerializer
from delivery.models import BatchReceipt, Fallback, LearningPlan, Recall, Ring, Snapshot
from delivery.models.fleet import RING_NAME
from delivery.services import learning

DIGEST = r"^sha256:[0-9a-f]{64}$"
BIG = 2**53


class DigestField(serializers.RegexField):
    """``sha256:`` and 64 small hexadecimal digits."""

    def __init__(self, **kwargs: Any) -> None:
        wrong = "“sha256:” and 64 small hexadecimal digits."
        super().__init__(DIGEST, max_length=71, error_messages={"invalid": wrong}, **kwargs)


class ReceiptIn(StrictSerializer):
    run_id = serializers.CharField(max_length=200)
    digest = DigestField(required=False, help_text="of the release that the run used")
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    environment = serializers.CharField(
        max_length=64, required=False, help_text="the last one, when left out"
    )
    rows = serializers.IntegerField(min_value=0, max_value=BIG)
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField()
    input_digest = DigestField(required=False)
    output_digest = DigestField(required=False)


class ReceiptOut(serializers.ModelSerializer[BatchReceipt]):
    model = serializers.CharField(source="model.name")
    environment = serializers.CharField(source="environment.name")
    version = serializers.IntegerField(source="version.number", allow_null=True, default=None)
    expected_version = serializers.IntegerField(
        source="expected.number", allow_null=True, default=None
    )

    class Meta:
        model = BatchReceipt
        fields = [
            "uid",
            "run_id",
            "model",
            "environment",
            "version",
            "stated",
            "expected_version",
            "state",
            "reason",
            "rows",
            "started_at",
            "finished_at",
            "input_digest",
            "output_digest",
            "sent_by_label",
            "received_at",
        ]


class DeviceReportIn(StrictSerializer):
    """One report. Many: a JSON list of these, or one a line (NDJSON), at most 1,000."""

    device_id = serializers.CharField(max_length=128, help_text="a pseudonym, never an address")
    digest = DigestField(help_text="of the release that the device runs")
    ring = serializers.CharField(max_length=32, required=False, allow_blank=True)
    at = serializers.DateTimeField(help_text="the device's own time")


class TakenOut(serializers.Serializer[Any]):
    reports = serializers.IntegerField()
    late = serializers.IntegerField(help_text="older than what was known of the device")


class DeviceOut(serializers.Serializer[Any]):
    device_id = serializers.CharField()
    digest = serializers.CharField()
    version = serializers.IntegerField(source="version.number", allow_null=True, default=None)
    ring = serializers.CharField()
    seen_at = serializers.DateTimeField()
    first_seen_at = serializers.DateTimeField()
    state = serializers.CharField(help_text="current, behind, silent, unknown or recalled")


class ShareOut(serializers.Serializer[Any]):
    version = serializers.IntegerField(source="version.number", allow_null=True, default=None)
    digest = serializers.CharField(source="version.release_digest", allow_null=True, default=None)
    devices = serializers.IntegerField()
    share = serializers.FloatField(help_text="0 to 1")
    state = serializers.CharField()
    rings = serializers.DictField(child=serializers.IntegerField())


class FleetOut(serializers.Serializer[Any]):
    model = serializers.CharField()
    route = serializers.CharField(allow_null=True)
    live_version = serializers.IntegerField(allow_null=True)
    held_version = serializers.IntegerField(allow_null=True)
    devices = serializers.IntegerField()
    states = serializers.DictField(child=serializers.IntegerField())
    versions = ShareOut(many=True)
    days = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()),
        help_text="by day: how many devices spoke, by what they ran",
    )


class RingIn(StrictSerializer):
    name = serializers.RegexField(RING_NAME, max_length=32)
    share = serializers.IntegerField(min_value=1, max_value=100, help_text="percent")


class RingsIn(StrictSerializer):
    """The rings in order, the first to get a new version first; shares make up 100."""

    rings = RingIn(many=True)


class RingOut(serializers.ModelSerializer[Ring]):
    class Meta:
        model = Ring
        fields = ["name", "position", "share"]


class RingsOut(serializers.Serializer[Any]):
    route = serializers.CharField()
    rings = RingOut(many=True)
    held_version = serializers.IntegerField(
        allow_null=True, help_text="what the rings that still wait are given"
    )
    open_rings = serializers.IntegerField(help_text="how many, from the first, get what is live")


class OpenRingIn(StrictSerializer):
    ring = serializers.CharField(max_length=32)


class RecallIn(StrictSerializer):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    reason = serializers.CharField(max_length=500)
    devices = serializers.IntegerField(
        min_value=0,
        max_value=BIG,
        required=False,
        help_text="how many devices you know to be on it; with more, nothing happens",
    )


class LiftIn(StrictSerializer):
    reason = serializers.CharField(max_length=500)


class RecallOut(serializers.ModelSerializer[Recall]):
    model = serializers.CharField(source="model.name")
    version = serializers.IntegerField(source="version.number")
    release_digest = serializers.CharField(source="version.release_digest")

    class Meta:
        model = Recall
        fields = [
            "uid",
            "model",
            "version",
            "release_digest",
            "reason",
            "devices",
            "ordered_by_label",
            "ordered_at",
            "lifted_at",
            "lifted_reason",
        ]


class LearningIn(StrictSerializer):
    every_seconds = serializers.IntegerField(min_value=60, max_value=366 * 24 * 3600)
    how = serializers.ChoiceField(choices=LearningPlan.How.choices, required=False)
    url = serializers.CharField(max_length=2000)
    secret = serializers.CharField(
        max_length=200, min_length=16, required=False, write_only=True, help_text="signs the hook"
    )


class LearningOut(serializers.ModelSerializer[LearningPlan]):
    model = serializers.CharField(source="model.name")
    url = serializers.SerializerMethodField()
    set_by = serializers.CharField()
    last_snapshot_at = serializers.SerializerMethodField()
    is_stale = serializers.SerializerMethodField()

    class Meta:
        model = LearningPlan
        fields = [
            "model",
            "every_seconds",
            "how",
            "url",
            "set_by",
            "set_at",
            "next_at",
            "last_snapshot_at",
            "is_stale",
        ]

    def get_url(self, plan: LearningPlan) -> str:
        return learning.shown_url(plan.url)

    def get_last_snapshot_at(self, plan: LearningPlan) -> str | None:
        last = learning.age(plan).last_at
        return last.isoformat() if last is not None else None

    def get_is_stale(self, plan: LearningPlan) -> bool:
        return learning.age(plan).is_stale


class SnapshotIn(StrictSerializer):
    """Empty: ask for one now. With a digest: hand one in."""

    sha256 = serializers.RegexField(
        r"^(sha256:)?[0-9a-fA-F]{64}$",
        required=False,
        max_length=71,
        error_messages={"invalid": "64 hexadecimal digits."},
    )
    size = serializers.IntegerField(min_value=1, max_value=BIG, required=False)
    name = serializers.CharField(max_length=255, required=False)
    snapshot = serializers.UUIDField(required=False, help_text="as the hook named it")


class SnapshotOut(serializers.ModelSerializer[Snapshot]):
    version = serializers.IntegerField(source="version.number", allow_null=True, default=None)

    class Meta:
        model = Snapshot
        fields = ["uid", "state", "reason", "digest", "size", "version", "asked_at", "ended_at"]


class FallbackIn(StrictSerializer):
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True)


class FallbackOut(serializers.ModelSerializer[Fallback]):
    version = serializers.IntegerField(source="version.number")
    release_digest = serializers.CharField(source="version.release_digest")

    class Meta:
        model = Fallback
        fields = ["version", "release_digest", "reason", "set_by_label", "set_at"]


class NeedOut(serializers.Serializer[Any]):
    key = serializers.CharField(source="item.key")
    group = serializers.ChoiceField(choices=["evidence", "document", "use"], source="item.group")
    title = serializers.CharField(source="item.title")
    want = serializers.ChoiceField(
        choices=["needed", "optional", "not_applicable"], source="item.want"
    )
    support = serializers.ChoiceField(
        choices=["here", "outside", "not_applicable"],
        source="item.support",
        help_text="“outside”: it applies, and its figures come from elsewhere",
    )
    state = serializers.ChoiceField(
        choices=["done", "waiting", "missing", "absent", "not_applicable"]
    )
    words = serializers.CharField(help_text="how far it is, or why it does not apply")
    url = serializers.CharField(allow_blank=True)


class NeedsOut(serializers.Serializer[Any]):
    model = serializers.CharField()
    version = serializers.IntegerField()
    kind = serializers.CharField()
    consumption = serializers.CharField()
    sentence = serializers.CharField()
    missing = serializers.ListField(child=serializers.CharField())
    needs = NeedOut(many=True)
