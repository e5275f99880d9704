"""Lineage, links and signature checks on a version's page, and the form that registers one."""

import re

import pytest
from django.urls import reverse

from registry.lineage import Graph, Node
from registry.lineage_picture import MOST_BOXES, narrow, wide
from registry.models import ModelVersion, VersionLink
from tests.factories.registry import (
    AliasFactory,
    DatasetFactory,
    ModelVersionFactory,
    VersionDatasetFactory,
)
from tests.factories.registry_lineage import VersionLinkFactory
from tests.factories.serving import EndpointFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def builder(client_for):
    return client_for("model_owner")


@pytest.fixture
def version(workspace):
    return ModelVersionFactory(
        model__workspace=workspace, model__name="credit <b>", semantic_version="1.0.0"
    )


def page_of(version, route="version-detail", **kwargs):
    kwargs = {"name": version.model.name, "number": version.number, **kwargs}
    return reverse(f"registry:{route}", kwargs=kwargs)


def text_of(answer):
    return " ".join(answer.content.decode().split())


def test_the_picture_has_a_title_links_and_the_table_says_the_same(builder, version):
    child = ModelVersionFactory(
        model=version.model, derived_from=version, derivation="pruned", run_id="<script>"
    )
    VersionDatasetFactory(version=child, dataset__name="loans", dataset__rows=1200)

    text = text_of(builder.get(page_of(child)))

    pictures = re.findall(r"<svg class=\"lineage.*?</svg>", text)
    assert len(pictures) == 2
    for picture in pictures:
        assert "<title" in picture
        assert "<desc" in picture
        assert "style=" not in picture
        assert f'<a href="{page_of(version)}"><title>Pruned from: credit &lt;b&gt; 1 (1.0.0)' in (
            picture
        )
        assert "&lt;script&gt;" in picture
    table = text[text.index("To this version") :]
    assert "1,200 rows, 1 columns" in table
    assert "Pruned from" in table
    assert "Columns of loans" in table


def test_the_numbers_stand_beside_each_other_everywhere(builder, version):
    AliasFactory(version=version)
    used = VersionDatasetFactory(version=version)
    for page in (
        page_of(version),
        reverse("registry:model-detail", kwargs={"name": version.model.name}),
        reverse("registry:model-list"),
        reverse("registry:dataset-detail", kwargs={"name": used.dataset.name}),
    ):
        assert "1 (1.0.0)" in text_of(builder.get(page)), page


def test_a_semantic_version_leads_to_the_number(builder, version):
    page = reverse(
        "registry:version-semantic", kwargs={"name": version.model.name, "semantic": "1.0.0"}
    )

    assert builder.get(page).headers["Location"] == page_of(version)
    assert builder.get(page.replace("1.0.0", "1.0.1")).status_code == 404
    assert builder.get(page.replace("1.0.0", "1.0")).status_code == 404


def test_a_link_is_inert(builder, version):
    VersionLinkFactory(version=version, url='https://a.example/?q="><script>', label="<i>")

    text = text_of(builder.get(page_of(version)))

    assert 'rel="nofollow noopener noreferrer"' in text
    assert "https://a.example/?q=&quot;&gt;&lt;script&gt;" in text
    assert "&lt;i&gt;" in text


def test_links_are_added_and_taken_off_by_hand(builder, version):
    answer = builder.post(
        page_of(version, "link-add"), {"kind": "wandb", "url": "https://a.example"}
    )
    assert answer.headers["Location"] == page_of(version)
    link = VersionLink.objects.get()

    again = builder.post(
        page_of(version, "link-add"), {"kind": "wandb", "url": "https://a.example"}
    )
    assert again.status_code == 409
    assert "This link is there already." in text_of(again)
    wrong = builder.post(page_of(version, "link-add"), {"kind": "wandb", "url": "mailto:a@b.c"})
    assert wrong.status_code == 409
    assert "mailto:a@b.c" in text_of(wrong)

    builder.post(page_of(version, "link-remove", uid=link.uid))
    assert not VersionLink.objects.exists()


def test_the_form_takes_all_of_it(builder, workspace, version):
    ModelVersionFactory(model__workspace=workspace, model__name="fraud score")
    page = reverse("registry:version-create", kwargs={"name": version.model.name})
    given = {
        "consumption": "online",
        "signature": "{}",
        "semantic_version": "2.0.0",
        "derived_from": "1",
        "derivation": "distilled",
        "components": "fraud score 1",
        "links": "mlflow https://mlflow.example/#/runs/1 The run\ndvc https://dvc.example",
    }

    answer = builder.post(page, given)

    made = ModelVersion.objects.get(model=version.model, number=2)
    assert answer.headers["Location"] == page_of(made)
    assert (made.semantic_version, made.derived_from, made.derivation) == (
        "2.0.0",
        version,
        "distilled",
    )
    assert made.component_rows.get().component.model.name == "fraud score"
    assert sorted(made.links.values_list("kind", "label")) == [("dvc", ""), ("mlflow", "The run")]


@pytest.mark.parametrize(
    ("field", "value", "status", "words"),
    [
        ("semantic_version", "one", 409, "looks like 2.1.0"),
        ("semantic_version", "1.0.0", 409, "already"),
        ("derived_from", "1", 422, "come together"),
        ("derivation", "pruned", 422, "come together"),
        ("components", "score", 422, "not a model and the number"),
        ("components", "nope 1", 409, "There is no model"),
        ("links", "https://a.example", 422, "not a kind"),
    ],
)
def test_the_form_says_what_is_wrong(builder, version, field, value, status, words):
    page = reverse("registry:version-create", kwargs={"name": version.model.name})

    answer = builder.post(page, {"consumption": "online", "signature": "{}", field: value})

    assert (answer.status_code, words in text_of(answer)) == (status, True)
    assert ModelVersion.objects.count() == 1


def test_a_signature_is_checked_on_the_page_and_beside_the_forms(
    builder, client_for, workspace, version, monkeypatch
):
    odd = DatasetFactory(
        workspace=workspace, name="odd", columns=[{"name": "y", "type": "text", "nulls": 0}]
    )
    VersionDatasetFactory(version=version, dataset=odd)
    EndpointFactory(version=version, workspace=workspace, input_columns=["x"], name="fits")

    text = text_of(builder.get(page_of(version)))
    assert "Does its data fit?" in text
    assert "“x” is not there." in text

    ask = reverse("evaluation:evidence-ask", kwargs={"uid": version.uid})
    assert "Data that does not fit" in text_of(client_for("validator").get(ask))

    create = reverse(
        "serving:endpoint-create", kwargs={"name": version.model.name, "number": version.number}
    )
    given = {"name": "e", "url": "http://10.0.0.1/x", "input_columns": "z", "path": "predictions"}
    answer = builder.post(create, given)
    assert answer.status_code == 422
    assert "These columns are not what the release says it takes" in text_of(answer)
    assert "The version takes no “z”." in text_of(answer)


def node(number):
    return Node(f"dataset:{number}", "dataset", "Trained on", "a" * 40 + f" {number}")


def test_boxes_do_not_overlap_and_what_does_not_fit_is_counted():
    graph = Graph(
        Node("version:me", "self", "This version", "m 1"),
        before=[node(i) for i in range(MOST_BOXES + 3)],
        after=[node(100 + i) for i in range(2)],
        more=4,
    )

    for picture in (wide(graph), narrow(graph)):
        assert picture.left_out == 7
        assert len(picture.boxes) == MOST_BOXES + 3
        for box in picture.boxes:
            assert box.x >= 0
            assert box.x + box.width <= picture.width
            assert box.y + box.height <= picture.height
        for one in picture.boxes:
            for two in picture.boxes:
                apart = (
                    one.x + one.width <= two.x
                    or two.x + two.width <= one.x
                    or one.y + one.height <= two.y
                    or two.y + two.height <= one.y
                )
                assert one is two or apart
        assert picture.boxes[0].text.endswith("aaaaa 0")
        assert "…" in picture.boxes[0].text


def test_a_version_that_came_from_nowhere_is_drawn_alone():
    picture = wide(Graph(node(1)))

    assert (len(picture.boxes), picture.arrows) == (1, [])
