"""The six calls, made by MLflow's own client."""

from __future__ import annotations

import time

import pytest
from mlflow.entities.model_registry import ModelVersionTag, RegisteredModelTag
from mlflow.entities.webhook import WebhookEvent, WebhookStatus
from mlflow.exceptions import MlflowException
from mlflow.webhooks.delivery import _generate_hmac_signature
from mlflow.webhooks.types import EVENT_TO_PAYLOAD_CLASS

from audit.actions import Action
from outbound.models import Message
from outbound.services.deliver import deliver_due
from registry.models import Webhook
from registry.webhook_events import IS_PROMPT, PROMPT_TEXT
from tests.outbound.conftest import respond
from tests.registry.webhooks.conftest import SECRET, allow, received, told

pytestmark = pytest.mark.django_db

CREATED = WebhookEvent.from_str("model_version.created")
TAGGED = WebhookEvent.from_str("model_version_tag.set")


@pytest.fixture
def admin(mlflow_client):
    return mlflow_client("administrator")


@pytest.fixture
def webhook(admin, receiver):
    return admin.create_webhook(
        name="deploy-bot",
        url=receiver.url("/hook"),
        events=[CREATED, TAGGED],
        description="Tells the deployment",
        secret=SECRET,
    )


def test_create_get_update_list_and_delete(admin, webhook, receiver, recorded_actions):
    assert (webhook.name, webhook.description) == ("deploy-bot", "Tells the deployment")
    assert webhook.status == WebhookStatus.ACTIVE
    assert webhook.events == [CREATED, TAGGED]
    assert abs(webhook.creation_timestamp / 1000 - time.time()) < 60
    assert admin.get_webhook(webhook.webhook_id).url == receiver.url("/hook")

    changed = admin.update_webhook(webhook.webhook_id, name="other", status="DISABLED")
    assert (changed.name, changed.status) == ("other", WebhookStatus.DISABLED)
    assert changed.events == [CREATED, TAGGED]
    assert changed.description == "Tells the deployment"
    assert [it.name for it in admin.list_webhooks()] == ["other"]

    admin.delete_webhook(webhook.webhook_id)
    assert list(admin.list_webhooks()) == []
    with pytest.raises(MlflowException, match=f"Webhook with ID {webhook.webhook_id} not found"):
        admin.get_webhook(webhook.webhook_id)
    assert recorded_actions() == [
        Action.WEBHOOK_CREATED,
        Action.WEBHOOK_UPDATED,
        Action.WEBHOOK_DELETED,
    ]


def test_pages_are_walked_by_token(admin, receiver):
    names = [f"hook-{n}" for n in range(5)]
    for name in names:
        admin.create_webhook(name=name, url=receiver.url(), events=[CREATED])
    first = admin.list_webhooks(max_results=2)
    second = admin.list_webhooks(max_results=2, page_token=first.token)
    third = admin.list_webhooks(max_results=2, page_token=second.token)
    assert [it.name for it in [*first, *second, *third]] == names[::-1]
    assert not third.token
    for token in ("nonsense", "eyJiZWZvcmUiOiAiMSJ9", "W10="):
        with pytest.raises(MlflowException, match="page token"):
            admin.list_webhooks(page_token=token)


def test_a_test_call_is_signed_as_mlflow_signs_and_answered_at_once(admin, webhook, receiver):
    result = admin.test_webhook(webhook.webhook_id)

    assert (result.success, result.response_status, result.response_body) == (True, 200, "thanks")
    headers, body = received(receiver)
    assert headers["x-mlflow-signature"] == _generate_hmac_signature(
        SECRET, headers["x-mlflow-delivery-id"], headers["x-mlflow-timestamp"], body.decode()
    )
    content = told(receiver)
    assert (content["entity"], content["action"]) == ("model_version", "created")
    admin.test_webhook(webhook.webhook_id, event=TAGGED)
    assert told(receiver)["entity"] == "model_version_tag"
    assert not Message.objects.exists()


def test_a_test_call_that_fails_says_why(admin, receiver, serve, workspace):
    broken = serve(respond("500 Internal Server Error", b"a stack trace"))
    allow(workspace, broken)
    webhook = admin.create_webhook(name="broken", url=broken.url(), events=[CREATED])
    result = admin.test_webhook(webhook.webhook_id)
    assert (result.success, result.response_status) == (False, 500)
    assert result.error_message == "The receiver answers 500."


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("http://169.254.169.254/latest", "never called"),
        ("http://10.1.1.1/", "private network"),
        ("http://127.0.0.1:1/", "this machine"),
        ("http://93.184.216.34/", "https only"),
        ("ftp://example.com/", "http"),
        ("https://user:pass@93.184.216.34/", "user name"),
    ],
)
def test_an_address_that_is_not_called_is_refused_and_recorded(
    admin, url, match, recorded_actions, receiver
):
    with pytest.raises(MlflowException, match=match) as caught:
        admin.create_webhook(name="spy", url=url, events=[CREATED])
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert recorded_actions() == [Action.ADDRESS_REFUSED]
    webhook = admin.create_webhook(name="spy", url=receiver.url(), events=[CREATED])
    with pytest.raises(MlflowException, match=match):
        admin.update_webhook(webhook.webhook_id, url=url)
    assert Webhook.objects.get().url == receiver.url()


@pytest.mark.parametrize("name", ["-bot", "two words", "x" * 64, "a/b", "bot\n"])
def test_odd_names_are_refused(admin, receiver, name):
    with pytest.raises(MlflowException, match="name"):
        admin.create_webhook(name=name, url=receiver.url(), events=[CREATED])
    assert not Webhook.objects.exists()


def test_only_administrators_change_webhooks_and_see_whole_urls(
    admin, mlflow_client, webhook, receiver
):
    viewer = mlflow_client("viewer")
    for act in (
        lambda: viewer.create_webhook(name="x", url=receiver.url(), events=[CREATED]),
        lambda: viewer.update_webhook(webhook.webhook_id, name="x"),
        lambda: viewer.delete_webhook(webhook.webhook_id),
        lambda: viewer.test_webhook(webhook.webhook_id),
    ):
        with pytest.raises(MlflowException, match="administrator") as caught:
            act()
        assert caught.value.error_code == "PERMISSION_DENIED"
    assert viewer.get_webhook(webhook.webhook_id).url == f"http://127.0.0.1:{receiver.port}/…"


def test_what_the_client_does_is_told(admin, webhook, receiver):
    admin.create_registered_model("credit-risk")
    admin.create_model_version("credit-risk", "s3://bucket/model", tags={"team": "risk"})
    admin.set_model_version_tag("credit-risk", "1", "checked", "yes")
    admin.delete_model_version_tag("credit-risk", "1", "checked")

    assert deliver_due() == 2
    version, tag = told(receiver, 0), told(receiver, 1)
    assert (version["entity"], version["action"]) == ("model_version", "created")
    assert version["data"] == {
        "name": "credit-risk",
        "version": "1",
        "source": "s3://bucket/model",
        "run_id": None,
        "tags": {"team": "risk"},
        "description": None,
    }
    assert tag["data"] == {
        "name": "credit-risk",
        "version": "1",
        "key": "checked",
        "value": "yes",
    }
    headers, body = received(receiver, 0)
    assert headers["x-mlflow-signature"] == _generate_hmac_signature(
        SECRET, headers["x-mlflow-delivery-id"], headers["x-mlflow-timestamp"], body.decode()
    )


def test_every_event_of_models_and_prompts_is_told_with_mlflows_keys(admin, receiver):
    """The keys are those of the payload classes that the client itself carries."""
    wanted = [it for it in EVENT_TO_PAYLOAD_CLASS if it[0].value != "budget_policy"]
    admin.create_webhook(
        name="all", url=receiver.url(), events=[WebhookEvent(*pair) for pair in wanted]
    )
    store = admin._get_registry_client().store
    for name, of_model, of_version in (
        ("m", {}, {}),
        ("p", {IS_PROMPT: "true"}, {IS_PROMPT: "true", PROMPT_TEXT: "Hello {{name}}"}),
    ):
        store.create_registered_model(name, tags=_tags(RegisteredModelTag, of_model))
        store.create_model_version(name, "prompt-template", tags=_tags(ModelVersionTag, of_version))
        store.set_registered_model_tag(name, RegisteredModelTag("colour", "blue"))
        store.delete_registered_model_tag(name, "colour")
        store.set_model_version_tag(name, "1", ModelVersionTag("colour", "blue"))
        store.delete_model_version_tag(name, "1", "colour")
        store.set_registered_model_alias(name, "best", "1")
        store.delete_registered_model_alias(name, "best")

    deliver_due()
    seen = {}
    for number in range(len(receiver.requests)):
        content = told(receiver, number)
        seen[content["entity"], content["action"]] = content["data"]
    assert set(seen) == {(entity.value, action.value) for entity, action in wanted}
    for (entity, action), kind in EVENT_TO_PAYLOAD_CLASS.items():
        if (entity.value, action.value) in seen:
            assert set(seen[entity.value, action.value]) == set(kind.__annotations__), entity
    assert seen["prompt_version", "created"]["template"] == "Hello {{name}}"


def _tags(kind, tags):
    return [kind(key, value) for key, value in tags.items()]
