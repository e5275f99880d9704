"""Pages of evaluation."""

from django.urls import path

from evaluation.views import evidence

app_name = "evaluation"
urlpatterns = [
    path("evidence/", evidence.EvidenceListView.as_view(), name="evidence-list"),
    path("evidence/<uuid:uid>/", evidence.EvidenceDetailView.as_view(), name="evidence-detail"),
    path(
        "evidence/<uuid:uid>/progress",
        evidence.EvidenceProgressView.as_view(),
        name="evidence-progress",
    ),
    path("evidence/<uuid:uid>/cancel", evidence.cancel, name="evidence-cancel"),
    path("evidence/<uuid:uid>/retry", evidence.retry, name="evidence-retry"),
    path(
        "versions/<uuid:uid>/evidence/",
        evidence.VersionEvidenceView.as_view(),
        name="version-evidence",
    ),
    path(
        "versions/<uuid:uid>/evidence/ask", evidence.EvidenceAskView.as_view(), name="evidence-ask"
    ),
]
