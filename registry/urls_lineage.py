"""Pages about a version's links, and its page by semantic version."""

from django.urls import path

from registry import converters  # noqa: F401 - names the converter
from registry.views import lineage

version = "models/<str:name>/versions/<int:number>/"
urlpatterns = [
    path(
        "models/<str:name>/versions/<semver:semantic>/",
        lineage.SemanticVersionView.as_view(),
        name="version-semantic",
    ),
    path(f"{version}links/", lineage.add_link, name="link-add"),
    path(f"{version}links/<uuid:uid>/remove/", lineage.remove_link, name="link-remove"),
]
