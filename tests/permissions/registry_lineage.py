from accounts.roles import Capability
from tests.factories.registry import ModelVersionFactory
from tests.factories.registry_lineage import VersionLinkFactory
from tests.permissions import Row


def a_version(workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    return {"name": version.model.name, "number": version.number}


def a_semantic_version(workspace):
    version = ModelVersionFactory(model__workspace=workspace, semantic_version="2.1.0")
    return {"name": version.model.name, "semantic": "2.1.0"}


def a_link(workspace):
    link = VersionLinkFactory(version__model__workspace=workspace)
    return {"name": link.version.model.name, "number": link.version.number, "uid": link.uid}


VIEW, MODEL = Capability.VIEW, Capability.MODEL_EDIT

ROWS = [
    Row("v1:version-semantic", {"get": VIEW}, a_semantic_version),
    Row("v1:version-lineage", {"get": VIEW}, a_version),
    Row("v1:link-list", {"get": VIEW, "post": MODEL}, a_version),
    Row("v1:link-detail", {"delete": MODEL}, a_link),
    Row("v1:version-signature-check", {"get": VIEW}, a_version),
    Row("registry:version-semantic", {"get": VIEW}, a_semantic_version),
    Row("registry:link-add", {"post": MODEL}, a_version),
    Row("registry:link-remove", {"post": MODEL}, a_link),
]
