"""The request's page: the order of design/request_page.html, and the signature."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from django.views.generic import View

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from audit import selectors as trail
from audit.actions import Action
from common.errors import DomainError, NotFound
from evaluation.models import Evidence
from governance import policies, rollout, selectors, story
from governance.api.requests import record_refusal
from governance.forms import MapAuthorForm, SignForm, WithdrawForm
from governance.models import PromotionRequest
from governance.services import signatures

Status = PromotionRequest.Status
MAX_EVENTS = 50
UNFINISHED = (Evidence.State.WAITING, Evidence.State.RUNNING)


class RequestDetailView(CallerMixin, View):
    """Everything an approver has to know, in the order in which they need it."""

    def get(self, request: HttpRequest, number: int) -> HttpResponse:
        return page(request, number)


@require_POST
@caller_required(Capability.REQUEST_SIGN)
def sign(request: Any, number: int) -> HttpResponse:
    """Sign, for or against. A refusal is recorded and stands beside the form."""
    caller: Caller = request.caller
    promotion = found(caller, number)
    slots = selectors.slots([promotion])[promotion.pk]
    form = SignForm(request.POST, choices=policies.choices(caller, promotion, slots))
    if not form.is_valid():
        return page(request, number, status=422, sign_form=form)
    data = form.cleaned_data
    service = signatures.approve if data["verdict"] == "approve" else signatures.reject
    try:
        promotion = service(
            caller=caller,
            promotion=promotion,
            digest=data["digest"],
            meaning=data["meaning"],
            password=data["password"],
            reason=data["reason"],
            role=data["role"],
            session_key=request.session.session_key or "",
        )
    except DomainError as error:
        record_refusal(request, promotion.uid, error)
        if error.code == "digest_changed":
            # What was chosen was chosen for other content: begin anew.
            return page(request, number, status=409, problem=error)
        return page(request, number, status=409, problem=error, sign_form=form)
    words = {
        Status.APPROVED: f"{promotion} is approved. {promotion.title} may go ahead.",
        Status.REJECTED: f"You rejected {promotion}; it is closed.",
    }
    messages.success(
        request, words.get(Status(promotion.status), "Your signature counts; others are missing.")
    )
    return redirect("governance:request-detail", number=number)


def found(caller: Caller, number: int) -> PromotionRequest:
    """The request of this workspace, or 404."""
    try:
        return selectors.get_promotion(caller.workspace, number=number)
    except NotFound as error:
        raise Http404(error.message) from error


def page(request: Any, number: int, *, status: int = 200, **extra: Any) -> HttpResponse:
    """The whole page, with a problem or a filled form where there is one."""
    promotion = found(request.caller, number)
    shown = context(request.caller, promotion)
    if shown["sign_form"] is None:
        # Whoever may not sign now gets no form back, whatever they sent.
        extra.pop("sign_form", None)
    return render(request, "governance/request_detail.html", {**shown, **extra}, status=status)


def context(caller: Caller, promotion: PromotionRequest) -> dict[str, Any]:
    """What the template shows; every question is answered here, none in the template."""
    gates = selectors.gates_of(promotion)
    slots = selectors.slots([promotion])[promotion.pk]
    why_not = policies.why_not_approve(caller, promotion, gates=gates, found=slots)
    told = story.tell(promotion, gates)
    carried = rollout.find(promotion) if promotion.status != Status.OPEN else None
    missing = sum(slot.missing for slot in slots)
    may_operate = caller.may(Capability.ROLLOUT_OPERATE)
    unmapped = list(promotion.authors.filter(user__isnull=True))
    return {
        "promotion": promotion,
        "story": told,
        "gates": gates,
        "slots": [_slot(slot, caller) for slot in slots],
        "waits_label": f"Waits for {missing} of {sum(s.needed for s in slots)} signatures",
        "can_ask": any(item.is_retryable for item in told.unknown),
        "void": [
            item for item in selectors.signatures_of(promotion) if item.round != promotion.round
        ],
        "given": [
            item for item in selectors.signatures_of(promotion) if item.round == promotion.round
        ],
        "blocking": [gate for gate in gates if gate.blocks],
        "why_not": why_not,
        "sign_form": (
            None
            if why_not is not None
            else SignForm(
                choices=policies.choices(caller, promotion, slots),
                initial={"digest": promotion.digest},
            )
        ),
        "consequence": _consequence(promotion, missing),
        "plan_words": plan_words(promotion),
        "live_since": _live_since(promotion),
        "rollout": carried,
        "not_started": (
            rollout.why_not_started(promotion)
            if promotion.status == Status.APPROVED and carried is None
            else ""
        ),
        "may_start": (
            promotion.status == Status.APPROVED
            and carried is None
            and bool(promotion.plan)
            and may_operate
        ),
        "may_ask": promotion.is_open and caller.may(Capability.EVIDENCE_RUN),
        "may_withdraw": (
            promotion.status in {Status.OPEN, Status.APPROVED}
            and caller.may(Capability.REQUEST_OPEN)
        ),
        "withdraw_form": WithdrawForm(),
        "unmapped": unmapped,
        "map_form": (
            MapAuthorForm(workspace=caller.workspace)
            if unmapped and promotion.is_open and caller.may(Capability.WORKSPACE_ADMIN)
            else None
        ),
        "events": happened(promotion),
        **running_context(promotion, told.running),
    }


def happened(promotion: PromotionRequest) -> list[dict[str, Any]]:
    """The request's history, the newest first; a signature with its meaning and its reason."""
    rows = trail.events(
        promotion.workspace, object_type="promotion_request", object_id=str(promotion.uid)
    ).order_by("-pk")[:MAX_EVENTS]
    return [
        {"at": line.event.at, "who": line.who, "what": _what(line)} for line in trail.lines(rows)
    ]


def _what(line: trail.Line) -> str:
    if line.event.action != Action.REQUEST_SIGNED:
        return line.what
    details = line.body["details"]
    verb = "signed" if details.get("verdict") == "approve" else "signed against it"
    reason = f" {line.reason}" if line.reason else ""
    return f"{verb}: “{details.get('meaning', '')}”.{reason}"


def running_context(
    promotion: PromotionRequest, running: list[Evidence] | None = None
) -> dict[str, Any]:
    """The evidence under way for an open request, each with its job."""
    if not promotion.is_open:
        running = []
    elif running is None:
        running = list(
            Evidence.objects.filter(version=promotion.version_id, state__in=UNFINISHED)
            .select_related("job", "dataset")
            .defer("result")
            .order_by("pk")
        )
    return {"promotion": promotion, "running": running}


def plan_words(promotion: PromotionRequest) -> str:
    """The rollout plan in words, e.g. ``Canary 25 % → 50 % → 100 %``."""
    steps = promotion.plan.get("steps", [])
    if not steps:
        return "No rollout plan: approval only."
    if len(steps) == 1 or promotion.live_version_id is None:
        return "All traffic at once."
    return "Canary " + " → ".join(f"{step['weight']} %" for step in steps) + "."


def _slot(slot: selectors.Slot, caller: Caller) -> dict[str, Any]:
    me = caller.user.pk if caller.user is not None else None
    names = ["you" if user.pk == me else str(user) for user in slot.candidates]
    names.sort(key=lambda name: name != "you")
    return {"slot": slot, "waits_for": " or ".join(names[:6]), "more": max(0, len(names) - 6)}


def _consequence(promotion: PromotionRequest, missing: int) -> str:
    if missing > 1:
        return "Your signature stands in the trail for good; others are still needed."
    if promotion.plan:
        return (
            f"This is the last signature: version {promotion.version.number} is approved for "
            f"{promotion.environment.name} and its rollout begins."
        )
    return (
        f"This is the last signature: version {promotion.version.number} is approved for "
        f"{promotion.environment.name}."
    )


def _live_since(promotion: PromotionRequest) -> Any:
    if promotion.live_version is None:
        return None
    alias = (
        promotion.live_version.aliases.filter(name=promotion.environment.alias)
        .order_by("-started_at")
        .first()
    )
    return alias.started_at if alias is not None else None
