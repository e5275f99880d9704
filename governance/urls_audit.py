"""Pages of the audit trail; ``governance.urls`` includes them in its namespace."""

from django.urls import path

from governance.views import audit

urlpatterns = [
    path("audit/", audit.AuditListView.as_view(), name="audit-list"),
    path("audit/export/", audit.export_trail, name="audit-export"),
    path("audit/<uuid:uid>/", audit.AuditDetailView.as_view(), name="audit-detail"),
]
