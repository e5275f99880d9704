"""API routes of the audit trail; ``governance.api.urls`` includes them."""

from django.urls import path

from governance.api import audit

urlpatterns = [
    path("audit/events", audit.EventList.as_view(), name="audit-event-list"),
    path("audit/events/<uuid:uid>", audit.EventDetail.as_view(), name="audit-event-detail"),
    path("audit/exports", audit.ExportList.as_view(), name="audit-export-list"),
]
