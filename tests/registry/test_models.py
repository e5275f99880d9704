import pytest

from audit.actions import Action
from common.errors import AlreadyExists, Invalid, NotAllowed, NotFound
from registry import selectors
from registry.models import Environment, RegisteredModel
from registry.services import environments, models
from tests.factories.accounts import UserFactory, WorkspaceFactory
from tests.factories.registry import RegisteredModelFactory

pytestmark = pytest.mark.django_db


def test_create_records_who_owns_it(caller_for, recorded_actions):
    caller = caller_for("model_owner")

    model = models.create(caller=caller, name="credit-risk", purpose="Retail loans.", tier=1)

    assert model.owner == caller.user
    assert model.workspace == caller.workspace
    assert recorded_actions() == [Action.MODEL_CREATED]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "../../etc/passwd"}, "name"),
        ({"name": "x" * 10_000_000}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"kind": "oracle"}, "kind"),
        ({"tier": 4}, "tier"),
        ({"purpose": "x" * 10_001}, "purpose"),
        ({"description": "\x00"}, "description"),
        ({"tags": {"a": "x" * 100_001}}, "tags"),
    ],
)
def test_create_refuses_bad_input_and_leaves_nothing(caller_for, fields, field, recorded_actions):
    with pytest.raises(Invalid) as refusal:
        models.create(caller=caller_for("model_owner"), **{"name": "a", **fields})

    assert field in refusal.value.fields
    assert not RegisteredModel.objects.exists()
    assert recorded_actions() == []


def test_a_name_is_taken_once_a_workspace(caller_for, workspace):
    RegisteredModelFactory(workspace=workspace, name="a")
    RegisteredModelFactory(workspace=WorkspaceFactory(), name="b")

    with pytest.raises(AlreadyExists, match="“a”"):
        models.create(caller=caller_for("model_owner"), name="a")
    models.create(caller=caller_for("model_owner"), name="b")


def test_only_a_member_can_own(caller_for):
    with pytest.raises(Invalid, match="owner"):
        models.create(caller=caller_for("model_owner"), name="a", owner=UserFactory())

    assert not RegisteredModel.objects.exists()


def test_a_viewer_creates_nothing(caller_for):
    with pytest.raises(NotAllowed):
        models.create(caller=caller_for("viewer"), name="a")

    assert not RegisteredModel.objects.exists()


def test_update_records_what_changed_and_only_that(caller_for, workspace, recorded_actions):
    model = RegisteredModelFactory(workspace=workspace, tier=2)
    caller = caller_for("model_owner")
    owner = model.owner

    models.update(caller=caller, model=model, tier=1)
    models.update(caller=caller, model=model, tier=1)

    model.refresh_from_db()
    assert (model.tier, model.owner) == (1, owner)
    assert recorded_actions() == [Action.MODEL_UPDATED]


def test_an_owner_who_left_does_not_stop_other_changes(caller_for, workspace):
    model = RegisteredModelFactory(workspace=workspace)
    model.owner.is_active = False
    model.owner.save()

    models.update(caller=caller_for("model_owner"), model=model, purpose="Another.")

    model.refresh_from_db()
    assert model.purpose == "Another."


def test_a_new_workspace_has_staging_and_production(workspace):
    found = [(it.name, it.alias) for it in selectors.environments(workspace)]

    assert found == [("staging", "staging"), ("production", "champion")]
    environments.make_defaults(workspace=workspace)
    assert Environment.objects.filter(workspace=workspace).count() == 2


@pytest.mark.parametrize("name", ["nope", "a\x00b", "x" * 1_000_000, "../../etc/passwd", ""])
def test_what_is_not_there_is_not_found(workspace, name):
    with pytest.raises(NotFound) as refusal:
        selectors.get_model(workspace, name)

    assert len(refusal.value.message) < 150


def test_search_finds_by_name_purpose_owner_and_tag(workspace):
    wanted = RegisteredModelFactory(
        workspace=workspace,
        name="alpha",
        purpose="Loans",
        tags={"team": "retail"},
        owner=UserFactory(name="Ada Lovelace"),
    )
    RegisteredModelFactory(workspace=workspace, name="other")

    for text in ("ALPH", "loan", "lovelace", "retail"):
        assert list(selectors.search(selectors.models_for(workspace), text)) == [wanted]
    assert not selectors.search(selectors.models_for(workspace), "%")


def test_an_edit_of_the_same_length_is_saved_and_recorded(caller_for, recorded_actions):
    caller = caller_for("model_owner")
    model = models.create(caller=caller, name="same-length", purpose="staffing")

    models.update(caller=caller, model=model, purpose="catering")

    model.refresh_from_db()
    assert model.purpose == "catering"
    assert recorded_actions()[-1] == Action.MODEL_UPDATED
