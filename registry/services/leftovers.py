"""What uploads leave behind: ended when nobody goes on, their parts removed."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from registry.artifacts import content
from registry.models import ArtifactUpload
from registry.services import uploads

#: How long an ended upload is still known.
_KEPT_DAYS = 30


def sweep() -> int:
    """End uploads that nobody goes on with and remove what ended ones left; how many.

    On a schedule, every few minutes.
    """
    before = timezone.now() - timedelta(hours=settings.ARTIFACT_UPLOAD_HOURS)
    stale = ArtifactUpload.objects.filter(
        state__in=ArtifactUpload.UNDER_WAY, updated_at__lt=before
    )[:100]
    count = 0
    for upload in stale:
        uploads.end(upload, ArtifactUpload.State.EXPIRED, "Nothing was added for a day.")
        count += 1
    count += _remove_left_over()
    ArtifactUpload.objects.exclude(state__in=ArtifactUpload.UNDER_WAY).filter(
        ended_at__lt=timezone.now() - timedelta(days=_KEPT_DAYS)
    ).delete()
    if (clear := getattr(default_storage, "sweep", None)) is not None:
        count += clear(settings.ARTIFACT_UPLOAD_HOURS * 3600)
    return count


def _remove_left_over() -> int:
    """Parts whose upload has ended: written by a request that was killed, or while it ended."""
    with content.storage_trouble():
        try:
            folders, _ = default_storage.listdir(uploads.FOLDER)
        except FileNotFoundError:
            return 0
    under_way = {
        str(uid)
        for uid in ArtifactUpload.objects.filter(state__in=ArtifactUpload.UNDER_WAY).values_list(
            "uid", flat=True
        )
    }
    left = [folder for folder in folders if folder not in under_way][:500]
    for folder in left:
        content.remove_folder(f"{uploads.FOLDER}/{folder}")
    return len(left)
