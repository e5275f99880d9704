"""Rings open one after the other; a recall takes effect at once and says whom it concerns."""

import pytest

from audit.actions import Action
from common.errors import AlreadyExists, Conflict, Invalid, InvalidTransition, NotAllowed, NotFound
from delivery.current import current
from delivery.models import Recall, Route
from delivery.services import recalls, rings
from tests.factories import delivery as make

pytestmark = pytest.mark.django_db
SHARES = [
    {"name": "canary", "share": 5},
    {"name": "early", "share": 25},
    {"name": "many", "share": 70},
]


@pytest.fixture
def operator(caller_for):
    return caller_for("operator")


@pytest.fixture
def held(route, versions, go_live, operator):
    """Version 2 is live and has reached the first of three rings."""
    rings.set_rings(caller=operator, route=route, rings=SHARES)
    go_live(versions[1])
    Route.objects.filter(pk=route.pk).update(held_version=versions[0], open_rings=1)
    route.refresh_from_db()
    return route


def told(route):
    route = Route.objects.get(pk=route.pk)
    return [current(route, ring=ring.name).body["version"] for ring in route.rings.all()]


def test_rings_open_in_their_order_and_the_last_ends_it(held, operator, recorded_actions):
    assert told(held) == [2, 1, 1]
    with pytest.raises(InvalidTransition, match="early comes before many"):
        rings.open_next(caller=operator, route=held, ring="many")
    rings.open_next(caller=operator, route=held, ring="early")
    assert told(held) == [2, 2, 1]
    with pytest.raises(InvalidTransition, match="already"):
        rings.open_next(caller=operator, route=held, ring="early")
    done = rings.open_next(caller=operator, route=held, ring="many")
    assert (told(held), done.held_version) == ([2, 2, 2], None)
    assert recorded_actions() == [Action.DEVICE_RING_CHANGED] * 3


def test_a_recall_closes_the_rings_that_wait(held, versions, operator):
    recalls.order(caller=operator, version=versions[1], reason="It freezes.")

    with pytest.raises(Conflict, match="called back"):
        rings.open_next(caller=operator, route=held, ring="early")
    assert current(Route.objects.get(pk=held.pk), ring="early").body["instruction"] == "use"
    assert current(Route.objects.get(pk=held.pk), ring="canary").body["instruction"] == "stop"


def test_rings_are_not_changed_while_a_version_is_on_its_way(held, operator):
    with pytest.raises(Conflict, match="on its way"):
        rings.set_rings(caller=operator, route=held, rings=[])


@pytest.mark.parametrize(
    "wrong",
    [
        [{"name": "a", "share": 99}],
        [{"name": "a", "share": 50}, {"name": "a", "share": 50}],
        [{"name": "A", "share": 100}],
        [{"name": "a", "share": 100}, {"name": "b", "share": 0}],
        [{"name": f"r{n}", "share": 10} for n in range(11)],
    ],
)
def test_rings_that_cannot_be(route, operator, wrong):
    with pytest.raises(Invalid):
        rings.set_rings(caller=operator, route=route, rings=wrong)
    assert not route.rings.exists()


def test_only_operators_and_only_routes_that_are_read(route, operator, caller_for, workspace):
    with pytest.raises(NotAllowed):
        rings.set_rings(caller=caller_for("model_owner"), route=route, rings=SHARES)
    gateway = make.RouteFactory(gateway__workspace=workspace)
    with pytest.raises(Conflict, match="has a gateway"):
        rings.set_rings(caller=operator, route=gateway, rings=SHARES)


def test_a_recall_names_its_devices_is_one_and_can_be_lifted(
    route, versions, operator, recorded_actions
):
    make.DeviceFactory.create_batch(3, version=versions[0])
    with pytest.raises(Conflict, match="3 devices") as refused:
        recalls.order(caller=operator, version=versions[0], reason="Cold.", devices=2)
    assert (refused.value.code, refused.value.extra) == ("more_devices", {"devices": 3})
    recall = recalls.order(caller=operator, version=versions[0], reason="Cold.", devices=3)
    assert recall.devices == 3
    with pytest.raises(AlreadyExists):
        recalls.order(caller=operator, version=versions[0], reason="Again.")

    recalls.lift(caller=operator, uid=recall.uid, reason="It was the sensor.")
    assert current(route).body["recalled"] == []
    with pytest.raises(InvalidTransition):
        recalls.lift(caller=operator, uid=recall.uid, reason="Twice.")
    recalls.order(caller=operator, version=versions[0], reason="After all.")
    assert recorded_actions() == [
        Action.RECALL_ORDERED,
        Action.RECALL_LIFTED,
        Action.RECALL_ORDERED,
    ]


def test_a_recall_has_a_reason_and_an_operator_and_stays_in_its_workspace(
    versions, operator, caller_for
):
    for reason in ("", "  ", "x" * 501, "a\x00b"):
        with pytest.raises(Invalid):
            recalls.order(caller=operator, version=versions[0], reason=reason)
    with pytest.raises(NotAllowed):
        recalls.order(caller=caller_for("model_owner"), version=versions[0], reason="Cold.")
    foreign = make.RecallFactory()
    with pytest.raises(NotFound):
        recalls.lift(caller=operator, uid=foreign.uid, reason="Mine.")
    assert Recall.objects.get(pk=foreign.pk).lifted_at is None


def test_over_rest(api, route, versions, held):
    client = api("operator")
    model = f"/api/v1/models/{route.model.name}"
    assert [it["name"] for it in client.get("/api/v1/routes/meters/rings").json()["rings"]] == [
        "canary",
        "early",
        "many",
    ]
    opened = client.post("/api/v1/routes/meters/rings/open", {"ring": "early"}, format="json")
    assert (opened.status_code, opened.json()["open_rings"]) == (200, 2), opened.content
    busy = client.put("/api/v1/routes/meters/rings", {"rings": SHARES}, format="json")
    assert (busy.status_code, busy.json()["code"]) == (409, "rings_closed")

    ordered = client.post(f"{model}/recalls", {"version": 1, "reason": "Cold."}, format="json")
    assert (ordered.status_code, ordered.json()["devices"]) == (201, 0), ordered.content
    uid = ordered.json()["uid"]
    assert client.post(f"{model}/recalls/{uid}/lift", {}, format="json").status_code == 400
    lifted = client.post(f"{model}/recalls/{uid}/lift", {"reason": "Sensor."}, format="json")
    assert (lifted.status_code, lifted.json()["lifted_reason"]) == (200, "Sensor.")
    assert len(client.get(f"{model}/recalls").json()["results"]) == 1
    frozen = client.put(f"{model}/fallback", {"version": 1}, format="json")
    assert (frozen.status_code, frozen.json()["version"]) == (200, 1), frozen.content
    assert client.delete(f"{model}/fallback").status_code == 204
    assert client.get(f"{model}/fallback").status_code == 404
