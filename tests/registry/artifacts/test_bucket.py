"""The same promises from an S3 server, asked over HTTP (moto's, in a process of its own)."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.storage import default_storage

from config import env
from embedded.processes import free_port
from jobs.services.run import run_until_idle
from registry.artifacts import content
from registry.artifacts.content import Checked, ContentDiffers
from registry.models import Artifact
from registry.services import datasets, leftovers
from tests.registry.artifacts.conftest import begin, complete, noise, part, put, sha
from tests.registry.artifacts.files import onnx_model

pytestmark = [pytest.mark.django_db, pytest.mark.serial]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """``host:port`` of a server of ours, ended by its own id."""
    port = free_port()
    with subprocess.Popen(
        [str(Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until = time.monotonic() + 60
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/moto-api/", timeout=5)
                    break
                except httpx.HTTPError:
                    assert time.monotonic() < until, "moto_server does not answer"
                    time.sleep(0.1)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture
def bucket(server: str) -> Any:
    """An empty bucket, seen by another client than the one under test."""
    resource = boto3.resource(
        "s3",
        endpoint_url=f"http://{server}",
        region_name="eu-central-1",
        aws_access_key_id="KEY",
        aws_secret_access_key="SE/CRET",
    )
    found = resource.Bucket("countersign")
    found.create(CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    yield found
    found.objects.all().delete()
    found.delete()


@pytest.fixture(autouse=True)
def storage(settings: Any, bucket: Any, server: str, tmp_path: Path) -> Any:
    """The storage that STORAGE_URL names."""
    url = f"s3://KEY:SE%2FCRET@{server}/countersign/files?region=eu-central-1&tls=0"
    settings.STORAGES = {**settings.STORAGES, "default": env.storage_settings(url, tmp_path)}
    return bucket


def names(bucket: Any) -> list[str]:
    return [it.key for it in bucket.objects.all()]


def unfinished(bucket: Any) -> list[Any]:
    return list(bucket.multipart_uploads.all())


def test_an_upload_in_parts_lies_in_the_bucket_under_its_digest(builder, bucket):
    raw = noise(300_000)
    uid = begin(builder, len(raw)).json()["uid"]
    for offset in (0, 100_000, 200_000):
        assert part(builder, uid, offset, raw[offset : offset + 100_000]).status_code == 200
    assert part(builder, uid, 0, raw[:100_000]).status_code == 200
    assert len(names(bucket)) == 3

    assert complete(builder, uid).status_code == 201

    assert names(bucket) == [f"files/{content.storage_name(sha(raw))}"]
    url = f"/api/v1/artifacts/{sha(raw)}/content"
    assert b"".join(builder.get(url)) == raw
    ranged = builder.get(url, HTTP_RANGE="bytes=99999-200000")
    assert b"".join(ranged) == raw[99_999:200_001]


def test_a_large_file_goes_in_pieces_and_a_wrong_one_not_at_all(builder, bucket):
    raw = noise(20_000_000)  # above what boto sends in one request

    wrong = put(builder, raw, sha256=sha(b"other"))
    assert (wrong.status_code, wrong.json()["code"]) == (400, "digest_mismatch")
    assert (names(bucket), unfinished(bucket)) == ([], [])
    with pytest.raises(ContentDiffers):
        content.store(Checked([raw], size=len(raw) + 1, sha256=sha(raw)), sha(raw))
    assert (names(bucket), unfinished(bucket)) == ([], [])

    assert put(builder, raw).status_code == 201
    assert b"".join(builder.get(f"/api/v1/artifacts/{sha(raw)}/content")) == raw


def test_a_model_in_the_bucket_is_inspected(builder):
    put(builder, onnx_model(), name="m.onnx")

    run_until_idle(30)

    assert Artifact.objects.get().state == "inspected"


def test_a_dataset_lies_there_and_is_read_back(caller_for):
    table = pa.table({"id": [str(n) for n in range(50)], "x": [float(n) for n in range(50)]})
    file = io.BytesIO()
    pq.write_table(table, file)
    file.seek(0)

    dataset = datasets.upload(caller=caller_for("model_owner"), name="holdout", fileobj=file)

    assert default_storage.exists(dataset.storage_name)
    assert dataset.storage_name == content.storage_name(dataset.digest)
    assert datasets.read_table(dataset).equals(table)
    assert next(datasets.read_batches(dataset, ["x"], batch_rows=7)).num_rows == 7


def test_what_nobody_goes_on_with_is_removed(builder, bucket):
    uid = begin(builder, 10).json()["uid"]
    part(builder, uid, 0, b"01234")
    assert len(names(bucket)) == 1

    assert builder.delete(f"/api/v1/artifacts/uploads/{uid}").status_code == 204
    leftovers.sweep()

    assert names(bucket) == []


def test_a_server_that_does_not_answer_is_said_clearly(builder, settings, tmp_path, bucket):
    put(builder, b"stored before")
    url = f"s3://KEY:SECRET@127.0.0.1:{free_port()}/countersign?region=eu-central-1&tls=0"
    settings.STORAGES = {**settings.STORAGES, "default": env.storage_settings(url, tmp_path)}

    for answer in (
        put(builder, b"other bytes"),
        builder.get(f"/api/v1/artifacts/{sha(b'stored before')}/content"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_down")
    assert Artifact.objects.count() == 1


def test_a_file_that_is_missing_in_the_bucket_is_said_clearly(builder, bucket):
    put(builder, b"bytes")
    bucket.objects.all().delete()

    answer = builder.get(f"/api/v1/artifacts/{sha(b'bytes')}/content")

    assert (answer.status_code, answer.json()["code"]) == (503, "file_missing")
