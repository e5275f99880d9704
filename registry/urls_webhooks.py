"""Pages of webhooks, in the registry's namespace."""

from django.urls import path

from registry.views import webhooks as views

urlpatterns = [
    path("webhooks/", views.WebhookListView.as_view(), name="webhook-list"),
    path("new-webhook/", views.WebhookCreateView.as_view(), name="webhook-create"),
    path("webhooks/<uuid:uid>/", views.WebhookDetailView.as_view(), name="webhook-detail"),
    path("webhooks/<uuid:uid>/edit/", views.WebhookEditView.as_view(), name="webhook-edit"),
    path("webhooks/<uuid:uid>/switch/", views.switch, name="webhook-switch"),
    path("webhooks/<uuid:uid>/test/", views.test, name="webhook-test"),
    path("webhooks/<uuid:uid>/delete/", views.delete, name="webhook-delete"),
    path(
        "webhooks/<uuid:uid>/deliveries/<uuid:delivery>/resend/",
        views.resend,
        name="webhook-resend",
    ),
]
