"""``registered-models/…``: create, read, change, rename, delete, search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accounts.roles import Capability
from common.errors import AlreadyExists
from registry.mlflow import errors, names, reads
from registry.mlflow.errors import MlflowError
from registry.mlflow.http import Call, endpoint, operation
from registry.mlflow.params import Integer, Name, Tags, Text, Texts
from registry.mlflow.render import model_json
from registry.mlflow.search import search_models
from registry.models import Kind, RegisteredModel, Stage
from registry.release_tags import is_prompt
from registry.services import deletion, models, stages
from registry.services.rename import rename as rename_model

VIEW, EDIT = Capability.VIEW, Capability.MODEL_EDIT


@operation(EDIT, name=Name(), tags=Tags(), description=Text(), deployment_job_id=Text())
def create(
    call: Call,
    *,
    name: str,
    tags: dict[str, str],
    description: str | None,
    deployment_job_id: str | None,
) -> Mapping[str, Any]:
    names.model_name(name)
    names.tags(tags)
    kind = Kind.PROMPT if is_prompt(tags) else Kind.BINARY
    # Every run of a pipeline asks this for a model that is there: one read says so.
    _insist_free(call, name, kind)
    try:
        model = models.create(
            caller=call.caller,
            name=name,
            kind=kind,
            description=description or "",
            tags=tags,
            deployment_job_id=deployment_job_id or "",
        )
    except AlreadyExists:
        _insist_free(call, name, kind)
        raise
    return {"registered_model": _new(model)}


@operation(VIEW, name=Name())
def get(call: Call, *, name: str) -> Mapping[str, Any]:
    return {"registered_model": reads.model(call.workspace_id, name)}


@operation(EDIT, name=Name(), description=Text(), deployment_job_id=Text())
def update(
    call: Call, *, name: str, description: str | None, deployment_job_id: str | None
) -> Mapping[str, Any]:
    models.update(
        caller=call.caller,
        model=reads.model_row(call.workspace_id, name),
        description=description,
        deployment_job_id=deployment_job_id,
    )
    return {"registered_model": reads.model(call.workspace_id, name)}


@operation(EDIT, name=Name(), new_name=Name())
def rename(call: Call, *, name: str, new_name: str) -> Mapping[str, Any]:
    names.model_name(new_name, parameter="new_name")
    model = reads.model_row(call.workspace_id, name)
    try:
        rename_model(caller=call.caller, model=model, name=new_name)
    except AlreadyExists:
        raise errors.model_exists(new_name) from None
    return {"registered_model": reads.model(call.workspace_id, new_name)}


@operation(EDIT, name=Name())
def delete(call: Call, *, name: str) -> Mapping[str, Any]:
    model = reads.model_row(call.workspace_id, name)
    with deletion.refusals_recorded(caller=call.caller, target=model):
        deletion.delete_model(caller=call.caller, model=model)
    return {}


@operation(
    VIEW, filter=Text(), max_results=Integer(), order_by=Texts(), page_token=Text(may_be_empty=True)
)
def search(
    call: Call,
    *,
    filter: str | None,
    max_results: int | None,
    order_by: list[str],
    page_token: str | None,
) -> Mapping[str, Any]:
    page = search_models(
        call.workspace_id,
        filter=filter,
        max_results=max_results,
        order_by=order_by,
        page_token=page_token or None,
    )
    body: dict[str, Any] = {"registered_models": page.rows}
    if page.next_page_token:
        body["next_page_token"] = page.next_page_token
    return body


@operation(VIEW, name=Name(), stages=Texts())
def latest(call: Call, *, name: str, stages: list[str]) -> Mapping[str, Any]:
    wanted = sorted({_stage(it) for it in stages}) if stages else list(map(str, Stage.values))
    return {"model_versions": reads.latest_versions(call.workspace_id, name, wanted)}


create_view = endpoint(post=create)
get_view = endpoint(get=get)
update_view = endpoint(patch=update)
rename_view = endpoint(post=rename)
delete_view = endpoint(delete=delete)
search_view = endpoint(get=search)
latest_view = endpoint(get=latest, post=latest)


def _stage(text: str) -> str:
    return str(stages.canonical(text))


def _insist_free(call: Call, name: str, kind: str) -> None:
    """Raises MLflow's refusal of a name that is taken, which says by what."""
    present = reads.kind_of(call.workspace_id, name)
    if present is None:
        return
    if (present == Kind.PROMPT) == (kind == Kind.PROMPT):
        if kind == Kind.PROMPT:
            text = f"Prompt (name={errors.shown(name)}) already exists."
            raise MlflowError("RESOURCE_ALREADY_EXISTS", text)
        raise errors.model_exists(name)
    new, old = (
        ("prompt", "registered model")
        if kind == Kind.PROMPT
        else (
            "registered model",
            "prompt",
        )
    )
    raise MlflowError(
        "RESOURCE_ALREADY_EXISTS",
        f"Tried to create a {new} with name {errors.shown(repr(name))}, but the name is already "
        f"taken by a {old}. MLflow does not allow creating a model and a prompt with the same "
        "name.",
    )


def _new(model: RegisteredModel) -> dict[str, Any]:
    """A model that was made a moment ago: no version, no alias."""
    row = (
        model.name,
        model.created_at,
        model.updated_at,
        model.owner.email,
        model.description,
        model.tags,
        model.deployment_job_id,
        str(model.kind),
        model.tier,
    )
    return model_json(row, [])
