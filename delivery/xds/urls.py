"""Routes that gateway agents use, with their own token."""

from django.urls import URLPattern

app_name = "xds"
urlpatterns: list[URLPattern] = []
