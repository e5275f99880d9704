"""Artifacts: bytes stored once under their digest, known to the workspaces that uploaded them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Sum

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.errors import Conflict, DomainError, Invalid, TooLarge
from jobs.services.enqueue import enqueue
from registry.artifacts import content
from registry.artifacts.content import Checked, ContentDiffers, Readable
from registry.artifacts.formats import Format, format_of
from registry.artifacts.recognise import recognise
from registry.models import Artifact, ArtifactUpload
from registry.selectors_artifacts import find_artifact, insist_sha256

if TYPE_CHECKING:
    from accounts.callers import Caller
    from accounts.models import Workspace

MAX_NAME = 255
INSPECT_JOB = "registry.inspect_artifact"
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ROOM = 0x61727466  # the advisory lock's first key: room in a workspace


class NoRoom(TooLarge):
    """The workspace has used what it may."""

    code = "quota_exceeded"
    title = "The workspace has no room left"


def put(
    *, caller: Caller, sha256: str, name: str, size: int, source: Readable
) -> tuple[Artifact, bool]:
    """Store ``size`` bytes that are announced to have this digest; True when that is new here.

    They are read to the end in any case: naming a digest gives nobody the bytes of somebody else.
    Not in a transaction until the end: reading takes as long as the caller's line. An edge wraps it
    in :func:`refusals_recorded`.

    Raises: Invalid, TooLarge, ContentDiffers, Unavailable, NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    digest = insist_sha256(sha256)
    name = insist_file_name(name)
    insist_size(size)
    if find_artifact(caller.workspace, digest) is None:
        insist_room(caller.workspace, size)
    checked = Checked(content.read_in_pieces(source), size=size, sha256=digest)
    content.store(checked, digest)
    return keep(caller=caller, sha256=digest, name=name, size=size)


def take_file(
    *, caller: Caller, name: str, source: IO[bytes], size: int, sha256: str = ""
) -> tuple[Artifact, bool]:
    """Store a file that lies here already and can be read twice (a form's upload)."""
    caller.insist(Capability.MODEL_EDIT)
    insist_file_name(name)
    insist_size(size)
    first = Checked(content.read_in_pieces(source), size=size)
    first.drain()
    if sha256 and first.sha256 != insist_sha256(sha256):
        raise ContentDiffers(
            f"These bytes have the SHA-256 {first.sha256}.",
            code="digest_mismatch",
            fields={"sha256": [f"The file has {first.sha256}."]},
        )
    source.seek(0)
    return put(caller=caller, sha256=first.sha256, name=name, size=size, source=source)


def keep(*, caller: Caller, sha256: str, name: str, size: int) -> tuple[Artifact, bool]:
    """The workspace's row for stored, checked bytes, made unless it is there; True when made."""
    stored_as = content.storage_name(sha256)
    with content.storage_trouble():
        kind = recognise(lambda start, stop: _part(stored_as, start, stop), size, name)
    with transaction.atomic():
        return _insert(caller=caller, sha256=sha256, name=name, size=size, kind=kind)


def _insert(
    *, caller: Caller, sha256: str, name: str, size: int, kind: Format
) -> tuple[Artifact, bool]:
    inspected = kind.is_inspected
    artifact, is_new = Artifact.objects.get_or_create(
        workspace=caller.workspace,
        sha256=sha256,
        defaults={
            "size": size,
            "name": name,
            "format": kind.key,
            "is_executable": kind.is_executable,
            "storage_name": content.storage_name(sha256),
            "state": Artifact.State.INSPECTING if inspected else Artifact.State.STORED,
            "created_by_pid": caller.actor.pid,
        },
    )
    if not is_new:
        return artifact, False
    artifact.refresh_from_db(fields=["created_at"])
    audit.record(
        Action.ARTIFACT_STORED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="artifact",
        object_id=sha256,
        object_digest=f"sha256:{sha256}",
        after={"size": size, "format": kind.key, "is_executable": kind.is_executable},
        pii={"filename": name},
    )
    if inspected:
        ask_inspection(artifact, caller)
    return artifact, True


@transaction.atomic
def inspect_again(*, caller: Caller, artifact: Artifact) -> Artifact:
    """Try once more what could not be inspected; the bytes are the same, the reader may not be.

    Also where it still waits, in case its job gave up: there is one job at a time.

    Raises: Conflict, NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    present = Artifact.objects.select_for_update(of=("self",)).get(pk=artifact.pk)
    again = (Artifact.State.UNREADABLE, Artifact.State.INSPECTING)
    if present.state not in again or not format_of(present.format).is_inspected:
        raise Conflict("Only what could not be inspected is inspected again.", code="not_failed")
    present.state, present.state_reason = Artifact.State.INSPECTING, ""
    present.save(update_fields=["state", "state_reason"])
    ask_inspection(present, caller)
    return present


def ask_inspection(artifact: Artifact, caller: Caller) -> None:
    enqueue(
        INSPECT_JOB,
        workspace=artifact.workspace,
        title=f"Inspect the artifact {artifact.sha256[:12]}",
        payload={"artifact": str(artifact.uid)},
        caller=caller,
        dedupe_key=f"{INSPECT_JOB}:{artifact.uid}",
    )


@contextmanager
def refusals_recorded(*, caller: Caller, sha256: str = "") -> Iterator[None]:
    """For an edge: bytes that are not what was announced, or too many, are an event."""
    try:
        yield
    except (ContentDiffers, TooLarge) as error:
        record_refusal(error, caller=caller, sha256=sha256)
        raise


def record_refusal(error: DomainError, *, caller: Caller, sha256: str = "") -> None:
    audit.refuse(
        Action.ARTIFACT_REFUSED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="artifact",
        object_id=sha256[:71],
        code=error.code,
    )


def insist_file_name(value: str, *, field: str = "name") -> str:
    """What somebody calls a file: shown, never a path, so slashes and dots are only text."""
    name = unicodedata.normalize("NFC", value) if len(value) <= 4 * MAX_NAME else value
    if not name.strip():
        reason = "A name is needed."
    elif len(name) > MAX_NAME:
        reason = f"A name has at most {MAX_NAME} characters, this one has {len(name):,}."
    elif any(unicodedata.category(char) in _INVISIBLE for char in name):
        reason = "A name holds no control characters or invisible marks."
    else:
        return name
    raise Invalid(reason, code="invalid_name", fields={field: [reason]})


def insist_size(size: int) -> None:
    """Raises: TooLarge, Invalid (empty)."""
    most = settings.ARTIFACT_MAX_BYTES
    if size > most:
        reason = f"An artifact has at most {most:,} bytes, this one {size:,}."
        raise TooLarge(reason, code="artifact_too_large", fields={"size": [reason]})
    if size <= 0:
        reason = "The file is empty."
        raise Invalid(reason, code="empty_file", fields={"size": [reason]})


def insist_room(workspace: Workspace, size: int) -> None:
    """Room for so many more bytes beside what is stored and under way. Raises: NoRoom."""
    stored = Artifact.objects.filter(workspace=workspace).aggregate(sum=Sum("size"))["sum"] or 0
    waiting = (
        ArtifactUpload.objects.filter(
            workspace=workspace, state__in=ArtifactUpload.UNDER_WAY
        ).aggregate(sum=Sum(F("size")))["sum"]
        or 0
    )
    most = settings.ARTIFACT_QUOTA_BYTES
    if stored + waiting + size > most:
        reason = f"{stored:,} bytes are stored and {waiting:,} on their way, of {most:,} allowed."
        raise NoRoom(reason, fields={"size": [reason]})


def lock_room(workspace: Workspace) -> None:
    """One at a time may reserve room in a workspace, until the transaction ends."""
    with connection.cursor() as sql:
        sql.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_ROOM, workspace.pk % 2**31])


def _part(name: str, start: int, stop: int) -> bytes:
    return b"".join(content.pieces(name, start, stop))
