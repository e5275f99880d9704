"""Requests, signing, policies, findings. The audit trail's rows stand in ``audit.py``."""

from __future__ import annotations

from typing import Any

from accounts.roles import Capability
from governance.services import registration
from tests.factories import governance as make
from tests.permissions import Row


def a_request(workspace: Any) -> dict[str, Any]:
    return {"number": make.promotion(workspace).number}


def a_request_uid(workspace: Any) -> dict[str, Any]:
    return {"uid": make.promotion(workspace).uid}


def a_policy(workspace: Any) -> dict[str, Any]:
    return {"name": make.policy(workspace).name}


def a_policy_uid(workspace: Any) -> dict[str, Any]:
    return {"uid": make.policy(workspace).uid}


def a_finding(workspace: Any) -> dict[str, Any]:
    return {"number": make.finding(workspace).number}


def a_finding_uid(workspace: Any) -> dict[str, Any]:
    return {"uid": make.finding(workspace).uid}


def a_checked_version(workspace: Any) -> dict[str, Any]:
    make.policy(workspace)
    version = make.version(make.model(workspace))
    registration.begin(version)
    return {"name": version.model.name, "number": version.number}


VIEW = Capability.VIEW
RUN = Capability.EVIDENCE_RUN
OPEN = Capability.REQUEST_OPEN
SIGN = Capability.REQUEST_SIGN
EDIT_POLICY = Capability.POLICY_EDIT
EDIT_FINDING = Capability.FINDING_EDIT

ROWS = [
    Row("governance:request-list", {"get": VIEW}),
    Row("governance:request-open", {"get": OPEN, "post": OPEN}),
    Row("governance:request-detail", {"get": VIEW}, a_request),
    Row("governance:request-running", {"get": VIEW}, a_request),
    Row("governance:request-sign", {"post": SIGN}, a_request),
    Row("governance:request-withdraw", {"post": OPEN}, a_request),
    Row("governance:request-ask", {"post": Capability.EVIDENCE_RUN}, a_request),
    Row("governance:request-rollout", {"post": Capability.ROLLOUT_OPERATE}, a_request),
    Row("governance:request-map-author", {"post": Capability.WORKSPACE_ADMIN}, a_request),
    Row("governance:registration-check", {"get": VIEW, "post": RUN}, a_checked_version),
    Row("v1:registration-check", {"get": VIEW, "post": RUN}, a_checked_version),
    Row("governance:policy-list", {"get": VIEW}),
    Row("governance:policy-create", {"get": EDIT_POLICY, "post": EDIT_POLICY}),
    Row("governance:policy-detail", {"get": VIEW}, a_policy),
    Row("governance:policy-edit", {"get": EDIT_POLICY, "post": EDIT_POLICY}, a_policy),
    Row("governance:finding-list", {"get": VIEW}),
    Row("governance:finding-create", {"get": EDIT_FINDING, "post": EDIT_FINDING}),
    Row("governance:finding-detail", {"get": VIEW}, a_finding),
    Row("governance:finding-close", {"post": EDIT_FINDING}, a_finding),
    Row("governance:finding-change", {"post": EDIT_FINDING}, a_finding),
    Row("v1:policy-list", {"get": VIEW, "post": EDIT_POLICY}),
    Row("v1:policy-detail", {"get": VIEW}, a_policy_uid),
    Row("v1:policy-revise", {"post": EDIT_POLICY}, a_policy_uid),
    Row("v1:promotion-request-list", {"get": VIEW, "post": OPEN}),
    Row("v1:promotion-request-detail", {"get": VIEW}, a_request_uid),
    Row("v1:promotion-request-clearance", {"get": VIEW}, a_request_uid),
    Row("v1:promotion-request-approve", {"post": SIGN}, a_request_uid),
    Row("v1:promotion-request-reject", {"post": SIGN}, a_request_uid),
    Row("v1:promotion-request-withdraw", {"post": OPEN}, a_request_uid),
    Row("v1:promotion-request-ask", {"post": Capability.EVIDENCE_RUN}, a_request_uid),
    Row("v1:finding-list", {"get": VIEW, "post": EDIT_FINDING}),
    Row("v1:finding-detail", {"get": VIEW, "patch": EDIT_FINDING}, a_finding_uid),
    Row("v1:finding-close", {"post": EDIT_FINDING}, a_finding_uid),
]
