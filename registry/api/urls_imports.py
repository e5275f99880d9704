"""API routes of imports."""

from django.urls import path

from registry.api import views_imports as views

urlpatterns = [
    path("imports", views.ImportList.as_view(), name="import-list"),
    path("imports/<uuid:uid>", views.ImportDetail.as_view(), name="import-detail"),
]
