"""Tags: one at a time, the others as they were, each an event."""

import pytest

from registry.models import ModelVersion, RegisteredModel
from registry.signals import version_tag_deleted, version_tag_set
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _version(mlflow):
    mlflow.model(tags=[{"key": "kept", "value": "1"}])
    mlflow.version(tags=[{"key": "kept", "value": "1"}])


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("registered-models", {"name": "credit"}),
        ("model-versions", {"name": "credit", "version": "1"}),
    ],
)
def test_a_tag_is_set_changed_and_taken_off(kind, named, mlflow):
    answer = "registered_model" if kind == "registered-models" else "model_version"

    def tags():
        got = mlflow.ok("GET", f"{kind}/get", **named)[answer]
        return {it["key"]: it["value"] for it in got["tags"]}, got["last_updated_timestamp"]

    _, before = tags()
    assert mlflow.ok("POST", f"{kind}/set-tag", **named, key="a/b c", value="x") == {}
    mlflow.ok("POST", f"{kind}/set-tag", **named, key="empty", value="")
    mlflow.ok("POST", f"{kind}/set-tag", **named, key="a/b c", value="y")
    assert tags()[0] == {"kept": "1", "a/b c": "y", "empty": ""}
    assert tags()[1] >= before
    assert mlflow.ok("DELETE", f"{kind}/delete-tag", **named, key="a/b c") == {}
    mlflow.ok("DELETE", f"{kind}/delete-tag", **named, key="never there")

    assert tags()[0] == {"kept": "1", "empty": ""}
    action = "model.tagged" if kind == "registered-models" else "version.tagged"
    assert recorded_actions().count(action) == 4


def test_a_tag_of_what_is_not_there(mlflow):
    tag = {"key": "a", "value": "b"}

    assert mlflow.refused("POST", "registered-models/set-tag", name="x", **tag)[0] == 404
    refused = mlflow.refused("POST", "model-versions/set-tag", name="credit", version="9", **tag)
    assert refused[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


def test_what_fills_the_release_is_set_with_it_or_never(mlflow):
    named = {"name": "credit", "version": "1", "key": "countersign.decision_threshold"}

    refused = mlflow.refused("POST", "model-versions/set-tag", value="0.9", **named)

    assert refused[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert ModelVersion.objects.get().tags == {"kept": "1"}
    assert "version.tagged" not in recorded_actions()


def test_more_tags_than_anybody_can_read_are_refused(mlflow):
    RegisteredModel.objects.update(tags={str(n): "" for n in range(500)})

    refused = mlflow.refused(
        "POST", "registered-models/set-tag", name="credit", key="more", value="x"
    )

    assert refused[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert len(RegisteredModel.objects.get().tags) == 500


def test_whoever_listens_is_told_after_the_commit(mlflow, django_capture_on_commit_callbacks):
    told = []

    def listen(sender, **facts):
        told.append((facts["version"].number, facts["key"], facts.get("value")))

    version_tag_set.connect(listen)
    version_tag_deleted.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            mlflow.ok(
                "POST", "model-versions/set-tag", name="credit", version="1", key="a", value="b"
            )
            mlflow.ok("DELETE", "model-versions/delete-tag", name="credit", version="1", key="a")
    finally:
        version_tag_set.disconnect(listen)
        version_tag_deleted.disconnect(listen)

    assert told == [(1, "a", "b"), (1, "a", None)]
