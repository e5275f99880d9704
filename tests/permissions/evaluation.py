"""Who may do what with evidence: everybody reads, builders and validators ask."""

from __future__ import annotations

from typing import Any

from accounts.roles import Capability
from tests.factories.evaluation import EvidenceFactory
from tests.factories.jobs import JobFactory
from tests.factories.registry import ModelVersionFactory, RegisteredModelFactory
from tests.permissions import Row


def a_version(workspace: Any) -> dict[str, Any]:
    model = RegisteredModelFactory(workspace=workspace)
    return {"uid": ModelVersionFactory(model=model).uid}


def running_evidence(workspace: Any) -> dict[str, Any]:
    model = RegisteredModelFactory(workspace=workspace)
    version = ModelVersionFactory(model=model)
    job = JobFactory(workspace=workspace, kind="evaluation.evaluation")
    return {"uid": EvidenceFactory(version=version, job=job).uid}


def some_evidence(workspace: Any) -> dict[str, Any]:
    model = RegisteredModelFactory(workspace=workspace)
    return {"uid": EvidenceFactory(version=ModelVersionFactory(model=model)).uid}


RUN = Capability.EVIDENCE_RUN
ROWS = [
    Row("evaluation:evidence-list", {"get": Capability.VIEW}),
    Row("evaluation:evidence-detail", {"get": Capability.VIEW}, some_evidence),
    Row("evaluation:evidence-progress", {"get": Capability.VIEW}, running_evidence),
    Row("evaluation:evidence-cancel", {"post": RUN}, some_evidence),
    Row("evaluation:evidence-retry", {"post": RUN}, some_evidence),
    Row("evaluation:version-evidence", {"get": Capability.VIEW}, a_version),
    Row("evaluation:evidence-ask", {"get": RUN, "post": RUN}, a_version),
    Row("v1:evidence-list", {"get": Capability.VIEW, "post": RUN}),
    Row("v1:evidence-detail", {"get": Capability.VIEW}, some_evidence),
    Row("v1:evidence-cancel", {"post": RUN}, some_evidence),
    Row("v1:evidence-retry", {"post": RUN}, some_evidence),
    Row("v1:explanation-list", {"post": RUN}),
]
