"""Versions side by side."""

from django.urls import path

from governance.views import compare

urlpatterns = [
    path("compare/", compare.CompareView.as_view(), name="compare"),
    path("compare/ask/", compare.ask, name="compare-ask"),
]
