"""Shapes of lineage, links and signature checks."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from common.api.serializers import StrictSerializer
from registry.models import Derivation, VersionLink
from registry.services.links import MAX_LABEL, MAX_URL


class DerivedFromIn(StrictSerializer):
    """The version it was made from; without ``model`` it is one of the same model."""

    model = serializers.CharField(max_length=255, required=False)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    derivation = serializers.ChoiceField(choices=Derivation.choices)


class DerivedFromOut(serializers.Serializer[Any]):
    model = serializers.CharField()
    version = serializers.IntegerField()
    digest = serializers.CharField()
    derivation = serializers.ChoiceField(choices=Derivation.choices)


class LinkIn(StrictSerializer):
    kind = serializers.ChoiceField(choices=VersionLink.Kind.choices)
    url = serializers.CharField(max_length=MAX_URL, help_text="http or https; shown, never fetched")
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=MAX_LABEL, required=False, allow_blank=True
    )


class LinkOut(serializers.ModelSerializer[VersionLink]):
    class Meta:
        model = VersionLink
        fields = ["uid", "kind", "url", "label", "created_at"]


class NodeOut(serializers.Serializer[Any]):
    """One thing that the version came from, leans on, or that came of it."""

    id = serializers.CharField()
    kind = serializers.CharField(
        help_text="self, run, commit, dataset, parent, component, derivative, used_by, environment"
    )
    relation = serializers.CharField(help_text="to the version, in words")
    label = serializers.CharField()  # type: ignore[assignment]
    detail = serializers.CharField(allow_blank=True)
    page = serializers.CharField(source="url", allow_blank=True)
    digest = serializers.CharField(allow_blank=True)
    model = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField(source="number", allow_null=True)


class EdgeOut(serializers.Serializer[Any]):
    """From where something comes to where it goes; both are ids of nodes."""

    source = serializers.CharField()  # type: ignore[assignment]
    target = serializers.CharField()
    relation = serializers.CharField()


class LineageOut(serializers.Serializer[Any]):
    nodes = NodeOut(many=True)
    edges = EdgeOut(many=True)
    more = serializers.IntegerField(help_text="derivatives and callers that are left out")


class DifferenceOut(serializers.Serializer[Any]):
    problem = serializers.CharField(help_text="missing, extra, type, nulls or order")
    severity = serializers.CharField(help_text="error, warning or note")
    column = serializers.CharField()
    expected = serializers.CharField(allow_blank=True)
    found = serializers.CharField(allow_blank=True)
    sentence = serializers.CharField()


class CheckOut(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="dataset or endpoint")
    name = serializers.CharField()
    use = serializers.CharField(source="what")
    fits = serializers.BooleanField(help_text="nothing that makes calls fail")
    severity = serializers.CharField(
        source="worst", allow_null=True, help_text="of the gravest difference"
    )
    differences = DifferenceOut(many=True)


class SignatureCheckQuery(StrictSerializer):
    dataset = serializers.CharField(
        max_length=255, required=False, help_text="check this one, named by the version or not"
    )


class SignatureCheckOut(serializers.Serializer[Any]):
    declared = serializers.BooleanField(help_text="whether the release names its columns in")
    fits = serializers.BooleanField(allow_null=True, help_text="null when nothing was checked")
    checks = CheckOut(many=True)
