"""Who may do what: roles per workspace (DESIGN 4), capabilities, and the token scope each needs.

A capability is the only thing a view names. Roles and scopes both have to allow it: a token can
do no more than its scopes say, and no more than the person or service account behind it may.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.db import models


class Role(models.TextChoices):
    """What somebody is in one workspace; one person may hold several."""

    VIEWER = "viewer", "Viewer"
    MODEL_OWNER = "model_owner", "Model owner"
    REQUESTER = "requester", "Requester"
    VALIDATOR = "validator", "Validator"
    RISK_OFFICER = "risk_officer", "Risk officer"
    BUSINESS_OWNER = "business_owner", "Business owner"
    PRIVACY_OFFICER = "privacy_officer", "Privacy officer"
    OPERATOR = "operator", "Operator"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"


class Scope(StrEnum):
    """What a token may be used for."""

    READ = "read"
    REGISTRY_WRITE = "registry:write"
    SERVING_WRITE = "serving:write"
    EVIDENCE_WRITE = "evidence:write"
    REQUEST_WRITE = "requests:write"
    PREDICTIONS_WRITE = "predictions:write"
    MONITORING_WRITE = "monitoring:write"
    ROLLOUTS_WRITE = "rollouts:write"
    POLICIES_WRITE = "policies:write"
    AUDIT_READ = "audit:read"
    ADMIN = "admin"
    GATEWAY = "gateway"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True)
class Rule:
    roles: frozenset[Role]
    scope: Scope


_ALL = frozenset(Role)
_BUILDERS = frozenset({Role.MODEL_OWNER, Role.REQUESTER, Role.ADMINISTRATOR})
_SIGNERS = frozenset({Role.VALIDATOR, Role.RISK_OFFICER, Role.BUSINESS_OWNER, Role.PRIVACY_OFFICER})
_OPERATORS = frozenset({Role.OPERATOR, Role.ADMINISTRATOR})


class Capability(StrEnum):
    """One thing that can be done; the permission table in the tests is built from these."""

    VIEW = "view"
    MODEL_EDIT = "model.edit"
    DATASET_EDIT = "dataset.edit"
    ENDPOINT_EDIT = "endpoint.edit"
    EVIDENCE_RUN = "evidence.run"
    REQUEST_OPEN = "request.open"
    REQUEST_SIGN = "request.sign"
    POLICY_EDIT = "policy.edit"
    FINDING_EDIT = "finding.edit"
    ROLLOUT_OPERATE = "rollout.operate"
    MONITOR_EDIT = "monitor.edit"
    PREDICTIONS_WRITE = "predictions.write"
    ALERT_HANDLE = "alert.handle"
    AUDIT_VIEW = "audit.view"
    WORKSPACE_ADMIN = "workspace.admin"
    GATEWAY_AGENT = "gateway.agent"
    METRICS = "metrics"


RULES: dict[Capability, Rule] = {
    Capability.VIEW: Rule(_ALL, Scope.READ),
    Capability.MODEL_EDIT: Rule(_BUILDERS, Scope.REGISTRY_WRITE),
    Capability.DATASET_EDIT: Rule(_BUILDERS | {Role.VALIDATOR}, Scope.REGISTRY_WRITE),
    Capability.ENDPOINT_EDIT: Rule(_BUILDERS | _OPERATORS, Scope.SERVING_WRITE),
    Capability.EVIDENCE_RUN: Rule(_BUILDERS | {Role.VALIDATOR}, Scope.EVIDENCE_WRITE),
    Capability.REQUEST_OPEN: Rule(_BUILDERS, Scope.REQUEST_WRITE),
    # Signing has a scope only to be complete: tokens are refused before scopes are looked at.
    Capability.REQUEST_SIGN: Rule(_SIGNERS, Scope.ADMIN),
    Capability.POLICY_EDIT: Rule(
        frozenset({Role.RISK_OFFICER, Role.ADMINISTRATOR}), Scope.POLICIES_WRITE
    ),
    Capability.FINDING_EDIT: Rule(_SIGNERS | _OPERATORS | {Role.MODEL_OWNER}, Scope.REQUEST_WRITE),
    Capability.ROLLOUT_OPERATE: Rule(_OPERATORS, Scope.ROLLOUTS_WRITE),
    Capability.MONITOR_EDIT: Rule(_BUILDERS | _OPERATORS, Scope.MONITORING_WRITE),
    Capability.PREDICTIONS_WRITE: Rule(_BUILDERS | _OPERATORS, Scope.PREDICTIONS_WRITE),
    Capability.ALERT_HANDLE: Rule(
        _OPERATORS | {Role.MODEL_OWNER, Role.RISK_OFFICER}, Scope.MONITORING_WRITE
    ),
    Capability.AUDIT_VIEW: Rule(
        _SIGNERS | {Role.AUDITOR, Role.ADMINISTRATOR, Role.MODEL_OWNER}, Scope.AUDIT_READ
    ),
    Capability.WORKSPACE_ADMIN: Rule(frozenset({Role.ADMINISTRATOR}), Scope.ADMIN),
    Capability.GATEWAY_AGENT: Rule(_OPERATORS, Scope.GATEWAY),
    Capability.METRICS: Rule(_OPERATORS, Scope.METRICS),
}


def allowed(capability: Capability, roles: frozenset[str], scopes: frozenset[str] | None) -> bool:
    """Whether these roles, and these token scopes where there is a token, allow it."""
    rule = RULES[capability]
    if not rule.roles & roles:
        return False
    return scopes is None or rule.scope in scopes
