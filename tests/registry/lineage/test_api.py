"""Parents, links, semantic versions, lineage and signature checks over REST."""

import pytest
from django.urls import reverse

from audit.models import Event
from registry.models import ModelVersion, VersionLink
from tests.factories.registry import (
    AliasFactory,
    DatasetFactory,
    ModelVersionFactory,
    RegisteredModelFactory,
    VersionDatasetFactory,
)
from tests.factories.registry_lineage import VersionLinkFactory, calling
from tests.factories.serving import EndpointFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def ci(api):
    return api("model_owner")


@pytest.fixture
def version(workspace):
    return ModelVersionFactory(
        model__workspace=workspace, model__name="credit", semantic_version="1.0.0"
    )


def url(route, /, **kwargs):
    return reverse(f"v1:{route}", kwargs=kwargs)


def of(route, version, **kwargs):
    return url(route, name=version.model.name, number=version.number, **kwargs)


def register(ci, version, **body):
    return ci.post(url("version-list", name=version.model.name), body, format="json")


def test_a_version_is_registered_with_all_of_it(ci, workspace, version):
    part = ModelVersionFactory(model__workspace=workspace, model__name="score")
    answer = register(
        ci,
        version,
        source="pruned",
        semantic_version="1.1.0-rc.1+build.5",
        derived_from={"version": 1, "derivation": "pruned"},
        components=[{"model": "score", "version": 1}],
        links=[{"kind": "wandb", "url": "https://wandb.example/r/1", "label": "The run"}],
    )

    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert body["semantic_version"] == "1.1.0-rc.1+build.5"
    assert (
        body["derived_from"]
        == body["release"]["derived_from"]
        == {
            "model": "credit",
            "version": 1,
            "digest": version.release_digest,
            "derivation": "pruned",
        }
    )
    made = ModelVersion.objects.get(model=version.model, number=2)
    assert (made.derived_from, made.derivation) == (version, "pruned")
    assert [it.component for it in made.component_rows.all()] == [part]
    assert made.links.get().label == "The run"
    found = ci.get(url("version-semantic", name="credit", semantic="1.1.0-rc.1+build.5"))
    assert found.json()["number"] == 2
    listed = ci.get(url("version-list", name="credit"), {"semantic_version": "1.0.0"}).json()
    assert [it["number"] for it in listed["results"]] == [1]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"semantic_version": "1.0"}, 400, "semantic_version"),
        ({"semantic_version": "01.0.0"}, 400, "semantic_version"),
        ({"semantic_version": "1.0.0-"}, 400, "semantic_version"),
        ({"semantic_version": "v1.0.0"}, 400, "semantic_version"),
        ({"semantic_version": "1.0.0"}, 409, "semantic_version"),
        ({"derived_from": {"version": 1}}, 400, "derived_from"),
        ({"derived_from": {"version": 9, "derivation": "pruned"}}, 400, "derived_from"),
        ({"derived_from": {"version": 1, "derivation": "eaten"}}, 400, "derived_from"),
        (
            {"derived_from": {"model": "nope", "version": 1, "derivation": "pruned"}},
            400,
            "derived_from",
        ),
        ({"components": [{"model": "credit", "version": 1}]}, 400, "components"),
        ({"links": [{"kind": "wandb", "url": "javascript:alert(1)"}]}, 400, "links"),
        ({"links": [{"kind": "wandb", "url": "https://a.example"}] * 2}, 400, "links"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_half_written(ci, version, body, status, field):
    answer = register(ci, version, source="x", **body)

    assert answer.status_code == status, answer.content
    assert field in answer.content.decode()
    assert ModelVersion.objects.count() == 1
    assert not VersionLink.objects.exists()


def test_a_deleted_version_keeps_its_semantic_version(ci, version):
    ModelVersion.objects.filter(pk=version.pk).update(deleted_at="2026-01-01T00:00Z")

    assert register(ci, version, source="x", semantic_version="1.0.0").status_code == 409
    answer = ci.get(url("version-semantic", name="credit", semantic="1.0.0"))
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "given",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/x",
        "/models/",
        "https://",
        "ftp://files.example/x",
        "https://ada:secret@wandb.example/",
        "https://wandb.example/\u202etxt",
        "https://a b.example/",
        "https://a.example\\@b.example/",
        "https://[::1",
        "https://a.example:99999/",
        "https://a.example/" + "x" * 2000,
        "\x00https://a.example",
    ],
)
def test_only_a_plain_web_address_is_a_link(ci, version, given):
    answer = ci.post(of("link-list", version), {"kind": "code", "url": given}, format="json")

    assert answer.status_code == 400
    assert not VersionLink.objects.exists()


def test_links_come_and_go_with_their_events(ci, version):
    given = {"kind": "dvc", "url": "HTTP://dvc.example/x?y=1#z", "label": "Ada's data"}
    answer = ci.post(of("link-list", version), given, format="json")
    assert answer.status_code == 201
    link = answer.json()
    again = ci.post(of("link-list", version), given, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "link_exists")
    assert [it["url"] for it in ci.get(of("link-list", version)).json()] == [given["url"]]

    assert ci.delete(of("link-detail", version, uid=link["uid"])).status_code == 204
    assert ci.delete(of("link-detail", version, uid=link["uid"])).status_code == 404

    events = Event.objects.filter(action__in=["version.linked", "version.unlinked"])
    assert [it.action for it in events.order_by("pk")] == ["version.linked", "version.unlinked"]
    assert "Ada" not in "".join(it.body for it in events)  # erasable, so not in the body


def test_a_link_of_another_version_is_not_there(ci, version):
    other = VersionLinkFactory(version__model__workspace=version.model.workspace)

    assert ci.delete(of("link-detail", version, uid=other.uid)).status_code == 404
    assert VersionLink.objects.filter(pk=other.pk).exists()


def test_lineage_in_both_directions(ci, workspace, version, django_assert_max_num_queries):
    dataset = DatasetFactory(workspace=workspace, name="loans", rows=7)
    part = ModelVersionFactory(model__workspace=workspace, model__name="score")
    child = calling(
        version.model,
        part,
        derived_from=version,
        derivation="quantised",
        run_id="r1",
        git_commit="cafe",
    )
    VersionDatasetFactory(version=child, dataset=dataset)
    AliasFactory(version=part)
    AliasFactory(version=child)
    upper = calling(RegisteredModelFactory(workspace=workspace, name="pipeline"), child)
    ModelVersionFactory(model=version.model, derived_from=child, derivation="pruned")

    with django_assert_max_num_queries(20):
        body = ci.get(of("version-lineage", child)).json()

    said = [(it["kind"], it["relation"], it["label"]) for it in body["nodes"]]
    assert said == [
        ("run", "Training run", "r1"),
        ("commit", "Built from commit", "cafe"),
        ("dataset", "Trained on", "loans"),
        ("parent", "Quantised from", "credit 1 (1.0.0)"),
        ("component", "Calls", "score 1"),
        ("self", "This version", "credit 2"),
        ("environment", "Live in", "production"),
        ("derivative", "Pruned to", "credit 3"),
        ("used_by", "Called by", "pipeline 1"),
    ]
    ids = {it["id"] for it in body["nodes"]}
    me = f"version:{child.uid}"
    assert len(ids) == 9
    assert all({it["source"], it["target"]} <= ids for it in body["edges"])
    assert {it["source"] for it in body["edges"] if it["target"] == me} == {
        it["id"] for it in body["nodes"][:5]
    }
    loans = body["nodes"][2]
    assert (loans["detail"], loans["digest"]) == ("7 rows, 1 columns", dataset.digest)
    assert body["nodes"][-1]["model"] == upper.model.name
    assert body["more"] == 0


def test_signature_checks_of_datasets_and_endpoints(ci, workspace, version):
    columns = [{"name": "y", "type": "number", "nulls": 0}]
    VersionDatasetFactory(version=version, dataset=DatasetFactory(workspace=workspace, name="good"))
    DatasetFactory(workspace=workspace, name="other", columns=columns)
    EndpointFactory(version=version, workspace=workspace, input_columns=["x", "y"])

    body = ci.get(of("version-signature-check", version)).json()
    assert (body["declared"], body["fits"]) == (True, True)
    assert [(it["kind"], it["severity"]) for it in body["checks"]] == [
        ("dataset", None),
        ("endpoint", "warning"),
    ]

    body = ci.get(of("version-signature-check", version), {"dataset": "other"}).json()
    assert body["fits"] is False
    assert body["checks"][0]["differences"][0]["sentence"] == "“x” is not there."
    assert ci.get(of("version-signature-check", version), {"dataset": "no"}).status_code == 400


def test_without_a_signature_nothing_is_said_to_fit(ci, workspace):
    version = ModelVersionFactory(model__workspace=workspace, signature={})
    VersionDatasetFactory(version=version)

    body = ci.get(of("version-signature-check", version)).json()

    assert body == {"declared": False, "fits": None, "checks": []}


def test_who_brought_the_training_data_is_an_author(ci, workspace, version, person):
    uploader, other = person("model_owner"), person("model_owner")
    DatasetFactory(workspace=workspace, name="loans", created_by_pid=uploader.pid)
    DatasetFactory(workspace=workspace, name="holdout", created_by_pid=other.pid)
    datasets = [{"name": "loans"}, {"name": "holdout", "use": "validation"}]

    body = register(ci, version, datasets=datasets).json()

    found = {(it["role"], it["identity"]) for it in body["authors"]}
    assert ("data_uploader", uploader.email) in found
    assert other.email not in {identity for _, identity in found}
    assert body["datasets"][0]["rows"] == 1
    assert body["datasets"][0]["columns"] == [{"name": "x", "type": "number"}]
