"""Every route of the house. ``/w/{workspace}/`` before one names the workspace (accounts)."""

from django.urls import include, path, re_path

from common.views import healthz, readyz
from registry.mlflow.http import unknown

urlpatterns = [
    path("api/2.0/mlflow/", include("registry.mlflow.urls")),
    re_path(r"^api/[23]\.0/", unknown, name="mlflow-unknown"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("accounts/", include("accounts.urls")),
    path("api/v1/", include(("config.api_urls", "v1"), namespace="v1")),
    path("xds/v1/", include("delivery.xds.urls")),
    path("", include("jobs.urls")),
    path("", include("outbound.urls")),
    path("", include("registry.urls")),
    path("", include("evaluation.urls")),
    path("", include("serving.urls")),
    path("", include("monitoring.urls")),
    path("", include("delivery.urls")),
    path("", include("governance.urls")),
]

handler400 = "common.views.bad_request"
handler403 = "common.views.forbidden"
handler404 = "common.views.not_found"
handler500 = "common.views.server_error"
