"""Parameters: missing, of the wrong type, broken, too long; and bodies that are none."""

import pytest

from registry.models import ModelVersion, RegisteredModel
from tests.registry.mlflow.conftest import PREFIX

pytestmark = pytest.mark.django_db

REQUIRED = {
    ("POST", "registered-models/create"): ["name"],
    ("GET", "registered-models/get"): ["name"],
    ("PATCH", "registered-models/update"): ["name"],
    ("POST", "registered-models/rename"): ["name", "new_name"],
    ("DELETE", "registered-models/delete"): ["name"],
    ("POST", "registered-models/get-latest-versions"): ["name"],
    ("GET", "registered-models/get-latest-versions"): ["name"],
    ("POST", "registered-models/set-tag"): ["name", "key", "value"],
    ("DELETE", "registered-models/delete-tag"): ["name", "key"],
    ("POST", "registered-models/alias"): ["name", "alias", "version"],
    ("DELETE", "registered-models/alias"): ["name", "alias"],
    ("GET", "registered-models/alias"): ["name", "alias"],
    ("POST", "model-versions/create"): ["name", "source"],
    ("GET", "model-versions/get"): ["name", "version"],
    ("PATCH", "model-versions/update"): ["name", "version"],
    ("DELETE", "model-versions/delete"): ["name", "version"],
    ("GET", "model-versions/get-download-uri"): ["name", "version"],
    ("POST", "model-versions/set-tag"): ["name", "version", "key", "value"],
    ("DELETE", "model-versions/delete-tag"): ["name", "version", "key"],
    ("POST", "model-versions/transition-stage"): [
        "name",
        "version",
        "stage",
        "archive_existing_versions",
    ],
}
GOOD = {
    "name": "credit",
    "new_name": "other",
    "version": "1",
    "key": "k",
    "value": "v",
    "alias": "a",
    "source": "s3://b",
    "stage": "Staging",
    "archive_existing_versions": False,
}
CASES = [(*call, name) for call, names in REQUIRED.items() for name in names]


@pytest.mark.parametrize(("method", "path", "name"), CASES)
def test_a_required_parameter_that_is_missing_is_named(method, path, name, mlflow):
    given = {it: GOOD[it] for it in REQUIRED[method, path] if it != name}

    status, code, message = mlflow.refused(method, path, **given)

    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message.startswith(f"Missing value for required parameter '{name}'")


@pytest.mark.parametrize(("method", "path", "name"), [case for case in CASES if case[0] != "GET"])
@pytest.mark.parametrize("wrong", [5, {"a": 1}, ["x"]], ids=["number", "object", "list"])
def test_a_value_of_another_type_is_refused(method, path, name, wrong, mlflow):
    given = {it: GOOD[it] for it in REQUIRED[method, path]}

    status, code, message = mlflow.refused(method, path, **{**given, name: wrong})

    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert f"for parameter '{name}' supplied" in message
    assert not RegisteredModel.objects.exists()


@pytest.mark.parametrize("tags", ["x", [1], [{"key": 1, "value": "v"}], [{"key": "k", "value": 1}]])
def test_tags_are_pairs_of_text(tags, mlflow):
    assert mlflow.refused("POST", "registered-models/create", name="m", tags=tags)[0] == 400


def test_the_last_value_of_a_tag_counts(mlflow):
    tags = [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]

    assert mlflow.model(tags=tags)["tags"] == [{"key": "a", "value": "2"}]


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"5", b"\xff", b'"x"', b"[" * 100_000, b'{"name": ' + b"9" * 5000 + b"}"],
    ids=["cut", "list", "number", "bytes", "text", "deep", "huge number"],
)
def test_a_body_that_is_no_object_is_refused(body, mlflow):
    response = mlflow.client.generic(
        "POST", f"{PREFIX}registered-models/create", body, content_type="application/json"
    )

    assert response.status_code == 400
    assert response.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_a_body_that_was_encoded_twice_is_read(mlflow):
    response = mlflow.client.generic(
        "POST",
        f"{PREFIX}registered-models/create",
        b'"{\\"name\\": \\"m\\"}"',
        content_type="application/json",
    )

    assert response.status_code == 200


def test_a_body_over_the_cap_is_refused(mlflow, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    assert mlflow.refused("POST", "registered-models/create", name="x" * 2000)[0] == 400


@pytest.mark.parametrize("broken", ["a\x00b", "\ud800"], ids=["NUL", "lone surrogate"])
@pytest.mark.parametrize("name", ["name", "description", "deployment_job_id"])
def test_text_that_a_database_cannot_hold_is_refused(name, broken, mlflow):
    given = {"name": "m", name: broken}

    assert mlflow.refused("POST", "registered-models/create", **given)[0] == 400
    assert not RegisteredModel.objects.exists()


@pytest.mark.parametrize("version", ["x", "", "1.5", "１", "1_0", " "])
def test_a_version_is_a_whole_number(version, mlflow):
    mlflow.model()

    status, code, _ = mlflow.refused("GET", "model-versions/get", name="credit", version=version)

    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("version", ["0", "-1", "2147483648", "9" * 400])
def test_a_version_that_cannot_be_is_not_found(version, mlflow):
    mlflow.model()

    status, code, _ = mlflow.refused("GET", "model-versions/get", name="credit", version=version)

    assert (status, code) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_unknown_fields_are_ignored_as_a_newer_client_needs(mlflow):
    assert mlflow.model(workspace_name="x", permission_level=None)["name"] == "credit"


def test_null_is_as_if_it_was_left_out(mlflow):
    model = mlflow.model(tags=None, description=None)

    assert (model["tags"], model["description"]) == ([], "")


@pytest.mark.parametrize("name", ["a/b", "a:b", " ", "a\nb", "..", "x" * 256])
def test_names_that_cannot_be(name, mlflow):
    status, code, _ = mlflow.refused("POST", "registered-models/create", name=name)

    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("key", ["x" * 251, "a$b", "../x", "/a", "a//b", "."])
def test_tag_keys_that_cannot_be(key, mlflow):
    mlflow.model()
    before = RegisteredModel.objects.get().updated_at

    assert mlflow.refused("POST", "registered-models/set-tag", name="credit", key=key, value="v")[
        1
    ] == ("INVALID_PARAMETER_VALUE")
    assert RegisteredModel.objects.get().updated_at == before


def test_a_tag_may_be_as_long_as_a_prompt_and_no_longer(mlflow):
    mlflow.model()
    mlflow.version()
    set_tag = {"name": "credit", "version": "1", "key": "mlflow.prompt.text"}

    mlflow.ok("POST", "model-versions/set-tag", value="x" * 100_000, **set_tag)
    refused = mlflow.refused("POST", "model-versions/set-tag", value="x" * 100_001, **set_tag)

    assert refused[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert len(ModelVersion.objects.get().tags["mlflow.prompt.text"]) == 100_000
