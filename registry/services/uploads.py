"""Uploads in parts: begun, added to by offset, completed or given up.

A part lies in the storage under a name of ours before a row says that it does, and every answer is
given after that row is committed: what was acknowledged survives a killed process. A repeated part
is recognised by its digest, a gap is refused, and the row's lock puts simultaneous parts in order.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.roles import Capability
from common.errors import Conflict, Invalid, NotAllowed, TooLarge, Unavailable
from jobs.services.enqueue import enqueue
from registry.artifacts import content
from registry.artifacts.content import Checked, ContentDiffers, Readable
from registry.models import Artifact, ArtifactUpload
from registry.selectors_artifacts import find_artifact, insist_own, insist_sha256
from registry.services import artifacts

if TYPE_CHECKING:
    from accounts.callers import Caller

VERIFY_JOB = "registry.verify_upload"
FOLDER = "uploads"
MAX_OPEN = 50
MAX_PARTS = 1000
#: Up to here the whole is checked while the caller waits.
INLINE_BYTES = 64 * 1024 * 1024
State = ArtifactUpload.State


@transaction.atomic
def begin(*, caller: Caller, name: str, size: int, sha256: str = "") -> ArtifactUpload:
    """Announce a file. With a digest that this workspace has already, the upload is done at once.

    Raises: Invalid, TooLarge (the file, the workspace's room), Conflict (too many at a time).
    """
    caller.insist(Capability.MODEL_EDIT)
    if caller.user is None:
        raise NotAllowed("A person uploads, or a service account that somebody answers for.")
    digest = insist_sha256(sha256) if sha256 else ""
    name = artifacts.insist_file_name(name)
    artifacts.insist_size(size)
    known = find_artifact(caller.workspace, digest) if digest else None
    upload = ArtifactUpload(
        workspace=caller.workspace,
        name=name,
        sha256=digest,
        size=size,
        created_by=caller.user,
        created_through=caller.service_account,
    )
    if known is not None:
        if known.size != size:
            reason = f"The artifact of this digest has {known.size:,} bytes."
            raise ContentDiffers(reason, code="size_mismatch", fields={"size": [reason]})
        upload.artifact, upload.state = known, State.DONE
        upload.ended_at = timezone.now()
    else:
        artifacts.lock_room(caller.workspace)
        _insist_few(caller)
        artifacts.insist_room(caller.workspace, size)
    upload.save(force_insert=True)
    upload.refresh_from_db(fields=["created_at", "updated_at"])
    return upload


def append(
    *, caller: Caller, upload: ArtifactUpload, offset: int, size: int, source: Readable
) -> ArtifactUpload:
    """Add ``size`` bytes at ``offset``; the same part again changes nothing and is accepted.

    Raises: Conflict (``upload_gap``, ``part_differs``, ``upload_ended``; each says ``received``),
        Invalid, TooLarge, ContentDiffers (the line was cut), Unavailable.
    """
    caller.insist(Capability.MODEL_EDIT)
    insist_own(caller, upload)
    _insist_part(upload, offset, size)
    checked = Checked(content.read_in_pieces(source), size=size)
    if offset < upload.received:
        # A repetition: read for its digest, and not stored a second time.
        checked.drain()
        return _repeated(upload, offset, size, checked.sha256)
    key = secrets.token_hex(8)
    name = _part_name(upload, offset, key)
    try:
        content.save_part(name, checked)
        return _add(upload, offset=offset, size=size, sha256=checked.sha256, key=key)
    except BaseException:
        # Somebody was quicker, or it was cut: nobody will ever ask for this file.
        _remove_quietly(name)
        raise


@transaction.atomic
def _add(
    upload: ArtifactUpload, *, offset: int, size: int, sha256: str, key: str
) -> ArtifactUpload:
    present = _locked(upload)
    _insist_part(present, offset, size)
    if offset < present.received:
        raise _QuickerElsewhere(_repeated(present, offset, size, sha256))
    present.parts.append({"size": size, "sha256": sha256, "key": key})
    present.received += size
    present.updated_at = timezone.now()
    present.save(update_fields=["parts", "received", "updated_at"])
    return present


class _QuickerElsewhere(Exception):
    """The same part arrived twice at once; ``upload`` is how it stands."""

    def __init__(self, upload: ArtifactUpload) -> None:
        super().__init__()
        self.upload = upload


def add_part(
    *, caller: Caller, upload: ArtifactUpload, offset: int, size: int, source: Readable
) -> ArtifactUpload:
    """What an edge calls: :func:`append`, and the same answer to whoever came second."""
    try:
        return append(caller=caller, upload=upload, offset=offset, size=size, source=source)
    except _QuickerElsewhere as quicker:
        return quicker.upload


def complete(*, caller: Caller, upload: ArtifactUpload, sha256: str = "") -> ArtifactUpload:
    """Check the whole against what was announced and make the artifact; a big one by a job.

    Done twice it is done once. An edge wraps it in ``artifacts.refusals_recorded``.

    Raises: Conflict (bytes are missing, ended), ContentDiffers (then the upload is refused),
        Invalid, Unavailable.
    """
    caller.insist(Capability.MODEL_EDIT)
    insist_own(caller, upload)
    announced = insist_sha256(sha256) if sha256 else ""
    with transaction.atomic():
        present = _locked(upload)
        if present.state == State.DONE:
            done = _known(present)
            _insist_same(announced, done.artifact.sha256 if done.artifact is not None else "")
            return done
        if present.state == State.VERIFYING:
            # The job there is; or another, where the first one could not reach the storage.
            return _ask_check(present, caller)
        _insist_open(present)
        _insist_same(announced, present.sha256)
        if present.received != present.size:
            raise _conflict(
                present,
                f"{present.size - present.received:,} bytes are still missing.",
                code="upload_incomplete",
            )
        if announced and not present.sha256:
            present.sha256 = announced
            present.save(update_fields=["sha256"])
        if present.size > INLINE_BYTES:
            return _ask_check(present, caller)
    return verify(upload=present, caller=caller)


def verify(
    *, upload: ArtifactUpload, caller: Caller, heartbeat: Callable[[], object] | None = None
) -> ArtifactUpload:
    """Read all parts through, store them under their digest, and only then say so.

    Raises: ContentDiffers, after the upload was refused for good; Conflict; Unavailable.
    """
    digest = upload.sha256
    try:
        if not digest:
            whole = Checked(_parts(upload, heartbeat), size=upload.size)
            whole.drain()
            digest = whole.sha256
        content.store(Checked(_parts(upload, heartbeat), size=upload.size, sha256=digest), digest)
    except ContentDiffers as error:
        end(upload, State.REFUSED, error.message)
        raise
    except Unavailable:
        # Perhaps the parts are gone because it was completed or given up meanwhile.
        present = _known(upload)
        if present.state == State.DONE:
            return present
        if present.state not in ArtifactUpload.UNDER_WAY:
            raise _conflict(present, "The upload has ended.", code="upload_ended") from None
        raise
    with transaction.atomic():
        present = _locked(upload)
        if present.state not in ArtifactUpload.UNDER_WAY:
            if present.state == State.DONE:
                return _known(present)
            raise _conflict(present, "The upload has ended.", code="upload_ended")
        artifact, _ = artifacts.keep(
            caller=caller, sha256=digest, name=upload.name, size=upload.size
        )
        _finish(present, State.DONE, artifact=artifact)
    _remove_parts(present)
    return present


def give_up(*, caller: Caller, upload: ArtifactUpload) -> ArtifactUpload:
    """End an upload and remove its parts. Raises: Conflict (ended already)."""
    caller.insist(Capability.MODEL_EDIT)
    insist_own(caller, upload)
    return end(upload, State.GIVEN_UP, "")


def _ask_check(upload: ArtifactUpload, caller: Caller) -> ArtifactUpload:
    upload.state = State.VERIFYING
    upload.updated_at = timezone.now()
    upload.save(update_fields=["state", "updated_at"])
    enqueue(
        VERIFY_JOB,
        workspace=upload.workspace,
        title=f"Check the upload of {upload.name}",
        payload={"upload": str(upload.uid)},
        caller=caller,
        dedupe_key=f"{VERIFY_JOB}:{upload.uid}",
    )
    return upload


def _parts(upload: ArtifactUpload, heartbeat: Callable[[], object] | None) -> Iterator[bytes]:
    offset = 0
    for part in upload.parts:
        yield from content.pieces(_part_name(upload, offset, part["key"]), 0, part["size"])
        offset += part["size"]
        if heartbeat is not None:
            heartbeat()


def _part_name(upload: ArtifactUpload, offset: int, key: str) -> str:
    """Server-made: an id of ours, a number and chance; several writers never share one."""
    return f"{FOLDER}/{upload.uid}/{offset:016d}-{key}"


def _locked(upload: ArtifactUpload) -> ArtifactUpload:
    # Without its artifact: a row joined to one that was waited for is as old as the wait.
    found = (
        ArtifactUpload.objects.select_for_update(of=("self",))
        .select_related("workspace")
        .filter(pk=upload.pk)
        .first()
    )
    if found is None:
        raise Conflict("The upload has ended.", code="upload_ended")
    return found


def _known(upload: ArtifactUpload) -> ArtifactUpload:
    return ArtifactUpload.objects.select_related("artifact").get(pk=upload.pk)


def _insist_open(upload: ArtifactUpload) -> None:
    if upload.state != State.OPEN:
        raise _conflict(
            upload,
            f"The upload takes no more parts: {upload.get_state_display().lower()}.",
            code="upload_ended",
        )


def _insist_part(upload: ArtifactUpload, offset: int, size: int) -> None:
    _insist_open(upload)
    most = settings.ARTIFACT_PART_BYTES
    if size > most:
        raise TooLarge(f"A part has at most {most:,} bytes.", code="part_too_large")
    least = min(part_bytes_at_least(upload.size), upload.size - offset)
    if size < max(1, least):
        raise Invalid(
            f"A part of this upload has at least {max(1, least):,} bytes.", code="part_too_small"
        )
    if offset > upload.received:
        raise _conflict(
            upload,
            f"{upload.received:,} bytes are there; a part at {offset:,} leaves a gap.",
            code="upload_gap",
        )
    if offset + size > upload.size:
        raise Invalid(
            f"The part goes beyond the {upload.size:,} bytes that were announced.",
            code="too_long",
        )


def part_bytes_at_least(size: int) -> int:
    """A file has at most ``MAX_PARTS`` parts, so a part but the last has this many bytes."""
    return -(-size // MAX_PARTS)


def _repeated(upload: ArtifactUpload, offset: int, size: int, sha256: str) -> ArtifactUpload:
    """Whether exactly this part is there already. Raises: Conflict."""
    at = 0
    for part in upload.parts:
        if at == offset and part["size"] == size and part["sha256"] == sha256:
            return upload
        at += part["size"]
    raise _conflict(upload, f"Other bytes were accepted at {offset:,} before.", code="part_differs")


def _insist_same(announced: str, known: str) -> None:
    if announced and known and announced != known:
        reason = f"Another digest was announced before: {known}."
        raise Invalid(reason, code="invalid_digest", fields={"sha256": [reason]})


def _insist_few(caller: Caller) -> None:
    under_way = ArtifactUpload.objects.filter(
        workspace=caller.workspace, state__in=ArtifactUpload.UNDER_WAY
    ).count()
    if under_way >= MAX_OPEN:
        raise Conflict(
            f"{under_way} uploads are under way in this workspace; end one first.",
            code="too_many_uploads",
        )


def _conflict(upload: ArtifactUpload, message: str, *, code: str) -> Conflict:
    return Conflict(message, code=code, received=upload.received)


def end(upload: ArtifactUpload, state: ArtifactUpload.State, reason: str) -> ArtifactUpload:
    """End an upload that is under way and remove its parts. Raises: Conflict."""
    with transaction.atomic():
        present = _locked(upload)
        if present.state not in ArtifactUpload.UNDER_WAY:
            raise _conflict(present, "The upload has ended.", code="upload_ended")
        _finish(present, state, reason=reason)
    _remove_parts(present)
    return present


def _finish(
    upload: ArtifactUpload,
    state: ArtifactUpload.State,
    *,
    reason: str = "",
    artifact: Artifact | None = None,
) -> None:
    upload.state, upload.state_reason, upload.artifact = state, reason[:500], artifact
    upload.ended_at = upload.updated_at = timezone.now()
    upload.save(update_fields=["state", "state_reason", "artifact", "ended_at", "updated_at"])


def _remove_parts(upload: ArtifactUpload) -> None:
    """What stays after a storage that does not answer, the schedule removes."""
    try:
        content.remove_folder(f"{FOLDER}/{upload.uid}")
    except Unavailable:
        return
    ArtifactUpload.objects.filter(pk=upload.pk).update(parts=[], updated_at=Now())


def _remove_quietly(name: str) -> None:
    try:
        default_storage.delete(name)
    except OSError:
        return
