"""Which handler does which kind of work. Apps register theirs in ``<app>/jobs.py`` at start.

    @register("evaluation.evaluate", queue="default")
    def evaluate(job: Job, claim: Claim) -> Done | Continue:
        for batch in batches(after=job.cursor.get("batch", -1)):
            scores = predict(batch)                   # outside any transaction
            with transaction.atomic():
                claim.insist_mine()                   # a zombie stops here, having written nothing
                store(batch, scores)
                claim.save(cursor={"batch": batch.number}, progress=…)
            if claim.remaining_s() < 10:
                return Continue(cursor=job.cursor)
        return Done({"rows": n})

A handler works at most ``JOB_HANDLER_BUDGET_SECONDS`` a claim and saves at least once in
``JOB_LEASE_SECONDS``: saving is the heartbeat. What it did before a crash it may be asked to do
again from its last saved cursor, never more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from django.conf import settings

from jobs.errors import UnknownKind

if TYPE_CHECKING:
    from jobs.models import Job
    from jobs.services.claim import Claim

QUEUES = ("default", "traffic", "reports")


@dataclass(frozen=True, slots=True)
class Done:
    """The work is finished; ``result`` is JSON and small."""

    result: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True, slots=True)
class Continue:
    """There is more: run again from ``cursor``, not before ``after_s`` seconds have passed."""

    cursor: Mapping[str, Any]
    after_s: float = 0.0
    message: str = ""
    progress: float | None = None


Handler: TypeAlias = "Callable[[Job, Claim], Done | Continue]"
Exhausted = Literal["failed", "needs_operator"]
#: "anytime": the runner ends it between two claims, or the handler earlier. "handler": only the
#: handler decides what the wish means (it may have to undo). "never": refused; ended elsewhere.
Cancelling = Literal["anytime", "handler", "never"]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of work is treated."""

    name: str
    handler: Handler
    queue: str
    max_attempts: int
    exhausted: Exhausted
    cancelling: Cancelling


_kinds: dict[str, Kind] = {}


def register(
    kind: str,
    *,
    queue: str = "default",
    max_attempts: int | None = None,
    exhausted: Exhausted = "failed",
    cancelling: Cancelling = "anytime",
) -> Callable[[Handler], Handler]:
    """Declare the handler of ``kind``; ``exhausted`` is the state after the last attempt."""
    if queue not in QUEUES:
        raise ValueError(f"no worker listens on the queue {queue!r}")

    def keep(handler: Handler) -> Handler:
        known = _kinds.get(kind)
        if known is not None and known.handler is not handler:
            raise ValueError(f"two handlers for the job kind {kind!r}")
        _kinds[kind] = Kind(
            name=kind,
            handler=handler,
            queue=queue,
            max_attempts=max_attempts or settings.JOB_MAX_ATTEMPTS,
            exhausted=exhausted,
            cancelling=cancelling,
        )
        return handler

    return keep


def kind_of(name: str) -> Kind:
    """The registered kind. Raises: UnknownKind."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownKind(f"There is no handler for the job kind “{name}”.") from None


def find_kind(name: str) -> Kind | None:
    return _kinds.get(name)


def forget(name: str) -> None:
    """Take a kind back; tests use it."""
    _kinds.pop(name, None)
