import pytest
from django.urls import reverse

from registry.models import SavedView
from tests.factories.registry import RegisteredModelFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(person):
    return person("viewer", name="Ada")


@pytest.fixture
def bob(person):
    return person("viewer", name="Bob")


def save(client, name="tier 1", query="tier=1", **given):
    data = {"name": name, "query": query, "page": "inventory", **given}
    return client.post(reverse("registry:view-save"), data)


def texts(client, **query):
    return client.get(reverse("registry:model-list"), query).content.decode()


def test_a_view_is_an_address_with_a_name(workspace, client_for, ada, bob, recorded_actions):
    RegisteredModelFactory(workspace=workspace)
    mine, other = client_for(ada), client_for(bob)

    answer = save(mine, query="tier=1&page=7&format=csv&q=&kind=binary")

    view = SavedView.objects.get()
    assert (view.query, view.is_shared) == ("kind=binary&tier=1", False)
    assert answer.url == f"{reverse('registry:model-list')}?kind=binary&tier=1"
    assert "tier 1" in texts(mine)
    assert "tier 1" not in texts(other)
    assert mine.get(reverse("registry:view-show", args=[view.uid])).url == answer.url
    assert other.get(reverse("registry:view-show", args=[view.uid])).status_code == 404
    assert recorded_actions()[-1:] == ["view.saved"]


def test_a_shared_view_is_seen_and_left_alone_by_others(workspace, client_for, ada, bob):
    RegisteredModelFactory(workspace=workspace)
    mine, other = client_for(ada), client_for(bob)
    save(mine, is_shared="on")
    view = SavedView.objects.get()

    assert "of Ada" in texts(other)
    change = reverse("registry:view-change", args=[view.uid])
    assert other.post(change, {"name": "stolen"}).status_code == 404
    assert other.post(reverse("registry:view-delete", args=[view.uid])).status_code == 404
    view.refresh_from_db()
    assert view.name == "tier 1"


def test_a_view_is_renamed_shared_and_deleted(client_for, ada, recorded_actions):
    mine = client_for(ada)
    save(mine)
    save(mine, name="second", query="tier=2")
    view = SavedView.objects.get(name="tier 1")
    change = reverse("registry:view-change", args=[view.uid])

    mine.post(change, {"name": " top  tier ", "is_shared": "on"})
    view.refresh_from_db()
    assert (view.name, view.is_shared) == ("top tier", True)
    mine.post(change, {"name": "second"})
    view.refresh_from_db()
    assert view.name == "top tier"
    mine.post(reverse("registry:view-delete", args=[view.uid]))
    assert [it.name for it in SavedView.objects.all()] == ["second"]
    assert recorded_actions()[-1] == "view.deleted"


def test_the_same_name_again_keeps_the_new_filters(client_for, ada):
    mine = client_for(ada)
    save(mine)
    save(mine, query="tier=3")

    assert SavedView.objects.get().query == "tier=3"


@pytest.mark.parametrize(
    "given",
    [{"name": ""}, {"name": "x" * 101}, {"query": "a=" + "x" * 3000}, {"page": "nowhere"}],
)
def test_what_is_no_view_is_not_kept(given, client_for, ada):
    assert save(client_for(ada), **given).status_code == 302
    assert not SavedView.objects.exists()


def test_views_by_rest(api, ada, bob):
    mine, other = api(ada), api(bob)
    where = reverse("v1:saved-view-list")

    made = mine.post(where, {"name": "tier 1", "query": "tier=1"}, format="json")
    assert made.status_code == 201
    one = reverse("v1:saved-view-detail", args=[made.json()["uid"]])
    assert other.get(where).json()["results"] == []
    assert other.patch(one, {"name": "x"}, format="json").status_code == 404
    assert mine.patch(one, {"is_shared": True}, format="json").json()["name"] == "tier 1"
    assert [it["owner"] for it in other.get(where).json()["results"]] == [ada.email]
    assert mine.post(where, {"name": "a\x00b"}, format="json").status_code == 400
    assert mine.delete(one).status_code == 204
    assert not SavedView.objects.exists()
