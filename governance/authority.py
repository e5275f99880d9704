"""Governance's answers to the questions from below: may this alias move, may this be rolled out?"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from audit.actions import Action
from audit.actor import Actor
from audit.models import Event
from common.errors import DomainError
from delivery.models import Rollout
from delivery.ports import Standing
from governance import components
from governance.models import PromotionRequest
from governance.services import notices, promotions
from registry.models import Environment
from registry.ports import RequestRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.callers import Caller
    from registry.models import ModelVersion, RegisteredModel

logger = logging.getLogger(__name__)

Status = PromotionRequest.Status


class ApprovalAuthority:
    """``delivery.ports.Authority``: an approval as delivery sees it, by ``promotion:<uid>``."""

    def why_not(self, *, reference: str, release_digest: str, environment: str) -> str | None:
        promotion = _promotion(reference, for_update=True)
        if promotion is None:
            return f"“{reference[:80]}” names no promotion request."
        if promotion.environment.name != environment:
            return f"{promotion} is about {promotion.environment.name}, not {environment}."
        return _why_not_valid(promotion, release_digest) or components.why_not(
            promotion.version, promotion.environment
        )

    def approval_events(self, reference: str) -> list[int]:
        promotion = _promotion(reference)
        if promotion is None:
            return []
        return list(
            Event.objects.filter(
                object_type="promotion_request",
                object_id=str(promotion.uid),
                action__in=[Action.REQUEST_OPENED, Action.REQUEST_SIGNED, Action.REQUEST_APPROVED],
            )
            .order_by("pk")
            .values_list("pk", flat=True)
        )

    def conclude(self, *, reference: str, outcome: str, rollout: Rollout) -> None:
        """The approval is used up when the rollout succeeded or came back; one that failed before
        any traffic moved leaves it as it is."""
        found = _promotion(reference)
        if found is None:
            return
        promotion = promotions.lock(found)
        if outcome == "succeeded" and promotion.status == Status.APPROVED:
            promotions.close(promotion, Status.CARRIED_OUT, f"Rollout {rollout.uid} succeeded.")
            _invalidate_overtaken(promotion)
            _conclude_along(rollout, promotion, Status.CARRIED_OUT)
        elif outcome == "rolled_back" and promotion.status in {
            Status.APPROVED,
            Status.CARRIED_OUT,
        }:
            promotions.close(promotion, Status.ROLLED_BACK, rollout.reason or "It was rolled back.")
            _conclude_along(rollout, promotion, Status.ROLLED_BACK)
        else:
            return
        notices.tell_outcome(promotion)

    def standing(self, reference: str) -> Standing | None:
        """The request's name, page and validity."""
        promotion = _promotion(reference)
        if promotion is None:
            return None
        path = f"/w/{promotion.workspace.slug}/requests/{promotion.number}/"
        return Standing(str(promotion), f"{settings.BASE_URL}{path}", promotion.valid_until)


class ApprovalAliasGuard:
    """``registry.ports.AliasGuard``: what is live moves only by an approval or its rollout."""

    def why_not_move(
        self,
        *,
        model: RegisteredModel,
        name: str,
        version: ModelVersion | None,
        reference: str,
        caller: Caller,
    ) -> str | None:
        kind, _, uid = reference.partition(":")
        if kind == "promotion":
            return self._by_promotion(reference, model, name, version)
        if kind in {"rollout", "rollback"}:
            return self._by_rollout(kind, uid, model, name, version)
        return "There is no approval for this move."

    def request_for(
        self, *, caller: Caller, model: RegisteredModel, name: str, version: ModelVersion
    ) -> RequestRef | None:
        """The request that would let this alias move: one that is there, or one opened as the
        caller. None where nobody could ask: no environment has this alias, no policy is for it,
        another version is asked for, or the caller may not ask."""
        environment = Environment.objects.filter(workspace=model.workspace_id, alias=name).first()
        if environment is None:
            return None
        promotion = _asked(version, environment)
        if promotion is None:
            try:
                promotion = promotions.open_request(
                    caller=caller, version=version, environment=environment
                )
            except DomainError as error:
                logger.info("no request was opened for %s and @%s: %s", version, name, error.code)
                # Somebody else may have asked for the very same a moment ago.
                promotion = _asked(version, environment)
        if promotion is None:
            return None
        return RequestRef(str(promotion), notices.url_of(promotion), str(promotion.status))

    def goes_along(
        self, *, model: RegisteredModel, name: str, version: ModelVersion | None, reference: str
    ) -> Mapping[int, ModelVersion | None]:
        """The components that are approved for the place and not live there; on the way back,
        what went along by the same rollout."""
        kind, _, uid = reference.partition(":")
        if kind == "rollback":
            rollout = _rollout(uid)
            return {} if rollout is None else components.came_along(rollout)
        if version is None:
            return {}
        return {it.model_id: it for it in components.going_along(version, alias=name)}

    def _by_promotion(
        self, reference: str, model: RegisteredModel, name: str, version: ModelVersion | None
    ) -> str | None:
        promotion = _promotion(reference, for_update=True)
        if promotion is None:
            return "There is no such promotion request."
        if version is None or promotion.version_id != version.pk or promotion.model_id != model.pk:
            return f"{promotion} approves another version."
        if promotion.environment.alias != name:
            return f"{promotion} is about {promotion.environment.name}."
        if promotion.status != Status.APPROVED:
            # An approval is good for one way there; its rollout has used it.
            return f"{promotion} is {promotion.get_status_display().lower()}."
        return _why_not_valid(promotion, version.release_digest)

    def _by_rollout(
        self, kind: str, uid: str, model: RegisteredModel, name: str, version: ModelVersion | None
    ) -> str | None:
        rollout = _rollout(uid)
        if rollout is None or rollout.route.model_id != model.pk:
            return "There is no such rollout of this model."
        if rollout.route.environment.alias != name:
            return f"That rollout is about {rollout.route.environment.name}."
        if kind == "rollback":
            # The way back needs no new approval: it leads to what was live and approved before.
            if rollout.state != Rollout.State.ROLLING_BACK:
                return "That rollout is not rolling back."
            if version is None or version.pk != rollout.from_version_id:
                return "A rollback leads to the version that was live before."
            return None
        if rollout.state != Rollout.State.RUNNING:
            return f"That rollout is {rollout.get_state_display().lower()}."
        if version is None or version.pk != rollout.to_version_id:
            return "That rollout carries another version."
        promotion = _promotion(rollout.reference, for_update=True)
        if promotion is None or promotion.environment_id != rollout.route.environment_id:
            return "No approval stands behind that rollout."
        if promotion.version_id != version.pk:
            return f"{promotion} approves another version."
        return _why_not_valid(promotion, version.release_digest)


def _why_not_valid(promotion: PromotionRequest, release_digest: str) -> str | None:
    if promotion.status not in {Status.APPROVED, Status.CARRIED_OUT}:
        return f"{promotion} is {promotion.get_status_display().lower()}."
    if promotion.is_lapsed(timezone.now()):
        return f"The approval of {promotion} has ended."
    if promotion.release_digest != release_digest:
        return f"{promotion} was signed for another release."
    return None


def _asked(version: ModelVersion, environment: Environment) -> PromotionRequest | None:
    """The open request for exactly this version there, else an approval that still stands."""
    rows = PromotionRequest.objects.filter(
        version=version,
        environment=environment,
        status__in=[Status.OPEN, Status.APPROVED],
        valid_until__gt=timezone.now(),
    ).select_related("workspace")
    found = {str(row.status): row for row in rows.order_by("pk")}
    return found.get(Status.OPEN) or found.get(Status.APPROVED)


def _promotion(reference: str, *, for_update: bool = False) -> PromotionRequest | None:
    kind, _, uid = reference.partition(":")
    try:
        wanted = UUID(uid)
    except ValueError:
        return None
    if kind != "promotion":
        return None
    rows = PromotionRequest.objects.select_related("environment", "workspace", "model", "version")
    if for_update:
        rows = rows.select_for_update(of=("self",))
    return rows.filter(uid=wanted).first()


def _rollout(uid: str) -> Rollout | None:
    try:
        wanted = UUID(uid)
    except ValueError:
        return None
    return (
        Rollout.objects.select_related("route__environment", "route__model")
        .filter(uid=wanted)
        .first()
    )


def _conclude_along(rollout: Rollout, parent: PromotionRequest, status: str) -> None:
    """The approvals of the components that went along are used up, or taken back, with it."""
    standing = (
        [Status.APPROVED] if status == Status.CARRIED_OUT else [Status.APPROVED, Status.CARRIED_OUT]
    )
    went = [entry["to"] for entry in rollout.workings.get("along", [])]
    for found in PromotionRequest.objects.filter(
        version__in=went, environment=parent.environment_id, status__in=standing
    ).order_by("pk"):
        promotion = promotions.lock(found)
        verb = "Went along" if status == Status.CARRIED_OUT else "Came back"
        promotions.close(promotion, status, f"{verb} with {parent} by rollout {rollout.uid}.")
        if status == Status.CARRIED_OUT:
            _invalidate_overtaken(promotion)
        notices.tell_outcome(promotion)


def _invalidate_overtaken(promotion: PromotionRequest) -> None:
    """Other approvals for the same place were signed against what is no longer live."""
    others = PromotionRequest.objects.filter(
        model=promotion.model_id, environment=promotion.environment_id, status=Status.APPROVED
    ).exclude(pk=promotion.pk)
    for other in others:
        promotions.invalidate(
            other,
            reason=f"{promotion} went live after this was signed.",
            actor=Actor.system("governance", workspace=promotion.workspace.slug),
        )
