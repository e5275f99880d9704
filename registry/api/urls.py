"""API routes of registry."""

from django.urls import include, path

from registry.api import views

urlpatterns = [
    path("models", views.ModelList.as_view(), name="model-list"),
    path("models/<str:name>", views.ModelDetail.as_view(), name="model-detail"),
    path("models/<str:name>/versions", views.VersionList.as_view(), name="version-list"),
    path(
        "models/<str:name>/versions/<int:number>",
        views.VersionDetail.as_view(),
        name="version-detail",
    ),
    path(
        "models/<str:name>/versions/<int:number>/authors",
        views.VersionAuthors.as_view(),
        name="version-authors",
    ),
    path("models/<str:name>/aliases", views.AliasList.as_view(), name="alias-list"),
    path("models/<str:name>/aliases/<str:alias>", views.AliasDetail.as_view(), name="alias-detail"),
    path("datasets", views.DatasetList.as_view(), name="dataset-list"),
    path("datasets/<str:name>", views.DatasetDetail.as_view(), name="dataset-detail"),
    path("environments", views.EnvironmentList.as_view(), name="environment-list"),
    path("", include("registry.api.urls_lifecycle")),
    path("", include("registry.api.urls_webhooks")),
    path("", include("registry.api.urls_cards")),
    path("", include("registry.api.urls_lineage")),
    path("", include("registry.api.urls_artifacts")),
    path("", include("registry.api.urls_find")),
    path("", include("registry.api.urls_imports")),
]
