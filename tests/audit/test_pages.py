"""The trail in the browser: sentences, filters in the address, keyset pages, proof, export."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from audit.actions import Action
from audit.actor import Actor
from audit.models import Event
from audit.services.record import record
from audit.services.seal import seal_once
from audit.services.verify import verify_export
from tests.audit.conftest import write
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db

BOB = Actor(pid="p:bob", kind="user", label="Bob Kahn", workspace="acme")
CATHY = Actor(pid="p:cathy", kind="user", label="Cathy", workspace="globex")


@pytest.fixture
def auditor(client_for):
    return client_for("auditor")


def page(client: Any, **query: str) -> str:
    answer = client.get(reverse("governance:audit-list"), query)
    assert answer.status_code == 200
    return answer.content.decode()


def texts(html: str) -> list[str]:
    """The sentences of the list, as a reader sees them."""
    found = re.findall(r'<th scope="row"[^>]*><a [^>]*>(.*?)</a>', html, re.S)
    return [re.sub(r"\s+", " ", text) for text in found]


def test_each_line_is_a_sentence_with_its_reason_and_seal(auditor):
    write(object_name="churn")
    seal_once()
    write(
        actor=BOB,
        action=Action.REQUEST_SIGN_REFUSED,
        object_type="promotion_request",
        object_id="9",
        object_name="REQ-9",
        details={"code": "author_cannot_sign"},
        pii={"reason": "<b>mine</b>"},
    )

    html = page(auditor)

    assert texts(html) == [
        "Bob Kahn was not let sign REQ-9 (author cannot sign)",
        "Ada Lovelace registered the model churn",
    ]
    assert "&lt;b&gt;mine&lt;/b&gt;" in html
    assert "Not sealed yet" in html
    assert "no. 0, checkpoint 1" in html
    assert "1 waits" in re.sub(r"\s|&nbsp;", " ", html)


def test_only_this_workspaces_events_are_shown(auditor):
    write(actor=CATHY, object_name="secret-model")
    (foreign,) = write(actor=CATHY)

    assert "secret-model" not in page(auditor)
    answer = auditor.get(reverse("governance:audit-detail", args=[foreign.uid]))
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"object": "chu"}, ["Ada Lovelace registered the model churn"]),
        ({"object": "9"}, ["Bob Kahn opened the request REQ-9"]),
        ({"action": "request"}, ["Bob Kahn opened the request REQ-9"]),
        ({"action": "request.opened"}, ["Bob Kahn opened the request REQ-9"]),
        ({"action": "request.signed"}, []),
        ({"actor": "kahn"}, ["Bob Kahn opened the request REQ-9"]),
        ({"actor": "p:ada"}, ["Ada Lovelace registered the model churn"]),
        ({"since": "{tomorrow}"}, []),
        ({"until": "{yesterday}"}, []),
        (
            {"since": "{today}", "until": "{today}"},
            ["Bob Kahn opened the request REQ-9", "Ada Lovelace registered the model churn"],
        ),
        ({"until": "9999-12-31", "actor": "ada"}, ["Ada Lovelace registered the model churn"]),
    ],
)
def test_filters_stand_in_the_address(auditor, query, expected):
    write(object_name="churn")
    write(
        actor=BOB,
        action=Action.REQUEST_OPENED,
        object_type="promotion_request",
        object_id="9",
        object_name="REQ-9",
    )
    now = datetime.now(UTC)
    days = {
        "today": f"{now:%Y-%m-%d}",
        "tomorrow": f"{now + timedelta(days=1):%Y-%m-%d}",
        "yesterday": f"{now - timedelta(days=1):%Y-%m-%d}",
    }

    html = page(auditor, **{key: value.format(**days) for key, value in query.items()})

    assert texts(html) == expected
    if not expected:
        assert "No event fits this filter." in html


def test_a_person_as_object_is_found_and_shown_by_name_until_erased(auditor):
    (event,) = write(
        action=Action.PERSON_CREATED,
        object_type="person",
        object_id="p:dora",
        object_name="Dora Ng",
    )
    assert texts(page(auditor, object="dora ng")) == ["Ada Lovelace added Dora Ng as a person"]

    event.pii.all().delete()

    assert texts(page(auditor)) == ["erased person p:ada added erased person p:dora as a person"]
    detail = auditor.get(reverse("governance:audit-detail", args=[event.uid])).content.decode()
    assert "Dora" not in detail
    assert "erased</dd>" in detail


@pytest.mark.parametrize(
    "query",
    [{"since": "yesterday"}, {"action": "drop"}, {"since": "2026-02-02", "until": "2026-01-01"}],
)
def test_a_wrong_filter_is_said_beside_its_field(auditor, query):
    write()

    html = page(auditor, **query)

    assert texts(html) == []
    assert "is-invalid" in html


def test_pages_follow_the_key_in_both_directions(auditor):
    write(120)
    ids = [str(pk) for pk in Event.objects.order_by("-pk").values_list("pk", flat=True)]

    def shown(cursor: str) -> tuple[int, str, str]:
        html = page(auditor, cursor=cursor)
        older = re.search(r'rel="next" href="[^"]*cursor=(older-\d+)', html)
        newer = re.search(r'rel="prev" href="[^"]*cursor=(newer-\d+)', html)
        return len(texts(html)), older[1] if older else "", newer[1] if newer else ""

    assert shown("") == (50, f"older-{ids[49]}", "")
    assert shown(f"older-{ids[49]}") == (50, f"older-{ids[99]}", f"newer-{ids[50]}")
    assert shown(f"older-{ids[99]}") == (20, "", f"newer-{ids[100]}")
    assert shown(f"newer-{ids[100]}") == (50, f"older-{ids[99]}", f"newer-{ids[50]}")
    assert shown(f"newer-{ids[50]}") == (50, f"older-{ids[49]}", "")
    for nonsense in ("older-", "older-x", "newer-99999999999999999999999", "drop table", "older-²"):
        assert shown(nonsense)[0] == 50


def test_the_filter_stays_in_the_links_to_other_pages(auditor):
    write(60)

    assert re.search(r'href="\?[^"]*actor=ada[^"]*cursor=older-', page(auditor, actor="ada"))


def test_the_list_asks_as_often_for_twelve_rows_as_for_two(auditor, django_assert_max_num_queries):
    def queries(number: int) -> int:
        write(number)
        seal_once()
        page(auditor)
        with django_assert_max_num_queries(30) as captured:
            page(auditor)
        return len(captured)

    assert queries(2) == queries(12)


def test_htmx_gets_the_table_alone(auditor):
    write()

    answer = auditor.get(reverse("governance:audit-list"), headers={"HX-Request": "true"})

    assert answer.content.decode().strip().startswith('<div id="events"')


def test_an_empty_trail_says_so(auditor):
    html = page(auditor)

    assert "Nothing has been recorded in this workspace yet." in html
    assert "Nothing is sealed yet" in html


def test_sealing_that_is_late_is_told(auditor, monkeypatch):
    write()
    monkeypatch.setattr("governance.views.audit.LATE_SECONDS", -1)

    html = page(auditor)

    assert "Sealing is late" in html
    assert "the sealer is behind or does not run" in html


# One event


def test_an_events_page_shows_body_and_a_proof_that_was_checked(auditor):
    (event, *_) = write(3, after={"tier": 1}, object_digest="sha256:" + "ab" * 32)
    seal_once()

    html = auditor.get(reverse("governance:audit-detail", args=[event.uid])).content.decode()

    assert "Ada Lovelace registered the model credit-risk" in html
    assert "Checked just now" in html
    assert "checked the holdout" in html
    assert bytes(event.leaf.leaf_hash).hex() in html
    assert html.count("<li>") >= 2, "the path of event 0 in a tree of 3 has two hashes"
    assert re.search(r"Tier</th><td[^>]*>–</td><td[^>]*>1</td>", html)


def test_an_unsealed_event_says_that_it_waits(auditor):
    (event,) = write()

    html = auditor.get(reverse("governance:audit-detail", args=[event.uid])).content.decode()

    assert "Not sealed yet" in html
    assert "has not taken this event yet" in html


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET body = replace(body, 'credit', 'fraud')",
        "UPDATE audit_leaf SET leaf_hash = sha256('x') WHERE leaf_index = 1",
        "UPDATE audit_checkpoint SET note = replace(note, 'time', 'emit')",
        "DELETE FROM audit_leaf WHERE leaf_index = 1",
    ],
)
def test_a_changed_trail_shows_on_the_events_page(auditor, tamper, statement):
    (event, *_) = write(2)
    seal_once()
    tamper(statement)

    html = auditor.get(reverse("governance:audit-detail", args=[event.uid])).content.decode()

    assert "The proof does not hold" in html
    assert "Checked just now" not in html


# The export


def test_export_gives_a_zip_that_verifies_and_is_recorded_first(auditor, tmp_path):
    write(3)
    write(actor=CATHY)
    seal_once()

    answer = auditor.post(reverse("governance:audit-export"))

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert answer["Cache-Control"] == "no-store"
    assert re.fullmatch(
        r'attachment; filename="audit-acme-\d{8}T\d{6}Z\.zip"', answer["Content-Disposition"]
    )
    assert recorded_actions()[-1] == Action.EXPORT_MADE
    path = tmp_path / "export.zip"
    path.write_bytes(b"".join(answer.streaming_content))
    assert verify_export(path).sentence.startswith("VALID: each of 3 events of workspace acme")


def test_export_before_anything_is_sealed_is_409_and_not_recorded(auditor):
    write()

    answer = auditor.post(reverse("governance:audit-export"))

    assert answer.status_code == 409
    assert "nothing to export" in answer.content.decode()
    assert recorded_actions() == [Action.MODEL_CREATED]


def test_export_needs_the_capability_and_a_post(client_for):
    write()
    seal_once()

    assert client_for("viewer").post(reverse("governance:audit-export")).status_code == 403
    assert client_for("auditor").get(reverse("governance:audit-export")).status_code == 405
    assert recorded_actions() == [Action.MODEL_CREATED]


# The API


def test_api_lists_events_with_sentence_seal_and_exact_body(api):
    (event,) = write()
    seal_once()

    answer = api("auditor").get("/api/v1/audit/events")

    assert answer.status_code == 200
    (row,) = answer.json()["results"]
    assert row["uid"] == str(event.uid)
    assert row["text"] == "Ada Lovelace registered the model credit-risk"
    assert row["actor"] == {"pid": "p:ada", "kind": "user", "label": "Ada Lovelace"}
    assert row["object"] == {"type": "model", "id": "7", "name": "credit-risk", "digest": ""}
    assert row["personal"]["reason"] == "checked the holdout"
    assert (row["is_sealed"], row["leaf_index"], row["checkpoint_size"]) == (True, 0, 1)
    assert row["body"] == event.body


def test_api_pages_by_cursor_and_filters(api):
    write(3)
    write(actor=BOB, action=Action.REQUEST_OPENED, object_type="promotion_request", object_id="9")
    client = api("auditor")

    first = client.get("/api/v1/audit/events", {"limit": 2}).json()
    second = client.get(first["next"]).json()

    assert [len(first["results"]), len(second["results"]), second["next"]] == [2, 2, None]
    for query, number in [
        ({"action": "request"}, 1),
        ({"actor": "bob"}, 1),
        ({"object_type": "model"}, 3),
        ({"object": "9"}, 1),
        ({"since": "2099-01-01T00:00:00Z"}, 0),
        ({"before": "2099-01-01T00:00:00Z", "object": "credit"}, 4),
    ]:
        assert len(client.get("/api/v1/audit/events", query).json()["results"]) == number, query


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"actr": "x"}, "actr"),
        ({"action": "drop"}, "action"),
        ({"since": "soon"}, "since"),
        ({"actor__pid": "x"}, "actor__pid"),
        ({"object": "x" * 300}, "object"),
    ],
)
def test_api_names_the_wrong_parameter(api, query, field):
    answer = api("auditor").get("/api/v1/audit/events", query)

    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_api_gives_one_event_with_its_proof(api):
    events = write(3)
    client = api("auditor")
    url = f"/api/v1/audit/events/{events[1].uid}"
    assert client.get(url).json()["proof"] is None
    seal_once()

    proof = client.get(url).json()["proof"]

    assert proof["holds"] is True
    assert proof["leaf_index"] == 1
    assert len(proof["inclusion"]) == 2
    assert proof["key"].startswith("sha256:")
    (foreign,) = write(actor=CATHY)
    assert client.get(f"/api/v1/audit/events/{foreign.uid}").status_code == 404


def test_api_exports_a_zip_that_verifies(api, tmp_path):
    write(2)
    client = api("auditor")
    assert client.post("/api/v1/audit/exports").json()["code"] == "nothing_sealed"
    assert client.post("/api/v1/audit/exports", {"x": 1}).status_code == 400
    seal_once()

    answer = client.post("/api/v1/audit/exports")

    assert answer.status_code == 200
    data = b"".join(answer.streaming_content)
    path = tmp_path / "export.zip"
    path.write_bytes(data)
    assert verify_export(path).ok
    body = json.loads(Event.objects.last().body)
    assert body["action"] == "export.made"
    assert body["actor"]["auth"]["method"] == "token"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert "verify.py" in archive.namelist()


def test_api_needs_the_scope_and_the_role(api):
    assert api("viewer").get("/api/v1/audit/events").status_code == 403
    assert api("auditor", scopes=["read"]).get("/api/v1/audit/events").status_code == 403
    assert api("viewer").post("/api/v1/audit/exports").status_code == 403


def test_a_history_is_read_without_the_trails_words(workspace):
    from audit.selectors import history

    write(2, object_name="churn")
    with transaction.atomic():
        record(
            Action.MODEL_UPDATED, actor=BOB, object_type="model", object_id="7", object_name="churn"
        )

    lines = history("model", "7", workspace=workspace, limit=2)

    assert [(line.label, line.text) for line in lines] == [
        ("Bob Kahn", "changed the model churn"),
        ("Ada Lovelace", "registered the model churn"),
    ]
