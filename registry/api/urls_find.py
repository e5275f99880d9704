"""API routes that find things."""

from django.urls import path

from registry.api import views_find

urlpatterns = [
    path("search", views_find.Search.as_view(), name="search"),
    path("saved-views", views_find.SavedViews.as_view(), name="saved-view-list"),
    path("saved-views/<uuid:uid>", views_find.SavedViewDetail.as_view(), name="saved-view-detail"),
]
