"""A learner's state, fetched or handed in, becomes a version derived from what is live."""

from __future__ import annotations

import hashlib
import re
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.callers import Caller
from accounts.roles import Capability
from common.errors import Conflict, DomainError, Invalid, NotFound
from delivery.models import Snapshot
from delivery.services import learning
from outbound import client
from registry import selectors as registry
from registry.errors import SameRelease
from registry.models import Derivation, ModelVersion
from registry.release import ReleaseInput
from registry.services import artifacts, versions

if TYPE_CHECKING:
    from uuid import UUID

    from registry.models import RegisteredModel

State = Snapshot.State


def fetch(*, snapshot_uid: str, caller: Caller) -> Snapshot:
    """Read the bytes and register them; what fails is written down, and tried when next due.

    Safe to run twice: the same bytes are the same release.
    """
    snapshot = Snapshot.objects.select_related(
        "plan__model__workspace", "plan__workspace", "plan__set_by"
    ).get(uid=snapshot_uid)
    if snapshot.state != State.ASKED:
        return snapshot
    plan = snapshot.plan
    if not registry.is_member(plan.set_by, plan.workspace):
        reason = (
            f"{plan.set_by}, who answers for the snapshots, is no longer here: set the plan anew."
        )
        return _end(snapshot, State.FAILED, reason)
    try:
        answer = client.request(
            "GET",
            plan.url,
            workspace=plan.workspace,
            deadline_s=settings.SNAPSHOT_DEADLINE_SECONDS,
            max_bytes=settings.SNAPSHOT_MAX_BYTES,
            purpose="snapshot",
        )
    except DomainError as error:
        return _end(snapshot, State.FAILED, error.message)
    if answer.status != 200:
        return _end(snapshot, State.FAILED, f"It answered {answer.status}.")
    if not answer.content:
        return _end(snapshot, State.FAILED, "It answered with nothing.")
    sha256 = hashlib.sha256(answer.content).hexdigest()
    name = re.sub(r"[^\w.-]", "_", urlsplit(plan.url).path.rpartition("/")[2])[:100]
    person = Caller(workspace=plan.workspace, actor=caller.actor, user=plan.set_by, is_system=True)
    size = len(answer.content)
    name = name.strip(".") or "snapshot.bin"
    try:
        artifacts.put(
            caller=person, sha256=sha256, name=name, size=size, source=BytesIO(answer.content)
        )
    except DomainError as error:
        return _end(snapshot, State.FAILED, f"It could not be stored: {error.message}")
    return _register(snapshot, person, sha256=sha256, size=size, name=name)


def hand_in(
    *,
    caller: Caller,
    model: RegisteredModel,
    sha256: str,
    size: int,
    name: str = "snapshot.bin",
    snapshot_uid: UUID | None = None,
) -> Snapshot:
    """A learner's own snapshot, by its digest; asked for by a hook, or of its own accord.

    Raises: NotFound, Conflict (that one is over), Invalid, NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    if not re.fullmatch(r"(sha256:)?[0-9a-fA-F]{64}", sha256):
        text = "64 hexadecimal digits."
        raise Invalid(text, fields={"sha256": [text]})
    with transaction.atomic():
        plan = learning.lock_plan(model)
        if snapshot_uid is None:
            snapshot = plan.snapshots.filter(state=State.ASKED).first() or Snapshot.objects.create(
                plan=plan
            )
        else:
            found = plan.snapshots.filter(uid=snapshot_uid).first()
            if found is None:
                raise NotFound("There is no such snapshot.", code="snapshot_not_found")
            snapshot = found
        if snapshot.state != State.ASKED:
            raise Conflict("That snapshot is over.", code="snapshot_over")
    snapshot.plan = plan
    digits = sha256.removeprefix("sha256:").lower()
    return _register(snapshot, caller, sha256=digits, size=size, name=name)


def _register(snapshot: Snapshot, caller: Caller, *, sha256: str, size: int, name: str) -> Snapshot:
    """The bytes as a version derived from what is live, or from the newest one."""
    snapshot.digest, snapshot.size = f"sha256:{sha256}", size
    model = snapshot.plan.model
    base = _base(model)
    if base is None:
        reason = f"{model.name} has no version yet that a snapshot could be derived from."
        return _end(snapshot, State.FAILED, reason)
    if sha256 in {it.get("sha256") for it in base.release.get("artifacts", [])}:
        return _end(snapshot, State.UNCHANGED, f"It is what version {base.number} is made of.")
    artifact = {"name": name, "sha256": sha256, "size": size}
    try:
        with transaction.atomic():
            version = versions.register(
                caller=caller,
                model=model,
                release=_derived(base, artifact),
                description=f"Snapshot of the online learner, derived from version {base.number}.",
            )
            return _end(snapshot, State.REGISTERED, "", version)
    except SameRelease as same:
        return _end(snapshot, State.UNCHANGED, same.message)
    except DomainError as error:
        return _end(snapshot, State.FAILED, error.message)


def _base(model: RegisteredModel) -> ModelVersion | None:
    last = registry.environments(model.workspace).last()
    live = registry.live_version(model, last.name) if last is not None else None
    return live or registry.versions_for(model).first()


def _derived(base: ModelVersion, artifact: dict[str, Any]) -> ReleaseInput:
    """The base's release with the learned state in the place of its artifacts.

    What it learned from since is in no dataset here, so none is claimed.
    """
    release = base.release
    return ReleaseInput(
        artifacts=[artifact],
        source=f"snapshot of {base.model.name}",
        git_commit=release.get("git_commit", ""),
        git_authors=release.get("git_authors", []),
        decision_threshold=base.decision_threshold,
        signature=release.get("signature", {}),
        consumption=base.consumption,
        image=release.get("image", ""),
        features=release.get("features", ""),
        components=[
            {"model": it["model"], "version": it["version"]} for it in release.get("components", [])
        ],
        derived_from={"version": base.number, "derivation": Derivation.SNAPSHOT.value},
        extra=release.get("extra", {}),
    )


def _end(
    snapshot: Snapshot, state: State, reason: str, version: ModelVersion | None = None
) -> Snapshot:
    snapshot.state = state
    snapshot.reason = reason[:500]
    snapshot.version = version
    snapshot.ended_at = timezone.now()
    snapshot.save(update_fields=["state", "reason", "digest", "size", "version", "ended_at"])
    return snapshot
