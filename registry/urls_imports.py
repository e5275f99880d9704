"""Pages of imports, in the registry's namespace."""

from django.urls import path

from registry.views import imports as views

urlpatterns = [
    path("imports/", views.ImportListView.as_view(), name="import-list"),
    path("imports/<uuid:uid>/", views.ImportDetailView.as_view(), name="import-detail"),
]
