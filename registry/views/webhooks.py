"""Webhooks: who is told what, what came of it, and an administrator's means to change that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from django.views.generic import TemplateView

from accounts.callers import Caller
from accounts.roles import Capability
from accounts.views.mixins import CallerMixin, caller_required
from common.errors import DomainError
from outbound.models import Message
from registry.forms_webhooks import DeliveryFilter, TestForm, WebhookForm
from registry.models import Webhook
from registry.services import deliveries, webhooks
from registry.views.common import found_or_404, put_beside
from registry.webhook_events import Event, named

ADMIN = Capability.WORKSPACE_ADMIN
PAGE = 50


class WebhookListView(CallerMixin, TemplateView):
    """Every webhook, with how its deliveries fare."""

    template_name = "registry/webhook_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = list(webhooks.webhooks_of(self.caller.workspace))
        counted = (
            Message.objects.filter(subscription__in=[it.uid for it in rows])
            .order_by()
            .values("subscription")
            .annotate(
                waiting=Count("pk", filter=Q(state=Message.State.QUEUED)),
                failed=Count("pk", filter=Q(state=Message.State.FAILED)),
                last=Max("sent_at"),
            )
        )
        fares = {row["subscription"]: row for row in counted}
        return {
            "rows": [(_shown(it, self.caller), fares.get(it.uid, {})) for it in rows],
            "active": sum(it.status == Webhook.Status.ACTIVE for it in rows),
            "failed": sum(row["failed"] for row in fares.values()),
            "may_edit": self.caller.may(ADMIN),
        }


class WebhookDetailView(CallerMixin, TemplateView):
    """One webhook, and for administrators its deliveries."""

    template_name = "registry/webhook_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        webhook = _webhook(self.caller, kwargs["uid"])
        return _context(self.request, self.caller, webhook)


class WebhookCreateView(CallerMixin, TemplateView):
    """Tell one more address."""

    template_name = "registry/webhook_form.html"
    capability = ADMIN

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = WebhookForm(initial={"events": ["model_version.created"]})
        return self.render_to_response({"form": form})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = WebhookForm(request.POST)
        if not form.is_valid():
            return self.render_to_response({"form": form}, status=422)
        try:
            with webhooks.refusals_recorded(caller=self.caller, name=form.cleaned_data["name"]):
                webhook = webhooks.create(caller=self.caller, **form.content())
        except DomainError as error:
            problem = put_beside(form, error)
            return self.render_to_response({"form": form, "problem": problem}, status=409)
        messages.success(request, f"{webhook.name} is told from now on. Send it a test.")
        return redirect("registry:webhook-detail", uid=webhook.uid)


class WebhookEditView(CallerMixin, TemplateView):
    """Another address, secret or choice of events."""

    template_name = "registry/webhook_form.html"
    capability = ADMIN

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        webhook = _webhook(self.caller, kwargs["uid"])
        form = WebhookForm(webhook=webhook)
        return self.render_to_response({"form": form, "webhook": webhook})

    def post(self, request: HttpRequest, uid: UUID) -> HttpResponse:
        webhook = _webhook(self.caller, uid)
        form = WebhookForm(request.POST, webhook=webhook)
        context = {"form": form, "webhook": webhook}
        if not form.is_valid():
            return self.render_to_response(context, status=422)
        try:
            with webhooks.refusals_recorded(caller=self.caller, name=webhook.name):
                webhooks.update(caller=self.caller, webhook=webhook, **form.content())
        except DomainError as error:
            problem = put_beside(form, error)
            return self.render_to_response({**context, "problem": problem}, status=409)
        messages.success(request, f"{webhook.name} is changed.")
        return redirect("registry:webhook-detail", uid=uid)


@require_POST
@caller_required(ADMIN)
def switch(request: Any, uid: UUID) -> HttpResponse:
    """On or off."""
    webhook = _webhook(request.caller, uid)
    status = request.POST.get("status", "")
    try:
        changed = webhooks.update(caller=request.caller, webhook=webhook, status=status)
    except DomainError as error:
        return _again(request, webhook, error)
    on = changed.status == Webhook.Status.ACTIVE
    messages.success(request, f"{webhook.name} is switched {'on' if on else 'off'}.")
    return redirect("registry:webhook-detail", uid=uid)


@require_POST
@caller_required(ADMIN)
def delete(request: Any, uid: UUID) -> HttpResponse:
    """Tell it nothing any more."""
    webhook = _webhook(request.caller, uid)
    try:
        webhooks.delete(caller=request.caller, webhook=webhook)
    except DomainError as error:
        return _again(request, webhook, error)
    messages.success(request, f"{webhook.name} is deleted.")
    return redirect("registry:webhook-list")


@require_POST
@caller_required(ADMIN)
def test(request: Any, uid: UUID) -> HttpResponse:
    """Call it now, and show on the page what came of it."""
    webhook = _webhook(request.caller, uid)
    form = TestForm(request.POST, webhook=webhook)
    if not form.is_valid():
        return _again(request, webhook, None, status=422, test_form=form)
    event = named(form.cleaned_data["event"])
    try:
        result = webhooks.try_out(caller=request.caller, webhook=webhook, event=event)
    except DomainError as error:
        return _again(request, webhook, error)
    return _again(request, webhook, None, status=200, result=result, tested=event)


@require_POST
@caller_required(ADMIN)
def resend(request: Any, uid: UUID, delivery: UUID) -> HttpResponse:
    """Send a delivery once more."""
    webhook = _webhook(request.caller, uid)
    try:
        new = deliveries.resend(caller=request.caller, webhook=webhook, delivery=delivery)
    except DomainError as error:
        return _again(request, webhook, error)
    messages.success(request, f"{new.subject} is sent again, as delivery {new.uid}.")
    return redirect("registry:webhook-detail", uid=uid)


def _webhook(caller: Caller, uid: UUID) -> Webhook:
    webhook: Webhook = found_or_404(lambda: webhooks.get(caller.workspace, uid))
    return webhook


def _shown(webhook: Webhook, caller: Caller) -> dict[str, Any]:
    """What stands on a page: of the URL, only administrators see more than the host."""
    return {
        "uid": webhook.uid,
        "name": webhook.name,
        "description": webhook.description,
        "url": webhook.url if caller.may(ADMIN) else f"{webhooks.host_of(webhook.url)}/…",
        "events": [Event(it["entity"], it["action"]).in_words for it in webhook.events],
        "status": webhook.status,
        "on": webhook.status == Webhook.Status.ACTIVE,
        "signed": bool(webhook.sealed_secret),
        "created_at": webhook.created_at,
        "updated_at": webhook.updated_at,
    }


def _context(request: Any, caller: Caller, webhook: Webhook) -> dict[str, Any]:
    context: dict[str, Any] = {"webhook": _shown(webhook, caller), "may_edit": caller.may(ADMIN)}
    if not context["may_edit"]:
        return context
    every = webhooks.deliveries_of(webhook)
    wanted = DeliveryFilter(request.GET if request.method == "GET" else None)
    rows = every
    if wanted.is_valid():
        state, event = wanted.cleaned_data["state"], wanted.cleaned_data["event"]
        rows = rows.filter(state=state) if state else rows
        rows = rows.filter(subject=event) if event else rows
    counts = every.order_by().aggregate(
        sent=Count("pk", filter=Q(state=Message.State.SENT)),
        waiting=Count("pk", filter=Q(state=Message.State.QUEUED)),
        failed=Count("pk", filter=Q(state=Message.State.FAILED)),
    )
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return {
        **context,
        **counts,
        "form": wanted,
        "test_form": TestForm(webhook=webhook),
        "page_obj": page,
        "rows": [(delivery, named(delivery.subject).in_words) for delivery in page.object_list],
    }


def _again(
    request: Any, webhook: Webhook, problem: DomainError | None, *, status: int = 409, **more: Any
) -> HttpResponse:
    context = {**_context(request, request.caller, webhook), "problem": problem, **more}
    return render(request, "registry/webhook_detail.html", context, status=status)
