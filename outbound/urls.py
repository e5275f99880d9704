"""Pages of outbound."""

from django.urls import path

from outbound.views import outbox

app_name = "outbound"
urlpatterns = [
    path("outbound/", outbox.MessageListView.as_view(), name="message-list"),
    path("outbound/destinations", outbox.destination_allow, name="destination-allow"),
    path(
        "outbound/destinations/<uuid:uid>/revoke",
        outbox.destination_revoke,
        name="destination-revoke",
    ),
]
