"""API routes of outbound."""

from django.urls import path

from outbound.api.views import DestinationViewSet, MessageViewSet

urlpatterns = [
    path(
        "outbound/destinations",
        DestinationViewSet.as_view({"get": "list", "post": "create"}),
        name="destination-list",
    ),
    path(
        "outbound/destinations/<uuid:uid>/revoke",
        DestinationViewSet.as_view({"post": "revoke"}),
        name="destination-revoke",
    ),
    path("outbound/messages", MessageViewSet.as_view({"get": "list"}), name="message-list"),
]
