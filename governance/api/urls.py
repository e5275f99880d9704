"""API routes of governance."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
