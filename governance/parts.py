"""What governance adds to the registry's pages: the gates of a version's registration check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from accounts.roles import Capability
from governance import selectors, story
from governance.models import RegistrationCheck

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel

State = RegistrationCheck.State


class RegistrationPart:
    """A version's card with what its policy's gates say, before anybody asks to promote it."""

    template = "governance/_registration_card.html"

    def context(
        self, *, caller: Caller, model: RegisteredModel, version: ModelVersion | None
    ) -> Mapping[str, Any] | None:
        if version is None:
            return None
        check = selectors.check_of(version)
        gates = selectors.check_gates(check) if check is not None else []
        return {
            "model": model,
            "version": version,
            "check": check,
            "is_running": check is not None and check.state == State.RUNNING,
            "rows": [story.gate_row(gate) for gate in gates],
            "sentence": sentence(check, version),
            "may_run": caller.may(Capability.EVIDENCE_RUN)
            and (check is None or check.state != State.RUNNING),
        }


def sentence(check: RegistrationCheck | None, version: ModelVersion) -> str:
    """What the card says above its table, from the rows alone."""
    if check is None:
        return "No policy's gates were looked at when it was registered."
    if check.policy_revision is None or check.environment is None:
        return f"No policy is for tier {version.model.tier} and this kind of model."
    revision = check.policy_revision
    under = f"{revision.policy.name}, revision {revision.number}, for {check.environment.name}"
    said = {
        State.PASSES: "Every gate that blocks passes",
        State.FAILS: "A gate that blocks fails",
        State.RUNNING: "Evidence is being computed",
        State.COULD_NOT_COMPUTE: "Something could not be computed, which is no failure",
    }
    return f"{said[State(check.state)]}, under {under}."
