"""Policies, evidence and requests, made through the services wherever a rule is involved."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from accounts.callers import Caller
from common.canonical import digest_of
from common.ids import uuid7
from evaluation.models import Evidence
from governance.models import Finding, Policy, PromotionRequest
from governance.services import findings, policies, promotions
from registry import selectors as registry
from registry.models import Alias, Dataset, Environment, ModelVersion, RegisteredModel
from tests.factories.accounts import person
from tests.factories.registry import DatasetFactory, ModelVersionFactory, RegisteredModelFactory
from tests.factories.registry_cards import CardRevisionFactory

SOURCE = """\
policy: {name}
for: {{tier: 2, environment: production, kind: [binary]}}
dataset: holdout
gates:
{gates}
approvals:
{approvals}
valid_for: 30d
"""
#: Passes for a described version with the evidence of ``evaluation()``.
GATES = ("auc.lower95 >= 0.6", "card.complete and findings.open_high == 0")


def source(
    name: str = "tier-2",
    gates: tuple[str, ...] = GATES,
    approvals: dict[str, int] | None = None,
    extra: str = "",
) -> str:
    """A policy's text."""
    wanted = approvals or {"validator": 1, "risk_officer": 1}
    return (
        SOURCE.format(
            name=name,
            gates="\n".join(f"  - {gate}" for gate in gates),
            approvals="\n".join(f"  - {{role: {r}, count: {n}}}" for r, n in wanted.items()),
        )
        + extra
    )


def system(workspace: Any) -> Caller:
    return Caller.system("tests", workspace)


def policy(workspace: Any, **kwargs: Any) -> Policy:
    """A policy for tier 2 in production with two gates and two approvals."""
    return policies.create(caller=system(workspace), source=source(**kwargs))


def model(workspace: Any, **fields: Any) -> RegisteredModel:
    """A model whose card is complete, owned by somebody of this workspace."""
    fields.setdefault("owner", person(workspace, "model_owner"))
    fields.setdefault("description", "Says whether a flight will be late.")
    return RegisteredModelFactory(workspace=workspace, **fields)


def version(of: RegisteredModel, *, card: bool = True, **fields: Any) -> ModelVersion:
    """A version with a whole card, written by who registered it."""
    fields.setdefault("description", "Trained on January.")
    made = ModelVersionFactory(model=of, **fields)
    if card:
        CardRevisionFactory(version=made)
    return made


def dataset(workspace: Any, name: str = "holdout") -> Dataset:
    found = Dataset.objects.filter(workspace=workspace, name=name).first()
    return found or DatasetFactory(workspace=workspace, name=name, label_column="late")


def make_live(of: ModelVersion, environment: str = "production") -> None:
    """Let the environment's alias stand on this version, as a rollout would have left it."""
    target = Environment.objects.get(workspace=of.model.workspace, name=environment)
    Alias.objects.filter(model=of.model, name=target.alias, ended_at=None).update(
        ended_at=timezone.now()
    )
    Alias.objects.create(model=of.model, name=target.alias, version=of, moved_by_pid="p:test")


def evidence(
    of: ModelVersion,
    kind: str,
    result: dict[str, Any] | None,
    *,
    on: str = "holdout",
    state: str = "complete",
    baseline: ModelVersion | None = None,
    **fields: Any,
) -> Evidence:
    """Finished (or unfinished) evidence, as evaluation would have left it."""
    uid = uuid7()
    complete = state == "complete"
    if state in {"failed", "cancelled"}:
        fields = {"error_code": "timeout", "error": "the endpoint timed out", **fields}
    return Evidence.objects.create(
        uid=uid,
        workspace=of.model.workspace,
        kind=kind,
        version=of,
        baseline=baseline,
        dataset=dataset(of.model.workspace, on),
        state=state,
        result=result or {},
        digest=digest_of({"uid": str(uid), "result": result}) if complete else None,
        completed_at=timezone.now() if complete else None,
        created_by_pid="system:tests",
        **fields,
    )


def evaluation(of: ModelVersion, auc: float = 0.7, **kwargs: Any) -> Evidence:
    """An evaluation with this AUC, its interval 0.02 to both sides."""
    metrics = {
        "auc": {"value": auc, "lower95": auc - 0.02, "upper95": auc + 0.02},
        "log_loss": {"value": 0.5, "lower95": 0.48, "upper95": 0.52},
        "brier": {"value": 0.16, "lower95": 0.15, "upper95": 0.17},
    }
    return evidence(
        of, "evaluation", {"rows": 2000, "task": "binary", "metrics": metrics}, **kwargs
    )


def differential(
    of: ModelVersion, live: ModelVersion, delta: float = 0.02, **kwargs: Any
) -> Evidence:
    """A comparison in which 41 of 2,000 decisions flip."""
    result = {
        "rows": 2000,
        "task": "binary",
        "flips": {
            "total": 41,
            "to_positive": 11,
            "to_negative": 30,
            "share": {"value": 0.0205, "lower95": 0.015, "upper95": 0.027},
        },
        "flips_by_segment": [
            {
                "segment": "carrier",
                "value": "AA",
                "rows": 500,
                "to_positive": 1,
                "to_negative": 20,
                "share": 0.042,
            },
            {
                "segment": "carrier",
                "value": "UA",
                "rows": 1500,
                "to_positive": 10,
                "to_negative": 10,
                "share": 0.0133,
            },
        ],
        "metrics_delta": {
            "auc": {
                "candidate": 0.7,
                "baseline": 0.7 - delta,
                "delta": delta,
                "lower95": delta - 0.005,
                "upper95": delta + 0.005,
            },
        },
        "most_different": [],
    }
    return evidence(of, "differential", result, baseline=live, **kwargs)


def promotion(
    workspace: Any,
    *,
    of: ModelVersion | None = None,
    by: Any = None,
    gates_pass: bool = True,
    **kwargs: Any,
) -> PromotionRequest:
    """An open request under ``policy()``, with the evidence that its gates need."""
    if not workspace.policies.exists():
        policy(workspace, **kwargs)
    of = of or version(model(workspace))
    if gates_pass:
        evaluation(of)
    by = by or person(workspace, "requester")
    return promotions.open_request(
        caller=caller(by, workspace),
        version=of,
        environment=registry.get_environment(workspace, "production"),
    )


def caller(user: Any, workspace: Any) -> Caller:
    """As the ``caller_for`` fixture, for factories."""
    from accounts.selectors import roles_of
    from audit.actor import Actor

    return Caller(
        workspace=workspace,
        actor=Actor(
            pid=user.pid,
            kind="user",
            label=str(user),
            workspace=workspace.slug,
            auth={"method": "session"},
        ),
        user=user,
        roles=roles_of(user, workspace),
    )


def finding(workspace: Any, **fields: Any) -> Finding:
    fields = {"severity": "high", "title": "Something drifted", **fields}
    return findings.open_finding(caller=system(workspace), **fields)
