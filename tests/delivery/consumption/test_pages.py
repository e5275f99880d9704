"""The pages of those who run a model themselves, and the cards on the registry's pages."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from delivery.models import Fallback, LearningPlan, Recall, Route
from delivery.needs import needs_of
from delivery.services import fleet, receipts
from registry import prompts
from tests.factories import delivery as make
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(client_for, route):
    client = client_for("operator", "model_owner")

    def act(name, data=None, **kwargs):
        url = reverse(f"delivery:{name}", kwargs={"name": route.model.name, **kwargs})
        return client.get(url) if data is None else client.post(url, data)

    return act


@pytest.fixture
def devices(route, versions, caller_for):
    now = timezone.now()
    said = [
        fleet.Report(f"unit-{n}", versions[n % 2].release_digest, now - timedelta(days=day))
        for day in (3, 0)
        for n in range(6)
    ]
    for day in (said[:6], said[6:]):
        fleet.receive(caller=caller_for("operator"), model=route.model, reports=day)


def text(answer):
    return " ".join(answer.content.decode().split())


def test_the_fleet_says_who_lags_behind(page, devices):
    answer = page("fleet-detail")

    body = text(answer)
    assert "50.0 % of 6 devices run version 1, the live one, 3 lag behind." in body
    assert "the devices heard ran version 1" in body
    assert "unit-1" in body
    assert "unit-0" not in body  # current: shown when asked for


def test_an_empty_fleet_and_empty_receipts_say_what_to_do(page):
    assert "No device has reported yet." in text(page("fleet-detail"))
    assert "No run has sent a receipt yet." in text(page("receipt-list"))
    assert "No snapshots are planned." in text(page("learning-detail"))


def test_a_recall_is_confirmed_with_the_number_of_devices(page, devices, versions):
    given = {"version": versions[0].pk, "reason": "Cold."}
    confirm = page("recall-order", given)
    assert (confirm.status_code, Recall.objects.exists()) == (200, False)
    assert "Call back version 1 on 3 devices" in text(confirm)
    assert page("recall-order", {**given, "devices": "2"}).status_code == 409
    assert page("recall-order", {"version": versions[0].pk, "reason": ""}).status_code == 422
    done = page("recall-order", {**given, "devices": "3"})
    assert (done.status_code, Recall.objects.get().devices) == (302, 3)

    body = text(page("fleet-detail"))
    assert "3 must stop: what they run is called back." in body
    recall = Recall.objects.get()
    assert page("recall-lift", {"reason": ""}, uid=recall.uid).status_code == 422
    assert page("recall-lift", {"reason": "Sensor."}, uid=recall.uid).status_code == 302


def test_rings_are_typed_as_lines_and_opened_by_a_button(page, route, versions, go_live):
    assert page("rings-set", {"rings": "canary five"}).status_code == 422
    assert page("rings-set", {"rings": "canary 5\nmany 90"}).status_code == 409
    assert page("rings-set", {"rings": "canary 5 %\n\nmany 95%"}).status_code == 302
    go_live(versions[1])
    Route.objects.filter(pk=route.pk).update(held_version=versions[0], open_rings=1)
    assert "Open many" in text(page("fleet-detail"))
    assert page("ring-open", {"ring": "moon"}).status_code == 409
    assert page("ring-open", {"ring": "many"}).status_code == 302
    assert Route.objects.get(pk=route.pk).held_version is None


def test_receipts_are_filtered_and_exported_and_no_cell_is_a_formula(
    page, route, versions, caller_for, client_for
):
    begun = timezone.now() - timedelta(hours=1)
    for run_id, version in (("=cmd()", versions[0]), ("b", versions[1])):
        receipts.receive(
            caller=caller_for("operator"),
            model=route.model,
            environment=route.environment,
            run=receipts.Run(
                run_id=run_id,
                rows=1,
                started_at=begun,
                finished_at=begun,
                digest=version.release_digest,
            ),
        )
    url = reverse("delivery:receipt-list", args=[route.model.name])
    client = client_for("viewer")
    assert "<strong>1 of 2 runs</strong> did not use what was live" in text(client.get(url))
    wrong = text(client.get(url, {"state": "mismatch"}))
    assert "used version 2, but version 1 was live" in wrong
    assert "=cmd()" not in wrong
    csv = b"".join(client.get(url, {"format": "csv"}).streaming_content).decode()
    assert len(csv.splitlines()) == 3
    assert "\n'=cmd(),accepted,1,1,production" in csv.replace("\r", "")
    assert "No run fits" in text(client.get(url, {"version": "9"}))


def test_snapshots_are_planned_and_a_fallback_is_frozen(page, route, versions, settings):
    settings.OUTBOUND_ALLOW = "127.0.0.1/32:9"
    url = "http://127.0.0.1:9/s?key=hidden"
    given = {"how": "fetch", "url": url, "every": "2", "unit": "3600"}
    assert page("learning-plan", {**given, "every": "0"}).status_code == 422
    refused = page("learning-plan", {**given, "url": "http://10.0.0.1/"})
    assert (refused.status_code, LearningPlan.objects.exists()) == (409, False)
    assert page("learning-plan", given).status_code == 302
    assert LearningPlan.objects.get().every_seconds == 7200
    body = text(page("learning-detail"))
    assert "A snapshot every <strong>2 h" in body
    assert "key=" not in body
    assert page("learning-plan", {"do": "now"}).status_code == 302
    assert page("learning-plan", {"do": "stop"}).status_code == 302
    assert page("learning-plan", {"do": "stop"}).status_code == 409
    assert page("fallback-set", {"version": versions[1].pk}).status_code == 422
    assert page("fallback-set", {"version": versions[0].pk}).status_code == 302
    assert Fallback.objects.get().version == versions[0]
    assert page("fallback-set", {"do": "clear"}).status_code == 302


def test_the_models_page_says_how_it_reaches_its_callers(client_for, route, versions, devices):
    client = client_for("viewer")
    body = text(client.get(reverse("registry:model-detail", args=[route.model.name])))

    assert "Readers are told version 1." in body
    assert "Nobody has asked yet" in body
    assert "50.0 % of 6 devices" in body
    online = ModelVersionFactory(model=RegisteredModelFactory(workspace=route.workspace))
    body = text(client.get(reverse("registry:model-detail", args=[online.model.name])))
    assert "How it reaches its callers" not in body


def test_a_version_says_what_it_needs_on_its_page_and_over_rest(client_for, api, route, versions):
    v1, _ = versions
    needs = {it.item.key: it for it in needs_of(v1)}
    assert needs["evaluation"].state == "missing"
    assert needs["signature"].state == "done"
    assert needs["receipts"].state == "not_applicable"

    name = route.model.name
    body = text(client_for("viewer").get(reverse("registry:version-detail", args=[name, 1])))
    assert "What this needs" in body
    assert "do not apply" in body
    answer = api("viewer").get(f"/api/v1/models/{name}/versions/1/needs")
    assert answer.status_code == 200
    assert (answer.json()["kind"], answer.json()["consumption"]) == ("binary", "online")
    assert set(answer.json()["missing"]) == {
        it.item.key for it in needs.values() if it.state == "missing"
    }


def test_the_needs_of_a_device_model_follow_its_life(workspace, caller_for):
    model = RegisteredModelFactory(workspace=workspace)
    version = ModelVersionFactory(model=model, consumption="device")
    before = {it.item.key: it.state for it in needs_of(version)}
    assert (before["route"], before["devices"], before["fallback"]) == (
        "waiting",
        "waiting",
        "missing",
    )
    route = make.ReadRouteFactory(
        workspace=workspace, model=model, environment=make.production(workspace)
    )
    make.make_live_by_alias(route, version)
    make.DeviceFactory(version=version)
    make.FallbackFactory(version=version)
    after = {it.item.key: it.state for it in needs_of(version)}
    assert (after["route"], after["devices"], after["fallback"]) == ("done", "done", "done")


def test_needs_take_as_many_queries_whatever_there_is(versions, django_assert_max_num_queries):
    with django_assert_max_num_queries(16):
        needs_of(versions[0])


def test_a_prompt_is_shown_as_a_prompt_and_its_text_is_only_text(client_for, workspace):
    model = RegisteredModelFactory(workspace=workspace, kind="prompt")
    old, new = "Answer in {{ language }}.\nBe kind.", "Answer in {{ tongue }}.\n<script>x</script>"
    for content in (old, new):
        ModelVersionFactory(model=model, tags={prompts.TEXT: content, prompts.CONFIG: '{"t": 1}'})
    body = text(client_for("viewer").get(reverse("registry:version-detail", args=[model.name, 2])))

    assert "<mark>{{ tongue }}</mark>" in body
    assert "&lt;script&gt;x&lt;/script&gt;" in body
    assert "<script>x" not in body
    assert "2 lines added, 2 removed." in body
    assert "<del>Be kind.</del>" in body
    assert "Gone: <code>language</code>" in body
    first = text(client_for("viewer").get(reverse("registry:version-detail", args=[model.name, 1])))
    assert "Since version" not in first
