"""Uploads in parts: idempotent by offset, checked as a whole, gone when nobody goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.actions import Action
from jobs.services.run import run_until_idle
from registry.models import Artifact, ArtifactUpload
from registry.services import leftovers, uploads
from tests.factories.accounts import WorkspaceFactory
from tests.factories.registry_artifacts import ArtifactFactory, ArtifactUploadFactory
from tests.registry.artifacts.conftest import begin, complete, noise, part, sha

pytestmark = pytest.mark.django_db
RAW = noise(3000)


def test_parts_become_an_artifact_and_leave_nothing_behind(builder, tree, recorded_actions):
    uid = begin(builder, len(RAW), sha256=sha(RAW)).json()["uid"]

    for offset in (0, 1000, 2000):
        answer = part(builder, uid, offset, RAW[offset : offset + 1000])
        assert (answer.status_code, answer.json()["offset"]) == (200, offset + 1000)
        assert answer["Upload-Offset"] == str(offset + 1000)
    done = complete(builder, uid)

    assert (done.status_code, done.json()["state"]) == (201, "done")
    assert done.json()["artifact"]["sha256"] == sha(RAW)
    name = f"sha256/{sha(RAW)[:2]}/{sha(RAW)[2:4]}/{sha(RAW)}"
    assert tree() == {name: sha(RAW)}
    assert recorded_actions() == [Action.ARTIFACT_STORED]
    assert complete(builder, uid).json()["artifact"]["sha256"] == sha(RAW)
    assert Artifact.objects.count() == 1


def test_a_digest_that_was_not_announced_is_found(builder):
    uid = begin(builder, len(RAW)).json()["uid"]
    part(builder, uid, 0, RAW)

    assert complete(builder, uid).json()["artifact"]["sha256"] == sha(RAW)


def test_a_repeated_part_is_accepted_and_a_different_one_is_not(builder, tree):
    uid = begin(builder, len(RAW)).json()["uid"]
    part(builder, uid, 0, RAW[:1000])
    before = tree()

    again = part(builder, uid, 0, RAW[:1000])
    other = part(builder, uid, 0, noise(1000))
    longer = part(builder, uid, 0, RAW[:1500])

    assert (again.status_code, again.json()["offset"]) == (200, 1000)
    assert (other.status_code, other.json()["code"]) == (409, "part_differs")
    assert (longer.status_code, longer.json()["received"]) == (409, 1000)
    assert tree() == before


@pytest.mark.parametrize(
    ("offset", "size", "status", "code"),
    [
        (1001, 10, 409, "upload_gap"),
        (1000, 2001, 400, "too_long"),
        (1000, 0, 400, "part_too_small"),
        (1000, 2, 400, "part_too_small"),
        ("-1", 10, 400, "offset_required"),
        ("", 10, 400, "offset_required"),
        ("1e3", 10, 400, "offset_required"),
        ("9" * 30, 10, 400, "offset_required"),
        ("9" * 18, 10, 409, "upload_gap"),
    ],
)
def test_a_wrong_part_changes_nothing(offset, size, status, code, builder, tree):
    uid = begin(builder, len(RAW)).json()["uid"]
    part(builder, uid, 0, RAW[:1000])
    before = tree()

    answer = part(builder, uid, offset, RAW[:size])

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert tree() == before
    assert ArtifactUpload.objects.get().received == 1000


def test_bytes_that_are_missing_or_wrong_make_no_artifact(builder, tree, recorded_actions):
    uid = begin(builder, len(RAW), sha256=sha(b"something else")).json()["uid"]
    part(builder, uid, 0, RAW[:1000])

    early = complete(builder, uid)
    assert (early.status_code, early.json()["code"]) == (409, "upload_incomplete")
    assert early.json()["received"] == 1000

    part(builder, uid, 1000, RAW[1000:])
    wrong = complete(builder, uid)

    assert (wrong.status_code, wrong.json()["code"]) == (400, "digest_mismatch")
    assert not Artifact.objects.exists()
    assert tree() == {}
    assert recorded_actions() == [Action.ARTIFACT_REFUSED]
    assert ArtifactUpload.objects.get().state == "refused"
    assert part(builder, uid, 0, RAW[:1000]).json()["code"] == "upload_ended"
    assert complete(builder, uid).json()["code"] == "upload_ended"


def test_a_known_digest_needs_no_bytes_here_but_elsewhere_it_does(builder, workspace):
    ArtifactFactory(workspace=workspace, stored=RAW)
    elsewhere = noise(10)
    ArtifactFactory(workspace=WorkspaceFactory(), stored=elsewhere)

    known = begin(builder, len(RAW), sha256=sha(RAW)).json()
    foreign = begin(builder, len(elsewhere), sha256=sha(elsewhere)).json()
    lying = begin(builder, 7, sha256=sha(RAW))

    assert (known["state"], known["artifact"]["sha256"]) == ("done", sha(RAW))
    assert (foreign["state"], foreign["artifact"]) == ("open", None)
    assert (lying.status_code, lying.json()["code"]) == (400, "size_mismatch")


def test_a_big_upload_is_checked_by_a_job(builder, monkeypatch, recorded_actions):
    monkeypatch.setattr(uploads, "INLINE_BYTES", 100)
    uid = begin(builder, len(RAW)).json()["uid"]
    part(builder, uid, 0, RAW)

    waits = complete(builder, uid)
    assert (waits.status_code, waits.json()["state"]) == (202, "verifying")
    assert complete(builder, uid).status_code == 202
    assert part(builder, uid, 0, RAW).json()["code"] == "upload_ended"
    run_until_idle(20)

    said = builder.get(f"/api/v1/artifacts/uploads/{uid}").json()
    assert (said["state"], said["artifact"]["sha256"]) == ("done", sha(RAW))
    assert Artifact.objects.get().created_by_pid == ArtifactUpload.objects.get().created_by.pid
    assert recorded_actions() == [Action.ARTIFACT_STORED]


def test_a_big_upload_with_a_wrong_digest_is_refused_by_the_job(
    builder, monkeypatch, tree, recorded_actions
):
    monkeypatch.setattr(uploads, "INLINE_BYTES", 100)
    uid = begin(builder, len(RAW), sha256=sha(b"else")).json()["uid"]
    part(builder, uid, 0, RAW)
    complete(builder, uid)
    run_until_idle(20)

    said = builder.get(f"/api/v1/artifacts/uploads/{uid}").json()
    assert (said["state"], said["artifact"]) == ("refused", None)
    assert sha(RAW) in said["state_reason"]
    assert tree() == {}
    assert Action.ARTIFACT_REFUSED in recorded_actions()


def test_nobody_else_touches_an_upload(builder, api, service_api, workspace):
    uid = begin(builder, len(RAW)).json()["uid"]
    stranger, machine = api("administrator"), service_api("model_owner")
    other = api("model_owner", workspace=WorkspaceFactory(slug="other"))

    for client in (stranger, machine):
        for answer in (
            client.get(f"/api/v1/artifacts/uploads/{uid}"),
            part(client, uid, 0, RAW),
            complete(client, uid),
            client.delete(f"/api/v1/artifacts/uploads/{uid}"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "not_your_upload")
    assert part(other, uid, 0, RAW).status_code == 404
    assert ArtifactUpload.objects.get().received == 0


def test_giving_up_removes_the_parts(builder, tree):
    uid = begin(builder, len(RAW)).json()["uid"]
    part(builder, uid, 0, RAW[:1000])
    assert len(tree()) == 1

    assert builder.delete(f"/api/v1/artifacts/uploads/{uid}").status_code == 204

    assert tree() == {}
    assert part(builder, uid, 1000, RAW[1000:]).status_code == 409
    assert builder.delete(f"/api/v1/artifacts/uploads/{uid}").status_code == 409


def test_the_schedule_ends_what_nobody_goes_on_with(builder, tree, storage: Path):
    old = begin(builder, len(RAW)).json()["uid"]
    new = begin(builder, len(RAW)).json()["uid"]
    part(builder, old, 0, RAW[:1000])
    part(builder, new, 0, RAW[:1000])
    long_ago = timezone.now() - timedelta(hours=25)
    ArtifactUpload.objects.filter(uid=old).update(updated_at=long_ago)
    orphan = storage / "uploads" / "01890000-0000-7000-8000-000000000000"
    orphan.mkdir()
    (orphan / "0-abc").write_bytes(b"of a request that was killed")

    leftovers.sweep()

    assert ArtifactUpload.objects.get(uid=old).state == "expired"
    assert ArtifactUpload.objects.get(uid=new).state == "open"
    assert [name.split("/")[1] for name in tree()] == [new]
    assert not orphan.exists()
    ended = timezone.now() - timedelta(days=31)
    ArtifactUpload.objects.filter(uid=old).update(ended_at=ended)
    leftovers.sweep()
    assert [str(it.uid) for it in ArtifactUpload.objects.all()] == [new]


def test_caps_are_settings(builder, settings, tree, recorded_actions):
    settings.ARTIFACT_MAX_BYTES = 5000
    settings.ARTIFACT_QUOTA_BYTES = 7000
    settings.ARTIFACT_PART_BYTES = 900

    large = begin(builder, 5001)
    first = begin(builder, 4000).json()["uid"]
    full = begin(builder, 4000)

    assert (large.status_code, large.json()["code"]) == (413, "artifact_too_large")
    assert (full.status_code, full.json()["code"]) == (413, "quota_exceeded")
    assert part(builder, first, 0, RAW[:901]).status_code == 413
    assert tree() == {}
    assert set(recorded_actions()) == {Action.ARTIFACT_REFUSED}


def test_a_workspace_has_so_many_uploads_under_way(builder, workspace, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_OPEN", 2)
    ArtifactUploadFactory.create_batch(2, workspace=workspace)

    assert begin(builder, 10).json()["code"] == "too_many_uploads"


@pytest.mark.parametrize(
    "fields",
    [{"received": 101}, {"state": "done"}, {"state": "given_up"}, {"ended_at": timezone.now()}],
)
def test_the_database_holds_what_an_upload_is(fields):
    upload = ArtifactUploadFactory(size=100)

    with pytest.raises(IntegrityError), transaction.atomic():
        ArtifactUpload.objects.filter(pk=upload.pk).update(**fields)


def test_a_storage_that_fails_costs_time_and_not_the_upload(builder, monkeypatch, storage):
    monkeypatch.setattr(uploads, "INLINE_BYTES", 100)
    uid = begin(builder, len(RAW)).json()["uid"]
    part(builder, uid, 0, RAW)
    hidden = storage / "uploads"
    hidden.rename(storage / "elsewhere")
    complete(builder, uid)
    run_until_idle(20)
    assert builder.get(f"/api/v1/artifacts/uploads/{uid}").json()["state"] == "verifying"

    (storage / "elsewhere").rename(hidden)
    assert complete(builder, uid).status_code == 202
    run_until_idle(20)

    assert builder.get(f"/api/v1/artifacts/uploads/{uid}").json()["state"] == "done"
