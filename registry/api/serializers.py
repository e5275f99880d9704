"""What comes into the registry's API and what goes out."""

from __future__ import annotations

import math
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import StrictSerializer
from registry.api.serializers_lineage import DerivedFromIn, DerivedFromOut, LinkIn
from registry.models import (
    Alias,
    Consumption,
    Dataset,
    Environment,
    Kind,
    ModelVersion,
    RegisteredModel,
    VersionDataset,
)
from registry.release import ReleaseInput
from registry.semver import MAX_SEMANTIC
from registry.services.links import MAX_LINKS

TEXT = 10_000
NAME = 255


class FiniteFloatField(serializers.FloatField):
    """A number that JSON and PostgreSQL agree on; text is no number here."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, (bool, str)):
            self.fail("invalid")
        try:
            value = super().to_internal_value(data)
        except OverflowError:
            self.fail("invalid")
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class TagsField(serializers.DictField):
    child = serializers.CharField(max_length=5000, allow_blank=True, trim_whitespace=False)


class PersonOut(serializers.Serializer[Any]):
    email = serializers.EmailField()
    name = serializers.CharField()


class ModelIn(StrictSerializer):
    name = serializers.CharField(max_length=NAME, trim_whitespace=False)
    owner = serializers.EmailField(
        required=False, max_length=254, help_text="a member's e-mail; you, when left out"
    )
    purpose = serializers.CharField(max_length=TEXT, required=False, allow_blank=True)
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    tier = serializers.IntegerField(min_value=1, max_value=3, required=False)
    description = serializers.CharField(max_length=TEXT, required=False, allow_blank=True)
    tags = TagsField(required=False)


class ModelPatch(StrictSerializer):
    owner = serializers.EmailField(required=False, max_length=254)
    purpose = serializers.CharField(max_length=TEXT, required=False, allow_blank=True)
    kind = serializers.ChoiceField(choices=Kind.choices, required=False)
    tier = serializers.IntegerField(min_value=1, max_value=3, required=False)
    description = serializers.CharField(max_length=TEXT, required=False, allow_blank=True)
    tags = TagsField(required=False)
    gated_at_registration = serializers.BooleanField(
        required=False, help_text="whether new versions wait for their policy's gates"
    )


class ModelOut(serializers.ModelSerializer[RegisteredModel]):
    owner = PersonOut()
    versions_count = serializers.IntegerField()
    latest_version = serializers.IntegerField(source="latest_number", allow_null=True)
    aliases = serializers.SerializerMethodField()
    tags = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = RegisteredModel
        fields = [
            "name",
            "owner",
            "purpose",
            "kind",
            "tier",
            "description",
            "tags",
            "gated_at_registration",
            "versions_count",
            "latest_version",
            "aliases",
            "created_at",
            "updated_at",
            "retired_at",
        ]

    def get_aliases(self, model: RegisteredModel) -> dict[str, int]:
        """Where each alias stands now, by version number."""
        standing: list[Alias] = getattr(model, "standing", [])
        return {alias.name: alias.version.number for alias in standing}


class ArtifactIn(StrictSerializer):
    name = serializers.CharField(max_length=1024)
    sha256 = serializers.RegexField(
        r"^(sha256:)?[0-9a-fA-F]{64}$", error_messages={"invalid": "64 hexadecimal digits."}
    )
    size = serializers.IntegerField(min_value=0, max_value=2**53, required=False)


class ColumnIn(StrictSerializer):
    name = serializers.CharField(max_length=NAME, trim_whitespace=False)
    type = serializers.CharField(max_length=64)
    required = serializers.BooleanField(required=False)  # type: ignore[assignment]


class SignatureIn(StrictSerializer):
    inputs = ColumnIn(many=True, required=False)
    outputs = ColumnIn(many=True, required=False)


class TrainingIn(StrictSerializer):
    """What it was trained on; the keys ``from`` and ``to`` are times in ISO 8601."""

    dataset = serializers.CharField(max_length=NAME, required=False)
    rows = serializers.IntegerField(min_value=0, max_value=2**53, required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" is a keyword, so it cannot be declared as an attribute.
        fields = super().get_fields()
        fields["from"] = serializers.CharField(max_length=64, required=False)
        fields["to"] = serializers.CharField(max_length=64, required=False)
        return fields


class UsedDatasetIn(StrictSerializer):
    name = serializers.CharField(max_length=NAME)
    use = serializers.ChoiceField(choices=VersionDataset.Use.choices, required=False)


class ComponentIn(StrictSerializer):
    model = serializers.CharField(max_length=NAME)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class VersionIn(StrictSerializer):
    artifacts = ArtifactIn(many=True, required=False)
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=1024, required=False, allow_blank=True
    )
    run_id = serializers.CharField(max_length=64, required=False, allow_blank=True)
    run_user = serializers.CharField(max_length=254, required=False, allow_blank=True)
    git_commit = serializers.CharField(max_length=64, required=False, allow_blank=True)
    git_authors = serializers.ListField(
        child=serializers.CharField(max_length=254), required=False, max_length=500
    )
    decision_threshold = FiniteFloatField(required=False, allow_null=True)
    signature = SignatureIn(required=False)
    consumption = serializers.ChoiceField(choices=Consumption.choices, required=False)
    image = serializers.CharField(max_length=1024, required=False, allow_blank=True)
    features = serializers.CharField(max_length=1024, required=False, allow_blank=True)
    training = TrainingIn(required=False)
    datasets = UsedDatasetIn(many=True, required=False)
    components = ComponentIn(many=True, required=False)
    derived_from = DerivedFromIn(required=False)
    semantic_version = serializers.CharField(
        max_length=MAX_SEMANTIC, required=False, allow_blank=True, help_text="SemVer 2, once"
    )
    links = serializers.ListField(child=LinkIn(), required=False, max_length=MAX_LINKS)
    reported_metrics = serializers.DictField(child=FiniteFloatField(), required=False)
    description = serializers.CharField(max_length=TEXT, required=False, allow_blank=True)
    tags = TagsField(required=False)

    _BESIDE = (
        "reported_metrics",
        "description",
        "tags",
        "run_user",
        "semantic_version",
        "links",
    )

    def release(self) -> ReleaseInput:
        """The part that the digest covers."""
        given = dict(self.validated_data)
        return ReleaseInput(**{key: it for key, it in given.items() if key not in self._BESIDE})

    def beside(self) -> dict[str, Any]:
        """The part that it does not."""
        given = dict(self.validated_data)
        return {key: given[key] for key in self._BESIDE if key in given}


class VersionPatch(StrictSerializer):
    description = serializers.CharField(max_length=TEXT, required=False, allow_blank=True)
    tags = TagsField(required=False)


class AuthorOut(serializers.Serializer[Any]):
    role = serializers.CharField()
    identity = serializers.CharField()
    person = serializers.CharField(source="user", allow_null=True)


class AuthorMapIn(StrictSerializer):
    identity = serializers.CharField(max_length=254)
    user = serializers.EmailField(max_length=254, help_text="the person's e-mail")


class SchemaColumnOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    type = serializers.CharField()


class UsedDatasetOut(serializers.Serializer[Any]):
    name = serializers.CharField(source="dataset.name")
    digest = serializers.CharField(source="dataset.digest")
    use = serializers.CharField()
    rows = serializers.IntegerField(source="dataset.rows")
    columns = SchemaColumnOut(source="dataset.columns", many=True)


class VersionOut(serializers.ModelSerializer[ModelVersion]):
    model = serializers.CharField(source="model.name")
    digest = serializers.CharField(source="release_digest")
    created_by = PersonOut()
    created_through = serializers.CharField(allow_null=True)
    tags = serializers.DictField(child=serializers.CharField())
    reported_metrics = serializers.DictField(child=serializers.FloatField())
    release = serializers.DictField()
    signature = serializers.DictField()
    derived_from = serializers.SerializerMethodField()

    class Meta:
        model = ModelVersion
        fields = [
            "uid",
            "model",
            "number",
            "semantic_version",
            "digest",
            "release",
            "consumption",
            "source",
            "run_id",
            "git_commit",
            "derived_from",
            "decision_threshold",
            "signature",
            "reported_metrics",
            "description",
            "tags",
            "status",
            "status_message",
            "created_by",
            "created_through",
            "created_at",
        ]

    @extend_schema_field(DerivedFromOut(allow_null=True))
    def get_derived_from(self, version: ModelVersion) -> Any:
        """As the release says it, by digest."""
        return version.release.get("derived_from")


class VersionDetailOut(VersionOut):
    authors = AuthorOut(many=True)
    datasets = UsedDatasetOut(many=True)

    class Meta(VersionOut.Meta):
        fields = [*VersionOut.Meta.fields, "authors", "datasets"]


class AliasIn(StrictSerializer):
    name = serializers.CharField(max_length=NAME)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    reference = serializers.CharField(
        max_length=200,
        required=False,
        allow_blank=True,
        help_text="what stands behind the move of a protected alias: promotion:<uid>",
    )


class AliasOut(serializers.ModelSerializer[Alias]):
    alias = serializers.CharField(source="name")
    version = serializers.IntegerField(source="version.number")
    digest = serializers.CharField(source="version.release_digest")
    since = serializers.DateTimeField(source="started_at")
    until = serializers.DateTimeField(source="ended_at", allow_null=True)

    class Meta:
        model = Alias
        fields = ["alias", "version", "digest", "since", "until", "reference"]


class DatasetIn(StrictSerializer):
    name = serializers.CharField(max_length=NAME, trim_whitespace=False)
    file = serializers.FileField(help_text="Parquet or CSV", max_length=1000)
    label_column = serializers.CharField(max_length=NAME, required=False, allow_blank=True)
    id_column = serializers.CharField(max_length=NAME, required=False, allow_blank=True)
    time_column = serializers.CharField(max_length=NAME, required=False, allow_blank=True)
    description = serializers.CharField(max_length=TEXT, required=False, allow_blank=True)


class DatasetOut(serializers.ModelSerializer[Dataset]):
    class Meta:
        model = Dataset
        fields = [
            "uid",
            "name",
            "description",
            "digest",
            "format",
            "size_bytes",
            "state",
            "state_reason",
            "rows",
            "label_column",
            "id_column",
            "time_column",
            "created_at",
        ]


class DatasetDetailOut(DatasetOut):
    columns = serializers.ListField(child=serializers.DictField())

    class Meta(DatasetOut.Meta):
        fields = [*DatasetOut.Meta.fields, "columns"]


class EnvironmentOut(serializers.ModelSerializer[Environment]):
    class Meta:
        model = Environment
        fields = ["name", "position", "alias"]


def person_or_invalid(email: str | None, field: str) -> Any:
    """The person of that address, or None when none was named. Raises: ValidationError."""
    from accounts.models import User

    if email is None:
        return None
    try:
        return User.objects.get(email__iexact=email)
    except ObjectDoesNotExist:
        raise serializers.ValidationError({field: ["There is no such person."]}) from None
