"""API routes of endpoint sources."""

from django.urls import path

from serving.api import views_sources as views

urlpatterns = [
    path(
        "models/<str:name>/endpoint-source",
        views.EndpointSourceDetail.as_view(),
        name="endpoint-source",
    ),
    path(
        "models/<str:name>/versions/<int:number>/endpoint-provisions",
        views.EndpointProvisionList.as_view(),
        name="endpoint-provisions",
    ),
    path(
        "endpoint-hooks/<uuid:uid>/answer",
        views.EndpointHookAnswer.as_view(),
        name="endpoint-hook-answer",
    ),
]
