"""API routes of outbound."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
