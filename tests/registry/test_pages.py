import io
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.actions import Action
from registry import ports
from registry.models import Dataset, ModelVersion, RegisteredModel
from tests.factories.registry import (
    AliasFactory,
    DatasetFactory,
    ModelVersionFactory,
    RegisteredModelFactory,
    VersionAuthorFactory,
    VersionDatasetFactory,
)

pytestmark = pytest.mark.django_db


def url(route, /, **kwargs):
    return reverse(f"registry:{route}", kwargs=kwargs)


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    storages = {**settings.STORAGES}
    storages["default"] = {**storages["default"], "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = storages


@pytest.fixture
def builder(client_for):
    return client_for("model_owner")


def text_of(answer):
    """The page's words, with the spaces of its templates folded."""
    return " ".join(answer.content.decode().split())


def test_an_empty_inventory_says_what_to_do(builder):
    answer = builder.get(url("model-list"))

    assert answer.status_code == 200
    assert "No model is registered here yet." in text_of(answer)
    assert url("model-create") in answer.content.decode()


def test_the_inventorys_sentence_is_counted_and_leads_on(builder, workspace):
    live = ModelVersionFactory(model__workspace=workspace, model__name="a")
    AliasFactory(version=live, name="champion")
    ModelVersionFactory(model__workspace=workspace, model__name="b", model__purpose="")
    RegisteredModelFactory(workspace=workspace, name="c <script>")

    text = text_of(builder.get(url("model-list")))

    assert "<strong>3 models</strong>, 1 of them live." in text
    assert '<a href="?needs=version">1 model has no version yet</a>' in text
    assert '<a href="?needs=promotion">1 has a newest version that is not live</a>' in text
    assert '<a href="?needs=purpose">1 has no purpose written down</a>' in text
    assert "c &lt;script&gt;" in text
    filtered = builder.get(url("model-list"), {"needs": "version"}).context["rows"]
    assert [row.model.name for row in filtered] == ["c <script>"]


def test_the_inventory_as_it_was(builder, workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    now = datetime.now(UTC)
    AliasFactory(
        version=version,
        name="champion",
        started_at=now - timedelta(days=10),
        ended_at=now - timedelta(days=5),
    )
    RegisteredModel.objects.update(created_at=now - timedelta(days=20))

    def live(days):
        day = (now - timedelta(days=days)).date().isoformat()
        (row,) = builder.get(url("model-list"), {"on": day}).context["rows"]
        return [it.version if it else None for it in row.live]

    assert live(8) == [None, version]
    assert live(2) == [None, None]
    assert live(15) == [None, None]
    assert builder.get(url("model-list"), {"on": "2001-01-01"}).context["rows"] == []
    assert builder.get(url("model-list"), {"on": "yesterday"}).status_code == 422


def test_the_csv_has_the_same_rows_and_runs_nothing(builder, workspace):
    RegisteredModelFactory(workspace=workspace, name="=cmd|' /C calc'!A0", purpose="+1")
    RegisteredModelFactory(workspace=workspace, name="other", tier=1)

    answer = builder.get(url("model-list"), {"format": "csv"})
    body = b"".join(answer.streaming_content).decode()

    assert "'=cmd" in body
    assert ",'+1" in body
    assert "\n=cmd" not in body
    only = builder.get(url("model-list"), {"format": "csv", "tier": "1"})
    assert b"".join(only.streaming_content).decode().count("\n") == 2


def test_parts_of_apps_above_are_shown(builder, workspace, monkeypatch):
    monkeypatch.setattr(ports, "_parts", {})
    model = RegisteredModelFactory(workspace=workspace)

    class Findings:
        title = "Findings"

        def cells(self, *, workspace, models):
            return {model.pk: ports.Cell("2 open", tone="danger", below="41 days")}

        def remarks(self, *, workspace):
            return [ports.Remark("2 findings are old", "/findings/")]

    ports.register_inventory_part(Findings())
    text = text_of(builder.get(url("model-list")))

    assert "2 open" in text
    assert '<a href="/findings/">2 findings are old</a>.' in text


def test_a_models_page_says_what_is_live_since_when(builder, workspace):
    version = ModelVersionFactory(model__workspace=workspace, model__name="credit-risk")
    AliasFactory(version=version, name="champion", reference="promotion:7")
    AliasFactory(version=version, name="challenger")

    answer = builder.get(url("model-detail", name="credit-risk"))
    text = text_of(answer)

    assert "Version <strong>1</strong> is live in production since" in text
    assert "promotion:7" in text
    assert "@challenger" in text
    past = builder.get(url("model-detail", name="credit-risk"), {"on": "2001-01-01"})
    assert "No version was live." in text_of(past)
    assert "No alias stood anywhere." in text_of(past)


def test_a_models_page_without_versions(builder, workspace):
    model = RegisteredModelFactory(workspace=workspace)

    assert "No version is registered yet." in text_of(
        builder.get(url("model-detail", name=model.name))
    )


def test_a_versions_page_shows_its_release_and_who_cannot_sign(builder, client_for, workspace):
    version = ModelVersionFactory(
        model__workspace=workspace, reported_metrics={"auc": 0.71234}, tags={"a": "<b>"}
    )
    VersionAuthorFactory(version=version, user=None, identity="who@example.org")
    VersionDatasetFactory(version=version, dataset__name="train")
    place = url("version-detail", name=version.model.name, number=1)

    text = text_of(builder.get(place))

    assert "Live nowhere." in text
    assert "1 author is mapped to no person" in text
    assert "0.7123" in text
    assert "train" in text
    assert "&lt;b&gt;" in text
    assert "Map the author" not in text
    assert "Map the author" in text_of(client_for("administrator").get(place))


def test_an_administrator_maps_an_author(client_for, workspace, person, recorded_actions):
    author = VersionAuthorFactory(
        version__model__workspace=workspace, user=None, identity="x@example.org"
    )
    somebody = person("viewer")
    admin = client_for("administrator")
    place = url("author-map", name=author.version.model.name, number=1)

    refused = admin.post(place, {"identity": "x@example.org", "user": ""})
    done = admin.post(place, {"identity": "x@example.org", "user": somebody.pk})
    again = admin.post(place, {"identity": "x@example.org", "user": somebody.pk})

    assert (refused.status_code, done.status_code, again.status_code) == (422, 302, 409)
    author.refresh_from_db()
    assert author.user == somebody
    assert recorded_actions() == [Action.VERSION_AUTHOR_MAPPED]


def test_add_and_change_a_model_by_hand(builder, person, recorded_actions):
    owner = person("model_owner")
    form = {
        "name": "credit risk",
        "purpose": "Loans.",
        "kind": "binary",
        "tier": "1",
        "owner": owner.pk,
    }

    made = builder.post(url("model-create"), form)
    again = builder.post(url("model-create"), form)
    changed = builder.post(url("model-edit", name="credit risk"), {**form, "tier": "3"})

    assert made.headers["Location"] == url("model-detail", name="credit risk")
    assert again.status_code == 409
    assert "already" in text_of(again)
    assert changed.status_code == 302
    assert RegisteredModel.objects.get().tier == 3
    assert recorded_actions() == [Action.MODEL_CREATED, Action.MODEL_UPDATED]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": ""}, 422),
        ({"name": "a\x00b"}, 422),
        ({"name": "x" * 300}, 422),
        ({"name": "../../etc/passwd"}, 409),
        ({"name": " a"}, 409),
        ({"name": "a\u202eb"}, 409),
        ({"tier": "9"}, 422),
        ({"kind": "oracle"}, 422),
        ({"owner": "1e9"}, 422),
        ({"owner": "99999999999999999999"}, 422),
        ({"purpose": "x" * 10_001}, 422),
    ],
)
def test_a_bad_form_is_shown_again_with_what_is_wrong(change, status, builder, person):
    form = {"name": "a", "kind": "binary", "tier": "1", "owner": person("viewer").pk}

    answer = builder.post(url("model-create"), {**form, **change})

    assert answer.status_code == status
    (field,) = change
    assert answer.context["form"].errors.get(field)
    assert f'id="id_{field}_error"' in text_of(answer)
    assert not RegisteredModel.objects.exists()


VERSION = {
    "artifacts": "model.onnx " + "a" * 64 + " 5\n",
    "consumption": "online",
    "decision_threshold": "0.5",
    "git_authors": "who@example.org\n\n",
    "signature": '{"inputs": [{"name": "x", "type": "double"}]}',
    "reported_metrics": "auc = 0.7\n",
}


def test_register_a_version_by_hand(builder, workspace):
    model = RegisteredModelFactory(workspace=workspace)
    dataset = DatasetFactory(workspace=workspace)
    place = url("version-create", name=model.name)
    assert builder.get(place).status_code == 200

    made = builder.post(place, {**VERSION, "training": [dataset.pk]})
    again = builder.post(place, {**VERSION, "training": [dataset.pk]})

    assert made.headers["Location"] == url("version-detail", name=model.name, number=1)
    assert again.status_code == 409
    assert "is exactly this release" in text_of(again)
    version = ModelVersion.objects.get()
    assert version.reported_metrics == {"auc": 0.7}
    assert version.datasets.get().dataset == dataset
    assert version.authors.count() == 2
    assert builder.get(place).context["form"].initial["signature"]["inputs"][0]["name"] == "x"


@pytest.mark.parametrize(
    "change",
    [
        {"artifacts": "model.onnx"},
        {"artifacts": "model.onnx abc 5"},
        {"artifacts": "model.onnx " + "a" * 64 + " many"},
        {"decision_threshold": "nan"},
        {"decision_threshold": "inf"},
        {"signature": "{"},
        {"signature": "[]"},
        {"signature": '{"inputs": [1]}'},
        {"signature": '{"inputs": [], "x": []}'},
        {"signature": '{"inputs": [{"name": "a\\u0000", "type": "x"}]}'},
        {"reported_metrics": "auc"},
        {"reported_metrics": "auc = good"},
        {"reported_metrics": "auc = nan"},
        {"consumption": "x"},
        {"training": ["1", "999999"]},
        {"source": "a\x00"},
    ],
)
def test_a_bad_release_is_shown_again(change, builder, workspace):
    model = RegisteredModelFactory(workspace=workspace)

    answer = builder.post(url("version-create", name=model.name), {**VERSION, **change})

    assert answer.status_code in (409, 422)
    assert not ModelVersion.objects.exists()


def test_upload_a_dataset_by_hand(builder, recorded_actions):
    file = io.BytesIO(b"id,y\na,1\nb,0\n")
    file.name = "holdout.csv"

    made = builder.post(
        url("dataset-create"), {"name": "holdout", "file": file, "label_column": "y"}
    )

    assert made.headers["Location"] == url("dataset-detail", name="holdout")
    text = text_of(builder.get(made.headers["Location"]))
    assert (
        "<strong>2 rows</strong> of 2 columns, none of them missing a value. The label is y."
        in text
    )
    assert recorded_actions() == [Action.DATASET_UPLOADED]


def test_a_table_that_is_none_is_said_at_the_file(builder, recorded_actions):
    file = io.BytesIO(b"a,a\n1,2\n")
    file.name = "x.csv"

    answer = builder.post(url("dataset-create"), {"name": "x", "file": file})

    assert answer.status_code == 409
    assert "Columns stand twice: a." in text_of(answer)
    assert not Dataset.objects.exists()
    assert recorded_actions() == [Action.DATASET_REFUSED]


def test_an_upload_over_the_cap_is_refused_before_it_is_read(builder, monkeypatch):
    from registry.services import datasets

    monkeypatch.setattr(datasets, "MAX_BYTES", -2_000_000)

    assert builder.post(url("dataset-create"), {"name": "x"}).status_code == 413


def test_the_upload_still_checks_the_csrf_token(client_for):
    strict = client_for("model_owner", enforce_csrf_checks=True)

    assert strict.post(url("dataset-create"), {"name": "x"}).status_code == 403


def test_a_datasets_page_shows_gaps_and_a_failed_one_its_reason(builder, workspace):
    full = DatasetFactory(
        workspace=workspace,
        rows=4,
        label_column="y",
        columns=[
            {
                "name": "y",
                "type": "integer",
                "nulls": 1,
                "distinct": 2,
                "min": 0.0,
                "max": 1.0,
                "mean": 0.5,
                "std": 0.5,
                "top": [[0, 2]],
                "other": 1,
                "histogram": {"edges": [0, 0.5, 1], "counts": [2, 1]},
            },
            {
                "name": "note",
                "type": "text",
                "nulls": 0,
                "distinct": None,
                "length": {"min": 1, "max": 9, "mean": 3.0},
            },
        ],
    )
    failed = DatasetFactory(
        workspace=workspace, state="failed", state_reason="Columns stand twice."
    )

    text = text_of(builder.get(url("dataset-detail", name=full.name)))
    assert "1 column has missing values" in text
    assert "25.0" in text
    assert text.count("<rect") == 2
    assert "&gt; 10,000" in text
    assert "Columns stand twice." in text_of(builder.get(url("dataset-detail", name=failed.name)))


def test_pages_ask_as_often_for_twelve_rows_as_for_two(builder, workspace):
    def count(place):
        with CaptureQueriesContext(connection) as asked:
            assert builder.get(place).status_code == 200
        return len(asked)

    def add(number):
        for _ in range(number):
            AliasFactory(version__model__workspace=workspace)
            DatasetFactory(workspace=workspace)
            AliasFactory(version=ModelVersionFactory(model=model), name=f"a{number}-{_}")

    model = RegisteredModelFactory(workspace=workspace)
    add(2)
    places = [url("model-list"), url("dataset-list"), url("model-detail", name=model.name)]
    count(places[0])
    few = [count(place) for place in places]
    add(10)

    assert [count(place) for place in places] == few


@pytest.mark.parametrize("name", ["nope", "%00", "..%5c..", "x" * 3000])
def test_odd_names_in_addresses_are_404(name, builder):
    for place in (
        f"/models/{name}/",
        f"/datasets/{name}/",
        f"/models/{name}/edit/",
        f"/models/{name}/versions/1/",
        f"/models/{name}/new-version/",
    ):
        assert builder.get(place).status_code == 404


def test_another_workspaces_things_are_404(builder):
    version = ModelVersionFactory()
    dataset = DatasetFactory()

    for place in (
        url("model-detail", name=version.model.name),
        url("version-detail", name=version.model.name, number=1),
        url("dataset-detail", name=dataset.name),
    ):
        assert builder.get(place).status_code == 404
