"""Evidence as it is asked for and as it is shown."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import StrictSerializer
from evaluation.models import Evidence
from evaluation.params import MAX_EXPLAINED, MAX_SEED, OFFERED
from evaluation.services.report import MAX_TEXT

NAME = 255


class EvidenceIn(StrictSerializer):
    """What to find out about which version. ``params`` differ by kind; unknown ones are refused.

    ``version`` is a number beside ``model``, or a version's uid alone; so is ``baseline``, what a
    differential compares with (the live version unless given). For ``computed`` evidence upload
    ``predictions`` as multipart; for ``reported`` give ``metrics`` and their ``source``.
    """

    kind = serializers.ChoiceField(choices=OFFERED)
    origin = serializers.ChoiceField(choices=Evidence.Origin.choices, default="measured")
    model = serializers.CharField(max_length=NAME, required=False, allow_blank=True, default="")
    version = serializers.CharField(max_length=64)
    dataset = serializers.CharField(max_length=NAME, required=False, allow_blank=True, default="")
    baseline = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    endpoint = serializers.UUIDField(required=False, allow_null=True, default=None)
    params = serializers.DictField(required=False, default=dict)
    seed = serializers.IntegerField(required=False, default=0, min_value=0, max_value=MAX_SEED)
    metrics = serializers.DictField(required=False, default=dict)
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=MAX_TEXT, required=False, allow_blank=True, default=""
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["origin"] != "reported" and attrs["metrics"]:
            raise serializers.ValidationError(
                {"metrics": ["Figures are given only with the origin “reported”."]}
            )
        return attrs


class JsonText(serializers.JSONField):
    """A part of a multipart form that holds a JSON object as text."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("This must be a JSON object.")
        return value


class EvidenceUploadIn(EvidenceIn):
    """The same as a form with files: ``params`` and ``metrics`` are JSON text."""

    params = JsonText(required=False, default=dict)  # type: ignore[assignment]
    metrics = JsonText(required=False, default=dict)  # type: ignore[assignment]
    predictions = serializers.FileField(
        required=False,
        allow_null=True,
        default=None,
        max_length=1000,
        help_text="CSV or Parquet with “score”, and “row” (id or number)",
    )
    baseline_predictions = serializers.FileField(
        required=False, allow_null=True, default=None, max_length=1000
    )


class ExplanationIn(StrictSerializer):
    """Explain some rows of a dataset, and the version as a whole."""

    model = serializers.CharField(max_length=NAME, required=False, allow_blank=True, default="")
    version = serializers.CharField(max_length=64)
    dataset = serializers.CharField(max_length=NAME)
    rows = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=10**12),
        max_length=MAX_EXPLAINED,
        required=False,
        default=list,
        help_text="row numbers from 0; without any, telling ones are chosen",
    )
    endpoint = serializers.UUIDField(required=False, allow_null=True, default=None)
    params = serializers.DictField(required=False, default=dict)
    seed = serializers.IntegerField(required=False, default=0, min_value=0, max_value=MAX_SEED)


class EvidenceJobOut(serializers.Serializer[Any]):
    uid = serializers.UUIDField()
    state = serializers.CharField()
    progress = serializers.FloatField(help_text="0 to 1")
    message = serializers.CharField()


class EvidenceOut(serializers.ModelSerializer[Evidence]):
    """Evidence in a list; the result stands in the detail."""

    model = serializers.CharField(source="version.model.name")
    version = serializers.IntegerField(source="version.number")
    version_uid = serializers.UUIDField(source="version.uid")
    release_digest = serializers.CharField(source="version.release_digest")
    baseline = serializers.IntegerField(source="baseline.number", default=None, allow_null=True)
    dataset = serializers.CharField(source="dataset.name", default=None, allow_null=True)
    endpoint = serializers.CharField(source="endpoint.name", default=None, allow_null=True)
    created_by = serializers.CharField(source="created_by_label")
    job = serializers.SerializerMethodField()

    class Meta:
        model = Evidence
        fields: Any = (
            "uid",
            "kind",
            "origin",
            "state",
            "model",
            "version",
            "version_uid",
            "release_digest",
            "baseline",
            "dataset",
            "endpoint",
            "digest",
            "error_code",
            "error",
            "created_by",
            "created_at",
            "completed_at",
            "job",
        )
        read_only_fields: Any = fields

    @extend_schema_field(EvidenceJobOut(allow_null=True))
    def get_job(self, evidence: Evidence) -> dict[str, Any] | None:
        if evidence.job is None:
            return None
        return dict(EvidenceJobOut(evidence.job).data)


class EvidenceDetailOut(EvidenceOut):
    """All of it. ``digest`` covers kind, origin, releases, data, params, seed and result."""

    params = serializers.DictField()
    result = serializers.DictField()
    data_digests = serializers.ListField(child=serializers.CharField())

    class Meta(EvidenceOut.Meta):
        fields: Any = (*EvidenceOut.Meta.fields, "params", "seed", "data_digests", "result")
        read_only_fields = fields
