"""Aliases: movable by whoever may edit, but for those that say what is live."""

import pytest

from registry import ports
from registry.models import Alias, ModelVersion
from registry.ports import RequestRef
from tests.factories.registry import AliasFactory
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db
ALIAS = "registered-models/alias"


@pytest.fixture(autouse=True)
def _two_versions(mlflow):
    mlflow.model()
    mlflow.version()
    mlflow.version()


def stands(mlflow, alias):
    body = mlflow.ok("GET", ALIAS, name="credit", alias=alias)
    return body["model_version"]["version"]


def test_an_alias_stands_moves_and_is_taken_off(mlflow):
    before = mlflow.ok("GET", "registered-models/get", name="credit")["registered_model"]
    assert mlflow.ok("POST", ALIAS, name="credit", alias="next", version="1") == {}
    assert stands(mlflow, "next") == "1"
    mlflow.ok("POST", ALIAS, name="credit", alias="next", version="2")
    assert stands(mlflow, "next") == "2"
    model = mlflow.ok("GET", "registered-models/get", name="credit")["registered_model"]
    assert model["aliases"] == [{"alias": "next", "version": "2"}]
    assert model["latest_versions"][0]["aliases"] == ["next"]
    assert model["last_updated_timestamp"] >= before["last_updated_timestamp"]
    version = mlflow.ok("GET", "model-versions/get", name="credit", version="2")["model_version"]
    assert version["aliases"] == ["next"]

    assert mlflow.ok("DELETE", ALIAS, name="credit", alias="next") == {}

    assert mlflow.refused("GET", ALIAS, name="credit", alias="next") == (
        400,
        "INVALID_PARAMETER_VALUE",
        "Registered model alias next not found.",
    )
    assert recorded_actions()[-3:] == ["alias.moved", "alias.moved", "alias.removed"]
    assert Alias.objects.filter(ended_at=None).count() == 0


def test_where_it_stands_already_changes_and_records_nothing(mlflow):
    mlflow.ok("POST", ALIAS, name="credit", alias="next", version="1")
    before = recorded_actions()

    mlflow.ok("POST", ALIAS, name="credit", alias="next", version="1")
    mlflow.ok("DELETE", ALIAS, name="credit", alias="nowhere")

    assert recorded_actions() == before
    assert Alias.objects.count() == 1


def test_latest_is_the_newest_and_of_no_version_none(mlflow):
    assert stands(mlflow, "latest") == "2"
    mlflow.model("empty")

    refused = mlflow.refused("GET", ALIAS, name="empty", alias="Latest")

    assert refused[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


@pytest.mark.parametrize(
    "alias", ["latest", "LATEST", "v1", "V22", "a b", "a/b", "a:b", "a.b", "x" * 256, "a\n"]
)
def test_aliases_that_cannot_be(alias, mlflow):
    refused = mlflow.refused("POST", ALIAS, name="credit", alias=alias, version="1")

    assert refused[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert not Alias.objects.exists()


@pytest.mark.parametrize("alias", ["a", "_a", "-a", "v1x", "A-1_b", "x" * 255, "\u00e9t\u00e9"])
def test_aliases_that_can(alias, mlflow):
    mlflow.ok("POST", ALIAS, name="credit", alias=alias, version="1")

    assert stands(mlflow, alias) == "1"


def test_what_is_not_there(mlflow):
    assert mlflow.refused("POST", ALIAS, name="credit", alias="a", version="9")[0] == 404
    assert mlflow.refused("POST", ALIAS, name="x", alias="a", version="1")[0] == 404
    assert mlflow.refused("GET", ALIAS, name="x", alias="a")[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    assert mlflow.refused("DELETE", ALIAS, name="x", alias="a")[0] == 404


class Guard:
    """An alias guard that lets nothing move and has a request to show."""

    def __init__(self, ref):
        self.ref = ref
        self.asked = []

    def why_not_move(self, **given):
        return "There is no approval."

    def goes_along(self, **given):
        return {}

    def request_for(self, *, caller, model, name, version):
        self.asked.append((model.name, name, version.number))
        return self.ref


@pytest.fixture
def guarded():
    before = ports.alias_guard()

    def put(ref=None):
        guard = Guard(ref)
        ports.register_alias_guard(guard)
        return guard

    yield put
    ports.register_alias_guard(before)


@pytest.mark.parametrize("alias", ["champion", "staging"])
def test_a_protected_alias_is_403_with_the_request_that_would_let_it(alias, mlflow, guarded):
    guard = guarded(RequestRef("REQ-12", "https://host/requests/12/", "open"))

    status, code, message = mlflow.refused("POST", ALIAS, name="credit", alias=alias, version="2")

    assert (status, code) == (403, "PERMISSION_DENIED")
    assert "REQ-12" in message
    assert "https://host/requests/12/" in message
    assert guard.asked == [("credit", alias, 2)]
    assert not Alias.objects.exists()
    assert recorded_actions()[-1] == "alias.move_refused"


def test_where_no_request_can_be_the_refusal_stands_alone(mlflow, guarded):
    guarded(None)

    status, code, message = mlflow.refused(
        "POST", ALIAS, name="credit", alias="champion", version="2"
    )

    assert (status, code) == (403, "PERMISSION_DENIED")
    assert "There is no approval." in message


def test_a_protected_alias_that_stands_there_already_is_a_success(mlflow, guarded):
    guard = guarded(None)
    AliasFactory(version=ModelVersion.objects.get(number=1), name="champion")
    before = recorded_actions()

    assert mlflow.ok("POST", ALIAS, name="credit", alias="champion", version="1") == {}

    assert guard.asked == []
    assert recorded_actions() == before
    assert mlflow.refused("POST", ALIAS, name="credit", alias="champion", version="2")[0] == 403


def test_a_protected_alias_is_not_taken_off(mlflow, guarded):
    guarded(RequestRef("REQ-1", "https://host", "open"))
    AliasFactory(version=ModelVersion.objects.get(number=1), name="champion")

    refused = mlflow.refused("DELETE", ALIAS, name="credit", alias="champion")

    assert refused[:2] == (403, "PERMISSION_DENIED")
    assert stands(mlflow, "champion") == "1"
