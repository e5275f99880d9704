"""Bytes in one request, bytes out whole or by range; one workspace's are not another's."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from audit.actions import Action
from registry.artifacts.content import Checked, ContentDiffers
from registry.models import Artifact, ModelVersion
from registry.selectors_artifacts import versions_naming
from tests.factories.accounts import WorkspaceFactory
from tests.factories.registry import ModelVersionFactory
from tests.factories.registry_artifacts import ArtifactFactory
from tests.registry.artifacts.conftest import noise, part, put, sha

pytestmark = pytest.mark.django_db
RAW = noise(5000)


def content_of(client: Any, sha256: str, **headers: str) -> Any:
    return client.get(f"/api/v1/artifacts/{sha256}/content", **headers)


def test_a_file_is_stored_by_its_digest_and_comes_back(builder, tree, recorded_actions):
    first, second = put(builder, RAW, name="a.bin"), put(builder, RAW, name="b.bin")

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["name"] == second.json()["name"] == "a.bin"
    assert list(tree().values()) == [sha(RAW)]
    assert recorded_actions() == [Action.ARTIFACT_STORED]
    back = content_of(builder, sha(RAW))
    assert (back.status_code, b"".join(back)) == (200, RAW)
    assert int(back["Content-Length"]) == len(RAW)


@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        ("bytes=0-99", 206, 0, 100),
        ("bytes=100-", 206, 100, 5000),
        ("bytes=-10", 206, 4990, 5000),
        ("bytes=4999-9999", 206, 4999, 5000),
        ("bytes=-99999", 206, 0, 5000),
        ("bytes=0-0,5-6", 200, 0, 5000),
        ("bytes=-", 200, 0, 5000),
        ("lines=1-2", 200, 0, 5000),
    ],
)
def test_a_range_is_exactly_that(asked, status, start, stop, builder, workspace):
    ArtifactFactory(workspace=workspace, stored=RAW)

    answer = content_of(builder, sha(RAW), HTTP_RANGE=asked)

    assert (answer.status_code, b"".join(answer)) == (status, RAW[start:stop])
    assert int(answer["Content-Length"]) == stop - start
    if status == 206:
        assert answer["Content-Range"] == f"bytes {start}-{stop - 1}/5000"


@pytest.mark.parametrize("asked", ["bytes=5000-", "bytes=9-8", "bytes=-0"])
def test_a_range_outside_is_416(asked, builder, workspace):
    ArtifactFactory(workspace=workspace, stored=RAW)

    answer = content_of(builder, sha(RAW), HTTP_RANGE=asked)

    assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */5000")


def test_a_download_is_a_file_and_never_a_page(builder, workspace):
    name = 'a/../"<script>alert(1)</script>\\.. evil.html'
    artifact = ArtifactFactory(
        workspace=workspace, stored=b"<script>alert(1)</script>", name=name, format="html"
    )

    answer = content_of(builder, artifact.sha256)

    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert "/" not in answer["Content-Disposition"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].startswith("sandbox")
    etag = answer["ETag"]
    assert content_of(builder, artifact.sha256, HTTP_IF_NONE_MATCH=etag).status_code == 304
    changed = content_of(builder, artifact.sha256, HTTP_RANGE="bytes=0-1", HTTP_IF_RANGE='"x"')
    assert changed.status_code == 200


def test_a_damaged_file_is_never_given_whole(builder, workspace, storage):
    artifact = ArtifactFactory(workspace=workspace, stored=noise(3_000_000))
    path = storage / artifact.storage_name
    path.write_bytes(noise(3_000_000))

    answer = content_of(builder, artifact.sha256)
    given: list[bytes] = []
    with pytest.raises(ContentDiffers):
        given.extend(answer)

    assert sum(map(len, given)) < 3_000_000
    path.unlink()
    missing = content_of(builder, artifact.sha256)
    assert (missing.status_code, missing.json()["code"]) == (503, "file_missing")


def test_another_workspace_has_its_own_row_of_the_shared_bytes(builder, api, tree):
    other = WorkspaceFactory(slug="other")
    stranger = api("model_owner", workspace=other)
    put(builder, RAW)

    for address in ("", "/content"):
        asked = stranger.get(f"/api/v1/artifacts/{sha(RAW)}{address}")
        assert (asked.status_code, asked.json()["code"]) == (404, "not_found")
    assert stranger.get("/api/v1/artifacts").json()["results"] == []
    guess = put(stranger, b"I only know the digest", sha256=sha(RAW))
    assert (guess.status_code, guess.json()["code"]) == (400, "digest_mismatch")
    assert stranger.get(f"/api/v1/artifacts/{sha(RAW)}").status_code == 404

    assert put(stranger, RAW).status_code == 201
    assert Artifact.objects.count() == 2
    assert len(tree()) == 1


def test_what_is_not_what_was_announced_leaves_nothing(builder, tree, recorded_actions):
    wrong = put(builder, RAW, sha256=sha(b"other"))
    empty = put(builder, b"")
    chunked = builder.generic(
        "PUT",
        f"/api/v1/artifacts/{sha(RAW)}",
        RAW,
        content_type="application/octet-stream",
        HTTP_TRANSFER_ENCODING="chunked",
    )
    as_json = builder.put(f"/api/v1/artifacts/{sha(RAW)}", {"a": 1})
    as_form = builder.put(
        f"/api/v1/artifacts/{sha(RAW)}", {"f": io.BytesIO(RAW)}, format="multipart"
    )

    assert [it.status_code for it in (wrong, empty, chunked, as_json, as_form)] == [
        400, 400, 411, 415, 400,
    ]  # fmt: skip
    assert tree() == {}
    assert not Artifact.objects.exists()
    assert recorded_actions() == [Action.ARTIFACT_REFUSED]


def test_a_half_written_file_of_a_killed_process_is_written_again(builder, storage):
    path = storage / "sha256" / sha(RAW)[:2] / sha(RAW)[2:4] / sha(RAW)
    path.parent.mkdir(parents=True)
    path.write_bytes(RAW[:100])

    assert put(builder, RAW).status_code == 201
    assert path.read_bytes() == RAW


def test_files_and_folders_are_ours_alone(builder, storage):
    put(builder, RAW)
    uid = builder.post("/api/v1/artifacts/uploads", {"name": "m", "size": 10}).json()["uid"]
    part(builder, uid, 0, b"0123456789")

    modes = {path: path.stat().st_mode & 0o077 for path in storage.rglob("*")}

    assert len(modes) > 6
    assert set(modes.values()) == {0}


def test_an_artifact_never_changes(workspace):
    artifact = ArtifactFactory(workspace=workspace)

    for change in ({"sha256": "1" * 64}, {"name": "other"}, {"is_executable": True}, {"size": 9}):
        with pytest.raises(DatabaseError, match="does not change"), transaction.atomic():
            Artifact.objects.filter(pk=artifact.pk).update(**change)
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        artifact.delete()


def test_lists_are_filtered_and_cost_the_same(
    builder, workspace, django_assert_max_num_queries, django_assert_num_queries
):
    ArtifactFactory.create_batch(2, workspace=workspace, format="onnx")
    ArtifactFactory(workspace=workspace, format="pickle", is_executable=True, name="100%_x.pkl")
    builder.get("/api/v1/artifacts")  # a token notes once a minute that it was used
    with django_assert_max_num_queries(12) as few:
        builder.get("/api/v1/artifacts")
    ArtifactFactory.create_batch(10, workspace=workspace, format="onnx")
    with django_assert_num_queries(len(few)):
        assert len(builder.get("/api/v1/artifacts").json()["results"]) == 13

    def found(query: str) -> int:
        answer = builder.get(f"/api/v1/artifacts?{query}")
        assert answer.status_code == 200, answer.content
        return len(answer.json()["results"])

    assert (found("file_format=pickle"), found("is_executable=true"), found("q=%25_x")) == (1, 1, 1)
    digest = Artifact.objects.first().sha256
    assert found(f"q={digest}") == 1
    assert builder.get("/api/v1/artifacts?file_format=nonsense").status_code == 400


def test_a_version_says_of_each_artifact_what_is_known(builder, workspace):
    stored = ArtifactFactory(workspace=workspace, stored=RAW, format="pickle", is_executable=True)
    ArtifactFactory(workspace=WorkspaceFactory(), stored=b"of another workspace")
    builder.post("/api/v1/models", {"name": "credit"})
    listed = [
        {"name": "a", "sha256": stored.sha256, "size": 5000},
        {"name": "b", "sha256": stored.sha256, "size": 4999},
        {"name": "c", "sha256": stored.sha256},
        {"name": "d", "sha256": sha(b"of another workspace"), "size": 20},
    ]
    assert builder.post("/api/v1/models/credit/versions", {"artifacts": listed}).status_code == 201

    said = builder.get("/api/v1/models/credit/versions/1/artifacts").json()

    assert [(it["is_stored"], it["size_agrees"]) for it in said] == [
        (True, True), (True, False), (True, None), (False, None),
    ]  # fmt: skip
    assert said[0]["artifact"]["is_executable"]
    assert "never opened" in said[0]["artifact"]["notice"]


def test_the_page_of_a_version_shows_what_is_stored(client_for, workspace):
    stored = ArtifactFactory(workspace=workspace, stored=RAW, format="joblib", is_executable=True)
    version = ModelVersionFactory(model__workspace=workspace, artifact=stored.sha256)

    page = (
        client_for("viewer")
        .get(f"/models/{version.model.name}/versions/{version.number}/")
        .content.decode()
    )

    assert f"/artifacts/{stored.sha256}/" in page
    assert "executable format" in page
    assert "not agree" in page  # the factory says 1 byte


def test_checked_streams_in_pieces_of_any_size():
    for size in (1, 7, 4096, 5000, 9000):
        checked = Checked([RAW[:10], RAW[10:4000], RAW[4000:]], size=5000, sha256=sha(RAW))
        assert b"".join(checked.chunks(size)) == RAW
    with pytest.raises(ContentDiffers, match="More than"):
        Checked([RAW], size=4999).read()
    with pytest.raises(ContentDiffers, match="ended after"):
        Checked([RAW], size=5001).read()


def test_releases_that_name_a_digest_are_found_by_index(workspace):
    artifact = ArtifactFactory(workspace=workspace)
    version = ModelVersionFactory(model__workspace=workspace, artifact=artifact.sha256)
    ModelVersionFactory(model__workspace=workspace)

    assert list(versions_naming(artifact)) == [version]
    with connection.cursor() as sql:
        sql.execute("SET LOCAL enable_seqscan = off")
        named = ModelVersion.objects.filter(
            release__artifacts__contains=[{"sha256": artifact.sha256}]
        )
        assert "version_names_artifact" in named.order_by().explain()
