"""Pages that rename, retire, delete, tag and stage."""

from django.urls import path

from registry.views import lifecycle

VERSION = "models/<str:name>/versions/<int:number>"
urlpatterns = [
    path("models/<str:name>/rename/", lifecycle.ModelRenameView.as_view(), name="model-rename"),
    path("models/<str:name>/retire/", lifecycle.ModelRetireView.as_view(), name="model-retire"),
    path("models/<str:name>/delete/", lifecycle.ModelDeleteView.as_view(), name="model-delete"),
    path("models/<str:name>/tags/", lifecycle.tag_model, name="model-tags"),
    path(f"{VERSION}/delete/", lifecycle.VersionDeleteView.as_view(), name="version-delete"),
    path(f"{VERSION}/tags/", lifecycle.tag_version, name="version-tags"),
    path(f"{VERSION}/stage/", lifecycle.stage_version, name="version-stage"),
]
