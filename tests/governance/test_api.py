"""The REST API: inputs, statuses, problems, and the events of what was refused."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from audit.models import Event
from governance.models import Finding, Policy, PromotionRequest, Signature
from governance.services import waiting
from tests.factories import governance as make
from tests.governance.conftest import PASSWORD

pytestmark = pytest.mark.django_db
REQUESTS = "/api/v1/promotion-requests"


@pytest.fixture
def session(workspace):
    """A person's browser session on the API, with CSRF checks off as test clients have them."""

    def make_client(user):
        client = APIClient()
        client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return make_client


def signing(promotion, **change):
    return {
        "digest": promotion.digest,
        "password": PASSWORD,
        "reason": "Read it.",
        "meaning": "I validated this version independently",
        **change,
    }


# --- Requests ---------------------------------------------------------------------------------


def test_ci_opens_a_request_and_reads_what_it_waits_for(workspace, service_api, signer):
    signer("validator", name="Ada")
    make.policy(workspace)
    version = make.version(make.model(workspace))
    make.evaluation(version)

    response = service_api("requester").post(
        REQUESTS,
        {"model": version.model.name, "version": 1, "environment": "production", "comment": "hi"},
    )

    assert response.status_code == 201, response.json()
    body = response.json()
    assert (body["status"], body["number"], body["round"]) == ("open", 1, 1)
    assert body["release_digest"] == version.release_digest
    assert [gate["state"] for gate in body["gates"]] == ["passes", "passes"]
    assert body["gates"][0]["observed"] == 0.7
    assert body["approvals"][0] == {"role": "validator", "needed": 1, "signed_by": []}
    assert body["clearance"]["state"] == "waiting"
    assert body["requested_through"] is not None
    assert body["links"]["page"] == "/requests/1/"
    listed = service_api("viewer").get(REQUESTS).json()["results"]
    assert [row["number"] for row in listed] == [1]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"model": "nothing"}, 404, "model_not_found"),
        ({"version": 9}, 404, "version_not_found"),
        ({"environment": "moon"}, 404, "environment_not_found"),
        ({"version": "x"}, 400, "invalid"),
        ({"version": 0}, 400, "invalid"),
        ({"comment": "x" * 5001}, 400, "invalid"),
        ({"approve": True}, 400, "invalid"),
    ],
)
def test_a_bad_request_is_a_clear_problem(workspace, api, change, status, code):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    given = {"model": version.model.name, "version": 1, "environment": "production", **change}

    response = api("requester").post(REQUESTS, given)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert PromotionRequest.objects.count() == 0


def test_without_a_policy_it_is_a_conflict(workspace, api):
    version = make.version(make.model(workspace))

    response = api("requester").post(
        REQUESTS, {"model": version.model.name, "version": 1, "environment": "production"}
    )

    assert (response.status_code, response.json()["code"]) == (409, "no_policy")


def test_another_workspaces_request_is_not_there(workspace, api):
    from tests.factories.accounts import WorkspaceFactory

    promotion = make.promotion(workspace)
    other = WorkspaceFactory()

    client = api("requester", workspace=other)

    assert client.get(f"{REQUESTS}/{promotion.uid}").status_code == 404
    assert client.get(REQUESTS).json()["results"] == []


# --- Clearance --------------------------------------------------------------------------------


def clearance(client, promotion, digest=None, **query):
    query = {"digest": promotion.release_digest if digest is None else digest, **query}
    return client.get(f"{REQUESTS}/{promotion.uid}/clearance", query)


def test_clearance_is_200_for_exactly_the_release_and_409_otherwise(
    workspace, api, signer, approve
):
    promotion = make.promotion(workspace)
    client = api("viewer")
    waits = clearance(client, promotion)
    assert (waits.status_code, waits.json()["code"]) == (409, "waiting")
    assert {item["code"] for item in waits.json()["reasons"]} == {"signature_missing"}
    approve(signer("validator"), promotion)
    approve(signer("risk_officer"), promotion)

    cleared = clearance(client, promotion)
    other = clearance(client, promotion, digest="sha256:" + "0" * 64)

    assert (cleared.status_code, cleared.json()["state"]) == (200, "cleared")
    assert (other.status_code, other.json()["code"]) == (409, "blocked")
    assert "Retry-After" not in other


@pytest.mark.parametrize(
    "query", [{"wait": -1}, {"wait": 61}, {"wait": "x"}, {"digest": ""}, {"sure": 1}]
)
def test_clearance_refuses_what_it_does_not_know(workspace, api, query):
    promotion = make.promotion(workspace)

    given = {"digest": promotion.release_digest, **query}

    response = api("viewer").get(f"{REQUESTS}/{promotion.uid}/clearance", given)
    assert response.status_code == 400


def test_clearance_answers_at_once_when_too_many_wait(workspace, api, monkeypatch):
    import threading

    promotion = make.promotion(workspace)
    full = threading.BoundedSemaphore(1)
    full.acquire()
    monkeypatch.setattr(waiting, "_seats", full)

    response = clearance(api("viewer"), promotion, wait=60)

    assert (response.status_code, response.json()["code"]) == (409, "waiting")
    assert response["Retry-After"] == "5"


# --- Signing ----------------------------------------------------------------------------------


def test_a_person_signs_in_a_session(workspace, session, signer):
    promotion = make.promotion(workspace)
    ada, ben = signer("validator"), signer("risk_officer")

    first = session(ada).post(f"{REQUESTS}/{promotion.uid}/approve", signing(promotion))
    second = session(ben).post(
        f"{REQUESTS}/{promotion.uid}/approve",
        signing(promotion, meaning="I accept the residual risk"),
    )

    assert (first.status_code, first.json()["status"]) == (200, "open"), first.json()
    assert (second.status_code, second.json()["status"]) == (200, "approved")
    assert Signature.objects.first().session_sha256


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_token_never_signs_and_the_attempt_is_recorded(workspace, api, service_api, signer, verb):
    promotion = make.promotion(workspace)
    person_token = api(signer("validator", "administrator"))
    clients = [person_token, service_api("requester")]

    for client in clients:
        response = client.post(f"{REQUESTS}/{promotion.uid}/{verb}", signing(promotion))
        assert (response.status_code, response.json()["code"]) == (403, "machine_cannot_sign")

    assert Signature.objects.count() == 0
    events = Event.objects.filter(action="request.sign_refused")
    assert events.count() == 2
    assert all("machine_cannot_sign" in event.body for event in events)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"password": "wrong"}, 403, "wrong_password"),
        ({"digest": "sha256:" + "0" * 64}, 409, "digest_changed"),
        ({"meaning": "fine"}, 400, "invalid"),
    ],
)
def test_a_refused_signature_is_a_problem_and_an_event(
    workspace, session, signer, change, status, code
):
    promotion = make.promotion(workspace)

    response = session(signer("validator")).post(
        f"{REQUESTS}/{promotion.uid}/approve", signing(promotion, **change)
    )

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert Signature.objects.count() == 0
    event = Event.objects.get(action="request.sign_refused")
    assert code in event.body
    assert PASSWORD not in event.body


def test_signing_needs_the_csrf_token(workspace, signer):
    promotion = make.promotion(workspace)
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(
        signer("validator"), backend="allauth.account.auth_backends.AuthenticationBackend"
    )

    response = client.post(f"{REQUESTS}/{promotion.uid}/approve", signing(promotion))

    assert response.status_code == 403
    assert Signature.objects.count() == 0


def test_gates_block_with_reasons(workspace, session, signer):
    promotion = make.promotion(workspace, gates=("auc >= 0.9",))

    response = session(signer("validator")).post(
        f"{REQUESTS}/{promotion.uid}/approve", signing(promotion)
    )

    assert (response.status_code, response.json()["code"]) == (409, "gates_block")
    assert "AUC" in response.json()["reasons"][0]


def test_reject_and_withdraw(workspace, session, signer, api, person):
    jun = person("requester")
    first = make.promotion(workspace, by=jun)

    rejected = session(signer("validator")).post(
        f"{REQUESTS}/{first.uid}/reject",
        {"digest": first.digest, "password": PASSWORD, "reason": "No."},
    )
    assert (rejected.status_code, rejected.json()["status"]) == (200, "rejected")

    second = make.promotion(workspace, of=make.version(first.model), by=jun)
    other = api("requester").post(f"{REQUESTS}/{second.uid}/withdraw", {})
    assert (other.status_code, other.json()["code"]) == (403, "not_yours")
    mine = api(jun).post(f"{REQUESTS}/{second.uid}/withdraw", {"reason": "Wrong version."})
    assert (mine.status_code, mine.json()["status"]) == (200, "withdrawn")


def test_ask_again_evaluates_the_gates(workspace, api):
    promotion = make.promotion(workspace, gates_pass=False)
    make.evaluation(promotion.version)

    response = api("model_owner").post(f"{REQUESTS}/{promotion.uid}/ask", {})

    assert response.status_code == 200
    assert response.json()["gates"][0]["state"] == "passes"


# --- Policies and findings --------------------------------------------------------------------


def test_policies_are_written_and_revised(workspace, api):
    client = api("risk_officer")

    made = client.post("/api/v1/policies", {"source": make.source()})
    assert (made.status_code, made.json()["revision"]["number"]) == (201, 1)
    revised = client.post(
        f"/api/v1/policies/{made.json()['uid']}/revisions",
        {"source": make.source(gates=("auc >= 0.9",)), "seen_revision": 1},
    )

    assert (revised.status_code, revised.json()["number"]) == (201, 2)
    listed = client.get("/api/v1/policies").json()["results"]
    assert listed[0]["revision"]["body"]["gates"][0]["check"] == "auc >= 0.9"


def test_a_bad_policy_names_lines(workspace, api):
    response = api("risk_officer").post(
        "/api/v1/policies", {"source": make.source().replace("tier: 2", "tier: 7")}
    )

    assert (response.status_code, response.json()["code"]) == (400, "invalid_policy")
    assert "line 2, for.tier" in response.json()["errors"]["source"][0]
    assert Policy.objects.count() == 0


def test_findings_over_rest(workspace, api, person):
    owner = person("viewer")
    client = api("validator")

    made = client.post(
        "/api/v1/findings",
        {"severity": "low", "title": "Look at this", "owner": owner.email, "due_on": "2030-01-01"},
    )
    assert made.status_code == 201, made.json()
    uid = made.json()["uid"]
    changed = client.patch(f"/api/v1/findings/{uid}", {"severity": "high"})
    closed = client.post(f"/api/v1/findings/{uid}/close", {"resolution": "Looked."})
    again = client.post(f"/api/v1/findings/{uid}/close", {"resolution": "Looked."})

    assert (changed.json()["severity"], changed.json()["owner"]) == ("high", owner.email)
    assert (closed.status_code, closed.json()["state"]) == (200, "closed")
    assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")
    assert client.get("/api/v1/findings?state=open").json()["results"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"severity": "awful"}, "severity"),
        ({"title": "x" * 301}, "title"),
        ({"owner": "nobody@example.org"}, "owner"),
        ({"version": 1}, "model"),
        ({"state": "closed"}, "state"),
    ],
)
def test_a_bad_finding_names_the_field(workspace, api, change, field):
    response = api("validator").post(
        "/api/v1/findings", {"severity": "low", "title": "x", **change}
    )

    assert response.status_code == 400
    assert field in response.json()["errors"]
    assert Finding.objects.count() == 0


@pytest.mark.parametrize("path", [REQUESTS, "/api/v1/findings", "/api/v1/policies"])
def test_lists_cost_the_same_for_many_rows(workspace, api, path, django_assert_max_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    make.policy(workspace)
    client = api("viewer")

    def rows(count):
        for _ in range(count):
            make.finding(workspace)
            version = make.version(make.model(workspace))
            make.evaluation(version)
            make.promotion(workspace, of=version, gates_pass=False)

    rows(2)
    client.get(path)
    with CaptureQueriesContext(connection) as few:
        assert client.get(path).status_code == 200
    rows(4)
    with CaptureQueriesContext(connection) as many:
        client.get(path)

    assert len(many) == len(few)
