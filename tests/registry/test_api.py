import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.actions import Action
from registry.models import Alias, Dataset, ModelVersion, RegisteredModel
from registry.services import datasets
from tests.factories.registry import (
    AliasFactory,
    DatasetFactory,
    ModelVersionFactory,
    RegisteredModelFactory,
)

pytestmark = pytest.mark.django_db
SHA = "a" * 64


@pytest.fixture
def builder(api):
    return api("model_owner")


@pytest.fixture
def model(workspace):
    return RegisteredModelFactory(workspace=workspace, name="credit-risk")


def url(route, /, **kwargs):
    return reverse(f"v1:{route}", kwargs=kwargs)


def test_register_a_model_a_version_and_read_them_back(builder, recorded_actions):
    made = builder.post(
        url("model-list"),
        {
            "name": "credit risk ä",
            "purpose": "Loans.",
            "kind": "binary",
            "tier": 1,
            "tags": {"team": "retail"},
        },
    )
    assert made.status_code == 201, made.json()
    answer = builder.post(
        url("version-list", name="credit risk ä"),
        {
            "artifacts": [{"name": "model.onnx", "sha256": SHA, "size": 5}],
            "source": "s3://bucket/run/7",
            "run_id": "7",
            "git_commit": "CAFE",
            "git_authors": ["who@example.org"],
            "decision_threshold": 0.4,
            "signature": {"inputs": [{"name": "x", "type": "double", "required": True}]},
            "consumption": "online",
            "image": "img",
            "features": "f@1",
            "training": {"from": "2026-01-01", "to": "2026-03-21", "rows": 100},
            "reported_metrics": {"auc": 0.7},
            "description": "First.",
            "tags": {"a": "b"},
        },
    )

    assert answer.status_code == 201, answer.json()
    body = builder.get(url("version-detail", name="credit risk ä", number=1)).json()
    assert body == answer.json()
    assert body["release"]["training"] == {"from": "2026-01-01", "to": "2026-03-21", "rows": 100}
    assert body["digest"].startswith("sha256:")
    assert {(it["role"], it["person"] is None) for it in body["authors"]} == {
        ("registered", False),
        ("git_author", True),
    }
    listed = builder.get(url("model-list")).json()["results"]
    assert [(it["name"], it["versions_count"], it["latest_version"]) for it in listed] == [
        ("credit risk ä", 1, 1)
    ]
    assert recorded_actions() == [Action.MODEL_CREATED, Action.VERSION_REGISTERED]


def test_a_service_accounts_person_is_the_author(service_api, model):
    client = service_api("model_owner")

    answer = client.post(url("version-list", name=model.name), {"source": "ci"})

    assert answer.status_code == 201, answer.json()
    version = ModelVersion.objects.get()
    assert version.created_through is not None
    assert version.created_by == version.created_through.responsible
    assert [author.user for author in version.authors.all()] == [version.created_by]


BAD_MODELS = {
    "unknown field": ({"name": "a", "nmae": 1}, 400, "nmae"),
    "no name": ({}, 400, "name"),
    "10 MB name": ({"name": "x" * 10_000_000}, (400, 413), None),
    "1 MB name": ({"name": "x" * 1_000_000}, 400, "name"),
    "path": ({"name": "../../etc/passwd"}, 400, "name"),
    "dots": ({"name": ".."}, 400, "name"),
    "nul": (b'{"name": "a\\u0000b"}', 400, None),
    "surrogate": (b'{"name": "\\ud800"}', 400, None),
    "escape": ({"name": "\x1b[31mred"}, 400, "name"),
    "newline": ({"name": "a\nb"}, 400, "name"),
    "turned text": ({"name": "abc\u202ecba"}, 400, "name"),
    "nan": (b'{"name": "a", "tier": NaN}', 400, None),
    "no json": (b"{", 400, None),
    "deep": (b"[" * 100_000, 400, None),
    "list": ([], 400, None),
    "unknown kind": ({"name": "a", "kind": "oracle"}, 400, "kind"),
    "tier": ({"name": "a", "tier": 0}, 400, "tier"),
    "stranger": ({"name": "a", "owner": "nobody@example.org"}, 400, "owner"),
    "tags": ({"name": "a", "tags": {"a": ["b"]}}, 400, "tags"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_bad_models_are_refused_in_words(case, builder, recorded_actions):
    body, status, field = BAD_MODELS[case]
    if isinstance(body, bytes):
        answer = builder.generic("POST", url("model-list"), body, content_type="application/json")
    else:
        answer = builder.post(url("model-list"), body)

    assert answer.status_code in (status if isinstance(status, tuple) else (status,))
    assert answer["content-type"] == "application/problem+json"
    assert len(answer.content) < 5000
    if field is not None:
        assert field in answer.json()["errors"]
    assert not RegisteredModel.objects.exists()
    assert recorded_actions() == []


def test_a_name_of_percents_is_only_a_name(builder):
    assert builder.post(url("model-list"), {"name": "%2e%2e"}).status_code == 201
    assert builder.get(url("model-detail", name="%2e%2e")).json()["name"] == "%2e%2e"


BAD_VERSIONS = {
    "unknown field": ({"artifact": []}, "artifact"),
    "unknown inner field": (
        {"artifacts": [{"name": "a", "sha256": SHA, "path": "/"}]},
        "artifacts",
    ),
    "sha": ({"artifacts": [{"name": "a", "sha256": "xyz"}]}, "artifacts"),
    "twice": ({"artifacts": [{"name": "a", "sha256": SHA}] * 2}, "artifacts"),
    "dataset": ({"datasets": [{"name": "nope"}]}, "datasets"),
    "use": ({"datasets": [{"name": "nope", "use": "fun"}]}, "datasets"),
    "threshold text": ({"decision_threshold": "0.5"}, "decision_threshold"),
    "threshold size": (b'{"decision_threshold": 1e999}', "decision_threshold"),
    "threshold nan": (b'{"decision_threshold": NaN}', None),
    "metric": ({"reported_metrics": {"auc": "good"}}, "reported_metrics"),
    "metric size": (b'{"reported_metrics": {"auc": -1e999}}', "reported_metrics"),
    "consumption": ({"consumption": "telepathy"}, "consumption"),
    "columns": ({"signature": {"inputs": [{"name": "a", "type": "x"}] * 2}}, "signature"),
}


@pytest.mark.parametrize("case", BAD_VERSIONS)
def test_bad_versions_are_refused_in_words(case, builder, model, recorded_actions):
    body, field = BAD_VERSIONS[case]
    where = url("version-list", name=model.name)
    if isinstance(body, bytes):
        answer = builder.generic("POST", where, body, content_type="application/json")
    else:
        answer = builder.post(where, body)

    assert answer.status_code == 400, answer.json()
    if field is not None:
        assert field in answer.json()["errors"]
    assert not ModelVersion.objects.exists()
    assert recorded_actions() == []


def test_a_component_that_is_not_there_is_not_found(builder, model):
    answer = builder.post(
        url("version-list", name=model.name), {"components": [{"model": "nope", "version": 1}]}
    )

    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")


def test_the_same_release_again_is_a_conflict_that_names_it(builder, model):
    body = {"artifacts": [{"name": "a", "sha256": SHA}]}
    builder.post(url("version-list", name=model.name), body)

    again = builder.post(url("version-list", name=model.name), body)

    assert again.status_code == 409
    assert (again.json()["code"], again.json()["version"]) == ("release_already_registered", 1)


@pytest.mark.parametrize("number", [0, 2, 2**31, 10**30])
def test_a_version_that_is_not_there_is_not_found(number, builder, model):
    answer = builder.get(f"/api/v1/models/{model.name}/versions/{number}")

    assert answer.status_code == 404


@pytest.mark.parametrize("name", ["nope", "%00", "a%00b", "x" * 3000, "..%5c.."])
def test_odd_names_in_addresses_are_not_found(name, builder):
    assert builder.get(f"/api/v1/models/{name}").status_code == 404
    assert builder.get(f"/api/v1/datasets/{name}").status_code == 404
    assert builder.get(f"/api/v1/models/{name}/versions").status_code == 404


def test_a_protected_alias_is_refused_and_recorded(builder, model, recorded_actions):
    ModelVersionFactory(model=model)

    answer = builder.post(url("alias-list", name=model.name), {"name": "champion", "version": 1})

    assert (answer.status_code, answer.json()["code"]) == (403, "protected_alias")
    assert not Alias.objects.exists()
    assert recorded_actions() == [Action.ALIAS_MOVE_REFUSED]


def test_aliases_move_and_their_past_is_answered(builder, model, recorded_actions):
    for _ in range(2):
        ModelVersionFactory(model=model)
    where = url("alias-list", name=model.name)

    first = builder.post(where, {"name": "challenger", "version": 1}).json()
    builder.post(where, {"name": "challenger", "version": 2})
    gone = builder.delete(url("alias-detail", name=model.name, alias="challenger"))

    assert gone.status_code == 204
    assert builder.get(where).json()["results"] == []
    history = builder.get(where, {"history": "true"}).json()["results"]
    assert [it["version"] for it in history] == [2, 1]
    then = builder.get(url("model-as-of", name=model.name), {"at": first["since"]}).json()
    assert [(it["alias"], it["version"]) for it in then["aliases"]] == [("challenger", 1)]
    assert builder.get(url("alias-detail", name=model.name, alias="challenger")).status_code == 404


def test_as_of_wants_a_time(builder, model):
    where = url("model-as-of", name=model.name)

    assert builder.get(where, {"at": "yesterday"}).status_code == 400
    assert builder.get(where, {"on": "2026-01-01"}).status_code == 400
    assert builder.get(where).json()["aliases"] == []


def test_a_protected_alias_cannot_be_taken_off(builder, model, recorded_actions):
    AliasFactory(version__model=model, name="staging")

    answer = builder.delete(url("alias-detail", name=model.name, alias="staging"))

    assert answer.status_code == 403
    assert Alias.objects.get().ended_at is None
    assert recorded_actions() == [Action.ALIAS_MOVE_REFUSED]


def test_change_a_model(builder, model):
    answer = builder.patch(url("model-detail", name=model.name), {"tier": 3, "tags": {"a": "b"}})

    assert (answer.status_code, answer.json()["tier"], answer.json()["tags"]) == (
        200,
        3,
        {"a": "b"},
    )
    refused = builder.patch(url("model-detail", name=model.name), {"name": "other"})
    assert refused.status_code == 400


def test_lists_ask_as_often_for_twelve_as_for_two(builder, workspace):
    def count(where):
        with CaptureQueriesContext(connection) as asked:
            assert builder.get(where).status_code == 200
        return len(asked)

    def add(rows):
        for _ in range(rows):
            AliasFactory(version__model__workspace=workspace)
            DatasetFactory(workspace=workspace)

    add(2)
    version = ModelVersionFactory(model__workspace=workspace)
    places = [url("model-list"), url("dataset-list"), url("version-list", name=version.model.name)]
    count(places[0])  # the token's first use is written down once
    few = [count(where) for where in places]
    add(10)
    for _ in range(10):
        ModelVersionFactory(model=version.model)
    assert [count(where) for where in places] == few


@pytest.fixture
def storage(settings, tmp_path):
    storages = {**settings.STORAGES}
    storages["default"] = {**storages["default"], "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = storages


def table():
    file = io.BytesIO()
    pq.write_table(pa.table({"id": ["a", "b"], "y": [0, 1]}), file)
    file.seek(0)
    file.name = "../../flights.parquet"
    return file


def test_upload_a_dataset(builder, storage):
    answer = builder.post(
        url("dataset-list"),
        {"name": "holdout", "file": table(), "label_column": "y"},
        format="multipart",
    )

    assert answer.status_code == 201, answer.json()
    body = builder.get(url("dataset-detail", name="holdout")).json()
    assert (body["rows"], body["label_column"], len(body["columns"])) == (2, "y", 2)


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"name": "a"}, 400, "file"),
        ({"file": b"a,b\n1,2\n"}, 400, "name"),
        ({"name": "a", "file": b"a,b\n1,2\n", "labl": "y"}, 400, "labl"),
        ({"name": "a", "file": b"a,b\n1,2\n", "label_column": "y"}, 400, "label_column"),
        ({"name": "a", "file": b"PAR1xxxxxxxxxxxx"}, 400, "file"),
        ({"name": "../../etc/passwd", "file": b"a,b\n1,2\n"}, 400, "name"),
        ({"name": "x" * 1_000_000, "file": b"a,b\n1,2\n"}, 400, "name"),
    ],
)
def test_bad_uploads_are_refused_in_words(fields, status, field, builder, storage):
    sent = {
        name: io.BytesIO(value) if isinstance(value, bytes) else value
        for name, value in fields.items()
    }
    answer = builder.post(url("dataset-list"), sent, format="multipart")

    assert answer.status_code == status, answer.content
    assert field in answer.json()["errors"]
    assert not Dataset.objects.exists()


def test_an_upload_over_the_cap_is_refused_unread(builder, monkeypatch, storage):
    monkeypatch.setattr(datasets, "MAX_BYTES", -2_000_000)

    answer = builder.post(url("dataset-list"), {"name": "a", "file": table()}, format="multipart")

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_json_body_is_no_upload(builder):
    answer = builder.post(url("dataset-list"), {"name": "a"}, format="json")

    assert answer.status_code == 415


def test_environments_come_in_their_order(builder):
    assert builder.get(url("environment-list")).json() == [
        {"name": "staging", "position": 10, "alias": "staging"},
        {"name": "production", "position": 20, "alias": "champion"},
    ]


def test_filters_find_what_lacks_something(builder, workspace, model):
    without = RegisteredModelFactory(workspace=workspace, name="b", purpose="")
    version = ModelVersionFactory(model=model)
    AliasFactory(version=version, name="champion")
    waiting = ModelVersionFactory(model__workspace=workspace, model__name="c").model

    def names(**query):
        return [it["name"] for it in builder.get(url("model-list"), query).json()["results"]]

    assert names(needs="version") == [without.name]
    assert names(needs="purpose") == [without.name]
    assert names(needs="promotion") == [waiting.name]
    assert names(q="credit") == [model.name]
    assert builder.get(url("model-list"), {"tier": "9"}).status_code == 400
    assert builder.get(url("model-list"), {"q": "\x00"}).status_code == 400
