"""API routes of webhooks."""

from django.urls import path

from registry.api import views_webhooks as views

urlpatterns = [
    path("webhooks", views.WebhookList.as_view(), name="webhook-list"),
    path("webhooks/<uuid:uid>", views.WebhookDetail.as_view(), name="webhook-detail"),
    path("webhooks/<uuid:uid>/test", views.WebhookTest.as_view(), name="webhook-test"),
    path("webhooks/<uuid:uid>/deliveries", views.DeliveryList.as_view(), name="webhook-deliveries"),
    path(
        "webhooks/<uuid:uid>/deliveries/<uuid:delivery>/resend",
        views.DeliveryResend.as_view(),
        name="webhook-resend",
    ),
]
