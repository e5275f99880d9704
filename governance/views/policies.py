"""Policies: the list, one with its revisions and what changed, and the editor."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.generic import TemplateView

from accounts.roles import Capability, Role
from accounts.views.mixins import CallerMixin
from common.errors import DomainError, NotFound
from governance import selectors
from governance.forms import PolicyForm
from governance.gates import expression, policy_text
from governance.models import Policy, PolicyRevision
from governance.services import policies

EXAMPLE = """\
policy: tier-2-production
for: {tier: 2, environment: production, kind: [binary]}
counts_as_evidence: [measured, computed]
dataset: holdout
gates:
  - auc.lower95 >= 0.60
  - auc - live.auc >= -0.01
  - card.complete and findings.open_high == 0
  - check: decision_flips(live) <= 3%
    severity: warn
approvals:
  - {role: validator, count: 1}
  - {role: risk_officer, count: 1}
valid_for: 30d
rollout: {steps: [25%, 50%, 100%], min_answers: 200, max_time: 10min}
"""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of the difference to the revision before."""

    sign: str
    text: str


class PolicyListView(CallerMixin, TemplateView):
    """Every policy, what it is for, and how many gates and signatures it asks for."""

    template_name = "governance/policy_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **kwargs,
            rows=[
                (revision, approvals_in_words(revision))
                for revision in selectors.current_revisions(self.caller.workspace)
            ],
            may_edit=self.caller.may(Capability.POLICY_EDIT),
        )


class PolicyDetailView(CallerMixin, TemplateView):
    """One revision in words, as written, and against the one before it."""

    template_name = "governance/policy_detail.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        policy = _policy(self.caller.workspace, kwargs["name"])
        revisions = list(policy.revisions.order_by("-number"))
        asked = self.request.GET.get("revision", "")
        revision = next((it for it in revisions if str(it.number) == asked), None)
        if asked and revision is None:
            raise Http404("There is no such revision.")
        revision = revision or revisions[0]
        before = next((it for it in revisions if it.number == revision.number - 1), None)
        return super().get_context_data(
            **kwargs,
            policy=policy,
            revision=revision,
            revisions=revisions,
            before=before,
            diff=diff(before, revision),
            gates=gates_in_words(revision),
            approvals=[
                (Role(item["role"]).label, item["count"], revision.body["meanings"][item["role"]])
                for item in revision.body["approvals"]
            ],
            steps=[step["weight"] for step in revision.body["plan"].get("steps", [])],
            used=revision.promotions.count(),
            may_edit=self.caller.may(Capability.POLICY_EDIT),
        )


class PolicyEditView(CallerMixin, TemplateView):
    """Write a new policy, or the next revision of one; the parser's problems stand beside it."""

    template_name = "governance/policy_edit.html"
    capability = Capability.POLICY_EDIT

    def get(self, request: HttpRequest, name: str = "") -> HttpResponse:
        policy = _policy(self.caller.workspace, name) if name else None
        newest = policy.revisions.order_by("-number").first() if policy is not None else None
        form = PolicyForm(
            initial={
                "source": newest.source if newest is not None else EXAMPLE,
                "seen_revision": newest.number if newest is not None else None,
            }
        )
        return self.render_to_response({"form": form, "policy": policy, "newest": newest})

    def post(self, request: HttpRequest, name: str = "") -> HttpResponse:
        policy = _policy(self.caller.workspace, name) if name else None
        form = PolicyForm(request.POST)
        if not form.is_valid():
            return self.render_to_response({"form": form, "policy": policy}, status=422)
        # A browser sends CRLF; the text is kept as one would write it.
        source = form.cleaned_data["source"].replace("\r\n", "\n")
        try:
            if policy is None:
                policy = policies.create(caller=self.caller, source=source)
                said = f"The policy “{policy.name}” applies from now on."
            else:
                revision = policies.revise(
                    caller=self.caller,
                    policy=policy,
                    source=source,
                    seen_revision=form.cleaned_data["seen_revision"],
                )
                said = f"Revision {revision.number} applies to requests opened from now on."
        except DomainError as error:
            return self.render_to_response(
                {
                    "form": form,
                    "policy": policy,
                    "problem": error,
                    "lines": error.fields.get("source"),
                },
                status=422 if error.code == "invalid_policy" else 409,
            )
        messages.success(request, said)
        return redirect("governance:policy-detail", name=policy.name)


def approvals_in_words(revision: PolicyRevision) -> str:
    """Who must sign, e.g. ``1 validator, 2 risk officer``."""
    return ", ".join(
        f"{item['count']} {Role(item['role']).label.lower()}" for item in revision.body["approvals"]
    )


def diff(before: PolicyRevision | None, after: PolicyRevision) -> list[DiffLine]:
    """The lines that differ, with two lines around each."""
    if before is None:
        return []
    lines = difflib.unified_diff(
        before.source.splitlines(), after.source.splitlines(), n=2, lineterm=""
    )
    return [DiffLine(line[:1], line[1:]) for line in lines if not line.startswith(("---", "+++"))]


def gates_in_words(revision: PolicyRevision) -> list[dict[str, Any]]:
    """Each gate with what it is about, its limit, and what it does when it fails."""
    found = []
    for gate in revision.body["gates"]:
        conditions: tuple[expression.Condition, ...] = policy_text.conditions(gate, revision.body)
        found.append(
            {
                "check": gate["check"],
                "severity": gate["severity"],
                "title": " and ".join(dict.fromkeys(item.title for item in conditions)),
                "on": ", ".join(dict.fromkeys(it.dataset for it in conditions if it.dataset)),
            }
        )
    return found


def _policy(workspace: Any, name: str) -> Policy:
    try:
        return selectors.get_policy(workspace, name)
    except NotFound as error:
        raise Http404(error.message) from error
