from accounts.roles import Capability
from tests.factories.registry_webhooks import DeliveryFactory, WebhookFactory
from tests.permissions import Row


def a_webhook(workspace):
    return {"uid": WebhookFactory(workspace=workspace).uid}


def an_mlflow_webhook(workspace):
    return {"webhook_id": str(WebhookFactory(workspace=workspace).uid)}


def a_delivery(workspace):
    webhook = WebhookFactory(workspace=workspace)
    delivery = DeliveryFactory(workspace=workspace, subscription=webhook.uid, state="failed")
    return {"uid": webhook.uid, "delivery": delivery.uid}


VIEW, ADMIN = Capability.VIEW, Capability.WORKSPACE_ADMIN

ROWS = [
    Row("v1:webhook-list", {"get": VIEW, "post": ADMIN}),
    Row("v1:webhook-detail", {"get": VIEW, "patch": ADMIN, "delete": ADMIN}, a_webhook),
    Row("v1:webhook-test", {"post": ADMIN}, a_webhook),
    Row("v1:webhook-deliveries", {"get": ADMIN}, a_webhook),
    Row("v1:webhook-resend", {"post": ADMIN}, a_delivery),
    Row("mlflow:webhook-list", {"get": VIEW, "post": ADMIN}, tokens_only=True),
    Row(
        "mlflow:webhook",
        {"get": VIEW, "patch": ADMIN, "delete": ADMIN},
        an_mlflow_webhook,
        tokens_only=True,
    ),
    Row("mlflow:webhook-test", {"post": ADMIN}, an_mlflow_webhook, tokens_only=True),
    Row("registry:webhook-list", {"get": VIEW}),
    Row("registry:webhook-create", {"get": ADMIN, "post": ADMIN}),
    Row("registry:webhook-detail", {"get": VIEW}, a_webhook),
    Row("registry:webhook-edit", {"get": ADMIN, "post": ADMIN}, a_webhook),
    Row("registry:webhook-switch", {"post": ADMIN}, a_webhook),
    Row("registry:webhook-test", {"post": ADMIN}, a_webhook),
    Row("registry:webhook-delete", {"post": ADMIN}, a_webhook),
    Row("registry:webhook-resend", {"post": ADMIN}, a_delivery),
]
