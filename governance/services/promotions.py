"""Promotion requests: open one, look at its gates again, withdraw it, let it lapse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.roles import Capability, Role
from audit.actions import Action
from audit.actor import Actor
from audit.services import record as audit
from common.commit import after_commit
from common.errors import AlreadyExists, Blocked, Conflict, InvalidTransition, NotAllowed
from evaluation.models import Evidence
from governance import content as contents
from governance import facts
from governance.authors import Author, authors_of
from governance.models import GateResult, PromotionRequest, RequestAuthor, Signature
from governance.services import asking, gate_rows, notices, numbers, policies
from governance.signals import promotion_closed
from registry import selectors as registry
from registry.models import ModelVersion
from registry.models.model_version import Status as RegistrationStatus

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import Environment

MAX_COMMENT = 5_000
Status = PromotionRequest.Status


@transaction.atomic
def open_request(
    *, caller: Caller, version: ModelVersion, environment: Environment, comment: str = ""
) -> PromotionRequest:
    """Ask for a version to be put into an environment, under the policy for its tier and kind.

    The newest revision of that policy is frozen, everybody who shaped the version becomes an
    author, evidence that is missing is asked for, and the gates are evaluated.

    Raises: NoPolicy, AlreadyExists (one is open for this model there), Conflict, NotAllowed.
    """
    caller.insist(Capability.REQUEST_OPEN)
    if caller.user is None:
        raise NotAllowed("A request is opened by a person, or for one who answers for it.")
    model = version.model
    if model.workspace_id != caller.workspace.pk or environment.workspace_id != model.workspace_id:
        raise NotAllowed("The version and the environment belong to another workspace.")
    if model.retired_at is not None:
        raise Conflict(f"{model.name} is retired.", code="model_retired")
    _insist_usable(version)
    live = registry.live_version(model, environment.name)
    if live is not None and live.pk == version.pk:
        raise Conflict(
            f"Version {version.number} is live in {environment.name} already.", code="already_live"
        )
    number = numbers.take(caller.workspace, "request")
    revision = policies.find(model, environment)
    authors = authors_of(workspace=caller.workspace, version=version, requested_by=caller.user)
    promotion = PromotionRequest(
        workspace=caller.workspace,
        number=number,
        model=model,
        version=version,
        environment=environment,
        live_version=live,
        policy_revision=revision,
        release_digest=version.release_digest,
        plan=revision.body["plan"],
        comment=comment.strip()[:MAX_COMMENT],
        requested_by=caller.user,
        requested_through=caller.service_account,
        valid_until=timezone.now() + timedelta(seconds=revision.body["valid_for_s"]),
    )
    subject = _subject(promotion, live)
    gathered = facts.gather(subject)
    keys = {author.key for author in authors}
    promotion.content = _content(promotion, gathered, keys)
    promotion.digest = contents.digest(promotion.content)
    try:
        with transaction.atomic():
            promotion.save(force_insert=True)
    except IntegrityError as error:
        if "promotion_one_open_per_environment" not in str(error):
            raise
        other = PromotionRequest.objects.open().filter(model=model, environment=environment).first()
        raise AlreadyExists(
            f"{other or 'A request'} is open for {model.name} and {environment.name}: "
            "decide or withdraw it first.",
            code="request_open",
            request=str(other.uid) if other else "",
        ) from None
    promotion.refresh_from_db(fields=["opened_at"])
    audit.record(
        Action.REQUEST_OPENED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="promotion_request",
        object_id=str(promotion.uid),
        object_name=f"{promotion} {promotion.title}",
        object_digest=promotion.digest,
        after={
            "number": number,
            "model": model.name,
            "version": version.number,
            "environment": environment.name,
            "release_digest": version.release_digest,
            "policy": revision.policy.name,
            "policy_revision": revision.number,
            "policy_digest": revision.digest,
            "replaces": live.number if live else None,
        },
        pii={"comment": promotion.comment},
    )
    _ask_missing(promotion, subject, gathered)
    _evaluate(promotion, actor=caller.actor)
    return promotion


@transaction.atomic
def refresh_gates(
    promotion: PromotionRequest, *, caller: Caller | None = None, ask: bool = False
) -> PromotionRequest:
    """Evaluate the gates again from what is there now; with ``ask``, ask for what is missing first.

    When that changes what is signed, the digest changes, a new round begins, and signatures of
    the round before are void. A request that is no longer open stays as it was decided.
    """
    promotion = lock(promotion)
    if not promotion.is_open:
        return promotion
    actor = caller.actor if caller is not None else _system(promotion)
    if ask:
        live = registry.live_version(promotion.model, promotion.environment.name)
        subject = _subject(promotion, live)
        _ask_missing(promotion, subject, facts.gather(subject))
    _evaluate(promotion, actor=actor)
    return promotion


@transaction.atomic
def withdraw(*, caller: Caller, promotion: PromotionRequest, reason: str) -> PromotionRequest:
    """Take a request back, open or approved; a rollout under way stops at its next question.

    Raises: NotAllowed (neither requester nor owner nor administrator), InvalidTransition.
    """
    caller.insist(Capability.REQUEST_OPEN)
    promotion = lock(promotion)
    mine = caller.user is not None and caller.user.pk in {
        promotion.requested_by_id,
        promotion.model.owner_id,
    }
    if not (mine or Role.ADMINISTRATOR in caller.roles or caller.is_system):
        raise NotAllowed(
            "Only who asked, the model's owner or an administrator may withdraw a request.",
            code="not_yours",
        )
    if promotion.status not in {Status.OPEN, Status.APPROVED}:
        raise InvalidTransition(f"{promotion} is {promotion.get_status_display().lower()}.")
    close(promotion, Status.WITHDRAWN, reason)
    _record_closing(promotion, Action.REQUEST_WITHDRAWN, caller.actor, reason)
    return promotion


def refresh_stale() -> int:
    """Look again where a gate waits for evidence that has ended; returns how many requests.

    The fact is announced once, and a crash at that very moment loses it. Called by beat.
    """
    ended = [Evidence.State.COMPLETE, Evidence.State.FAILED, Evidence.State.CANCELLED]
    stale = PromotionRequest.objects.open().filter(
        gates__state=GateResult.State.WAITING, gates__evidence__state__in=ended
    )
    rows = list(stale.distinct().order_by("pk")[:100])
    for promotion in rows:
        refresh_gates(promotion)
    return len(rows)


def expire_due() -> int:
    """Let lapse what is past its validity; returns how many. Called every minute by beat."""
    due = PromotionRequest.objects.filter(
        status__in=[Status.OPEN, Status.APPROVED], valid_until__lte=timezone.now()
    ).values_list("pk", flat=True)
    expired = 0
    for pk in list(due[:500]):
        expired += _expire(pk)
    return expired


@transaction.atomic
def _expire(pk: int) -> int:
    promotion = lock(pk)
    is_due = promotion.is_lapsed(timezone.now())
    if promotion.status not in {Status.OPEN, Status.APPROVED} or not is_due:
        return 0
    reason = "Its validity ended."
    close(promotion, Status.EXPIRED, reason)
    _record_closing(promotion, Action.REQUEST_EXPIRED, _system(promotion), reason)
    notices.tell_outcome(promotion)
    return 1


@transaction.atomic
def invalidate(promotion: PromotionRequest, *, reason: str, actor: Actor) -> PromotionRequest:
    """End a request whose ground is gone, such as an approval that another version overtook."""
    promotion = lock(promotion)
    if promotion.status in {Status.OPEN, Status.APPROVED}:
        _invalidate(promotion, reason, actor)
    return promotion


def lock(promotion: PromotionRequest | int) -> PromotionRequest:
    """The request's row, fresh, locked until the transaction ends."""
    pk = promotion if isinstance(promotion, int) else promotion.pk
    return (
        PromotionRequest.objects.select_for_update(of=("self",))
        .select_related(
            "workspace",
            "model__workspace",
            "model__owner",
            "version__model",
            "environment",
            "policy_revision__policy",
            "requested_by",
            "requested_through",
            "live_version",
        )
        .get(pk=pk)
    )


def close(promotion: PromotionRequest, status: str, reason: str = "") -> None:
    """Write a new status and when and why; the caller holds the lock and records the event."""
    promotion.status = status
    promotion.closed_at = timezone.now()
    promotion.closed_reason = reason.strip()[:MAX_COMMENT]
    promotion.save(update_fields=["status", "closed_at", "closed_reason", "valid_until"])
    after_commit(promotion_closed.send, PromotionRequest, promotion=promotion)


def present_content(promotion: PromotionRequest) -> tuple[str, facts.Gathered]:
    """What would be signed now, computed afresh, and the facts behind it."""
    live = registry.live_version(promotion.model, promotion.environment.name)
    gathered = facts.gather(_subject(promotion, live))
    _, keys = _authors(promotion)
    return _content(promotion, gathered, keys), gathered


def _ask_missing(
    promotion: PromotionRequest, subject: facts.Subject, gathered: facts.Gathered
) -> None:
    promotion.refusals = asking.ask_missing(subject, gathered).refusals
    promotion.save(update_fields=["refusals"])


def _insist_usable(version: ModelVersion) -> None:
    # Read afresh: the version in the caller's hands may be from before its gates have spoken.
    state = ModelVersion.objects.only("status", "status_message", "deleted_at").get(pk=version.pk)
    if state.deleted_at is not None:
        raise Conflict(f"{version} is deleted.", code="version_deleted")
    if state.status == RegistrationStatus.FAILED:
        raise Blocked(
            f"{version} was refused at registration. {state.status_message}".strip(),
            code="registration_failed",
        )


def _system(promotion: PromotionRequest) -> Actor:
    return Actor.system("governance", workspace=promotion.workspace.slug)


def _subject(promotion: PromotionRequest, live: ModelVersion | None) -> facts.Subject:
    return facts.Subject(
        version=promotion.version,
        environment=promotion.environment,
        live=live,
        body=promotion.policy_revision.body,
        refusals=promotion.refusals,
    )


def _content(promotion: PromotionRequest, gathered: facts.Gathered, author_keys: set[str]) -> str:
    revision = promotion.policy_revision
    return contents.content(
        release_digest=promotion.release_digest,
        environment=promotion.environment.name,
        policy_digest=revision.digest,
        evidence_digests=[item.digest for item in gathered.evidence.values() if item.digest],
        plan=promotion.plan,
        authors=author_keys,
        meanings=revision.body["meanings"],
        card_digest=gathered.card_digest,
    )


def _authors(promotion: PromotionRequest) -> tuple[list[Author], set[str]]:
    """Authors as they are known now, and the keys of these and of all there ever were."""
    now = authors_of(
        workspace=promotion.workspace,
        version=promotion.version,
        requested_by=promotion.requested_by,
    )
    known = {(author.how, author.identity): author.key for author in now}
    for row in RequestAuthor.objects.filter(promotion=promotion).select_related("user"):
        # Once an author, always an author: a later editor of the card does not clear the first.
        if (row.how, row.identity) not in known:
            known[(row.how, row.identity)] = Author(row.how, row.identity, row.user).key
    return now, set(known.values())


def _evaluate(promotion: PromotionRequest, *, actor: Actor) -> None:
    """Gates, authors, digest and round from the present facts; the caller holds the lock."""
    live = registry.live_version(promotion.model, promotion.environment.name)
    if live is not None and live.pk == promotion.version_id:
        _invalidate(promotion, f"Version {live.number} went live by another way.", actor)
        return
    gathered = facts.gather(_subject(promotion, live))
    authors, keys = _authors(promotion)
    text = _content(promotion, gathered, keys)
    void: list[Signature] = []
    has_changed = text != promotion.content
    if has_changed:
        void = list(
            Signature.objects.filter(promotion=promotion, round=promotion.round).select_related(
                "user"
            )
        )
        promotion.content = text
        promotion.digest = contents.digest(text)
        promotion.round += 1
    promotion.live_version = live
    # The new round comes first: the database refuses an author who has signed the present one.
    promotion.save(update_fields=["content", "digest", "round", "live_version"])
    _sync_authors(promotion, authors)
    before = gate_rows.states(GateResult.objects.filter(promotion=promotion).order_by("position"))
    gates = gate_rows.write(promotion, gathered)
    is_signable = not any(gate.blocks for gate in gates)
    began = is_signable and (promotion.signable_since is None or has_changed)
    if began or not is_signable:
        promotion.signable_since = timezone.now() if is_signable else None
        promotion.save(update_fields=["signable_since"])
    states = gate_rows.states(gates)
    if has_changed or before != states:
        audit.record(
            Action.REQUEST_GATES_EVALUATED,
            actor=actor,
            workspace=promotion.workspace.slug,
            object_type="promotion_request",
            object_id=str(promotion.uid),
            object_name=f"{promotion} {promotion.title}",
            object_digest=promotion.digest,
            details={
                "round": promotion.round,
                "gates": states,
                "content": text,
                "void_signatures": [str(item.uid) for item in void],
            },
        )
    notices.tell_void(promotion, void)
    if began:
        notices.ask_for_signatures(promotion)


def _sync_authors(promotion: PromotionRequest, authors: Sequence[Author]) -> None:
    stored = {
        (row.how, row.identity): row for row in RequestAuthor.objects.filter(promotion=promotion)
    }
    for author in authors:
        row = stored.get((author.how, author.identity))
        if row is None:
            RequestAuthor.objects.create(
                promotion=promotion, how=author.how, identity=author.identity, user=author.user
            )
        elif row.user_id is None and author.user is not None:
            row.user = author.user
            row.save(update_fields=["user"])


def _invalidate(promotion: PromotionRequest, reason: str, actor: Actor) -> None:
    close(promotion, Status.INVALIDATED, reason)
    _record_closing(promotion, Action.REQUEST_INVALIDATED, actor, reason)
    notices.tell_outcome(promotion)


def _record_closing(promotion: PromotionRequest, action: Action, actor: Actor, reason: str) -> None:
    audit.record(
        action,
        actor=actor,
        workspace=promotion.workspace.slug,
        object_type="promotion_request",
        object_id=str(promotion.uid),
        object_name=f"{promotion} {promotion.title}",
        object_digest=promotion.digest,
        after={"status": promotion.status},
        pii={"reason": reason.strip()},
    )
