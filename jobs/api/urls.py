"""API routes of jobs."""

from django.urls import path

from jobs.api.views import JobViewSet

urlpatterns = [
    path("jobs", JobViewSet.as_view({"get": "list"}), name="job-list"),
    path("jobs/<uuid:uid>", JobViewSet.as_view({"get": "retrieve"}), name="job-detail"),
    path("jobs/<uuid:uid>/cancel", JobViewSet.as_view({"post": "cancel"}), name="job-cancel"),
    path("jobs/<uuid:uid>/retry", JobViewSet.as_view({"post": "retry"}), name="job-retry"),
]
