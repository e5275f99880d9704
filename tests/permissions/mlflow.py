"""MLflow's registry API: only tokens, and what is named stands in the query or the body."""

from accounts.roles import Capability, Role
from tests.factories.registry import AliasFactory, ModelVersionFactory
from tests.permissions import METHODS, Row

VIEW, MODEL = Capability.VIEW, Capability.MODEL_EDIT
EVERYBODY = dict.fromkeys(METHODS, frozenset(Role.values))


def named(workspace):
    """What the bodies below name; the URLs themselves name nothing."""
    version = ModelVersionFactory(model__workspace=workspace, model__name="walked", number=1)
    AliasFactory(version=version, name="challenger")
    return {}


def something(workspace):
    return {"rest": "registered-models/nothing"}


M, V = {"name": "walked"}, {"name": "walked", "version": "1"}
TAG = {"key": "team", "value": "credit"}


def row(name, methods, data=M, make_kwargs=named, **rest):
    return Row(f"mlflow:{name}", methods, make_kwargs, data=data, tokens_only=True, **rest)


ROWS = [
    row("model-create", {"post": MODEL}, {"name": "new"}, None),
    row("model-get", {"get": VIEW}),
    row("model-update", {"patch": MODEL}),
    row("model-rename", {"post": MODEL}, {**M, "new_name": "walked on"}),
    row("model-delete", {"delete": MODEL}),
    row("model-search", {"get": VIEW}, {}, None),
    row("model-latest", {"get": VIEW, "post": VIEW}),
    row("model-tag-set", {"post": MODEL}, {**M, **TAG}),
    row("model-tag-delete", {"delete": MODEL}, {**M, "key": "team"}),
    row("alias", {"get": VIEW, "post": MODEL, "delete": MODEL}, {**V, "alias": "challenger"}),
    row("version-create", {"post": MODEL}, {**M, "source": "s3://bucket/model"}),
    row("version-get", {"get": VIEW}, V),
    row("version-update", {"patch": MODEL}, V),
    row("version-delete", {"delete": MODEL}, V),
    row(
        "version-stage",
        {"post": MODEL},
        {**V, "stage": "Staging", "archive_existing_versions": False},
    ),
    row("version-search", {"get": VIEW}, {}, None),
    row("version-uri", {"get": VIEW}, V),
    row("version-tag-set", {"post": MODEL}, {**V, **TAG}),
    row("version-tag-delete", {"delete": MODEL}, {**V, "key": "team"}),
    # 404 to everybody whom the door lets in.
    row("unknown", EVERYBODY, {}, something, by_owner=True),
    Row("mlflow-unknown", EVERYBODY, tokens_only=True, by_owner=True),
]
