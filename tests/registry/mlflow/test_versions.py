"""``model-versions/…``: registered, read, copied, staged, deleted."""

import pytest

from registry.models import ModelVersion, RegisteredModel, VersionAuthor
from tests.factories.registry import AliasFactory, ModelVersionFactory
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _model(mlflow):
    mlflow.model()


def get(mlflow, version="1", name="credit"):
    return mlflow.ok("GET", "model-versions/get", name=name, version=version)["model_version"]


def test_a_version_is_registered_and_read(mlflow):
    made = mlflow.version(
        run_id="r1",
        run_link="https://runs/r1",
        description="first",
        model_id="m-1",
        tags=[{"key": "auc", "value": "0.9"}],
    )

    assert get(mlflow) == made
    assert made["version"] == "1"
    assert made["status"] == "READY"
    assert made["current_stage"] == "None"
    assert made["user_id"] == "ci-bot"
    assert made["source"] == "s3://b/m"
    assert (made["run_id"], made["run_link"], made["model_id"]) == ("r1", "https://runs/r1", "m-1")
    assert made["tags"] == [{"key": "auc", "value": "0.9"}]
    assert made["aliases"] == []
    assert recorded_actions() == ["model.created", "version.registered"]


def test_the_same_release_twice_is_two_versions_here(mlflow):
    assert [mlflow.version()["version"] for _ in range(3)] == ["1", "2", "3"]


def test_a_model_that_is_not_there_has_no_versions(mlflow):
    refused = mlflow.refused("POST", "model-versions/create", name="x", source="s3://b")

    assert refused == (404, "RESOURCE_DOES_NOT_EXIST", "Registered Model with name=x not found")
    assert mlflow.refused("GET", "model-versions/get", name="credit", version="7") == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "Model Version (name=credit, version=7) not found",
    )


def test_a_retired_model_takes_none_and_says_so_at_once(mlflow):
    from django.utils import timezone

    RegisteredModel.objects.update(retired_at=timezone.now())

    refused = mlflow.refused("POST", "model-versions/create", name="credit", source="s3://b")

    assert refused[:2] == (403, "PERMISSION_DENIED")
    assert RegisteredModel.objects.get().next_version == 1


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd",
        "../../../etc/passwd",
        "runs:/abc/model",
        "models:/m-0123456789/x",
        "dbfs:/x; DROP TABLE",
        "{{7*7}}<script>",
    ],
)
def test_a_source_is_text_that_nobody_opens(source, mlflow):
    mlflow.version(source=source)

    found = mlflow.ok("GET", "model-versions/get-download-uri", name="credit", version="1")

    assert found == {"artifact_uri": source}


def test_a_logged_models_id_is_read_from_its_source(mlflow):
    assert mlflow.version(source="models:/m-abc", run_id="")["model_id"] == "m-abc"


def test_tags_fill_the_release(mlflow):
    made = mlflow.version(
        tags=[
            {"key": "countersign.git_commit", "value": "ABCDEF"},
            {"key": "countersign.decision_threshold", "value": "0.35"},
            {"key": "countersign.consumption", "value": "batch"},
            {"key": "countersign.git_authors", "value": "ada@x.org, Bo@x.org"},
            {"key": "countersign.semantic_version", "value": "2.1.0"},
        ]
    )

    version = ModelVersion.objects.get()
    assert version.git_commit == "abcdef"
    assert version.decision_threshold == 0.35
    assert version.consumption == "batch"
    assert version.semantic_version == "2.1.0"
    assert version.release["git_authors"] == ["ada@x.org", "bo@x.org"]
    assert len(made["tags"]) == 5
    authors = set(VersionAuthor.objects.values_list("role", "identity"))
    assert {("git_author", "ada@x.org"), ("git_author", "bo@x.org")} <= authors


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("countersign.decision_threshold", "high"),
        ("countersign.decision_threshold", "nan"),
        ("countersign.consumption", "telepathy"),
        ("countersign.semantic_version", "two"),
    ],
)
def test_a_release_tag_that_makes_no_sense_is_refused_and_takes_no_number(key, value, mlflow):
    tags = [{"key": key, "value": value}]

    refused = mlflow.refused(
        "POST", "model-versions/create", name="credit", source="s3://b", tags=tags
    )

    assert refused[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert RegisteredModel.objects.get().next_version == 1


def test_a_gated_model_answers_pending_until_it_is_settled(mlflow, caller_for):
    from registry.services import status

    RegisteredModel.objects.update(gated_at_registration=True)

    assert mlflow.version()["status"] == "PENDING_REGISTRATION"
    status.settle(
        caller=caller_for("model_owner"),
        version=ModelVersion.objects.get(),
        status="FAILED_REGISTRATION",
        message="gate “bias” failed",
    )

    settled = get(mlflow)
    assert (settled["status"], settled["status_message"]) == (
        "FAILED_REGISTRATION",
        "gate “bias” failed",
    )


def test_a_copy_is_the_originals_release_with_its_authors_and_its_files(mlflow, workspace):
    mlflow.version(run_id="r1", tags=[{"key": "countersign.decision_threshold", "value": "0.4"}])
    original = ModelVersion.objects.get()
    VersionAuthor.objects.create(version=original, role="git_author", identity="ada@x.org")
    mlflow.model("prod")

    copied = mlflow.version("prod", source="models:/credit/1", run_id="", run_link="")
    again = mlflow.version("prod", source="models:/prod/1", run_id="", run_link="")

    assert (copied["source"], copied["run_id"]) == ("models:/credit/1", "r1")
    copy = ModelVersion.objects.get(model__name="prod", number=1)
    assert copy.decision_threshold == 0.4
    assert copy.release["extra"]["copied_from"]["digest"] == original.release_digest
    assert copy.authors.filter(role="git_author", identity="ada@x.org", user=None).exists()
    for name, version in (("prod", copied["version"]), ("prod", again["version"])):
        uri = mlflow.ok("GET", "model-versions/get-download-uri", name=name, version=version)
        assert uri == {"artifact_uri": "s3://b/m"}


def test_a_copy_by_alias_and_of_nothing(mlflow):
    mlflow.version(source="s3://one")
    mlflow.version(source="s3://two")
    mlflow.ok("POST", "registered-models/alias", name="credit", alias="best", version="1")

    copied = mlflow.version(source="models:/credit@best")

    assert mlflow.ok(
        "GET", "model-versions/get-download-uri", name="credit", version=copied["version"]
    ) == {"artifact_uri": "s3://one"}
    for source in ("models:/credit/99", "models:/nobody/1", "models:/credit@nowhere"):
        refused = mlflow.refused("POST", "model-versions/create", name="credit", source=source)
        assert refused[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


def test_update_changes_the_description_and_the_time(mlflow):
    before = mlflow.version()

    after = mlflow.ok(
        "PATCH", "model-versions/update", name="credit", version="1", description="better"
    )["model_version"]

    assert after["description"] == "better"
    assert after["last_updated_timestamp"] >= before["last_updated_timestamp"]


def stage(mlflow, version, name, archive=False):
    return mlflow.call(
        "POST",
        "model-versions/transition-stage",
        name="credit",
        version=version,
        stage=name,
        archive_existing_versions=archive,
    )


def test_stages_in_any_case_and_the_others_archived_when_asked(mlflow):
    for _ in range(3):
        mlflow.version()
    stage(mlflow, "1", "production")
    stage(mlflow, "2", "Production")

    status, body = stage(mlflow, "3", "PRODUCTION", archive=True)

    assert (status, body["model_version"]["current_stage"]) == (200, "Production")
    assert [get(mlflow, it)["current_stage"] for it in "123"] == [
        "Archived",
        "Archived",
        "Production",
    ]
    assert recorded_actions().count("version.stage_changed") == 3


def test_the_same_stage_again_is_no_event(mlflow):
    mlflow.version()
    stage(mlflow, "1", "Staging")

    assert stage(mlflow, "1", "Staging")[0] == 200
    assert recorded_actions().count("version.stage_changed") == 1


@pytest.mark.parametrize(("name", "archive"), [("Live", False), ("Archived", True), ("None", True)])
def test_a_stage_that_is_none_or_holds_none(name, archive, mlflow):
    mlflow.version()

    status, body = stage(mlflow, "1", name, archive)

    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert get(mlflow)["current_stage"] == "None"


def test_a_deleted_version_is_gone_its_aliases_too_and_its_number_stays_taken(mlflow):
    mlflow.version()
    mlflow.version()
    mlflow.ok("POST", "registered-models/alias", name="credit", alias="next", version="2")

    mlflow.ok("DELETE", "model-versions/delete", name="credit", version="2")

    assert mlflow.refused("GET", "model-versions/get", name="credit", version="2")[0] == 404
    assert mlflow.refused("GET", "registered-models/alias", name="credit", alias="next")[0] == 400
    model = mlflow.ok("GET", "registered-models/get", name="credit")["registered_model"]
    assert model["aliases"] == []
    assert [it["version"] for it in model["latest_versions"]] == ["1"]
    assert mlflow.version()["version"] == "3"
    assert recorded_actions().count("version.deleted") == 1
    assert mlflow.refused("DELETE", "model-versions/delete", name="credit", version="2")[0] == 404


def test_a_version_that_was_ever_live_is_kept_and_the_try_recorded(mlflow):
    version = ModelVersionFactory(model=RegisteredModel.objects.get())
    alias = AliasFactory(version=version, name="champion")
    alias.ended_at = alias.started_at
    alias.save()

    refused = mlflow.refused("DELETE", "model-versions/delete", name="credit", version="1")

    assert refused[:2] == (403, "PERMISSION_DENIED")
    assert get(mlflow)["version"] == "1"
    assert recorded_actions()[-1] == "version.delete_refused"


def test_a_version_that_another_one_calls_is_kept(mlflow):
    from registry.models import VersionComponent

    part = ModelVersionFactory(model=RegisteredModel.objects.get())
    whole = ModelVersionFactory(model__workspace=part.model.workspace)
    VersionComponent.objects.create(version=whole, component=part)

    refused = mlflow.refused("DELETE", "model-versions/delete", name="credit", version="1")

    assert refused[:2] == (403, "PERMISSION_DENIED")
    assert str(whole) in refused[2]
