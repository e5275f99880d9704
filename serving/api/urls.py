"""API routes of serving."""

from django.urls import include, path

from serving.api import views

urlpatterns = [
    path("endpoints", views.EndpointList.as_view(), name="endpoint-list"),
    path("endpoints/<uuid:uid>", views.EndpointDetail.as_view(), name="endpoint-detail"),
    path("endpoints/<uuid:uid>/probe", views.EndpointProbe.as_view(), name="endpoint-probe"),
    path("endpoints/<uuid:uid>/secrets", views.EndpointSecrets.as_view(), name="endpoint-secrets"),
    path("endpoints/<uuid:uid>/retire", views.EndpointRetire.as_view(), name="endpoint-retire"),
    path("", include("serving.api.urls_sources")),
]
