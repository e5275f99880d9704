"""API routes: what was live then, of one model and of all."""

from django.urls import path

from governance.api import as_of

urlpatterns = [
    path("as-of", as_of.InventoryAsOf.as_view(), name="as-of"),
    path("models/<str:name>/as-of", as_of.ModelAsOf.as_view(), name="model-as-of"),
]
