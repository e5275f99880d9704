"""Routes that gateway agents use, with their own token."""

from django.urls import path

from delivery.xds import views

app_name = "xds"
urlpatterns = [
    path("gateways/<uuid:uid>", views.ConfigurationView.as_view(), name="gateway-configuration"),
    path("gateways/<uuid:uid>/status", views.StatusView.as_view(), name="gateway-status"),
]
