"""Pages of serving."""

from django.urls import include, path

from serving.views import endpoints

app_name = "serving"
urlpatterns = [
    path("endpoints/", endpoints.EndpointListView.as_view(), name="endpoint-list"),
    path("endpoints/<uuid:uid>/", endpoints.EndpointDetailView.as_view(), name="endpoint-detail"),
    path("endpoints/<uuid:uid>/probe/", endpoints.probe, name="endpoint-probe"),
    path("endpoints/<uuid:uid>/retire/", endpoints.retire, name="endpoint-retire"),
    path(
        "models/<str:name>/versions/<int:number>/new-endpoint/",
        endpoints.EndpointCreateView.as_view(),
        name="endpoint-create",
    ),
    path(
        "models/<str:name>/versions/<int:number>/endpoints/",
        endpoints.VersionEndpointsView.as_view(),
        name="version-endpoints",
    ),
    path("", include("serving.urls_sources")),
]
