"""The audit trail over REST: events, one event with its proof, exports."""

from __future__ import annotations

import base64
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.http import caller_of
from accounts.roles import Capability
from audit import selectors
from audit.actions import Action
from audit.models import Event
from audit.services import prove
from common.api.serializers import StrictSerializer
from common.errors import NotFound
from governance.views.audit import export_response

#: Read by the pagination, not by the filter.
_PAGING = frozenset({"cursor", "limit"})


class EventFilterIn(StrictSerializer):
    """Query parameters; one that is not here is an error, so that a misspelt one is not ignored."""

    object_type = serializers.CharField(required=False, max_length=64)
    object = serializers.CharField(
        required=False, max_length=200, help_text="part of a name, or a whole id"
    )
    action = serializers.CharField(
        required=False, max_length=64, help_text="a whole action, or a family such as `request`"
    )
    actor = serializers.CharField(
        required=False, max_length=200, help_text="part of a name, or a whole pseudonym"
    )
    since = serializers.DateTimeField(required=False)
    before = serializers.DateTimeField(required=False)

    def validate_action(self, value: str) -> str:
        families = {action.value.partition(".")[0] for action in Action}
        if value not in families and value not in set(Action):
            raise serializers.ValidationError("There is no such action.")
        return value


class ActorOut(serializers.Serializer[Any]):
    pid = serializers.CharField()
    kind = serializers.CharField(help_text="`user`, `token` or `system`")
    label = serializers.CharField(  # type: ignore[assignment]
        help_text="from beside the trail; may have been erased"
    )


class ObjectOut(serializers.Serializer[Any]):
    type = serializers.CharField()
    id = serializers.CharField()
    name = serializers.CharField()
    digest = serializers.CharField()


class EventOut(serializers.Serializer[selectors.Line]):
    """One event, with the exact bytes that are hashed."""

    uid = serializers.UUIDField(source="event.uid")
    at = serializers.DateTimeField(source="event.at")
    action = serializers.CharField(source="event.action")
    text = serializers.SerializerMethodField(help_text="the event as a sentence")
    actor = serializers.SerializerMethodField()
    object = serializers.SerializerMethodField()
    before = serializers.DictField(source="body.before")
    after = serializers.DictField(source="body.after")
    details = serializers.DictField(source="body.details")
    personal = serializers.DictField(
        child=serializers.CharField(), help_text="names and free texts that were not erased"
    )
    is_sealed = serializers.BooleanField()
    leaf_index = serializers.IntegerField(allow_null=True)
    checkpoint_size = serializers.IntegerField(allow_null=True)
    body = serializers.CharField(source="event.body", help_text="the exact text that is hashed")

    def get_text(self, line: selectors.Line) -> str:
        return f"{line.who} {line.what}"

    @extend_schema_field(ActorOut)
    def get_actor(self, line: selectors.Line) -> dict[str, str]:
        given = line.body["actor"]
        return {"pid": given["pid"], "kind": given["kind"], "label": line.who}

    @extend_schema_field(ObjectOut)
    def get_object(self, line: selectors.Line) -> dict[str, str]:
        return {**line.body["object"], "name": line.object_name}


class ProofOut(serializers.Serializer[prove.Proof]):
    """The way from the event's hash to a signed root (RFC 6962)."""

    holds = serializers.BooleanField(help_text="checked just now")
    leaf_index = serializers.IntegerField()
    leaf_hash = serializers.SerializerMethodField()
    inclusion = serializers.SerializerMethodField()
    checkpoint = serializers.CharField(source="checkpoint.note", help_text="a C2SP signed note")
    key = serializers.CharField(source="fingerprint")

    def get_leaf_hash(self, proof: prove.Proof) -> str:
        return base64.b64encode(proof.leaf_hash).decode()

    def get_inclusion(self, proof: prove.Proof) -> list[str]:
        return [base64.b64encode(value).decode() for value in proof.hashes]


class EventDetailOut(EventOut):
    proof = serializers.SerializerMethodField()

    @extend_schema_field(ProofOut(allow_null=True))
    def get_proof(self, line: selectors.Line) -> Any:
        proof = prove.prove(line.event)
        return ProofOut(proof).data if proof is not None else None


class EventList(generics.ListAPIView[Any]):
    """The workspace's events, the newest first."""

    capabilities: ClassVar = {"get": Capability.AUDIT_VIEW}
    queryset = Event.objects.none()
    serializer_class = EventOut
    filter_backends = []

    @extend_schema(summary="Events, the newest first", parameters=[EventFilterIn])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request)

    def get_queryset(self) -> QuerySet[Event]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        asked = self.request.query_params
        given = EventFilterIn(data={key: asked[key] for key in asked if key not in _PAGING})
        given.is_valid(raise_exception=True)
        wanted = dict(given.validated_data)
        text = wanted.pop("object", "")
        found = selectors.search(caller_of(self.request).workspace, object_text=text, **wanted)
        return selectors.with_place(found)

    def paginate_queryset(self, queryset: Any) -> Any:
        return selectors.lines(super().paginate_queryset(queryset) or [])


class EventDetail(APIView):
    """One event and its proof."""

    capabilities: ClassVar = {"get": Capability.AUDIT_VIEW}

    @extend_schema(summary="One event and its proof", responses=EventDetailOut)
    def get(self, request: Request, uid: UUID) -> Response:
        line = selectors.get_line(caller_of(request).workspace, uid)
        if line is None:
            raise NotFound("There is no such event.")
        return Response(EventDetailOut(line).data)


class ExportIn(StrictSerializer):
    """Nothing to choose yet: the export holds the token's or session's workspace."""


class ExportList(APIView):
    """POST streams the workspace's sealed events as a zip that verifies itself."""

    capabilities: ClassVar = {"post": Capability.AUDIT_VIEW}

    @extend_schema(
        summary="Export the trail as a zip that verifies itself",
        request=ExportIn,
        responses={(200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY)},
    )
    def post(self, request: Request) -> Any:
        ExportIn(data=request.data).is_valid(raise_exception=True)
        return export_response(caller_of(request))
