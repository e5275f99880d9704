"""``registered-models/…`` as MLflow's clients see it, and what the trail says of it."""

import pytest

from registry.models import Kind, RegisteredModel
from tests.factories.registry import AliasFactory, ModelVersionFactory
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


def test_a_model_is_made_and_read(mlflow):
    made = mlflow.model(tags=[{"key": "tier", "value": "low"}], description="scores")

    assert made["latest_versions"] == []
    assert made["aliases"] == []
    assert made["tags"] == [{"key": "tier", "value": "low"}]
    read = mlflow.ok("GET", "registered-models/get", name="credit")["registered_model"]
    assert read == made
    assert read["creation_timestamp"] == read["last_updated_timestamp"]
    assert "@" in read["user_id"]
    assert recorded_actions() == ["model.created"]


def test_a_name_that_is_taken_is_400_and_not_409(mlflow):
    mlflow.model()

    refused = mlflow.refused("POST", "registered-models/create", name="credit")

    assert refused == (
        400,
        "RESOURCE_ALREADY_EXISTS",
        "Registered Model (name=credit) already exists.",
    )
    assert recorded_actions() == ["model.created"]


def test_a_model_that_is_not_there(mlflow):
    assert mlflow.refused("GET", "registered-models/get", name="x") == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "Registered Model with name=x not found",
    )


def test_a_prompt_is_a_kind_of_its_own_and_no_tag_makes_or_unmakes_one(mlflow):
    tag = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    mlflow.model("greeting", tags=[tag])
    mlflow.model("credit")

    assert RegisteredModel.objects.get(name="greeting").kind == Kind.PROMPT
    taken = mlflow.refused("POST", "registered-models/create", name="greeting")
    assert taken[:2] == (400, "RESOURCE_ALREADY_EXISTS")
    assert "already taken by a prompt" in taken[2]
    for call in (
        ("POST", "registered-models/set-tag", {"name": "credit", **tag}),
        ("POST", "registered-models/set-tag", {"name": "greeting", **tag, "value": "no"}),
        ("DELETE", "registered-models/delete-tag", {"name": "greeting", "key": tag["key"]}),
    ):
        assert mlflow.refused(call[0], call[1], **call[2])[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_update_changes_the_description_and_leaves_what_is_not_named(mlflow):
    before = mlflow.model(deployment_job_id="job 1")

    after = mlflow.ok("PATCH", "registered-models/update", name="credit", description="new")

    model = after["registered_model"]
    assert (model["description"], model["deployment_job_id"]) == ("new", "job 1")
    assert model["last_updated_timestamp"] >= before["last_updated_timestamp"]
    assert recorded_actions() == ["model.created", "model.updated"]


def test_rename_takes_versions_and_aliases_along(mlflow):
    mlflow.model()
    mlflow.version()
    mlflow.ok("POST", "registered-models/alias", name="credit", alias="next", version="1")

    renamed = mlflow.ok("POST", "registered-models/rename", name="credit", new_name="loan")

    assert renamed["registered_model"]["name"] == "loan"
    found = mlflow.ok("GET", "registered-models/alias", name="loan", alias="next")
    assert found["model_version"]["name"] == "loan"
    assert mlflow.refused("GET", "registered-models/get", name="credit")[0] == 404
    assert recorded_actions()[-1] == "model.renamed"


def test_rename_to_a_taken_name_is_refused_and_to_its_own_is_nothing(mlflow):
    mlflow.model("a")
    mlflow.model("b")

    refused = mlflow.refused("POST", "registered-models/rename", name="a", new_name="b")
    mlflow.ok("POST", "registered-models/rename", name="a", new_name="a")

    assert refused[:2] == (400, "RESOURCE_ALREADY_EXISTS")
    assert recorded_actions() == ["model.created", "model.created"]


def test_delete_frees_the_name_and_keeps_the_rows(mlflow):
    mlflow.model()
    mlflow.version()

    mlflow.ok("DELETE", "registered-models/delete", name="credit")

    assert mlflow.refused("GET", "registered-models/get", name="credit")[0] == 404
    assert mlflow.refused("GET", "model-versions/get", name="credit", version="1")[0] == 404
    assert mlflow.ok("GET", "model-versions/search")["model_versions"] == []
    old = RegisteredModel.objects.get()
    assert (old.deleted_at is None, old.versions.count()) == (False, 1)
    mlflow.model()
    assert mlflow.version()["version"] == "1"
    assert recorded_actions().count("model.deleted") == 1


def test_what_was_ever_live_is_not_deleted_and_the_try_is_recorded(mlflow, workspace):
    live = AliasFactory(version__model__workspace=workspace, version__model__name="credit")
    live.ended_at = live.started_at
    live.save()

    refused = mlflow.refused("DELETE", "registered-models/delete", name="credit")

    assert refused[:2] == (403, "PERMISSION_DENIED")
    assert "ever live" in refused[2]
    assert RegisteredModel.objects.get().deleted_at is None
    assert recorded_actions() == ["model.delete_refused"]


def test_the_latest_version_of_each_stage(mlflow):
    mlflow.model()
    for _ in range(4):
        mlflow.version()
    for version, stage in (("1", "Staging"), ("2", "staging"), ("3", "Production")):
        mlflow.ok(
            "POST",
            "model-versions/transition-stage",
            name="credit",
            version=version,
            stage=stage,
            archive_existing_versions=False,
        )

    def latest(method, **given):
        body = mlflow.ok(method, "registered-models/get-latest-versions", name="credit", **given)
        return {it["current_stage"]: it["version"] for it in body["model_versions"]}

    everything = {"None": "4", "Staging": "2", "Production": "3"}
    assert latest("POST") == everything
    assert latest("GET") == everything
    assert latest("POST", stages=["production"]) == {"Production": "3"}
    assert latest("GET", stages=["Staging", "Production"]) == {"Staging": "2", "Production": "3"}
    model = mlflow.ok("GET", "registered-models/get", name="credit")["registered_model"]
    assert {it["current_stage"]: it["version"] for it in model["latest_versions"]} == everything
    refused = mlflow.refused(
        "POST", "registered-models/get-latest-versions", name="credit", stages=["x"]
    )
    assert refused[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_reading_a_model_asks_no_more_for_forty_versions_than_for_two(
    mlflow, workspace, django_assert_num_queries
):
    model = ModelVersionFactory(model__workspace=workspace, model__name="credit").model
    ModelVersionFactory(model=model)
    mlflow.ok("GET", "registered-models/get", name="credit")
    with django_assert_num_queries(3):
        mlflow.ok("GET", "registered-models/get", name="credit")

    for _ in range(40):
        ModelVersionFactory(model=model)

    with django_assert_num_queries(3):
        body = mlflow.ok("GET", "registered-models/get", name="credit")
    assert body["registered_model"]["latest_versions"][0]["version"] == "42"


def test_a_name_is_found_however_its_accents_were_typed(mlflow):
    mlflow.model("cafe\u0301")

    found = mlflow.ok("GET", "registered-models/get", name="caf\u00e9")

    assert found["registered_model"]["name"] == "caf\u00e9"


def test_whoever_may_only_read_changes_nothing(reader, mlflow):
    mlflow.model()

    for method, path, given in (
        ("POST", "registered-models/create", {}),
        ("PATCH", "registered-models/update", {"description": "x"}),
        ("DELETE", "registered-models/delete", {}),
        ("POST", "registered-models/set-tag", {"key": "a", "value": "b"}),
    ):
        refused = reader.refused(method, path, name="credit", **given)
        assert refused[:2] == (403, "PERMISSION_DENIED")
    assert recorded_actions() == ["model.created"]
