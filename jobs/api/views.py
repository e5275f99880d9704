"""The REST API of jobs: read them, cancel them, run them again."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.http import caller_of
from accounts.roles import Capability
from jobs import selectors
from jobs.api.serializers import JobOut
from jobs.models import Job
from jobs.services.cancel import cancel
from jobs.services.retry import retry


class JobFilter(django_filters.FilterSet):
    """By state and kind, nothing else: no lookups through relations."""

    state = django_filters.ChoiceFilter(choices=Job.State.choices)
    kind = django_filters.CharFilter(max_length=64)

    class Meta:
        model = Job
        fields = ("state", "kind")


@extend_schema_view(
    list=extend_schema(summary="Jobs of the workspace, the newest first"),
    retrieve=extend_schema(summary="One job and its progress"),
)
class JobViewSet(viewsets.ReadOnlyModelViewSet[Job]):
    """Background work. Whoever asked for a job, and operators, may cancel it or run it again."""

    queryset = Job.objects.none()
    serializer_class = JobOut
    filterset_class = JobFilter
    lookup_field = "uid"
    lookup_value_converter = "uuid"
    capabilities: ClassVar = {
        "list": Capability.VIEW,
        "retrieve": Capability.VIEW,
        "cancel": Capability.VIEW,
        "retry": Capability.VIEW,
    }

    def get_queryset(self) -> QuerySet[Job]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return selectors.jobs_for(caller_of(self.request).workspace)

    def get_object(self) -> Job:
        return selectors.get_job(caller_of(self.request).workspace, self.kwargs["uid"])

    @extend_schema(request=None, responses=JobOut, summary="Cancel a job")
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """A waiting job ends at once, a running one at its next step."""
        return Response(JobOut(cancel(uid=uid, caller=caller_of(request))).data)

    @extend_schema(request=None, responses=JobOut, summary="Run a job again")
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, uid: UUID, version: str | None = None) -> Response:
        """Only one that ended without a result; it goes on from its last saved cursor."""
        return Response(JobOut(retry(uid=uid, caller=caller_of(request))).data)
