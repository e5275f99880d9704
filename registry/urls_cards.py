"""Pages about how a model's versions are gated, and about their cards."""

from django.urls import path

from registry.views import gating

urlpatterns = [
    path("models/<str:name>/gating/", gating.switch, name="model-gating"),
]
