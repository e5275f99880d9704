"""Pages of artifacts."""

from django.urls import path

from registry.views import artifacts

urlpatterns = [
    path("artifacts/", artifacts.ArtifactListView.as_view(), name="artifact-list"),
    path("new-artifact/", artifacts.ArtifactCreateView.as_view(), name="artifact-create"),
    path("artifacts/<str:sha256>/", artifacts.ArtifactDetailView.as_view(), name="artifact-detail"),
    path("artifacts/<str:sha256>/download", artifacts.download_artifact, name="artifact-download"),
    path("artifacts/<str:sha256>/inspect", artifacts.inspect_artifact, name="artifact-inspect"),
]
