"""The pages: their order, their sentences from data, their empty, waiting and failing states."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Event
from governance.models import Finding, Policy, PromotionRequest, Signature
from governance.release_changes import changes
from governance.services import policies, promotions
from tests.factories import governance as make
from tests.factories.registry import VersionAuthorFactory
from tests.governance.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def text_of(response):
    """The page's words, without tags and double spaces."""
    body = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", response.content.decode())
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body))


def signing(promotion, **change):
    return {
        "digest": promotion.digest,
        "password": PASSWORD,
        "reason": "Read it.",
        "meaning": "validator::I validated this version independently",
        "verdict": "approve",
        **change,
    }


@pytest.fixture
def compared(workspace):
    """A request with everything: a live version, evidence, a gate that fails, one that is worse."""
    make.policy(
        workspace,
        gates=(
            "auc >= 0.6",
            "selection_rate_ratio(age).lower95 >= 0.8",
            "auc - live.auc >= -0.05",
            "decision_flips(live) <= 3%",
            "explanation.present",
        ),
        extra="rollout: {steps: [25%, 50%, 100%]}\n",
    )
    model = make.model(workspace, name="credit-risk")
    live = make.version(model, decision_threshold=0.42)
    mine = make.version(model, decision_threshold=0.40, reported_metrics={"auc_train": 0.9})
    make.make_live(live)
    make.evaluation(mine)
    make.differential(mine, live, delta=-0.02)
    make.evidence(
        mine,
        "fairness",
        {
            "selection_rate_ratio": {"age": {"value": 0.774, "lower95": 0.741, "upper95": 0.808}},
            "too_small": [{"column": "purpose", "value": "medical", "rows": 41}],
        },
        params={"groups": ["age"]},
    )
    return make.promotion(workspace, of=mine, gates_pass=False)


# --- The request's page -----------------------------------------------------------------------


def test_the_page_says_its_facts_in_order(workspace, client_for, compared):
    response = client_for("viewer").get(f"/requests/{compared.number}/")

    page = text_of(response)
    assert response.status_code == 200
    assert (
        "Version 2 changes 41 of 2,000 decisions, 30 of them to negative. "
        "AUC −0.020 [−0.025, −0.015]. The selection-rate ratio by age is 0.774 [0.741, 0.808], "
        "its lower end under the limit of 0.8." in page
    )
    assert "Would replace version 1, live since" in page
    assert "Canary 25 % → 50 % → 100 %." in page
    order = [
        "Fails, or is worse than live",
        "Not known",
        "What changed",
        "Where decisions flip",
        "gate passes",
        "What would turn it green",
        "What happened",
    ]
    places = [page.index(words) for words in order]
    assert places == sorted(places), dict(zip(order, places, strict=True))
    assert "Passes, worse" in page
    assert "Explanation: The explanation is not there" in page
    assert "purpose “medical” has 41 rows: too few" in page
    assert "auc_train: reported by" in page
    assert "0.42 → 0.4" in page
    assert (
        "Most decisions flip where carrier is AA: 4.2 % of them, against 1.3 % of the others."
        in page
    )
    assert "asked" in page.lower()


def test_a_failing_gate_leaves_no_form_only_what_would_turn_it_green(
    workspace, client_for, signer, compared
):
    page = text_of(client_for(signer("validator")).get(f"/requests/{compared.number}/"))

    assert "Sign and approve" not in page
    assert "What would turn it green" in page
    assert "treats the groups of age more alike" in page


def test_who_may_sign_sees_the_form_with_nothing_preset(workspace, client_for, signer):
    signer("risk_officer", name="Ines Ortega")
    promotion = make.promotion(workspace)

    response = client_for(signer("validator", name="Ada")).get(f"/requests/{promotion.number}/")

    page = text_of(response)
    assert "Validator: waits for you" in page
    assert "Risk officer: waits for Ines Ortega" in page
    assert "Waits for 2 of 2 signatures" in page
    html = response.content.decode()
    assert promotion.digest in html
    assert '<option value="" selected>Choose …</option>' in html
    assert html.count(" selected") == 1
    assert "would be the first release in production" in page


def test_an_author_sees_why_not(workspace, client_for, signer):
    jun = signer("requester", "validator")
    promotion = make.promotion(workspace, by=jun)

    page = text_of(client_for(jun).get(f"/requests/{promotion.number}/"))

    assert "You shaped this request (requested), so someone else must sign it." in page
    assert "nobody may sign this" in page
    assert "Sign and approve" not in page


def test_evidence_under_way_is_polled_until_it_is_there(workspace, client_for):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    evidence = make.evidence(version, "evaluation", None, state="running")
    promotion = make.promotion(workspace, of=version, gates_pass=False)
    client = client_for("viewer")

    page = client.get(f"/requests/{promotion.number}/")
    assert f'hx-get="/requests/{promotion.number}/running/"' in page.content.decode()
    assert "1 of 2 gates wait for evidence" in text_of(page)
    part = client.get(f"/requests/{promotion.number}/running/")
    assert "HX-Refresh" not in part
    assert "Evaluation on holdout" in text_of(part)

    evidence.state, evidence.error, evidence.error_code = "failed", "timed out", "timeout"
    evidence.save()
    assert client.get(f"/requests/{promotion.number}/running/")["HX-Refresh"] == "true"


def test_a_decided_request_shows_what_was_signed(workspace, client_for, signer, approve):
    promotion = make.promotion(workspace)
    approve(signer("validator", name="Ada"), promotion)
    make.evaluation(promotion.version, auc=0.75)
    promotions.refresh_gates(promotion)
    approve(signer("validator", name="Omar"), promotion)
    approve(signer("risk_officer", name="Ines"), promotion)

    page = text_of(client_for("viewer").get(f"/requests/{promotion.number}/"))

    assert "Omar signed" in page
    assert "Ada signed" in page
    assert "over other content" in page
    assert "Approved" in page
    assert "AUC on holdout is 0.750" in page


@pytest.mark.parametrize("number", [99, 2**40])
def test_a_request_that_is_not_there(workspace, client_for, number):
    assert client_for("viewer").get(f"/requests/{number}/").status_code == 404


def test_names_are_escaped(workspace, client_for, person):
    promotion = make.promotion(
        workspace,
        of=make.version(make.model(workspace, name="<b>x&y")),
        by=person("requester", name="<script>alert(1)</script>"),
    )
    client = client_for("viewer")

    for path in (f"/requests/{promotion.number}/", "/"):
        html = client.get(path).content.decode()
        assert "<b>x" not in html
        assert "<script>alert" not in html


# --- Signing ----------------------------------------------------------------------------------


def test_sign_by_the_form(workspace, client_for, signer):
    promotion = make.promotion(workspace)
    path = f"/requests/{promotion.number}/sign/"

    first = client_for(signer("validator")).post(path, signing(promotion))
    second = client_for(signer("risk_officer")).post(
        path, signing(promotion, meaning="risk_officer::I accept the residual risk"), follow=True
    )

    assert first.status_code == 302
    assert "is approved" in text_of(second)
    promotion.refresh_from_db()
    assert promotion.status == "approved"
    assert all(item.session_sha256 for item in promotion.signatures.all())


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"meaning": ""}, 422, "Choose what your signature means."),
        ({"meaning": "validator::ok"}, 422, "Choose one of the meanings."),
        ({"verdict": "reject", "reason": ""}, 422, "Say why you reject it."),
        ({"password": ""}, 422, "This field is required."),
        ({"password": "wrong"}, 409, "This is not your password."),
        ({"digest": "sha256:" + "0" * 64}, 409, "changed since this page was loaded"),
    ],
)
def test_a_refused_signature_stands_beside_the_form(
    workspace, client_for, signer, change, status, said
):
    promotion = make.promotion(workspace)

    response = client_for(signer("validator")).post(
        f"/requests/{promotion.number}/sign/", signing(promotion, **change)
    )

    assert response.status_code == status
    assert said in text_of(response)
    assert PASSWORD not in response.content.decode()
    assert Signature.objects.count() == 0
    assert Event.objects.filter(action="request.sign_refused").exists() is (status == 409)


def test_reject_by_the_form(workspace, client_for, signer):
    promotion = make.promotion(workspace)

    client_for(signer("validator")).post(
        f"/requests/{promotion.number}/sign/",
        signing(promotion, meaning="", verdict="reject", reason="Too risky."),
    )

    promotion.refresh_from_db()
    assert (promotion.status, promotion.closed_reason) == ("rejected", "Too risky.")


# --- What else may be done --------------------------------------------------------------------


def test_open_withdraw_and_ask_by_page(workspace, client_for, person):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    jun = person("requester")
    client = client_for(jun)
    production = workspace.environments.get(name="production")

    assert client.get("/requests/open/").status_code == 200
    assert client.post("/requests/open/", {}).status_code == 422
    made = client.post(
        "/requests/open/", {"version": version.pk, "environment": production.pk, "comment": "Go"}
    )
    assert made.status_code == 302
    promotion = PromotionRequest.objects.get()
    again = client.post("/requests/open/", {"version": version.pk, "environment": production.pk})
    assert (again.status_code, "is open for" in text_of(again)) == (409, True)

    make.evaluation(version)
    client.post(f"/requests/{promotion.number}/ask/")
    assert promotion.gates.get(position=0).state == "passes"

    other = client_for("requester").post(f"/requests/{promotion.number}/withdraw/", {})
    assert other.status_code == 409
    client.post(f"/requests/{promotion.number}/withdraw/", {"reason": "Not now."})
    promotion.refresh_from_db()
    assert promotion.status == "withdrawn"


def test_an_administrator_says_who_an_author_is(workspace, client_for, person):
    make.policy(workspace)
    version = make.version(make.model(workspace))
    VersionAuthorFactory(version=version, user=None, identity="mai@old.example")
    promotion = make.promotion(workspace, of=version)
    client = client_for("administrator")
    mai = person("validator", name="Mai")

    assert "mai@old.example" in text_of(client.get(f"/requests/{promotion.number}/"))
    assert client.post(f"/requests/{promotion.number}/authors/", {}).status_code == 422
    client.post(
        f"/requests/{promotion.number}/authors/", {"identity": "mai@old.example", "user": mai.pk}
    )

    assert promotion.authors.filter(user=mai).exists()
    assert not promotion.gates.filter(metric="author").exists()


def test_a_rollout_needs_an_approval(workspace, client_for):
    promotion = make.promotion(workspace)

    response = client_for("operator").post(f"/requests/{promotion.number}/rollout/")

    assert response.status_code == 409
    assert "no standing approval" in text_of(response)


# --- The queue --------------------------------------------------------------------------------


def test_the_empty_queue_says_what_to_do(workspace, client_for):
    page = text_of(client_for("requester").get("/"))
    assert "Nothing waits: no request is open." in page
    assert "Ask for a promotion" in page

    page = text_of(client_for("viewer").get("/"))
    assert "Ask for a promotion" not in page


def test_mine_comes_first_and_says_for_whom_the_others_wait(workspace, client_for, signer):
    ada = signer("validator", name="Ada")
    signer("risk_officer", name="Ines")
    make.policy(workspace)
    blocked = make.promotion(workspace, gates_pass=False)
    mine = make.promotion(workspace)

    response = client_for(ada).get("/")

    rows = response.context["rows"]
    assert [row.promotion for row in rows] == [mine, blocked]
    assert [row.is_mine for row in rows] == [True, False]
    assert rows[0].waits_for == "you, Ines"
    assert rows[1].waits_for == "1 blocking gate"
    page = text_of(response)
    assert "1 waits for your signature. 2 open, 1 of them can be signed now" in page
    assert "1 waits for you" in page  # the top bar


def test_filters_stand_in_the_url(workspace, client_for, signer, reject):
    ada = signer("validator")
    make.policy(workspace)
    first = make.promotion(workspace, of=make.version(make.model(workspace, name="alpha")))
    make.promotion(workspace, of=make.version(make.model(workspace, name="beta")))
    reject(ada, first)
    client = client_for(ada)

    def numbers(query):
        return [row.promotion.number for row in client.get(f"/?{query}").context["rows"]]

    assert numbers("") == [2]
    assert numbers("show=mine") == [2]
    assert numbers("show=decided") == [1]
    assert numbers("show=all") == [2, 1]
    assert numbers("show=all&model=alp") == [1]
    assert numbers("environment=staging") == []
    assert numbers("show=nonsense") == [2]
    assert "No request is like that." in text_of(client.get("/?model=zzz"))


@pytest.mark.parametrize("path", ["/", "/findings/", "/policies/"])
def test_lists_cost_the_same_for_twelve_rows_as_for_two(workspace, client_for, signer, path):
    signer("risk_officer")
    client = client_for(signer("validator"))
    make.policy(workspace)

    def rows(count):
        for _ in range(count):
            version = make.version(make.model(workspace))
            make.finding(workspace, model=version.model, severity="low")
            make.promotion(workspace, of=version)

    rows(2)
    client.get(path)
    with CaptureQueriesContext(connection) as few:
        assert client.get(path).status_code == 200
    rows(10)
    with CaptureQueriesContext(connection) as many:
        client.get(path)

    assert len(many) == len(few)


# --- Policies ---------------------------------------------------------------------------------


def test_policies_are_written_and_revised_by_page(workspace, client_for):
    client = client_for("risk_officer")
    assert "No policy yet, so nothing can be promoted." in text_of(client.get("/policies/"))

    bad = client.post("/policies/+new/", {"source": make.source().replace("tier: 2", "tier: 8")})
    assert bad.status_code == 422
    assert "line 2, for.tier: expected a whole number from 1 to 3" in text_of(bad)
    assert Policy.objects.count() == 0

    client.post("/policies/+new/", {"source": make.source().replace("\n", "\r\n")})
    assert "auc.lower95 >= 0.6" in client.get("/policies/tier-2/edit/").content.decode().replace(
        "&gt;", ">"
    )
    revised = client.post(
        "/policies/tier-2/edit/",
        {"source": make.source(gates=("auc >= 0.9",)), "seen_revision": 1},
        follow=True,
    )
    page = text_of(revised)
    assert "Against revision 1." in page
    assert "− - auc.lower95 &gt;= 0.6" in re.sub(r"\s+", " ", page)
    assert "+ - auc &gt;= 0.9" in page
    stale = client.post(
        "/policies/tier-2/edit/",
        {"source": make.source(gates=("auc >= 0.8",)), "seen_revision": 1},
    )
    assert stale.status_code == 409
    assert client.get("/policies/tier-2/?revision=1").status_code == 200
    assert client.get("/policies/tier-2/?revision=9").status_code == 404
    assert client.get("/policies/nothing/").status_code == 404


def test_the_example_in_the_editor_is_a_policy():
    from governance.views.policies import EXAMPLE

    assert policies.parse(EXAMPLE)["plan"]["steps"][-1]["weight"] == 100


# --- Findings ---------------------------------------------------------------------------------


def test_findings_by_page(workspace, client_for):
    client = client_for("validator")
    assert "There are no findings." in text_of(client.get("/findings/"))
    assert client.post("/findings/new/", {}).status_code == 422

    client.post("/findings/new/", {"title": "Look", "severity": "high"})
    finding = Finding.objects.get()
    assert "1 open, 1 of them high; none past the date." in text_of(client.get("/findings/"))
    assert client.post(f"/findings/{finding.number}/close/", {}).status_code == 422
    client.post(f"/findings/{finding.number}/change/", {"severity": "low", "due_on": "2020-01-01"})
    assert "Overdue" in text_of(client.get("/findings/?overdue=true"))
    client.post(f"/findings/{finding.number}/close/", {"resolution": "Looked."})
    closed = client.post(f"/findings/{finding.number}/close/", {"resolution": "Looked."})

    assert closed.status_code == 409
    page = text_of(client.get(f"/findings/{finding.number}/"))
    assert "Looked." in page
    assert "Close it" not in page
    assert client.get("/findings/99/").status_code == 404


# --- What changed -----------------------------------------------------------------------------


def test_changes_of_a_release_are_named_part_by_part(workspace):
    model = make.model(workspace)
    old, new = make.version(model), make.version(model)
    old.release = {
        **old.release,
        "git_commit": "a" * 40,
        "signature": {"inputs": [{"name": "zip3"}], "outputs": []},
        "training": {"from": "2025-01", "to": "2025-06", "rows": 1000},
    }
    new.release = {
        **new.release,
        "git_commit": "b" * 40,
        "git_authors": ["jun@x.example"],
        "signature": {"inputs": [{"name": "income"}], "outputs": []},
        "training": {"from": "2025-01", "to": "2025-12", "rows": 412_908},
    }

    found = dict(changes(old, new))

    assert found["Features"] == "+ income, − zip3"
    assert found["Training data"] == (
        "2025-01 – 2025-12, 412,908 rows (was 2025-01 – 2025-06, 1,000 rows)"
    )
    assert found["Artifacts"] == "model.bin changed"
    assert found["Code, people"] == "commit aaaaaaaaaaaa → bbbbbbbbbbbb, by jun@x.example"
    assert changes(None, new) == []


def test_a_wrong_password_keeps_what_was_written(workspace, client_for, signer):
    promotion = make.promotion(workspace)

    html = (
        client_for(signer("validator"))
        .post(f"/requests/{promotion.number}/sign/", signing(promotion, password="wrong"))
        .content.decode()
    )

    assert "Read it.</textarea>" in html
    assert 'value="wrong"' not in html


def test_an_approval_without_a_route_says_why_nothing_starts(
    workspace, client_for, signer, approve
):
    promotion = make.promotion(workspace, extra="rollout: {steps: [100%]}\n")
    approve(signer("validator"), promotion)
    approve(signer("risk_officer"), promotion)

    page = text_of(client_for("operator").get(f"/requests/{promotion.number}/"))

    assert "has no route in production, so nothing starts by itself." in page
    assert "Start the rollout" not in page


def test_the_top_bar_counts_what_waits_and_costs_parts_nothing(workspace, client_for, signer):
    make.finding(workspace)
    promotion = make.promotion(workspace)
    client = client_for(signer("validator"))

    nav = client.get("/").context["nav"]
    assert (nav["requests_waiting"], nav["findings_open"], nav["alerts_open"]) == (1, 1, 0)
    assert nav["roles"] == ["Validator"]
    with CaptureQueriesContext(connection) as part:
        client.get(f"/requests/{promotion.number}/running/")
    assert not any("governance_finding" in query["sql"] for query in part)


def test_pages_without_anybody_have_a_bar_without_counts(client):
    assert client.get("/accounts/login/").status_code == 200
    assert client.get("/").status_code == 302


def test_policies_say_who_must_sign(workspace, client_for):
    make.policy(workspace)

    page = text_of(client_for("viewer").get("/policies/"))

    assert "1 validator, 1 risk officer" in page
    assert "1 policy applies" in page
