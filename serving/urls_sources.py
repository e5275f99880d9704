"""Pages of endpoint sources, in serving's namespace."""

from django.urls import path

from serving.views import sources

urlpatterns = [
    path(
        "models/<str:name>/endpoint-source/", sources.SourceEditView.as_view(), name="source-edit"
    ),
    path("models/<str:name>/endpoint-source/remove/", sources.remove, name="source-remove"),
    path(
        "models/<str:name>/versions/<int:number>/provide-endpoint/",
        sources.provide_now,
        name="provide-endpoint",
    ),
]
