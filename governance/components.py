"""A version with components goes together with them: who is live, who is approved to go along.

A component that is live in the environment stays; one with a standing approval for exactly it
moves in the transaction that moves the version's own alias; any other keeps the request blocked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from django.utils import timezone

from delivery.services import companions
from governance.models import Gate, PromotionRequest
from registry import components as registry
from registry.models import Environment, ModelVersion

if TYPE_CHECKING:
    from delivery.models import Rollout

Status = PromotionRequest.Status
Row = TypeVar("Row", bound=Gate)


@dataclass(frozen=True, slots=True)
class Part:
    """One version that is called; ``promotion`` is its standing approval or its open request."""

    version: ModelVersion
    is_live: bool
    instead: ModelVersion | None
    promotion: PromotionRequest | None

    @property
    def goes_along(self) -> bool:
        """Whether it is not live and may become so together with what calls it."""
        return (
            not self.is_live
            and self.promotion is not None
            and self.promotion.status == Status.APPROVED
        )

    @property
    def sentence(self) -> str:
        if self.is_live:
            return f"{self.version} is live."
        if self.goes_along:
            return f"{self.version} is approved ({self.promotion}) and goes along."
        instead = f"version {self.instead.number} is" if self.instead else "nothing of it is"
        if self.promotion is not None:
            return f"{self.version} waits for {self.promotion}; {instead} live."
        return f"{self.version} is neither live nor approved; {instead} live."


def parts(
    version: ModelVersion, environment: Environment, *, for_update: bool = False
) -> list[Part]:
    """Everything the version calls, itself or through another, by the model's name."""
    called = registry.called_by(version)
    if not called:
        return []
    live = registry.standing(environment.alias, {it.model_id for it in called})
    requests = PromotionRequest.objects.filter(
        version__in=called,
        environment=environment,
        status__in=[Status.OPEN, Status.APPROVED],
        valid_until__gt=timezone.now(),
    ).order_by("pk")
    if for_update:
        # Nobody takes an approval back while it is being carried out.
        requests = requests.select_for_update(of=("self",))
    by_version: dict[int, PromotionRequest] = {}
    for promotion in requests:
        present = by_version.get(promotion.version_id)
        if present is None or present.status != Status.APPROVED:
            by_version[promotion.version_id] = promotion
    found = [
        Part(
            version=it,
            is_live=live.get(it.model_id) == it,
            instead=live.get(it.model_id),
            promotion=by_version.get(it.pk),
        )
        for it in called
    ]
    return sorted(found, key=lambda it: it.version.model.name)


def going_along(version: ModelVersion, *, alias: str) -> list[ModelVersion]:
    """What moves with the version, in the caller's transaction; their approvals are locked."""
    environment = Environment.objects.filter(workspace=version.workspace_id, alias=alias).first()
    if environment is None:
        return []
    return [it.version for it in parts(version, environment, for_update=True) if it.goes_along]


def came_along(rollout: Rollout) -> dict[int, ModelVersion | None]:
    """Where what went along with a rollout stood before, by the model's primary key."""
    return companions.stood(rollout)


def why_not(version: ModelVersion, environment: Environment) -> str | None:
    """Why the version cannot go there now, with all that goes along; None when it can."""
    along = going_along(version, alias=environment.alias)
    return registry.why_not_stand(
        workspace=environment.workspace,
        alias=environment.alias,
        moves={**{it.model_id: it for it in along}, version.model_id: version},
    )


def why_not_alone(version: ModelVersion, environment: Environment) -> str:
    """Which live version depends on what this one would replace; empty when none does."""
    for parent, part in registry.dependants(
        workspace=environment.workspace,
        alias=environment.alias,
        moves={version.model_id: version},
    ):
        return (
            f"{parent} is live in {environment.name} and depends on exactly {part}, so {version} "
            f"goes along with a version of {parent.model.name} that calls it."
        )
    return ""


def gates(kind: type[Row], version: ModelVersion, environment: Environment) -> list[Row]:
    """The built-in conditions as rows: every component live or going along, nobody left behind."""
    rows = []
    called = parts(version, environment)
    if called:
        rows.append(_called(kind, called, environment))
    along = {it.version.model_id: it.version for it in called if it.goes_along}
    moves: Mapping[int, ModelVersion | None] = {**along, version.model_id: version}
    left = registry.dependants(
        workspace=environment.workspace, alias=environment.alias, moves=moves
    )
    for parent, part in left:
        is_own = part.model_id == version.model_id
        # Its own place may be left together with the parent, by the parent's request; what goes
        # along with this one has no such way.
        rows.append(
            kind(
                name=f"depended on by {parent}"[:300],
                title=f"{parent} depends on {part}"[:300],
                metric="components",
                state=Gate.State.FAILS,
                severity=Gate.Severity.WARN if is_own else Gate.Severity.BLOCK,
                explanation=(
                    f"{parent} is live in {environment.name} and depends on exactly {part}."
                ),
                remedy=(
                    f"Promote a version of {parent.model.name} that calls {version}: they go "
                    "together."
                    if is_own
                    else f"Promote a version of {parent.model.name} that does not, first."
                ),
            )
        )
    return rows


def _called(kind: type[Row], called: list[Part], environment: Environment) -> Row:
    missing = [it for it in called if not it.is_live and not it.goes_along]
    state = Gate.State.PASSES
    if missing:
        waits = all(it.promotion is not None for it in missing)
        state = Gate.State.WAITING if waits else Gate.State.FAILS
    names = ", ".join(str(it.version) for it in missing if it.promotion is None)
    return kind(
        name=f"components live or approved in {environment.name}"[:300],
        title="Everything it calls is live, or goes along",
        metric="components",
        state=state,
        severity=Gate.Severity.BLOCK,
        explanation=" ".join(it.sentence for it in called)[:5000],
        remedy=f"Ask to promote {names} to {environment.name}." if names else "",
    )
