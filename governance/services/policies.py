"""Policies: write one, revise it, and find the one that applies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.canonical import digest_of
from common.errors import AlreadyExists, Blocked, Conflict, Invalid
from governance.gates import policy_text
from governance.models import Policy, PolicyRevision
from governance.selectors import current_revisions
from governance.services import numbers
from registry import selectors as registry

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import Environment, RegisteredModel


class NoPolicy(Blocked):
    """Nothing says what would have to be true: so nothing may be promoted."""

    code = "no_policy"
    title = "No policy applies"


@transaction.atomic
def create(*, caller: Caller, source: str) -> Policy:
    """Write a policy; ``source`` is its text in YAML or JSON.

    Raises: Invalid (every problem with its line), AlreadyExists (the name, or another policy for
        the same tier, environment and kind), NotFound (the environment), NotAllowed.
    """
    caller.insist(Capability.POLICY_EDIT)
    body = parse(source)
    numbers.lock(caller.workspace)
    registry.get_environment(caller.workspace, body["for"]["environment"])
    _insist_alone(caller, body, besides=None)
    policy = Policy(workspace=caller.workspace, name=body["policy"])
    try:
        with transaction.atomic():
            policy.save(force_insert=True)
    except IntegrityError as error:
        if "policy_name_once" not in str(error):
            raise
        reason = f"There is a policy named “{policy.name}” already: revise that one."
        raise AlreadyExists(reason, fields={"source": [reason]}) from None
    _add_revision(caller, policy, source, body, Action.POLICY_CREATED)
    return policy


@transaction.atomic
def revise(
    *, caller: Caller, policy: Policy, source: str, seen_revision: int | None = None
) -> PolicyRevision:
    """Give a policy its next revision; requests that are open keep the one they were opened under.

    ``seen_revision`` is the one that was on the editor's screen; another one now is a Conflict.

    Raises: Invalid, Conflict, AlreadyExists, NotFound, NotAllowed.
    """
    caller.insist(Capability.POLICY_EDIT)
    body = parse(source)
    numbers.lock(caller.workspace)
    policy = Policy.objects.select_for_update().get(pk=policy.pk, workspace=caller.workspace)
    registry.get_environment(caller.workspace, body["for"]["environment"])
    latest = policy.revisions.order_by("-number").first()
    if seen_revision is not None and latest is not None and latest.number != seen_revision:
        raise Conflict(
            f"Revision {latest.number} was written meanwhile, on top of your {seen_revision}.",
            code="revision_changed",
            current=latest.number,
        )
    if body["policy"] != policy.name:
        reason = f"The name stays “{policy.name}”."
        raise Invalid(reason, fields={"source": [reason]})
    if latest is not None and latest.digest == digest_of(body):
        raise Conflict(f"Revision {latest.number} says exactly this.", code="unchanged")
    _insist_alone(caller, body, besides=policy)
    return _add_revision(caller, policy, source, body, Action.POLICY_REVISED)


def parse(source: str) -> dict[str, Any]:
    """The body of a policy text. Raises: Invalid with every problem under the field ``source``."""
    try:
        return policy_text.parse(source)
    except policy_text.PolicyError as error:
        problems = [str(problem) for problem in error.problems][:50]
        raise Invalid(
            f"The policy cannot be read: {len(error.problems)} to put right.",
            code="invalid_policy",
            fields={"source": problems},
        ) from None


def find(model: RegisteredModel, environment: Environment) -> PolicyRevision:
    """The newest revision of the one policy for this model's tier and kind in that environment.

    Raises: NoPolicy.
    """
    fitting = [
        revision
        for revision in current_revisions(model.workspace)
        if revision.environment == environment.name
        and model.tier in revision.tiers
        and (not revision.kinds or model.kind in revision.kinds)
    ]
    if not fitting:
        raise NoPolicy(
            f"No policy is for tier {model.tier}, {environment.name} and the kind "
            f"“{model.kind}”: without one nothing can be promoted."
        )
    if len(fitting) > 1:
        names = " and ".join(f"“{revision.policy.name}”" for revision in fitting)
        raise NoPolicy(f"More than one policy is for this: {names}.", code="ambiguous_policy")
    return fitting[0]


def _insist_alone(caller: Caller, body: dict[str, Any], besides: Policy | None) -> None:
    scope = body["for"]
    for other in current_revisions(caller.workspace):
        if besides is not None and other.policy_id == besides.pk:
            continue
        kinds_meet = not scope["kinds"] or not other.kinds or set(scope["kinds"]) & set(other.kinds)
        if (
            other.environment == scope["environment"]
            and set(other.tiers) & set(scope["tiers"])
            and kinds_meet
        ):
            reason = (
                f"The policy “{other.policy.name}” is for this tier, environment and kind already."
            )
            raise AlreadyExists(reason, code="policy_overlaps", fields={"source": [reason]})


def _add_revision(
    caller: Caller, policy: Policy, source: str, body: dict[str, Any], action: Action
) -> PolicyRevision:
    revision = PolicyRevision.objects.create(
        policy=policy,
        number=policy.next_revision,
        source=source,
        body=body,
        digest=digest_of(body),
        tiers=body["for"]["tiers"],
        environment=body["for"]["environment"],
        kinds=body["for"]["kinds"],
        created_by_pid=caller.actor.pid,
        created_by_label=caller.label[:200],
    )
    policy.next_revision += 1
    policy.save(update_fields=["next_revision"])
    audit.record(
        action,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="policy",
        object_id=str(policy.uid),
        object_name=policy.name,
        object_digest=revision.digest,
        after={
            "revision": revision.number,
            "for": body["for"],
            "gates": [f"{gate['check']} ({gate['severity']})" for gate in body["gates"]],
            "approvals": [f"{item['count']} {item['role']}" for item in body["approvals"]],
            "valid_for_s": body["valid_for_s"],
        },
    )
    return revision
