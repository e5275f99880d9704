"""Reads of governance, shaped for pages, the API and the apps' own questions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from accounts.models import Membership, User
from accounts.roles import Role
from common.errors import NotFound
from governance.models import (
    CheckGate,
    Finding,
    GateResult,
    Policy,
    PolicyRevision,
    PromotionRequest,
    RegistrationCheck,
    RequestAuthor,
    Signature,
)

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Workspace
    from governance.models.promotion_request import PromotionRequestQuerySet
    from registry.models import ModelVersion


@dataclass(frozen=True, slots=True)
class Slot:
    """One approval that the policy asks for: who gave it, who still may.

    Attributes:
        needed: how many people.
        signed: signatures that count, in this round.
        candidates: people with the role who are no authors and have not signed this round.
    """

    role: str
    label: str
    needed: int
    signed: tuple[Signature, ...]
    candidates: tuple[User, ...]

    @property
    def missing(self) -> int:
        return max(0, self.needed - len(self.signed))


def promotions(workspace: Workspace) -> PromotionRequestQuerySet:
    """The workspace's requests with what a list shows, the newest first."""
    return PromotionRequest.objects.filter(workspace=workspace).with_context()


def get_promotion(workspace: Workspace, *, number: int) -> PromotionRequest:
    """Request ``number``. Raises: NotFound."""
    found = promotions(workspace).filter(number=number).first() if number < 2**31 else None
    if found is None:
        raise NotFound(f"There is no request {str(number)[:20]} here.")
    return found


def get_promotion_by_uid(workspace: Workspace, uid: UUID) -> PromotionRequest:
    """The request of that id. Raises: NotFound."""
    found = promotions(workspace).filter(uid=uid).first()
    if found is None:
        raise NotFound("There is no such request here.")
    return found


def current_revisions(workspace: Workspace) -> list[PolicyRevision]:
    """The newest revision of every policy that is not retired, by name; one query."""
    return sorted(
        PolicyRevision.objects.filter(policy__workspace=workspace, policy__retired_at__isnull=True)
        .select_related("policy")
        .order_by("policy_id", "-number")
        .distinct("policy_id"),
        key=lambda revision: revision.policy.name,
    )


def get_policy(workspace: Workspace, name: str) -> Policy:
    """The policy of that name. Raises: NotFound."""
    found = (
        Policy.objects.filter(workspace=workspace, name=name).first()
        if ("\x00" not in name)
        else None
    )
    if found is None:
        raise NotFound(f"There is no policy “{name[:100]}” here.")
    return found


def findings(workspace: Workspace) -> QuerySet[Finding]:
    """The workspace's findings: open ones first, the soonest due first."""
    return (
        Finding.objects.filter(workspace=workspace)
        .select_related("owner", "model", "version__model", "promotion", "closed_by")
        .order_by("-state", "due_on", "pk")
    )


def get_finding(workspace: Workspace, number: int) -> Finding:
    """Finding ``number``. Raises: NotFound."""
    found = findings(workspace).filter(number=number).first() if number < 2**31 else None
    if found is None:
        raise NotFound(f"There is no finding {str(number)[:20]} here.")
    return found


def slots(promotions: Iterable[PromotionRequest]) -> dict[int, list[Slot]]:
    """For each request (by pk) its approvals and who can still give them; three queries in all."""
    rows = list(promotions)
    ids = [row.pk for row in rows]
    signed: dict[int, list[Signature]] = {}
    signatures = Signature.objects.filter(promotion__in=ids).select_related("user").order_by("pk")
    for signature in signatures:
        signed.setdefault(signature.promotion_id, []).append(signature)
    authors: dict[int, set[int]] = {}
    for promotion_id, user_id in RequestAuthor.objects.filter(
        promotion__in=ids, user__isnull=False
    ).values_list("promotion_id", "user_id"):
        authors.setdefault(promotion_id, set()).add(user_id)
    people = _people_by_role(rows)
    return {
        row.pk: _slots_of(row, signed.get(row.pk, []), authors.get(row.pk, set()), people)
        for row in rows
    }


def _people_by_role(rows: Iterable[PromotionRequest]) -> dict[tuple[int, str], list[User]]:
    rows = list(rows)
    roles = {item["role"] for row in rows for item in row.policy_revision.body["approvals"]}
    people: dict[tuple[int, str], list[User]] = {}
    if not roles:
        return people
    members = (
        Membership.objects.filter(
            workspace__in={row.workspace_id for row in rows}, role__in=roles, user__is_active=True
        )
        .select_related("user")
        .order_by("user__name", "user__email")
    )
    for member in members:
        people.setdefault((member.workspace_id, member.role), []).append(member.user)
    return people


def _slots_of(
    row: PromotionRequest,
    signatures: list[Signature],
    authors: set[int],
    people: dict[tuple[int, str], list[User]],
) -> list[Slot]:
    here = [item for item in signatures if item.round == row.round]
    done = {item.user_id for item in here}
    found = []
    for item in row.policy_revision.body["approvals"]:
        role = item["role"]
        candidates = [
            user
            for user in people.get((row.workspace_id, role), [])
            if user.pk not in authors and user.pk not in done
        ]
        counted = [
            signature
            for signature in here
            if signature.role == role and signature.verdict == Signature.Verdict.APPROVE
        ]
        found.append(Slot(role, Role(role).label, item["count"], tuple(counted), tuple(candidates)))
    return found


def gates_of(promotion: PromotionRequest) -> list[GateResult]:
    """The request's gates in the policy's order, with their evidence."""
    return list(
        GateResult.objects.filter(promotion=promotion)
        .select_related("evidence__dataset", "evidence__job")
        .defer("evidence__result")
        .order_by("position")
    )


def check_of(version: ModelVersion) -> RegistrationCheck | None:
    """The version's registration check with its policy, if there is one."""
    return (
        RegistrationCheck.objects.filter(version=version)
        .select_related("version__model", "environment", "policy_revision__policy", "live_version")
        .first()
    )


def check_gates(check: RegistrationCheck) -> list[CheckGate]:
    """The check's gates in the policy's order, with their evidence."""
    return list(
        CheckGate.objects.filter(check_run=check)
        .select_related("evidence__dataset", "evidence__job")
        .defer("evidence__result")
        .order_by("position")
    )


def signatures_of(promotion: PromotionRequest) -> list[Signature]:
    """Every signature ever given, oldest first; those of an earlier round are void."""
    return list(Signature.objects.filter(promotion=promotion).select_related("user").order_by("pk"))
