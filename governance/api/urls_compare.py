"""API routes: versions side by side."""

from django.urls import path

from governance.api.compare import Compare

urlpatterns = [path("compare", Compare.as_view(), name="compare")]
