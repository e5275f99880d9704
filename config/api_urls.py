"""The REST API's routes, listed once; every app brings its own list."""

from django.urls import include, path

from accounts.api.schema import SchemaView

urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("", include("accounts.api.urls")),
    path("", include("jobs.api.urls")),
    path("", include("outbound.api.urls")),
    path("", include("registry.api.urls")),
    path("", include("serving.api.urls")),
    path("", include("evaluation.api.urls")),
    path("", include("monitoring.api.urls")),
    path("", include("delivery.api.urls")),
    path("", include("governance.api.urls")),
]
