"""API routes of accounts."""

from django.urls import path

from accounts.api import views

urlpatterns = [
    path("me", views.MeView.as_view(), name="me"),
    path("tokens", views.TokenListView.as_view(), name="token-list"),
    path("tokens/<str:key_id>/revoke", views.TokenRevokeView.as_view(), name="token-revoke"),
    path("people", views.PersonListView.as_view(), name="person-list"),
    path("service-accounts", views.ServiceAccountListView.as_view(), name="service-account-list"),
]
