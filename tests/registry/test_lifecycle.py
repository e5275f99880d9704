"""Rename, retire, delete, tag and stage: by REST and on the pages, with what comes of it said."""

import pytest

from registry.models import ModelVersion, RegisteredModel
from tests.factories.registry import AliasFactory, ModelVersionFactory, RegisteredModelFactory
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(workspace):
    return ModelVersionFactory(model__workspace=workspace, model__name="credit")


@pytest.fixture
def rest(api):
    return api("model_owner")


def test_rest_renames_retires_and_deletes(version, rest):
    renamed = rest.post("/api/v1/models/credit/rename", {"name": "loan"}, format="json")
    retired = rest.post("/api/v1/models/loan/retired", {"retired": True}, format="json")
    back = rest.post("/api/v1/models/loan/retired", {"retired": False}, format="json")
    deleted = rest.delete("/api/v1/models/loan")

    assert (renamed.status_code, renamed.json()["name"]) == (200, "loan")
    assert retired.json()["retired_at"] is not None
    assert back.json()["retired_at"] is None
    assert deleted.status_code == 204
    assert rest.get("/api/v1/models/loan").status_code == 404
    assert recorded_actions() == [
        "model.renamed",
        "model.updated",
        "model.updated",
        "model.deleted",
    ]


def test_rest_tags_stages_and_deletes_a_version(version, rest):
    url = "/api/v1/models/credit/versions/1"

    tagged = rest.put(f"{url}/tags/team/a", {"value": "risk"}, format="json")
    staged = rest.post(f"{url}/stage", {"stage": "Staging"}, format="json")
    untagged = rest.delete(f"{url}/tags/team/a")
    modelled = rest.put("/api/v1/models/credit/tags/owner", {"value": "x"}, format="json")

    assert tagged.json()["tags"] == {"team/a": "risk"}
    assert (staged.status_code, untagged.status_code) == (200, 204)
    assert modelled.json()["tags"] == {"owner": "x"}
    version.refresh_from_db()
    assert (version.stage, version.tags) == ("Staging", {})
    assert rest.delete(url).status_code == 204
    assert rest.get(url).status_code == 404


def test_rest_refuses_to_delete_what_was_live_and_records_the_try(version, rest):
    AliasFactory(version=version, name="champion")

    for url in ("/api/v1/models/credit/versions/1", "/api/v1/models/credit"):
        refused = rest.delete(url)
        assert (refused.status_code, refused.json()["code"]) == (403, "ever_live")

    assert not ModelVersion.objects.exclude(deleted_at=None).exists()
    assert recorded_actions() == ["version.delete_refused", "model.delete_refused"]


def test_the_pages_name_the_consequence_before_anything_is_done(version, client_for):
    client = client_for("model_owner")
    AliasFactory(version=version, name="next")

    rename = client.get("/models/credit/rename/").content.decode()
    retire = client.get("/models/credit/retire/").content.decode()
    delete = client.get("/models/credit/delete/").content.decode()
    gone = client.get("/models/credit/versions/1/delete/").content.decode()

    assert "models:/credit/…" in rename
    assert "none promoted any more" in retire
    assert "Its version goes with it" in delete
    assert "@next will stand nowhere" in gone
    assert recorded_actions() == []


def test_the_pages_do_it(version, client_for):
    client = client_for("model_owner")

    client.post("/models/credit/tags/", {"key": "team", "value": "risk", "do": "set"})
    client.post("/models/credit/versions/1/tags/", {"key": "a", "value": "b"})
    client.post("/models/credit/versions/1/stage/", {"stage": "Production"})
    client.post("/models/credit/rename/", {"name": "loan"})
    client.post("/models/loan/retire/")

    model = RegisteredModel.objects.get(name="loan")
    version.refresh_from_db()
    assert model.tags == {"team": "risk"}
    assert model.retired_at is not None
    assert (version.tags, version.stage) == ({"a": "b"}, "Production")
    client.post("/models/loan/tags/", {"key": "team", "do": "delete"})
    assert client.post("/models/loan/delete/").status_code == 302
    model.refresh_from_db()
    assert (model.tags, model.deleted_at is None) == ({}, False)


def test_a_page_says_why_not(version, client_for):
    client = client_for("model_owner")
    AliasFactory(version=version, name="champion")
    RegisteredModelFactory(workspace=version.model.workspace, name="taken")

    page = client.get("/models/credit/versions/1/delete/")
    refused = client.post("/models/credit/versions/1/delete/")
    renamed = client.post("/models/credit/rename/", {"name": "taken"})

    assert "what was ever live is kept" in page.content.decode()
    assert b"What comes of it" not in page.content
    assert (refused.status_code, renamed.status_code) == (409, 409)
    assert "There is a model named “taken” already." in renamed.content.decode()
    assert recorded_actions() == ["version.delete_refused"]


def test_who_may_only_read_is_offered_no_change(version, client_for):
    page = client_for("viewer").get("/models/credit/").content.decode()

    assert "Tags, name and end" not in page
    assert "Tags, name and end" in client_for("model_owner").get("/models/credit/").content.decode()
