"""API routes that rename, retire, tag and stage."""

from django.urls import path

from registry.api import lifecycle

VERSION = "models/<str:name>/versions/<int:number>"
urlpatterns = [
    path("models/<str:name>/rename", lifecycle.ModelRename.as_view(), name="model-rename"),
    path("models/<str:name>/retired", lifecycle.ModelRetired.as_view(), name="model-retired"),
    path("models/<str:name>/tags/<path:key>", lifecycle.ModelTag.as_view(), name="model-tag"),
    path(f"{VERSION}/tags/<path:key>", lifecycle.VersionTag.as_view(), name="version-tag"),
    path(f"{VERSION}/stage", lifecycle.VersionStage.as_view(), name="version-stage"),
]
