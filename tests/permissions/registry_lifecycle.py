from accounts.roles import Capability
from tests.permissions import Row
from tests.permissions.registry import a_model, a_version

MODEL = Capability.MODEL_EDIT


def a_models_tag(workspace):
    return {**a_model(workspace), "key": "team/credit"}


def a_versions_tag(workspace):
    return {**a_version(workspace), "key": "team"}


BOTH = {"get": MODEL, "post": MODEL}
VALUE = {"value": "x"}

ROWS = [
    Row("v1:model-rename", {"post": MODEL}, a_model, data={"name": "another"}),
    Row("v1:model-retired", {"post": MODEL}, a_model, data={"retired": True}),
    Row("v1:model-tag", {"put": MODEL, "delete": MODEL}, a_models_tag, data=VALUE),
    Row("v1:version-tag", {"put": MODEL, "delete": MODEL}, a_versions_tag, data=VALUE),
    Row("v1:version-stage", {"post": MODEL}, a_version, data={"stage": "Staging"}),
    Row("registry:model-rename", BOTH, a_model),
    Row("registry:model-retire", BOTH, a_model),
    Row("registry:model-delete", BOTH, a_model),
    Row("registry:model-tags", {"post": MODEL}, a_model, data={"key": "a", "value": "b"}),
    Row("registry:version-delete", BOTH, a_version),
    Row("registry:version-tags", {"post": MODEL}, a_version, data={"key": "a", "value": "b"}),
    Row("registry:version-stage", {"post": MODEL}, a_version, data={"stage": "Staging"}),
]
