"""``model-versions/…``: register, read, change, put into a stage, delete, search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accounts.roles import Capability
from common.errors import NotFound
from registry.mlflow import errors, names, reads
from registry.mlflow.errors import invalid
from registry.mlflow.http import Call, endpoint, operation
from registry.mlflow.params import Flag, Integer, Name, Number, Tags, Text, Texts
from registry.mlflow.render import version_json
from registry.mlflow.search import search_versions
from registry.models import Kind, ModelVersion
from registry.release import ReleaseInput
from registry.release_tags import fill, is_prompt
from registry.services import copies, deletion, stages, versions

VIEW, EDIT = Capability.VIEW, Capability.MODEL_EDIT
_LOGGED_MODEL = "models:/m-"


@operation(
    EDIT,
    name=Name(),
    source=Text(required=True),
    run_id=Text(),
    tags=Tags(),
    run_link=Text(),
    description=Text(),
    model_id=Text(),
)
def create(
    call: Call,
    *,
    name: str,
    source: str,
    run_id: str | None,
    tags: dict[str, str],
    run_link: str | None,
    description: str | None,
    model_id: str | None,
) -> Mapping[str, Any]:
    names.tags(tags)
    release, original = ReleaseInput(source=source), None
    if source.startswith(_LOGGED_MODEL):
        # A logged model of whatever tracking server: its id is in the source, too.
        model_id = model_id or source.removeprefix("models:/").partition("/")[0]
    elif source.startswith("models:/") and not is_prompt(tags):
        original = _original(call, source)
    if original is not None:
        release = copies.release_of(original, source=source)
        model_id = model_id or original.logged_model_id
        run_link = run_link or original.run_link
    filled = fill(replace(release, run_id=run_id or release.run_id), tags)
    try:
        version = versions.register(
            caller=call.caller,
            model=name,
            release=filled.release,
            reported_metrics=original.reported_metrics if original is not None else None,
            description=description or "",
            tags=tags,
            semantic_version=filled.semantic_version,
            run_link=run_link or "",
            logged_model_id=model_id or "",
            copied_from=original,
            again=True,
        )
    except NotFound as error:
        if error.code == "model_not_found":
            raise errors.model_not_found(name) from None
        raise
    return {"model_version": _new(version)}


@operation(VIEW, name=Name(), version=Number())
def get(call: Call, *, name: str, version: int) -> Mapping[str, Any]:
    return {"model_version": reads.version(call.workspace_id, name, version)}


@operation(EDIT, name=Name(), version=Number(), description=Text())
def update(call: Call, *, name: str, version: int, description: str | None) -> Mapping[str, Any]:
    row = reads.version_row(call.workspace_id, name, version)
    if description is not None:
        versions.annotate(caller=call.caller, version=row, description=description)
    return {"model_version": reads.version(call.workspace_id, name, version)}


@operation(EDIT, name=Name(), version=Number())
def delete(call: Call, *, name: str, version: int) -> Mapping[str, Any]:
    row = reads.version_row(call.workspace_id, name, version)
    with deletion.refusals_recorded(caller=call.caller, target=row):
        deletion.delete_version(caller=call.caller, version=row)
    return {}


@operation(
    EDIT,
    name=Name(),
    version=Number(),
    stage=Text(required=True),
    archive_existing_versions=Flag(),
)
def transition(
    call: Call, *, name: str, version: int, stage: str, archive_existing_versions: bool
) -> Mapping[str, Any]:
    stages.canonical(stage)
    stages.transition(
        caller=call.caller,
        version=reads.version_row(call.workspace_id, name, version),
        stage=stage,
        archive_existing=archive_existing_versions,
    )
    return {"model_version": reads.version(call.workspace_id, name, version)}


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
    page = search_versions(
        call.workspace_id,
        filter=filter,
        max_results=max_results,
        order_by=order_by,
        page_token=page_token or None,
    )
    body: dict[str, Any] = {"model_versions": page.rows}
    if page.next_page_token:
        body["next_page_token"] = page.next_page_token
    return body


@operation(VIEW, name=Name(), version=Number())
def download_uri(call: Call, *, name: str, version: int) -> Mapping[str, Any]:
    return {"artifact_uri": reads.source(call.workspace_id, name, version)}


create_view = endpoint(post=create)
get_view = endpoint(get=get)
update_view = endpoint(patch=update)
delete_view = endpoint(delete=delete)
transition_view = endpoint(post=transition)
search_view = endpoint(get=search)
download_uri_view = endpoint(get=download_uri)


def _original(call: Call, source: str) -> ModelVersion | None:
    original = copies.original(call.caller.workspace, source)
    if original is not None and original.model.kind == Kind.PROMPT:
        raise invalid(
            f"Invalid model version source: '{errors.shown(source)}'. Prompt versions cannot be "
            "used as model version sources."
        )
    return original


def _new(version: ModelVersion) -> dict[str, Any]:
    """A version that was registered a moment ago: no alias stands on it."""
    through = version.created_through
    row = (
        version.model.name,
        version.number,
        version.created_at,
        version.updated_at,
        version.created_by.email,
        through.name if through is not None else None,
        str(version.stage),
        version.description,
        version.source,
        version.run_id,
        version.run_link,
        str(version.status),
        version.status_message,
        version.tags,
        version.logged_model_id,
        version.reported_metrics,
        version.release_digest,
        version.semantic_version,
    )
    return version_json(row)
