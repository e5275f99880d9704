"""Many at once: one part counts, one artifact is made, and the rest is answered, not kept."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest

from registry.models import Artifact, ArtifactUpload
from registry.services import uploads
from tests.registry.artifacts.conftest import noise
from tests.registry.test_races import at_once

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]
RAW = noise(4000)
CALLERS = 4


@pytest.fixture
def caller(caller_for: Any) -> Any:
    return caller_for("model_owner")


@pytest.fixture
def upload(caller: Any) -> ArtifactUpload:
    return uploads.begin(caller=caller, name="m.bin", size=len(RAW))


def send(caller: Any, upload: ArtifactUpload) -> None:
    present = ArtifactUpload.objects.get(pk=upload.pk)
    uploads.add_part(caller=caller, upload=present, offset=0, size=len(RAW), source=io.BytesIO(RAW))


def meeting(monkeypatch: Any) -> None:
    """Whoever looks at the row waits for the others to have looked, as long as that may happen."""
    all_have_read = threading.Barrier(CALLERS)
    look = uploads._insist_part

    def slow_look(upload: ArtifactUpload, offset: int, size: int) -> None:
        look(upload, offset, size)
        if upload.received == 0 and hasattr(upload, "_inside"):
            try:
                all_have_read.wait(1)
            except threading.BrokenBarrierError:
                return

    monkeypatch.setattr(uploads, "_insist_part", slow_look)


def marked(found: ArtifactUpload) -> ArtifactUpload:
    found._inside = True  # type: ignore[attr-defined]
    return found


def test_the_same_part_at_once_counts_once(caller, upload, storage, monkeypatch):
    locked = uploads._locked
    meeting(monkeypatch)
    monkeypatch.setattr(uploads, "_locked", lambda it: marked(locked(it)))

    raised = at_once(CALLERS, lambda number: send(caller, upload))

    assert raised == []
    upload.refresh_from_db()
    assert (upload.received, len(upload.parts)) == (len(RAW), 1)
    assert len(list((storage / "uploads" / str(upload.uid)).iterdir())) == 1


def test_without_the_lock_files_would_be_left_over(caller, upload, storage, monkeypatch):
    """The race is real: all have read before anybody writes, and every one of them keeps a file."""
    meeting(monkeypatch)
    monkeypatch.setattr(uploads, "_locked", lambda it: marked(ArtifactUpload.objects.get(pk=it.pk)))

    at_once(CALLERS, lambda number: send(caller, upload))

    assert len(list((storage / "uploads" / str(upload.uid)).iterdir())) == CALLERS


def test_an_upload_that_is_completed_at_once_makes_one_artifact(caller, upload, storage):
    send(caller, upload)

    def finish(number: int) -> None:
        present = ArtifactUpload.objects.get(pk=upload.pk)
        assert uploads.complete(caller=caller, upload=present).state == "done"

    raised = at_once(CALLERS, finish)

    assert raised == []
    assert Artifact.objects.count() == 1
    upload.refresh_from_db()
    assert upload.state == "done"
    assert not (storage / "uploads" / str(upload.uid)).exists()
