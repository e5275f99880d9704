"""Pages of registry. A name may be any word, so no fixed word stands where a name would."""

from django.urls import include, path

from registry.views import datasets, models, versions

app_name = "registry"
urlpatterns = [
    path("models/", models.ModelListView.as_view(), name="model-list"),
    path("new-model/", models.ModelCreateView.as_view(), name="model-create"),
    path("models/<str:name>/", models.ModelDetailView.as_view(), name="model-detail"),
    path("models/<str:name>/edit/", models.ModelEditView.as_view(), name="model-edit"),
    path(
        "models/<str:name>/new-version/",
        versions.VersionCreateView.as_view(),
        name="version-create",
    ),
    path(
        "models/<str:name>/versions/<int:number>/",
        versions.VersionDetailView.as_view(),
        name="version-detail",
    ),
    path(
        "models/<str:name>/versions/<int:number>/authors/", versions.map_author, name="author-map"
    ),
    path("datasets/", datasets.DatasetListView.as_view(), name="dataset-list"),
    path("new-dataset/", datasets.DatasetCreateView.as_view(), name="dataset-create"),
    path("datasets/<str:name>/", datasets.DatasetDetailView.as_view(), name="dataset-detail"),
    path("", include("registry.urls_lifecycle")),
    path("", include("registry.urls_webhooks")),
    path("", include("registry.urls_artifacts")),
    path("", include("registry.urls_cards")),
    path("", include("registry.urls_lineage")),
    path("", include("registry.urls_find")),
    path("", include("registry.urls_imports")),
]
