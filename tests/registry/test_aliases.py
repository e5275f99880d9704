from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.callers import Caller
from audit.actions import Action
from common.errors import Invalid, NotAllowed, NotFound
from registry import ports, selectors
from registry.errors import ProtectedAlias
from registry.models import Alias
from registry.services import aliases
from tests.factories.registry import (
    AliasFactory,
    EnvironmentFactory,
    ModelVersionFactory,
    RegisteredModelFactory,
)

pytestmark = pytest.mark.django_db


class Guard:
    """Allows one reference, and remembers what it was asked."""

    def __init__(self, allows):
        self.allows = allows
        self.asked = []

    def why_not_move(self, *, model, name, version, reference, caller):
        self.asked.append((model, name, version, reference))
        return None if reference == self.allows else "Nobody approved that."

    def goes_along(self, *, model, name, version, reference):
        return {}


@pytest.fixture
def guarded():
    def put(guard):
        ports.register_alias_guard(guard)
        return guard

    before = ports.alias_guard()
    yield put
    ports.register_alias_guard(before)


@pytest.fixture
def model(workspace):
    return RegisteredModelFactory(workspace=workspace)


@pytest.fixture
def caller(caller_for):
    return caller_for("model_owner")


def test_moves_keep_their_history(caller, model, recorded_actions):
    one, two = ModelVersionFactory(model=model), ModelVersionFactory(model=model)

    for version in (one, two, None, one):
        aliases.move(caller=caller, model=model, name="challenger", version=version)

    rows = list(selectors.alias_history(model))
    assert [row.version for row in rows] == [one, two, one]
    assert [row.ended_at is None for row in rows] == [True, False, False]
    assert rows[2].ended_at == rows[1].started_at
    assert rows[1].ended_at <= rows[0].started_at
    assert recorded_actions() == [
        Action.ALIAS_MOVED,
        Action.ALIAS_MOVED,
        Action.ALIAS_REMOVED,
        Action.ALIAS_MOVED,
    ]


def test_as_of_says_what_stood_then(caller, model):
    one, two = ModelVersionFactory(model=model), ModelVersionFactory(model=model)
    first = aliases.move(caller=caller, model=model, name="a", version=one)
    second = aliases.move(caller=caller, model=model, name="a", version=two)
    tick = timedelta(microseconds=1)

    def at(moment):
        return [span.version for span in selectors.as_of(model, moment)]

    assert at(first.started_at - tick) == []
    assert at(first.started_at) == [one]
    assert at(second.started_at - tick) == [one]
    assert at(second.started_at) == [two]


def test_standing_there_already_is_no_event(caller, model, recorded_actions):
    version = ModelVersionFactory(model=model)

    first = aliases.move(caller=caller, model=model, name="a", version=version)
    again = aliases.move(caller=caller, model=model, name="a", version=version)

    assert again == first
    assert recorded_actions() == [Action.ALIAS_MOVED]


def test_an_alias_stands_on_its_own_models_versions(caller, model):
    with pytest.raises(Invalid):
        aliases.move(caller=caller, model=model, name="a", version=ModelVersionFactory())
    with pytest.raises(NotFound):
        aliases.move(caller=caller, model=model, name="a", version=None)

    assert not Alias.objects.exists()


def test_a_viewer_moves_nothing(caller_for, model):
    with pytest.raises(NotAllowed):
        aliases.move(
            caller=caller_for("viewer"),
            model=model,
            name="a",
            version=ModelVersionFactory(model=model),
        )


@pytest.mark.parametrize("name", ["champion", "staging", "canary-pool"])
def test_an_environments_alias_moves_by_no_hand(
    caller, model, workspace, guarded, name, recorded_actions
):
    guarded(None)
    EnvironmentFactory(workspace=workspace, name="canary", position=30, alias="canary-pool")
    version = ModelVersionFactory(model=model)

    for who in (caller, Caller.system("somebody", workspace)):
        with (
            pytest.raises(ProtectedAlias),
            aliases.refusals_recorded(caller=who, model=model, name=name, version=version),
        ):
            aliases.move(caller=who, model=model, name=name, version=version)

    assert not Alias.objects.exists()
    assert recorded_actions() == [Action.ALIAS_MOVE_REFUSED] * 2


def test_the_guard_is_asked_and_its_word_counts(caller, model, guarded):
    guard = guarded(Guard(allows="promotion:1"))
    version = ModelVersionFactory(model=model)

    with pytest.raises(ProtectedAlias, match="Nobody approved that"):
        aliases.move(caller=caller, model=model, name="champion", version=version, reference="x")
    moved = aliases.move(
        caller=caller, model=model, name="champion", version=version, reference="promotion:1"
    )

    assert guard.asked[0] == (model, "champion", version, "x")
    assert moved.reference == "promotion:1"
    assert selectors.live_version(model, "production") == version


def test_taking_a_protected_alias_off_asks_too(caller, model, guarded):
    guarded(Guard(allows="promotion:1"))
    AliasFactory(version__model=model, name="champion")

    with pytest.raises(ProtectedAlias):
        aliases.move(caller=caller, model=model, name="champion", version=None)

    assert Alias.objects.get().ended_at is None


def test_live_versions_now_and_then(workspace, model):
    version = ModelVersionFactory(model=model)
    alias = AliasFactory(version=version, name="champion", reference="promotion:1")
    AliasFactory(version=version, name="challenger")

    now = selectors.live_versions(workspace)
    before = selectors.live_versions(workspace, at=alias.started_at - timedelta(seconds=1))

    assert [(it.model, it.environment.name, it.version) for it in now] == [
        (model, "production", version)
    ]
    assert before == []
    assert selectors.live_version(model, "staging") is None


def test_the_database_lets_history_end_once_and_nothing_else():
    alias = AliasFactory()
    rows = Alias.objects.filter(pk=alias.pk)

    for change in ({"name": "other"}, {"reference": "x"}, {"version": ModelVersionFactory()}):
        with pytest.raises(IntegrityError, match="only be ended"), transaction.atomic():
            rows.update(**change)
    rows.update(ended_at=alias.started_at)
    for ended_at in (None, alias.started_at + timedelta(days=1)):
        with pytest.raises(IntegrityError, match="only be ended"), transaction.atomic():
            rows.update(ended_at=ended_at)
    with pytest.raises(IntegrityError, match="never deleted"), transaction.atomic():
        rows._raw_delete("default")


def test_the_database_has_one_open_row_an_alias():
    alias = AliasFactory()

    with pytest.raises(IntegrityError, match="alias_one_open"), transaction.atomic():
        AliasFactory(version=alias.version)
