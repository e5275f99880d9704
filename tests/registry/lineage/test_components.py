"""A version and what it calls: no circle, no two of one model, live together or not at all."""

import pytest
from django.db import IntegrityError, connection, transaction

from audit.models import Event
from common.errors import Invalid
from registry import components, ports
from registry.errors import ProtectedAlias
from registry.models import Alias, Environment, VersionComponent
from registry.release import ReleaseInput
from registry.services import aliases, versions
from tests.factories.registry import (
    AliasFactory,
    ModelVersionFactory,
    RegisteredModelFactory,
)
from tests.factories.registry_lineage import calling

pytestmark = pytest.mark.django_db


@pytest.fixture
def caller(caller_for):
    return caller_for("model_owner")


class Guard:
    """Allows everything, and says that these go along."""

    def __init__(self, *along):
        self.along = {it.model_id: it for it in along}

    def why_not_move(self, **_):
        return None

    def goes_along(self, **_):
        return self.along


@pytest.fixture
def guarded():
    before = ports.alias_guard()
    yield ports.register_alias_guard
    ports.register_alias_guard(before)


@pytest.fixture
def parent(workspace):
    return RegisteredModelFactory(workspace=workspace, name="parent")


@pytest.fixture
def part(workspace):
    return RegisteredModelFactory(workspace=workspace, name="part")


@pytest.fixture
def world(parent, part):
    """``part 1`` and ``parent 1``, which calls it, are live; the second of each is ready."""
    part1, part2 = ModelVersionFactory(model=part), ModelVersionFactory(model=part)
    parent1, parent2 = calling(parent, part1), calling(parent, part2)
    with transaction.atomic():
        AliasFactory(version=part1)
        AliasFactory(version=parent1)
    check_now()
    return part1, part2, parent1, parent2


def check_now():
    """What a commit would do; the test's own transaction never commits."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def register(caller, model, *parts, **fields):
    named = [{"model": it.model.name, "version": it.number} for it in parts]
    return versions.register(
        caller=caller, model=model, release=ReleaseInput(components=named, **fields)
    )


def live(model):
    alias = Alias.objects.filter(model=model, name="champion", ended_at=None).first()
    return alias.version.number if alias else None


def move(caller, version, **kwargs):
    return aliases.move(
        caller=caller,
        model=version.model,
        name="champion",
        version=version,
        reference="rollout:1",
        **kwargs,
    )


def test_components_become_rows_and_go_into_the_release_by_digest(caller, parent, part):
    called = ModelVersionFactory(model=part)

    version = register(caller, parent, called)

    assert [row.component for row in version.component_rows.all()] == [called]
    assert version.release["components"][0]["digest"] == called.release_digest
    assert [row.version for row in called.used_by.all()] == [version]
    body = Event.objects.get(action="version.registered").body
    assert called.release_digest in body


def test_two_versions_of_one_model_cannot_be_called_at_once(caller, workspace, parent, part):
    one, two = ModelVersionFactory(model=part), ModelVersionFactory(model=part)
    between = calling(RegisteredModelFactory(workspace=workspace, name="between"), two)

    for parts in ((one, two), (one, between)):
        with pytest.raises(Invalid, match="one model has one version") as raised:
            register(caller, parent, *parts)
        assert "components" in raised.value.fields

    assert parent.versions.count() == 0


def test_a_version_calls_no_version_of_its_own_model_not_even_through_another(
    caller, workspace, parent
):
    mine = ModelVersionFactory(model=parent)
    between = calling(RegisteredModelFactory(workspace=workspace), mine)

    for part in (mine, between):
        with pytest.raises(Invalid, match="never be live together"):
            register(caller, parent, part)


def test_the_database_lets_nothing_call_what_came_later(parent, part):
    older, newer = ModelVersionFactory(model=parent), ModelVersionFactory(model=part)

    with pytest.raises(IntegrityError, match="component_is_older"), transaction.atomic():
        VersionComponent.objects.create(version=older, component=newer)
    with pytest.raises(IntegrityError, match="version_parent_is_older"), transaction.atomic():
        ModelVersionFactory(model=part, pk=older.pk - 1000, derived_from=older, derivation="pruned")


def test_a_version_that_was_named_calls_nothing_new(parent, part):
    called, version = ModelVersionFactory(model=part), ModelVersionFactory(model=parent)
    AliasFactory(version=version, name="candidate")

    with pytest.raises(IntegrityError, match="calls nothing new"), transaction.atomic():
        VersionComponent.objects.create(version=version, component=called)


def test_the_database_keeps_what_is_live_whole(world, workspace, parent, part):
    _, part2, _, parent2 = world
    champion = Alias.objects.filter(name="champion", ended_at=None)

    @transaction.atomic
    def swap(model, version):
        row = champion.get(model=model)
        row.ended_at = row.started_at
        row.save()
        if version is not None:
            AliasFactory(version=version)
        check_now()

    def ends_halfway(model, version):
        with pytest.raises(IntegrityError, match="version"):
            swap(model, version)

    ends_halfway(parent, parent2)  # its component is not live
    ends_halfway(part, part2)  # the live parent calls the first one
    ends_halfway(part, None)
    assert (live(parent), live(part)) == (1, 1)

    AliasFactory(version=parent2, name="candidate")  # a free name promises nothing
    check_now()


def test_everything_that_is_called_is_found_once(workspace, parent, part):
    deep = ModelVersionFactory(model=RegisteredModelFactory(workspace=workspace, name="deep"))
    called = calling(part, deep)
    version = calling(parent, called, deep)

    assert set(components.called_by(version)) == {called, deep}


def test_it_says_what_is_missing_and_who_depends(world, workspace):
    _, part2, parent1, parent2 = world

    def why(*versions):
        return components.why_not_stand(
            workspace=workspace, alias="champion", moves={it.model_id: it for it in versions}
        )

    assert why(parent2) == (
        "parent 2 calls part 2, and of part version 1 is live there: they go together or not at "
        "all."
    )
    assert why(part2) == (
        "parent 1 is live there and depends on exactly part 1: it goes only together with a "
        "version of parent that does not."
    )
    assert why(parent2, part2) is None
    assert why(parent1) is None


def test_a_component_does_not_leave_a_live_parent_alone(world, guarded, caller, part):
    guarded(Guard())

    with pytest.raises(ProtectedAlias, match="parent 1 is live there") as raised:
        move(caller, world[1])

    assert raised.value.code == "not_together"
    assert live(part) == 1


def test_a_parent_does_not_go_without_its_component(world, guarded, caller, parent):
    guarded(Guard())

    with pytest.raises(ProtectedAlias, match="parent 2 calls part 2"):
        move(caller, world[3])

    assert live(parent) == 1


def test_they_go_together_by_one_reference(world, guarded, caller, parent, part):
    guarded(Guard(world[1]))

    move(caller, world[3])
    check_now()

    assert (live(parent), live(part)) == (2, 2)
    rows = Alias.objects.filter(ended_at=None, name="champion")
    assert {row.reference for row in rows} == {"rollout:1"}
    assert Event.objects.filter(action="alias.moved").count() == 2


def test_a_failure_between_the_two_leaves_neither(world, guarded, caller, monkeypatch):
    part1, part2, parent1, parent2 = world
    guarded(Guard(part2))
    record = aliases.audit.record
    calls = []

    def failing(action, **kwargs):
        calls.append(kwargs["object_name"])
        if len(calls) == 2:
            raise RuntimeError("the disk is full")
        return record(action, **kwargs)

    monkeypatch.setattr(aliases.audit, "record", failing)
    with pytest.raises(RuntimeError), transaction.atomic():
        move(caller, parent2)

    assert calls == ["part", "parent"]
    assert (live(parent1.model), live(part1.model)) == (1, 1)
    assert not Event.objects.filter(action="alias.moved").exists()


def test_another_live_parent_holds_the_component(world, guarded, caller, workspace, part):
    part1, part2, _, parent2 = world
    other = calling(RegisteredModelFactory(workspace=workspace, name="other"), part1)
    AliasFactory(version=other)
    guarded(Guard(part2))

    with pytest.raises(ProtectedAlias, match="other 1 is live there and depends on exactly part 1"):
        move(caller, parent2)

    assert live(part) == 1


def test_what_is_live_in_another_environment_does_not_count(world, workspace, caller, guarded):
    part2, parent2 = world[1], world[3]
    staging = Environment.objects.get(workspace=workspace, name="staging").alias
    guarded(Guard())
    for version in (part2, parent2):
        aliases.move(
            caller=caller, model=version.model, name=staging, version=version, reference="r"
        )
    check_now()

    with pytest.raises(ProtectedAlias):
        move(caller, parent2)
