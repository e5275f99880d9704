"""MLflow's registry API, ``/api/2.0/mlflow/…``; what it does not have is refused in its JSON."""

from django.urls import path, re_path

from registry.mlflow import http, webhooks
from registry.mlflow.views import aliases, models, tags, versions

app_name = "mlflow"
urlpatterns = [
    # The most asked first: the resolver goes from the top.
    path("model-versions/get", versions.get_view, name="version-get"),
    path("registered-models/get", models.get_view, name="model-get"),
    path("model-versions/search", versions.search_view, name="version-search"),
    path("registered-models/search", models.search_view, name="model-search"),
    path("registered-models/alias", aliases.alias_view, name="alias"),
    path("model-versions/create", versions.create_view, name="version-create"),
    path("registered-models/create", models.create_view, name="model-create"),
    path("model-versions/get-download-uri", versions.download_uri_view, name="version-uri"),
    path("model-versions/update", versions.update_view, name="version-update"),
    path("model-versions/delete", versions.delete_view, name="version-delete"),
    path("model-versions/transition-stage", versions.transition_view, name="version-stage"),
    path("model-versions/set-tag", tags.version_set_view, name="version-tag-set"),
    path("model-versions/delete-tag", tags.version_delete_view, name="version-tag-delete"),
    path("registered-models/update", models.update_view, name="model-update"),
    path("registered-models/rename", models.rename_view, name="model-rename"),
    path("registered-models/delete", models.delete_view, name="model-delete"),
    path("registered-models/get-latest-versions", models.latest_view, name="model-latest"),
    path("registered-models/set-tag", tags.model_set_view, name="model-tag-set"),
    path("registered-models/delete-tag", tags.model_delete_view, name="model-tag-delete"),
    path("webhooks", webhooks.collection, name="webhook-list"),
    path("webhooks/<str:webhook_id>", webhooks.single, name="webhook"),
    path("webhooks/<str:webhook_id>/test", webhooks.try_out, name="webhook-test"),
    re_path(r"^(?P<rest>.*)$", http.unknown, name="unknown"),
]
