"""API routes of artifacts. A digest has 64 digits, so “uploads” is none."""

from django.urls import path

from registry.api import views_artifacts as views

urlpatterns = [
    path("artifacts", views.ArtifactList.as_view(), name="artifact-list"),
    path("artifacts/uploads", views.UploadList.as_view(), name="artifact-upload-list"),
    path(
        "artifacts/uploads/<uuid:uid>", views.UploadDetail.as_view(), name="artifact-upload-detail"
    ),
    path(
        "artifacts/uploads/<uuid:uid>/complete",
        views.UploadComplete.as_view(),
        name="artifact-upload-complete",
    ),
    path("artifacts/<str:sha256>", views.ArtifactDetail.as_view(), name="artifact-detail"),
    path(
        "artifacts/<str:sha256>/content", views.ArtifactContent.as_view(), name="artifact-content"
    ),
    path(
        "artifacts/<str:sha256>/inspect", views.ArtifactInspect.as_view(), name="artifact-inspect"
    ),
    path(
        "models/<str:name>/versions/<int:number>/artifacts",
        views.VersionArtifacts.as_view(),
        name="version-artifacts",
    ),
]
