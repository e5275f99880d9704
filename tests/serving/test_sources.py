"""Setting where endpoints come from: what is refused, and where its secrets may go."""

from __future__ import annotations

import pytest

from audit.actions import Action
from common.errors import Invalid, NotAllowed, NotFound
from serving.errors import EndpointRefused
from serving.models import EndpointSource, EndpointSourceSecret
from serving.services import sources

pytestmark = pytest.mark.django_db

TEMPLATE = "https://m.example/{model}/{version}"
SECRETS = {"Authorization": "Bearer hunter2"}
HOOK_SECRET = "whsec_0123456789abcdef"


@pytest.fixture
def model(version):
    return version.model


@pytest.fixture
def builder(caller_for):
    return caller_for("model_owner")


def put(builder, model, kind="template", /, **given):
    given = {"template": TEMPLATE, **given} if kind == "template" else given
    return sources.put(caller=builder, model=model, kind=kind, **given)


def test_one_a_model_changed_in_place_and_taken_away(builder, model, recorded_actions):
    first = put(builder, model, secrets=SECRETS)
    again = put(builder, model, "tag", origin="https://m.example/")
    assert (first.pk, again.kind, again.template) == (again.pk, "tag", "")
    assert again.origin == "https://m.example:443"
    assert sources.headers_of(again) == {"authorization": "Bearer hunter2"}
    sources.remove(caller=builder, model=model)
    assert not EndpointSourceSecret.objects.exists()
    with pytest.raises(NotFound):
        sources.remove(caller=builder, model=model)
    assert put(builder, model).pk != first.pk
    assert recorded_actions() == [
        Action.ENDPOINT_SOURCE_SET,
        Action.ENDPOINT_SOURCE_SET,
        Action.ENDPOINT_SOURCE_REMOVED,
        Action.ENDPOINT_SOURCE_SET,
    ]


def test_a_viewer_sets_nothing(caller_for, model):
    with pytest.raises(NotAllowed):
        put(caller_for("viewer"), model)


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("template", {"template": "https://{model}/"}, "template"),
        ("oracle", {}, "kind"),
        ("tag", {"origin": "m.example"}, "origin"),
        ("tag", {"origin": "https://m.example/path"}, "origin"),
        ("hook", {"hook_url": ""}, "hook_url"),
        ("template", {"protocol": "smoke"}, "protocol"),
        ("template", {"timeout_ms": 1}, "timeout_ms"),
        ("template", {"answer_within_s": 1}, "answer_within_s"),
        ("template", {"input_columns": ["a", "a"]}, "input_columns"),
        ("template", {"secrets": {"Host": "x"}}, "secrets"),
        ("template", {"secrets": {"X-Key": "line\nbreak"}}, "secrets"),
    ],
)
def test_what_cannot_work_is_refused_at_its_field(builder, model, kind, given, field):
    with pytest.raises(Invalid) as caught:
        put(builder, model, kind, **given)
    assert list(caught.value.fields) == [field]
    assert not EndpointSource.objects.exists()


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("tag", {}),
        ("template", {"template": "https://{model}.models.internal/"}),
    ],
)
def test_a_secret_goes_to_one_origin_only(builder, model, kind, given):
    """Whoever registers a version would otherwise choose who is sent the secret."""
    with pytest.raises(Invalid, match="A secret goes to"):
        put(builder, model, kind, **given, secrets=SECRETS)


def test_kept_secrets_do_not_follow_to_another_origin(builder, model):
    put(builder, model, secrets=SECRETS)
    put(builder, model, template="https://m.example/other/{version}")
    with pytest.raises(Invalid, match="give the secrets again"):
        put(builder, model, template="https://evil.example/{version}")
    moved = put(builder, model, template="https://evil.example/{version}", secrets={})
    assert sources.headers_of(moved) == {}


def test_a_hook_is_signed_and_its_address_judged(builder, model, server):
    with pytest.raises(EndpointRefused):
        put(builder, model, "hook", hook_url="http://169.254.169.254/", hook_secret=HOOK_SECRET)
    with pytest.raises(Invalid, match="needs a secret"):
        put(builder, model, "hook", hook_url=server.url)
    with pytest.raises(Invalid, match="16 to"):
        put(builder, model, "hook", hook_url=server.url, hook_secret="short")
    kept = put(builder, model, "hook", hook_url=server.url, hook_secret=HOOK_SECRET)
    assert HOOK_SECRET not in kept.sealed_secret
    same = put(builder, model, "hook", hook_url=server.url + "/other")
    assert same.sealed_secret == kept.sealed_secret


def test_the_hooks_secret_does_not_follow_to_another_host(builder, model, server, settings):
    from tests.serving.servers import Server

    other = Server()
    other.start()
    settings.OUTBOUND_ALLOW += f",127.0.0.1/32:{other.port}"
    put(builder, model, "hook", hook_url=server.url, hook_secret=HOOK_SECRET)
    with pytest.raises(Invalid, match="give its secret again"):
        put(builder, model, "hook", hook_url=other.url)
    other.stop()


def test_a_copied_ciphertext_opens_nowhere_else(builder, model, version):
    from serving.secrets import SecretUnreadable
    from tests.factories.serving import EndpointSourceFactory

    put(builder, model, secrets=SECRETS)
    stolen = EndpointSourceFactory(model__workspace=model.workspace)
    EndpointSourceSecret.objects.update(source=stolen)
    with pytest.raises(SecretUnreadable):
        sources.headers_of(stolen)
