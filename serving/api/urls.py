"""API routes of serving."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
