"""Sources of endpoints on the model's page, in their form, and by REST."""

from __future__ import annotations

import pytest
from django.urls import reverse

from serving.models import EndpointProvision, EndpointSource
from tests.factories.serving import (
    EndpointFactory,
    EndpointProvisionFactory,
    EndpointSourceFactory,
)

pytestmark = pytest.mark.django_db

TEMPLATE = "https://m.example/{model}/{version}"
FORM = {
    "kind": "template",
    "template": TEMPLATE,
    "answer_within_s": 900,
    "path": "predictions",
    "timeout_ms": 5000,
    "max_batch_rows": 100,
}


def test_by_rest_set_read_tried_and_removed(api, version, server):
    builder = api("model_owner")
    name = version.model.name
    at = reverse("v1:endpoint-source", args=[name])
    assert builder.get(at).status_code == 404
    given = {
        "kind": "template",
        "template": f"http://127.0.0.1:{server.port}/{{version}}",
        "secrets": {"X-Key": "hunter2"},
        "mapping": {"index": 1},
    }
    body = builder.put(at, given, format="json").json()
    assert (body["kind"], body["secret_headers"], body["mapping"]["index"]) == (
        "template",
        ["x-key"],
        1,
    )
    assert "hunter2" not in str(body)

    tries = reverse("v1:endpoint-provisions", args=[name, version.number])
    started = builder.post(tries)
    assert (started.status_code, started.json()["state"]) == (201, "trying")
    assert builder.post(tries).json()["code"] == "no_provision"
    assert [it["uid"] for it in builder.get(tries).json()["results"]] == [started.json()["uid"]]

    assert builder.delete(at).status_code == 204
    assert builder.get(at).json()["code"] == "no_endpoint_source"


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"kind": "template", "template": "https://{model}/"}, "template"),
        ({"kind": "template", "template": TEMPLATE, "owner": 1}, "owner"),
        ({"kind": "hook", "hook_url": "http://10.0.0.1/", "hook_secret": "x" * 16}, "hook_url"),
        ({"kind": "tag", "secrets": {"X-Key": "k"}}, "origin"),
        ({}, "kind"),
    ],
)
def test_what_is_refused_names_its_field(api, version, given, at):
    answer = api("model_owner").put(
        reverse("v1:endpoint-source", args=[version.model.name]), given, format="json"
    )
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [at])
    assert not EndpointSource.objects.exists()


def test_the_form_says_what_is_missing_and_saves(client_for, version):
    browser = client_for("model_owner")
    name = version.model.name
    at = reverse("serving:source-edit", args=[name])
    assert browser.get(at).status_code == 200
    assert browser.post(at, {**FORM, "template": ""}).status_code == 422
    assert browser.post(at, {**FORM, "header": "X-Key"}).status_code == 422
    refused = browser.post(at, {**FORM, "template": "https://{model}/"})
    assert (refused.status_code, "last two parts" in refused.content.decode()) == (409, True)
    assert browser.post(at, {**FORM, "header": "X-Key", "secret": "hunter2"}).status_code == 302
    filled = browser.get(at).content.decode()
    assert TEMPLATE in filled
    assert "x-key" in filled
    assert "hunter2" not in filled
    assert browser.post(at, {**FORM, "timeout_ms": 700}).status_code == 302
    source = EndpointSource.objects.get()
    assert (source.timeout_ms, source.secrets.count()) == (700, 1)

    page = browser.get(reverse("registry:model-detail", args=[name])).content.decode()
    assert TEMPLATE in page
    browser.post(reverse("serving:source-remove", args=[name]))
    page = browser.get(reverse("registry:model-detail", args=[name])).content.decode()
    assert "gets no endpoint by itself" in page
    browser.post(reverse("serving:source-remove", args=[name]))  # nothing there: said, no error


def test_the_versions_part_tells_what_happened_and_offers_to_try_again(client_for, version):
    browser = client_for("model_owner")
    source = EndpointSourceFactory(model=version.model)
    provision = EndpointProvisionFactory(version=version, source=source)
    at = reverse("serving:version-endpoints", args=[version.model.name, version.number])
    assert "Being made" in browser.get(at).content.decode()
    EndpointProvision.objects.update(
        state="failed", reason="10.0.0.1:80 <b>belongs</b>", finished_at=provision.asked_at
    )
    page = browser.get(at).content.decode()
    assert "10.0.0.1:80 &lt;b&gt;belongs" in page
    assert "Try again" in page
    assert "Try again" not in client_for("viewer").get(at).content.decode()
    again = reverse("serving:provide-endpoint", args=[version.model.name, version.number])
    browser.post(again)
    assert EndpointProvision.objects.filter(state="trying").count() == 1
    browser.post(again)
    assert EndpointProvision.objects.filter(state="trying").count() == 1
    EndpointFactory(version=version)
    assert "Try again" not in browser.get(at).content.decode()
