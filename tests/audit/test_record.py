"""No event, no change: what record() writes, when it refuses, and what is never in the body."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from accounts.models import Workspace
from audit import keys
from audit.actions import Action
from audit.actor import Actor
from audit.errors import TransactionRequired
from audit.models import Event, Pending, Pii
from audit.services.record import commitment, record, refuse
from tests.audit.conftest import ADA, write
from tests.trail import recorded_actions

pytestmark = pytest.mark.django_db


def test_record_outside_a_transaction_is_refused_and_writes_nothing():
    with pytest.raises(TransactionRequired):
        record(Action.MODEL_CREATED, actor=ADA, object_type="model", object_id="1")

    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_record_in_autocommit_is_refused_without_a_test_case_around_it():
    with pytest.raises(TransactionRequired):
        record(Action.MODEL_CREATED, actor=ADA, object_type="model", object_id="1")

    assert not Event.objects.exists()


def test_rollback_leaves_neither_change_nor_event_nor_queue_entry():
    with transaction.atomic():
        Workspace.objects.create(slug="gone", name="Gone")
        record(Action.WORKSPACE_CREATED, actor=ADA, object_type="workspace", object_id="gone")
        assert Event.objects.exists()
        transaction.set_rollback(True)

    assert not Workspace.objects.filter(slug="gone").exists()
    assert not Event.objects.exists()
    assert not Pending.objects.exists()
    assert not Pii.objects.exists()


def test_body_is_canonical_and_says_who_did_what_to_which_content():
    actor = Actor(
        pid="s:ci",
        kind="token",
        label="CI",
        workspace="acme",
        auth={"method": "token"},
        request={"id": "r-9"},
        job={"id": "j-1", "fence": 4},
    )
    with transaction.atomic():
        event = record(
            Action.ALIAS_MOVED,
            actor=actor,
            object_type="alias",
            object_id="12",
            object_name="credit-risk@champion",
            object_digest="sha256:aa",
            before={"version": 6},
            after={"version": 7, "share": 0.25},
        )

    body = json.loads(event.body)
    assert event.body == json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    assert body["v"] == 1
    assert body["actor"] == {"auth": {"method": "token"}, "kind": "token", "pid": "s:ci"}
    assert body["object"] == {
        "type": "alias",
        "id": "12",
        "name": "credit-risk@champion",
        "digest": "sha256:aa",
    }
    assert body["after"] == {"share": "0.25", "version": 7}
    assert body["request"] == {"id": "r-9"}
    assert body["job"] == {"fence": 4, "id": "j-1"}
    assert body["workspace"] == "acme"
    assert datetime.fromisoformat(body["at"]).utcoffset() == timedelta(0)


def test_the_database_gives_hash_and_time_and_queues_the_event():
    (event,) = write()

    event.refresh_from_db()

    assert bytes(event.leaf_hash) == hashlib.sha256(b"\x00" + event.body.encode()).digest()
    assert abs(event.recorded_at - event.at) < timedelta(seconds=5)
    assert list(Pending.objects.values_list("pk", flat=True)) == [event.pk]


def test_hash_and_time_named_in_an_insert_are_overruled():
    (event,) = write()
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    forged = Event(
        body="{}",
        mac=b"x",
        at=long_ago,
        recorded_at=long_ago,
        leaf_hash=b"forged",
        actor_pid="p",
        action="a",
        object_type="t",
        object_id="1",
    )

    forged.save(force_insert=True)
    forged.refresh_from_db()

    assert forged.recorded_at >= event.recorded_at
    assert bytes(forged.leaf_hash) == hashlib.sha256(b"\x00{}").digest()


def test_mac_is_keyed_with_what_is_not_in_the_database():
    (event,) = write()

    assert bytes(event.mac) == keys.mac(event.body)
    assert bytes(event.mac) != hmac.digest(bytes(32), event.body.encode(), "sha256")


def test_names_and_free_text_are_in_the_body_only_as_salted_commitments():
    first, second = write(2, pii={"reason": "Ada’s own words", "empty": ""})

    body = json.loads(first.body)
    kept = {item.field: item for item in first.pii.all()}
    assert set(kept) == {"actor_label", "reason"}
    assert body["pii"] == {
        name: commitment(bytes(item.salt), item.value) for name, item in kept.items()
    }
    assert kept["reason"].value == "Ada’s own words"
    assert len(bytes(kept["reason"].salt)) == 32
    assert "Lovelace" not in first.body
    assert "own words" not in first.body
    # The same words twice do not show as the same: the salts differ.
    assert body["pii"]["reason"] != json.loads(second.body)["pii"]["reason"]


def test_a_person_as_object_is_named_beside_the_body_too():
    (event,) = write(
        action=Action.PERSON_CREATED,
        object_type="person",
        object_id="p:bob",
        object_name="Bob Kahn",
        pii={},
    )

    assert event.object_name == ""
    assert "Kahn" not in event.body
    assert event.pii.get(field="object_name").value == "Bob Kahn"


def test_values_are_turned_into_exact_plain_data():
    berlin = timezone(timedelta(hours=2))
    (event,) = write(
        details={
            "uuid": UUID(int=7),
            "price": Decimal("1.50"),
            "at": datetime(2026, 3, 1, 12, tzinfo=berlin),
            "roles": {"b", "a"},
            "action": Action.MODEL_CREATED,
            "nan": float("nan"),
            "third": 1 / 3,
        }
    )

    assert json.loads(event.body)["details"] == {
        "uuid": "00000000-0000-0000-0000-000000000007",
        "price": "1.50",
        "at": "2026-03-01T10:00:00.000000+00:00",
        "roles": ["a", "b"],
        "action": "model.created",
        "nan": "nan",
        "third": "0.3333333333333333",
    }


def test_a_value_without_canonical_form_is_an_error_and_nothing_is_written():
    with pytest.raises(TypeError, match="object"):
        write(details={"thing": object()})
    with pytest.raises(ValueError, match="may have"):
        write(details={"text": "x" * 1_100_000})

    assert not Event.objects.exists()


def test_hostile_names_are_cut_and_cleaned_not_a_database_error():
    (event,) = write(object_name="a\x00b\ud800" + "x" * 10_000, object_id="y" * 10_000)

    event.refresh_from_db()
    assert event.object_name.startswith("a\ufffdb?xxx")
    assert len(event.object_name) == 512
    assert len(event.object_id) == 128
    assert json.loads(event.body)["object"]["name"] == event.object_name


def test_refusal_has_its_code_and_its_own_transaction():
    event = refuse(
        Action.DATASET_REFUSED,
        actor=ADA,
        object_type="dataset",
        object_id="-",
        object_name="x" * 10_000_000,
        code="unreadable",
        details={"first_bytes": "PAR\x00" * 1000, "list": list(range(100))},
        pii={"file_name": "y" * 10_000},
    )

    body = json.loads(event.body)
    assert recorded_actions() == [Action.DATASET_REFUSED]
    assert body["details"]["code"] == "unreadable"
    assert len(body["details"]["first_bytes"]) == 500
    assert len(body["details"]["list"]) == 50
    assert len(event.body) < 5000


def test_refusal_inside_a_transaction_is_refused_because_the_rollback_would_take_it():
    with pytest.raises(RuntimeError), transaction.atomic():
        refuse(Action.DATASET_REFUSED, actor=ADA, object_type="dataset", object_id="-", code="bad")

    assert not Event.objects.exists()


def test_only_refusals_are_recorded_as_refusals():
    with pytest.raises(ValueError, match="not a refusal"):
        refuse(Action.MODEL_CREATED, actor=ADA, object_type="model", object_id="-", code="x")


def test_an_unknown_action_cannot_be_recorded():
    with pytest.raises(ValueError, match="not a valid Action"), transaction.atomic():
        record("model.exploded", actor=ADA, object_type="model", object_id="1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "words"), [("", "not set"), ("%%", "not base64"), ("YQ==", "32 bytes")]
)
def test_a_missing_or_malformed_key_stops_the_change(value, words):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "AUDIT_MAC_KEY", value)
        with pytest.raises(ImproperlyConfigured, match=words):
            write()

    assert not Event.objects.exists()
