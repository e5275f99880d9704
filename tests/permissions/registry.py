from accounts.roles import Capability
from tests.factories.registry import (
    AliasFactory,
    DatasetFactory,
    ModelVersionFactory,
    RegisteredModelFactory,
)
from tests.permissions import Row


def a_model(workspace):
    return {"name": RegisteredModelFactory(workspace=workspace).name}


def a_version(workspace):
    version = ModelVersionFactory(model__workspace=workspace)
    return {"name": version.model.name, "number": version.number}


def an_alias(workspace):
    alias = AliasFactory(version__model__workspace=workspace, name="challenger")
    return {"name": alias.model.name, "alias": alias.name}


def a_dataset(workspace):
    return {"name": DatasetFactory(workspace=workspace).name}


VIEW, MODEL, DATASET = Capability.VIEW, Capability.MODEL_EDIT, Capability.DATASET_EDIT
ADMIN = Capability.WORKSPACE_ADMIN

ROWS = [
    Row("v1:model-list", {"get": VIEW, "post": MODEL}),
    Row("v1:model-detail", {"get": VIEW, "patch": MODEL, "delete": MODEL}, a_model),
    Row("v1:version-list", {"get": VIEW, "post": MODEL}, a_model),
    Row("v1:version-detail", {"get": VIEW, "patch": MODEL, "delete": MODEL}, a_version),
    Row("v1:version-authors", {"post": ADMIN}, a_version),
    Row("v1:alias-list", {"get": VIEW, "post": MODEL}, a_model),
    Row("v1:alias-detail", {"get": VIEW, "delete": MODEL}, an_alias),
    Row("v1:model-as-of", {"get": VIEW}, a_model),
    Row("v1:dataset-list", {"get": VIEW, "post": DATASET}),
    Row("v1:dataset-detail", {"get": VIEW}, a_dataset),
    Row("v1:environment-list", {"get": VIEW}),
    Row("registry:model-list", {"get": VIEW}),
    Row("registry:model-create", {"get": MODEL, "post": MODEL}),
    Row("registry:model-detail", {"get": VIEW}, a_model),
    Row("registry:model-edit", {"get": MODEL, "post": MODEL}, a_model),
    Row("registry:version-create", {"get": MODEL, "post": MODEL}, a_model),
    Row("registry:version-detail", {"get": VIEW}, a_version),
    Row("registry:author-map", {"post": ADMIN}, a_version),
    Row("registry:dataset-list", {"get": VIEW}),
    Row("registry:dataset-create", {"get": DATASET, "post": DATASET}),
    Row("registry:dataset-detail", {"get": VIEW}, a_dataset),
]
