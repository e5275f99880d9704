"""API routes of delivery."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
