from accounts.roles import Capability
from tests.factories.registry import ModelVersionFactory
from tests.factories.serving import EndpointProvisionFactory, EndpointSourceFactory
from tests.permissions import Row


def a_source(workspace):
    return {"name": EndpointSourceFactory(model__workspace=workspace).model.name}


def a_version(workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    return {"name": version.model.name, "number": version.number}


def a_provision(workspace):
    return {"uid": EndpointProvisionFactory(version__model__workspace=workspace).uid}


VIEW, EDIT = Capability.VIEW, Capability.ENDPOINT_EDIT

ROWS = [
    Row("v1:endpoint-source", {"get": VIEW, "put": EDIT, "delete": EDIT}, a_source),
    Row("v1:endpoint-provisions", {"get": VIEW, "post": EDIT}, a_version),
    Row("v1:endpoint-hook-answer", {"post": EDIT}, a_provision),
    Row("serving:source-edit", {"get": EDIT, "post": EDIT}, a_source),
    Row("serving:source-remove", {"post": EDIT}, a_source),
    Row("serving:provide-endpoint", {"post": EDIT}, a_version),
]
