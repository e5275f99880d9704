"""The trail's entries about a rollout's steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services.record import record

if TYPE_CHECKING:
    from accounts.callers import Caller
    from audit.actions import Action
    from delivery.models import Rollout, RolloutStep


def record_step(
    action: Action,
    rollout: Rollout,
    step: RolloutStep | None,
    caller: Caller,
    *,
    reason: str = "",
    **details: object,
) -> None:
    """An event about one step of a rollout. A reason may be a person's words: erasable."""
    about = {} if step is None else {"step": step.index + 1, "weight": step.weight}
    record(
        action,
        actor=caller.actor,
        object_type="rollout",
        object_id=str(rollout.uid),
        object_name=f"{rollout.route.model.name} {rollout.to_version.number}",
        object_digest=rollout.release_digest,
        details={"route": rollout.route.name, **about, **details},
        pii={"reason": reason[:1000]} if reason else None,
    )
