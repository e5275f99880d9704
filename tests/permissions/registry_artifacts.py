"""Who may see, store and inspect artifacts."""

from __future__ import annotations

from accounts.roles import Capability
from tests.factories.registry import ModelVersionFactory
from tests.factories.registry_artifacts import ArtifactFactory, ArtifactUploadFactory
from tests.permissions import Row


def an_artifact(workspace):
    return {"sha256": ArtifactFactory(workspace=workspace).sha256}


def a_stored_one(workspace):
    return {"sha256": ArtifactFactory(workspace=workspace, stored=b"bytes").sha256}


def an_unreadable_one(workspace):
    fields = {"format": "onnx", "state": "unreadable", "state_reason": "damaged"}
    return {"sha256": ArtifactFactory(workspace=workspace, **fields).sha256}


def an_upload(workspace):
    return {"uid": ArtifactUploadFactory(workspace=workspace).uid}


def a_version(workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    return {"name": version.model.name, "number": version.number}


VIEW, EDIT = Capability.VIEW, Capability.MODEL_EDIT

ROWS = [
    Row("v1:artifact-list", {"get": VIEW}),
    Row("v1:artifact-detail", {"get": VIEW, "put": EDIT}, an_artifact),
    Row("v1:artifact-content", {"get": VIEW}, a_stored_one),
    Row("v1:artifact-inspect", {"post": EDIT}, an_unreadable_one),
    Row("v1:artifact-upload-list", {"post": EDIT}),
    Row("v1:artifact-upload-detail", {"get": EDIT, "patch": EDIT, "delete": EDIT}, an_upload),
    Row("v1:artifact-upload-complete", {"post": EDIT}, an_upload),
    Row("v1:version-artifacts", {"get": VIEW}, a_version),
    Row("registry:artifact-list", {"get": VIEW}),
    Row("registry:artifact-create", {"get": EDIT, "post": EDIT}),
    Row("registry:artifact-detail", {"get": VIEW}, an_artifact),
    Row("registry:artifact-download", {"get": VIEW}, a_stored_one),
    Row("registry:artifact-inspect", {"post": EDIT}, an_unreadable_one),
]
