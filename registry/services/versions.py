"""Versions: register an immutable release, tag it, say who shaped it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models.functions import Now

from accounts.models import User
from accounts.roles import Capability
from audit.actions import Action
from audit.services import record as audit
from common.commit import after_commit
from common.errors import Conflict, Invalid, NotAllowed, NotFound
from registry import release as releases
from registry import selectors
from registry.errors import SameRelease
from registry.models import Consumption, Kind, ModelVersion, Status, VersionAuthor
from registry.names import insist_tags, insist_text
from registry.release_tags import cover_prompt, insist_unchanged
from registry.services import deliveries, lineage
from registry.services import links as version_links
from registry.services.models import MAX_TEXT, take_number
from registry.signals import version_registered

if TYPE_CHECKING:
    from accounts.callers import Caller
    from registry.models import RegisteredModel
    from registry.release import ReleaseInput

MAX_METRICS = 200
MAX_PARTS = 500
MAX_COLUMNS = 2000


@transaction.atomic
def register(
    *,
    caller: Caller,
    model: RegisteredModel | str,
    release: ReleaseInput,
    reported_metrics: Mapping[str, float] | None = None,
    description: str = "",
    tags: Mapping[str, Any] | None = None,
    run_user: str = "",
    semantic_version: str = "",
    links: Sequence[Mapping[str, Any]] = (),
    run_link: str = "",
    logged_model_id: str = "",
    copied_from: ModelVersion | None = None,
    again: bool = False,
) -> ModelVersion:
    """Register the model's next version; its number follows the last one without a gap.

    The model may be given by its name, which saves a query. ``again`` allows the very release of
    another version, as MLflow does; ``copied_from`` makes that version's authors this one's too,
    so that no copy can be signed by who shaped the original. Where the model is gated at
    registration the version is pending until ``status.settle``.

    Datasets, components and the parent are named; what goes into the release is their digest, so
    that the same name with other content is another release. Who calls, who answers for a service
    account, ``run_user``, the git authors and who uploaded the training data become its authors.

    Raises: Invalid, NotFound (dataset or component), SameRelease, NotAllowed, Conflict (retired),
        AlreadyExists (the semantic version).
    """
    caller.insist(Capability.MODEL_EDIT)
    if caller.user is None:
        raise NotAllowed("A version is registered by a person, or for one who answers for it.")
    _insist_sane(release)
    release = cover_prompt(release, tags or {})
    metrics = _metrics(reported_metrics)
    beside = {
        "description": insist_text(description, field="description", most=MAX_TEXT),
        "tags": insist_tags(tags),
        "run_link": insist_text(run_link, field="run_link", most=1000),
        "logged_model_id": insist_text(logged_model_id, field="model_id", most=255),
    }
    model, number = take_number(caller.workspace, model)
    if model.retired_at is not None:
        raise Conflict(f"{model.name} is retired.", code="model_retired")
    release, origins = lineage.resolve(release, model)
    semantic_version = lineage.insist_free(model, semantic_version)
    content = releases.canonical(release)
    digest = releases.digest(content)
    if not again:
        _insist_new(model, digest)
    version = ModelVersion.objects.create(
        workspace=caller.workspace,
        model=model,
        number=number,
        semantic_version=semantic_version,
        derived_from=origins.parent,
        derivation=origins.derivation,
        release=content,
        release_digest=digest,
        consumption=release.consumption,
        source=release.source,
        run_id=release.run_id,
        git_commit=content["git_commit"],
        decision_threshold=release.decision_threshold,
        signature=content["signature"],
        reported_metrics=metrics,
        status=Status.PENDING if model.gated_at_registration else Status.READY,
        created_by=caller.user,
        created_through=caller.service_account,
        **beside,
    )
    lineage.write(version, origins)
    authors = _add_authors(
        version, caller.user, run_user=run_user, git_authors=content["git_authors"]
    )
    authors += VersionAuthor.objects.bulk_create(lineage.uploaders(version, origins.datasets))
    if copied_from is not None:
        authors += _authors_of(copied_from, version, authors)
    audit.record(
        Action.VERSION_REGISTERED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(version.uid),
        object_name=f"{model.name} {version.number}",
        object_digest=digest,
        after={
            "model": model.name,
            "number": version.number,
            "consumption": version.consumption,
            "authors": sorted({it.user.pid for it in authors if it.user is not None}),
            "unmapped_authors": sum(it.user is None for it in authors),
            "datasets": sorted(f"{dataset.digest} {use}" for dataset, use in origins.datasets),
            "components": sorted(it.release_digest for it in origins.components),
            "derived_from": content.get("derived_from"),
            "semantic_version": semantic_version,
            "status": str(version.status),
            "copied_from": copied_from.release_digest if copied_from is not None else None,
        },
    )
    deliveries.version_created(
        workspace=caller.workspace,
        name=model.name,
        number=number,
        source=version.source,
        run_id=version.run_id,
        tags=version.tags,
        description=version.description,
        is_prompt=model.kind == Kind.PROMPT,
    )
    version_links.add_all(caller=caller, version=version, links=links)
    after_commit(version_registered.send, ModelVersion, version=version, caller=caller)
    return version


@transaction.atomic
def annotate(
    *,
    caller: Caller,
    version: ModelVersion,
    description: str | None = None,
    tags: Mapping[str, Any] | None = None,
) -> ModelVersion:
    """Change what is said about a version, which is not part of its release. None leaves it.

    Raises: Invalid, NotAllowed.
    """
    caller.insist(Capability.MODEL_EDIT)
    version = (
        ModelVersion.objects.select_for_update(of=("self",))
        .select_related("model")
        .get(pk=version.pk)
    )
    before = {"tags": sorted(version.tags), "description_characters": len(version.description)}
    given = {"description": description, "tags": tags}
    edited = [name for name, value in given.items() if value not in (None, getattr(version, name))]
    if description is not None:
        version.description = insist_text(description, field="description", most=MAX_TEXT)
    if tags is not None:
        insist_unchanged(version.tags, tags)
        version.tags = insist_tags(tags)
    version.updated_at = Now()
    version.save(update_fields=["description", "tags", "updated_at"])
    version.refresh_from_db(fields=["updated_at"])
    audit.record(
        Action.VERSION_TAGGED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(version.uid),
        object_name=str(version),
        details={"edited": edited},
        before=before,
        after={"tags": sorted(version.tags), "description_characters": len(version.description)},
    )
    return version


@transaction.atomic
def map_author(
    *, caller: Caller, version: ModelVersion, identity: str, user: User
) -> VersionAuthor:
    """Say which person an author is whom nobody had mapped; once, and for good.

    An administrator's act: whoever is mapped can no longer sign for this version, and an author
    whom nobody mapped blocks every approval.

    Raises: NotFound, Conflict (mapped already), NotAllowed.
    """
    caller.insist(Capability.WORKSPACE_ADMIN)
    authors = list(
        VersionAuthor.objects.select_for_update(of=("self",))
        .filter(version=version, identity=identity)
        .order_by("pk")
    )
    if not authors:
        raise NotFound("This version has no such author.")
    if not selectors.is_member(user, caller.workspace):
        raise Invalid("That is no active person of this workspace.", fields={"user": ["Unknown."]})
    open_ones = [author for author in authors if author.user_id is None]
    if not open_ones:
        raise Conflict("This author is mapped to a person already.", code="author_is_mapped")
    for author in open_ones:
        author.user = user
        author.save(update_fields=["user"])
    audit.record(
        Action.VERSION_AUTHOR_MAPPED,
        actor=caller.actor,
        workspace=caller.workspace.slug,
        object_type="version",
        object_id=str(version.uid),
        object_name=str(version),
        after={"author": user.pid, "roles": sorted(author.role for author in open_ones)},
        pii={"identity": identity},
    )
    return open_ones[0]


def _insist_new(model: RegisteredModel, digest: str) -> None:
    same = model.versions.filter(release_digest=digest, deleted_at=None).first()
    if same is not None:
        raise SameRelease(
            f"Version {same.number} of {model.name} is exactly this release.", version=same.number
        )


def _authors_of(
    original: ModelVersion, version: ModelVersion, present: Sequence[VersionAuthor]
) -> list[VersionAuthor]:
    """Everybody who shaped the original, under the role they have there."""
    known = {(it.role, it.identity) for it in present}
    return VersionAuthor.objects.bulk_create(
        VersionAuthor(version=version, role=it.role, identity=it.identity, user=it.user)
        for it in original.authors.select_related("user").order_by("pk")
        if (it.role, it.identity) not in known
    )


def _insist_sane(release: ReleaseInput) -> None:
    for field, most in (
        ("source", 1024),
        ("run_id", 64),
        ("git_commit", 64),
        ("image", 1024),
        ("features", 1024),
    ):
        insist_text(getattr(release, field), field=field, most=most)
    if release.consumption not in Consumption.values:
        raise Invalid("No such consumption.", fields={"consumption": ["No such consumption."]})
    threshold = release.decision_threshold
    if threshold is not None and not math.isfinite(threshold):
        reason = "The threshold is a finite number."
        raise Invalid(reason, fields={"decision_threshold": [reason]})
    parts: Sequence[tuple[str, Sequence[Any]]] = (
        ("artifacts", release.artifacts),
        ("datasets", release.datasets),
        ("components", release.components),
        ("git_authors", release.git_authors),
    )
    for field, values in parts:
        if len(values) > MAX_PARTS:
            raise Invalid(f"At most {MAX_PARTS} {field}.", fields={field: ["Too many."]})
    for side in ("inputs", "outputs"):
        names = [str(it.get("name", "")) for it in release.signature.get(side, ())]
        if len(names) > MAX_COLUMNS or len(set(names)) != len(names) or "" in names:
            reason = f"Every one of the {side} has a name of its own; at most {MAX_COLUMNS:,}."
            raise Invalid(reason, fields={"signature": [reason]})


def _metrics(given: Mapping[str, float] | None) -> dict[str, float]:
    metrics = {str(name): value for name, value in (given or {}).items()}
    if len(metrics) > MAX_METRICS or any(len(name) > 255 for name in metrics):
        reason = f"At most {MAX_METRICS} metrics with names of at most 255 characters."
        raise Invalid(reason, fields={"reported_metrics": [reason]})
    for name, value in metrics.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not math.isfinite(value)
        ):
            reason = f"{name}: a metric is a finite number."
            raise Invalid(reason, fields={"reported_metrics": [reason]})
    return metrics


def _add_authors(
    version: ModelVersion, person: User, *, run_user: str, git_authors: Sequence[str]
) -> list[VersionAuthor]:
    """Everybody who shaped it; addresses are mapped to people where they are known."""
    authors = [
        VersionAuthor(version=version, role="registered", identity=person.email, user=person)
    ]
    claimed = [("git_author", email) for email in git_authors]
    if run_user:
        claimed.append(("run_user", run_user.strip().lower()))
    for role, identity in claimed:
        insist_text(identity, field="git_authors", most=254)
        known = User.objects.filter(email__iexact=identity).first()
        authors.append(VersionAuthor(version=version, role=role, identity=identity, user=known))
    return VersionAuthor.objects.bulk_create(authors)
