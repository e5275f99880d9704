"""What a registration check means: its state from its gates, the version's status from that.

Pure: no database, no clock. *Failed* and *could not be computed* are two things: a release that
was measured and is not good enough is refused; one that nobody could measure is ready, and stays
out of every environment until somebody has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from governance import story
from governance.models import CheckGate, RegistrationCheck
from registry.models.model_version import Status

State = RegistrationCheck.State
MAX_TITLE = 120
MAX_EXPLANATION = 200


class Answer(NamedTuple):
    """A version's status, and what who registered it is told."""

    status: str
    message: str


@dataclass(frozen=True, slots=True)
class Situation:
    """How the version stands while its gates are looked at.

    Attributes:
        status: its present status.
        is_late: its deadline has passed.
        is_coming: an endpoint that could be measured is being stood up.
        is_in_use: an environment's alias stands on it.
        url: where a person reads all of it.
    """

    status: str
    is_late: bool
    is_coming: bool
    is_in_use: bool
    url: str


def state_of(gates: Sequence[CheckGate]) -> str:
    """One blocking gate that fails decides at once; else one that waits; else one unknown."""
    blocking = {gate.state for gate in gates if gate.severity == CheckGate.Severity.BLOCK}
    for found, state in (
        (CheckGate.State.FAILS, State.FAILS),
        (CheckGate.State.WAITING, State.RUNNING),
        (CheckGate.State.COULD_NOT_COMPUTE, State.COULD_NOT_COMPUTE),
    ):
        if found in blocking:
            return state
    return State.PASSES


def answer(state: str, gates: Sequence[CheckGate], now: Situation) -> Answer | None:
    """What a gated version is to be told; None while it goes on waiting, or nothing changes."""
    is_waiting = now.status == Status.PENDING
    if state == State.PASSES:
        return Answer(Status.READY, "")
    if state == State.NO_POLICY:
        if not is_waiting:
            return None
        return Answer(Status.READY, f"no policy applies, so nothing was checked; see {now.url}")
    if state == State.FAILS:
        failed = f"{_failed(gates)}; see {now.url}"
        # What callers are being answered by is taken away by a rollback, not by a status.
        return Answer(Status.READY if now.is_in_use else Status.FAILED, failed)
    if state == State.RUNNING or (now.is_coming and is_waiting):
        if not (is_waiting and now.is_late):
            return None
        return Answer(Status.READY, f"promotion blocked, evidence running; see {now.url}")
    if now.status == Status.FAILED:
        # It was measured and failed; not being able to measure it again does not clear it.
        return None
    return Answer(
        Status.READY, f"promotion blocked, {_unknown(gates)}; run the check again at {now.url}"
    )


def _failed(gates: Sequence[CheckGate]) -> str:
    failed = _of(gates, CheckGate.State.FAILS)
    gate = failed[0]
    row = story.gate_row(gate)
    if gate.observed is None:
        said = f"gate '{_title(gate)}' failed: {_short(gate.explanation)}"
    else:
        interval = f" [{row.interval}]" if row.interval else ""
        end = next(
            (f" ({end} end)" for end in ("lower95", "upper95") if f".{end}" in gate.name), ""
        )
        said = f"gate '{_title(gate)}' failed: {row.observed}{interval} vs. {row.limit}{end}"
    return said + _more(failed)


def _unknown(gates: Sequence[CheckGate]) -> str:
    unknown = _of(gates, CheckGate.State.COULD_NOT_COMPUTE)
    gate = unknown[0]
    said = f"gate '{_title(gate)}' could not be computed: {_short(gate.explanation)}"
    return said + _more(unknown)


def _of(gates: Sequence[CheckGate], state: str) -> list[CheckGate]:
    return [
        gate for gate in gates if gate.state == state and gate.severity == CheckGate.Severity.BLOCK
    ]


def _more(gates: Sequence[CheckGate]) -> str:
    return f" (and {len(gates) - 1} more)" if len(gates) > 1 else ""


def _title(gate: CheckGate) -> str:
    return gate.title if len(gate.title) <= MAX_TITLE else f"{gate.title[:MAX_TITLE]}…"


def _short(text: str) -> str:
    text = text.strip().rstrip(".")
    return text if len(text) <= MAX_EXPLANATION else f"{text[:MAX_EXPLANATION]}…"
