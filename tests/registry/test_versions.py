import math

import pytest
from django.db import IntegrityError, transaction

from accounts.callers import Caller
from audit.actions import Action
from audit.models import Event
from common.errors import Conflict, Invalid, NotAllowed, NotFound
from registry import selectors
from registry.errors import SameRelease
from registry.models import ModelVersion, VersionAuthor, VersionDataset
from registry.release import ReleaseInput
from registry.services import versions
from registry.signals import version_registered
from tests.factories.registry import (
    DatasetFactory,
    ModelVersionFactory,
    RegisteredModelFactory,
    VersionAuthorFactory,
    VersionDatasetFactory,
)

pytestmark = pytest.mark.django_db


def release(mark="a", **fields):
    return ReleaseInput(artifacts=[{"name": "m", "sha256": mark * 64, "size": 1}], **fields)


@pytest.fixture
def model(workspace):
    return RegisteredModelFactory(workspace=workspace, name="credit-risk")


@pytest.fixture
def caller(caller_for):
    return caller_for("model_owner")


def test_numbers_follow_each_other_and_the_fact_is_told_after_the_commit(
    caller, model, recorded_actions, django_capture_on_commit_callbacks
):
    heard = []

    def hear(sender, version, **kwargs):
        heard.append(version.number)

    version_registered.connect(hear)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            first = versions.register(caller=caller, model=model, release=release("a"))
            assert heard == []
        versions.register(caller=caller, model=model, release=release("b"))
    finally:
        version_registered.disconnect(hear)

    assert first.number == 1
    assert list(model.versions.values_list("number", flat=True)) == [2, 1]
    assert heard == [1]
    assert recorded_actions() == [Action.VERSION_REGISTERED] * 2


def test_the_event_names_the_digest_and_no_address(caller, model):
    version = versions.register(
        caller=caller, model=model, release=release(git_authors=["who@example.org"])
    )

    event = Event.objects.get()
    assert version.release_digest in event.body
    assert "example" not in event.body


def test_the_same_release_twice_is_refused_and_takes_no_number(caller, model):
    versions.register(caller=caller, model=model, release=release("a"))

    with pytest.raises(SameRelease) as refusal:
        versions.register(caller=caller, model=model, release=release("A"))

    assert refusal.value.extra == {"version": 1}
    model.refresh_from_db()
    assert model.next_version == 2


def test_everybody_who_shaped_it_is_an_author(caller, model, person):
    known = person("validator", email="git@example.org")

    version = versions.register(
        caller=caller,
        model=model,
        run_user="cluster-7",
        release=release(git_authors=["GIT@example.org", "stranger@example.org"]),
    )

    found = {(it.role, it.identity): it.user for it in version.authors.select_related("user")}
    assert found == {
        ("registered", caller.user.email): caller.user,
        ("git_author", "git@example.org"): known,
        ("git_author", "stranger@example.org"): None,
        ("run_user", "cluster-7"): None,
    }
    assert selectors.unmapped_authors(version) == ["cluster-7", "stranger@example.org"]


def test_an_unmapped_author_is_mapped_once_by_an_administrator(caller_for, person, workspace):
    author = VersionAuthorFactory(version__model__workspace=workspace, user=None, identity="x@y.z")
    somebody, other = person("viewer"), person("viewer")
    admin = caller_for("administrator")

    with pytest.raises(NotAllowed):
        versions.map_author(
            caller=caller_for("model_owner"),
            version=author.version,
            identity="x@y.z",
            user=somebody,
        )
    versions.map_author(caller=admin, version=author.version, identity="x@y.z", user=somebody)
    with pytest.raises(Conflict):
        versions.map_author(caller=admin, version=author.version, identity="x@y.z", user=other)
    with pytest.raises(NotFound):
        versions.map_author(caller=admin, version=author.version, identity="no", user=other)

    author.refresh_from_db()
    assert author.user == somebody
    assert not selectors.unmapped_authors(author.version)


def test_datasets_and_components_go_in_by_their_digest(caller, model, workspace):
    dataset = DatasetFactory(workspace=workspace, name="train")
    part = ModelVersionFactory(model__workspace=workspace, model__name="part")

    version = versions.register(
        caller=caller,
        model=model,
        release=release(
            datasets=[{"name": "train", "use": "training"}],
            components=[{"model": "part", "version": 1}],
        ),
    )

    assert version.release["datasets"] == [
        {"name": "train", "use": "training", "digest": dataset.digest}
    ]
    assert version.release["components"][0]["digest"] == part.release_digest
    assert version.datasets.get().dataset == dataset


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"datasets": [{"name": "nope", "use": "training"}]}, "datasets"),
        ({"datasets": [{"name": "\x00", "use": "training"}]}, "datasets"),
        ({"datasets": [{"name": "d", "use": "decoration"}]}, "datasets"),
        ({"decision_threshold": math.nan}, "decision_threshold"),
        ({"decision_threshold": math.inf}, "decision_threshold"),
        ({"source": "x" * 10_000_000}, "source"),
        ({"run_id": "a\x00"}, "run_id"),
        ({"consumption": "telepathy"}, "consumption"),
        ({"signature": {"inputs": [{"name": "a"}, {"name": "a"}]}}, "signature"),
        ({"components": [{"model": "m", "version": "1"}]}, "components"),
        ({"git_authors": ["x" * 300]}, "git_authors"),
    ],
)
def test_bad_content_is_refused_and_nothing_is_written(caller, model, fields, field):
    with pytest.raises(Invalid) as refusal:
        versions.register(caller=caller, model=model, release=release(**fields))

    assert field in refusal.value.fields
    assert not ModelVersion.objects.exists()
    assert not VersionAuthor.objects.exists()
    assert not Event.objects.exists()
    model.refresh_from_db()
    assert model.next_version == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.9", True, None])
def test_a_reported_metric_is_a_finite_number(caller, model, value):
    with pytest.raises(Invalid, match="finite"):
        versions.register(
            caller=caller, model=model, release=release(), reported_metrics={"auc": value}
        )


def test_a_machine_without_a_person_behind_it_registers_nothing(model, workspace):
    with pytest.raises(NotAllowed, match="person"):
        versions.register(caller=Caller.system("test", workspace), model=model, release=release())


def test_what_is_said_about_a_version_may_change(caller, workspace, recorded_actions):
    version = ModelVersionFactory(model__workspace=workspace)
    digest = version.release_digest

    versions.annotate(caller=caller, version=version, tags={"a": "b"}, description="Better.")

    version.refresh_from_db()
    assert (version.tags, version.description, version.release_digest) == (
        {"a": "b"},
        "Better.",
        digest,
    )
    assert recorded_actions() == [Action.VERSION_TAGGED]


@pytest.mark.parametrize(
    "change",
    [
        {"release": {}},
        {"release_digest": "sha256:" + "0" * 64},
        {"number": 9},
        {"decision_threshold": 0.6},
        {"decision_threshold": None},
        {"source": "x"},
        {"signature": {}},
        {"reported_metrics": {"auc": 1.0}},
        {"git_commit": "x"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_database_refuses_another_content(change):
    version = ModelVersionFactory()

    with pytest.raises(IntegrityError, match="does not change"), transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk).update(**change)


@pytest.mark.parametrize(
    "factory", [ModelVersionFactory, VersionAuthorFactory, VersionDatasetFactory]
)
def test_the_database_deletes_no_history(factory):
    row = factory()

    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        type(row).objects.filter(pk=row.pk)._raw_delete("default")


def test_lineage_is_added_and_never_changed():
    used = VersionDatasetFactory()
    author = VersionAuthorFactory()

    with pytest.raises(IntegrityError), transaction.atomic():
        VersionDataset.objects.filter(pk=used.pk).update(use="validation")
    with pytest.raises(IntegrityError), transaction.atomic():
        VersionAuthor.objects.filter(pk=author.pk).update(user=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        VersionAuthor.objects.filter(pk=author.pk).update(identity="other")
