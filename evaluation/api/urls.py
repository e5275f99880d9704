"""API routes of evaluation."""

from django.urls import path

from evaluation.api import views

urlpatterns = [
    path("evidence", views.EvidenceList.as_view(), name="evidence-list"),
    path("evidence/<uuid:uid>", views.EvidenceDetail.as_view(), name="evidence-detail"),
    path("evidence/<uuid:uid>/cancel", views.EvidenceCancel.as_view(), name="evidence-cancel"),
    path("evidence/<uuid:uid>/retry", views.EvidenceRetry.as_view(), name="evidence-retry"),
    path("explanations", views.ExplanationList.as_view(), name="explanation-list"),
]
