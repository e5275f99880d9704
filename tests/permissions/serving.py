from accounts.roles import Capability
from tests.factories.registry import ModelVersionFactory
from tests.factories.serving import EndpointFactory
from tests.permissions import Row


def an_endpoint(workspace):
    return {"uid": EndpointFactory(version__model__workspace=workspace).uid}


def a_version(workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    return {"name": version.model.name, "number": version.number}


VIEW, EDIT = Capability.VIEW, Capability.ENDPOINT_EDIT

ROWS = [
    Row("v1:endpoint-list", {"get": VIEW, "post": EDIT}),
    Row("v1:endpoint-detail", {"get": VIEW}, an_endpoint),
    Row("v1:endpoint-probe", {"post": EDIT}, an_endpoint),
    Row("v1:endpoint-secrets", {"post": EDIT}, an_endpoint),
    Row("v1:endpoint-retire", {"post": EDIT}, an_endpoint),
    Row("serving:endpoint-list", {"get": VIEW}),
    Row("serving:version-endpoints", {"get": VIEW}, a_version),
    Row("serving:endpoint-create", {"get": EDIT, "post": EDIT}, a_version),
    Row("serving:endpoint-detail", {"get": VIEW}, an_endpoint),
    Row("serving:endpoint-probe", {"post": EDIT}, an_endpoint),
    Row("serving:endpoint-retire", {"post": EDIT}, an_endpoint),
]
