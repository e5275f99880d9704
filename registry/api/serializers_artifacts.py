"""What comes in and goes out about artifacts and their uploads; bytes never pass through here."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from common.api.serializers import StrictSerializer
from registry.api.serializers import ColumnIn
from registry.artifacts.formats import EXECUTABLE, format_of
from registry.models import Artifact, ArtifactUpload
from registry.services import uploads

_DIGEST = r"^(sha256:)?[0-9a-fA-F]{64}$"
_DIGEST_SAID: dict[str, Any] = {"invalid": "64 hexadecimal digits."}


class OfferedSignatureOut(serializers.Serializer[Any]):
    inputs = ColumnIn(many=True)
    outputs = ColumnIn(many=True)


class ArtifactOut(serializers.ModelSerializer[Artifact]):
    format_label = serializers.SerializerMethodField()
    notice = serializers.SerializerMethodField(help_text="what to know before it is loaded")
    signature = serializers.SerializerMethodField(
        help_text="columns as the file itself names them, as a version's signature takes them"
    )

    class Meta:
        model = Artifact
        fields = [
            "uid",
            "sha256",
            "size",
            "name",
            "format",
            "format_label",
            "is_executable",
            "notice",
            "state",
            "state_reason",
            "signature",
            "created_at",
        ]

    def get_format_label(self, artifact: Artifact) -> str:
        return format_of(artifact.format).label

    def get_notice(self, artifact: Artifact) -> str:
        return EXECUTABLE if artifact.is_executable else ""

    @extend_schema_field(OfferedSignatureOut(allow_null=True))
    def get_signature(self, artifact: Artifact) -> dict[str, Any] | None:
        return artifact.inspection.get("signature")


class ArtifactDetailOut(ArtifactOut):
    inspection = serializers.DictField(help_text="what the file says of itself; by format")

    class Meta(ArtifactOut.Meta):
        fields = [*ArtifactOut.Meta.fields, "inspection"]


class ListedArtifactOut(serializers.Serializer[Any]):
    """An artifact that a release names: stored here, or only referenced."""

    name = serializers.CharField()
    sha256 = serializers.CharField()
    size = serializers.IntegerField(help_text="bytes, as the release says; 0 when it does not")
    is_stored = serializers.SerializerMethodField()
    size_agrees = serializers.BooleanField(
        allow_null=True, help_text="null where nothing is stored or no size was said"
    )
    artifact = ArtifactOut(allow_null=True)

    def get_is_stored(self, listed: Any) -> bool:
        return listed.artifact is not None


class UploadIn(StrictSerializer):
    name = serializers.CharField(max_length=255, trim_whitespace=False)
    size = serializers.IntegerField(min_value=1, max_value=2**53, help_text="bytes")
    sha256 = serializers.RegexField(_DIGEST, required=False, error_messages=_DIGEST_SAID)


class CompleteIn(StrictSerializer):
    sha256 = serializers.RegexField(
        _DIGEST,
        required=False,
        error_messages=_DIGEST_SAID,
        help_text="checked, when it was not announced at the beginning",
    )


class UploadOut(serializers.ModelSerializer[ArtifactUpload]):
    offset = serializers.IntegerField(source="received", help_text="where the next part begins")
    part_bytes = serializers.SerializerMethodField(help_text="a good size for parts")
    part_bytes_least = serializers.SerializerMethodField(help_text="smaller ones are refused")
    part_bytes_most = serializers.SerializerMethodField()
    artifact = ArtifactOut(allow_null=True)

    class Meta:
        model = ArtifactUpload
        fields = [
            "uid",
            "name",
            "size",
            "sha256",
            "state",
            "state_reason",
            "offset",
            "part_bytes",
            "part_bytes_least",
            "part_bytes_most",
            "artifact",
            "created_at",
            "ended_at",
        ]

    def get_part_bytes(self, upload: ArtifactUpload) -> int:
        least = uploads.part_bytes_at_least(upload.size)
        return min(settings.ARTIFACT_PART_BYTES, max(8 * 1024 * 1024, 2 * least))

    def get_part_bytes_least(self, upload: ArtifactUpload) -> int:
        return uploads.part_bytes_at_least(upload.size)

    def get_part_bytes_most(self, upload: ArtifactUpload) -> int:
        return int(settings.ARTIFACT_PART_BYTES)
