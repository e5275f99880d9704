"""Pages that find things: the search, and saved views."""

from django.urls import path

from registry.views import saved, search

urlpatterns = [
    path("search/", search.SearchView.as_view(), name="search"),
    path("views/save/", saved.save, name="view-save"),
    path("views/<uuid:uid>/", saved.show, name="view-show"),
    path("views/<uuid:uid>/change/", saved.change, name="view-change"),
    path("views/<uuid:uid>/delete/", saved.delete, name="view-delete"),
]
