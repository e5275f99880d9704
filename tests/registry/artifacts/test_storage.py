"""Where files lie: what STORAGE_URL means, whole files or none, and whether they are all there."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from config import env
from registry.artifacts import content
from registry.artifacts.content import Checked, ContentDiffers
from registry.services import datasets
from tests.factories.registry_artifacts import ArtifactFactory
from tests.registry.artifacts.conftest import noise, sha

VAR = Path("/srv/var")


def test_files_lie_in_var_unless_a_folder_is_named():
    assert env.storage_settings("", VAR)["OPTIONS"] == {"location": VAR / "storage"}
    named = env.storage_settings("file:///data/my%20files", VAR)
    assert named["BACKEND"] == "common.storage.FileStorage"
    assert named["OPTIONS"] == {"location": Path("/data/my files")}


def test_a_bucket_is_named_with_its_server_and_key():
    url = "s3://KEY:se%2Fcret@minio.example:9000/bucket/a/folder?region=eu-west-1&tls=0"

    found = env.storage_settings(url, VAR)

    assert found["BACKEND"] == "common.bucket.BucketStorage"
    assert found["OPTIONS"] == {
        "bucket_name": "bucket", "location": "a/folder", "region_name": "eu-west-1",
        "addressing_style": "path", "access_key": "KEY", "secret_key": "se/cret",
        "endpoint_url": "http://minio.example:9000",
    }  # fmt: skip
    amazon = env.storage_settings("s3:///bucket?region=eu-west-1&addressing=virtual", VAR)
    assert "endpoint_url" not in amazon["OPTIONS"]
    assert "access_key" not in amazon["OPTIONS"]
    sealed = env.storage_settings("s3://K:S@[::1]:9000/b", VAR)
    assert sealed["OPTIONS"]["endpoint_url"] == "https://[::1]:9000"


@pytest.mark.parametrize(
    "url",
    ["ftp://x/y", "file://data/x", "file:x", "s3://K:S@host", "s3://K:S@host/b?regoin=x",
     "s3://K:S@host:port/b"],
)  # fmt: skip
def test_a_malformed_url_stops_the_process_and_shows_no_secret(url):
    with pytest.raises(ImproperlyConfigured, match="STORAGE_URL") as caught:
        env.storage_settings(url, VAR)
    assert "K:S" not in str(caught.value)


def test_a_file_appears_whole_or_not_at_all(storage, tree):
    raw = noise(3_000_000)

    with pytest.raises(ContentDiffers):
        content.store(Checked([raw], size=len(raw), sha256=sha(b"other")), sha(b"other"))
    assert tree() == {}

    content.store(Checked([raw], size=len(raw), sha256=sha(raw)), sha(raw))
    assert list(tree().values()) == [sha(raw)]


def test_a_name_is_used_as_given_and_what_a_killed_process_wrote_is_swept(storage):
    for body in (b"one", b"other"):
        assert default_storage.save("ingest/x", ContentFile(body)) == "ingest/x"
    assert (storage / "ingest" / "x").read_bytes() == b"other"
    half = storage / ".incoming" / "tmpabc"
    half.write_bytes(b"half of it")

    assert default_storage.sweep(3600) == 0
    assert default_storage.sweep(-1) == 1
    assert not half.exists()


@pytest.mark.django_db
def test_damage_is_found(caller_for, workspace, storage, capsys):
    good = ArtifactFactory(workspace=workspace, stored=noise(100))
    table = io.BytesIO(b"id,x\n1,2\n2,3\n")
    dataset = datasets.upload(caller=caller_for("model_owner"), name="d", fileobj=table)
    call_command("verify_storage")
    assert "3 files are what their digests say" in capsys.readouterr().out

    (storage / good.storage_name).write_bytes(noise(100))
    (storage / dataset.table_name).unlink()

    with pytest.raises(CommandError, match="2 of 3"):
        call_command("verify_storage")
    said = capsys.readouterr().out
    assert good.storage_name in said
    assert "it is missing" in said
    with pytest.raises(CommandError, match="1 of 3"):
        call_command("verify_storage", quick=True)
