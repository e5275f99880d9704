"""API routes of model cards."""

from django.urls import path

from registry.api import views_cards as views

one = "models/<str:name>/versions/<int:number>/card"
urlpatterns = [
    path(one, views.CardDetail.as_view(), name="card-detail"),
    path(f"{one}/revisions", views.CardRevisions.as_view(), name="card-revisions"),
]
