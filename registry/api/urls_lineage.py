"""API routes of lineage, links and signature checks."""

from django.urls import path

from registry import converters  # noqa: F401 - names the converter
from registry.api import views_lineage as views

version = "models/<str:name>/versions/<int:number>"
urlpatterns = [
    path(
        "models/<str:name>/versions/<semver:semantic>",
        views.VersionBySemantic.as_view(),
        name="version-semantic",
    ),
    path(f"{version}/lineage", views.Lineage.as_view(), name="version-lineage"),
    path(f"{version}/links", views.LinkList.as_view(), name="link-list"),
    path(f"{version}/links/<uuid:uid>", views.LinkDetail.as_view(), name="link-detail"),
    path(
        f"{version}/signature-check", views.SignatureCheck.as_view(), name="version-signature-check"
    ),
]
