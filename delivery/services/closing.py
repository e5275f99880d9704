"""How a rollout ends: registry, gateway, approval and trail agree in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from audit.actions import Action
from audit.services.record import record
from common.commit import after_commit
from common.errors import DomainError
from delivery.models import Rollout
from delivery.ports import authority
from delivery.services import companions
from delivery.services.steps import record_step
from delivery.signals import rollout_finished
from registry import selectors as registry
from registry.services import aliases

if TYPE_CHECKING:
    from accounts.callers import Caller

State = Rollout.State

ACTIONS = {
    State.SUCCEEDED: Action.ROLLOUT_SUCCEEDED,
    State.ROLLED_BACK: Action.ROLLOUT_ROLLED_BACK,
    State.FAILED: Action.ROLLOUT_ROLLED_BACK,
    State.NEEDS_OPERATOR: Action.ROLLOUT_NEEDS_OPERATOR,
}


def succeed(rollout: Rollout, *, caller: Caller) -> None:
    """All steps passed: the alias moves, the approval is used up, the rollout is done.

    What the version calls and what is approved with it goes along in the same transaction: all of
    them are live afterwards, or none is.
    """
    environment = rollout.route.environment
    try:
        with transaction.atomic():
            stood = companions.before(rollout)
            aliases.move(
                caller=caller,
                model=rollout.route.model,
                name=environment.alias,
                version=rollout.to_version,
                reference=f"rollout:{rollout.uid}",
            )
            companions.carry(rollout, stood)
    except companions.RouteBusy as error:
        # Both were approved; the other one ends by itself, and then a person lets this go on.
        rollout.state = State.PAUSED
        rollout.reason = error.message[:1000]
        rollout.save(update_fields=["state", "reason"])
        record_step(Action.ROLLOUT_PAUSED, rollout, None, caller, reason=error.message)
        return
    except DomainError as error:
        # Withdrawn in the last moment: what is not approved may not stay live.
        rollout.state = State.ROLLING_BACK
        rollout.reason = error.message[:1000]
        rollout.save(update_fields=["state", "reason"])  # the next tick sets the weights back
        return
    close(rollout, State.SUCCEEDED, caller=caller, reason="")


def roll_back(rollout: Rollout, *, caller: Caller) -> None:
    """All traffic is back: the registry says the same, whatever it said before."""
    environment = rollout.route.environment
    live = registry.live_version(rollout.route.model, environment.name)
    if live is not None and live == rollout.to_version and rollout.from_version is not None:
        try:
            with transaction.atomic():
                aliases.move(
                    caller=caller,
                    model=rollout.route.model,
                    name=environment.alias,
                    version=rollout.from_version,
                    reference=f"rollback:{rollout.uid}",
                )
        except DomainError as error:
            reason = f"Traffic is back, and the registry refuses to say so: {error.message}"
            needs_operator(rollout, caller=caller, reason=reason)
            return
    close(rollout, State.ROLLED_BACK, caller=caller, reason=rollout.reason)


def needs_operator(rollout: Rollout, *, caller: Caller, reason: str) -> None:
    """Neither forward nor back is safe: say so, keep the route, call a person."""
    rollout.state = State.NEEDS_OPERATOR
    rollout.reason = reason[:1000]
    rollout.save(update_fields=["state", "reason"])
    _announce(rollout, State.NEEDS_OPERATOR, caller=caller)


def close(rollout: Rollout, outcome: State, *, caller: Caller, reason: str) -> None:
    """End it: row, approval and event together; the fact is announced after commit."""
    rollout.state = outcome
    rollout.reason = reason[:1000]
    rollout.finished_at = Now()
    rollout.save(update_fields=["state", "reason", "finished_at"])
    authority().conclude(reference=rollout.reference, outcome=outcome.value, rollout=rollout)
    _announce(rollout, outcome, caller=caller)


def _announce(rollout: Rollout, outcome: State, *, caller: Caller) -> None:
    record(
        ACTIONS[outcome],
        actor=caller.actor,
        object_type="rollout",
        object_id=str(rollout.uid),
        object_name=f"{rollout.route.model.name} {rollout.to_version.number}",
        object_digest=rollout.release_digest,
        details={
            "route": rollout.route.name,
            "environment": rollout.route.environment.name,
            "outcome": outcome.value,
            "checkpoint": rollout.checkpoint_size or 0,
        },
        pii={"reason": rollout.reason} if rollout.reason else None,
    )
    after_commit(rollout_finished.send, sender=Rollout, rollout=rollout, outcome=outcome.value)
