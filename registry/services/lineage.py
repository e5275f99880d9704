"""What a release says it came from and leans on, resolved to the rows and digests it means.

Everything is named by whoever registers; what goes into the release is the digest of what the
name stands for now. A version can only name versions that are there already, so neither the
components nor the parents can ever form a circle (constraints hold that too).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from accounts.models import ServiceAccount, User
from common.errors import AlreadyExists, Invalid, NotFound
from registry import components as together
from registry import selectors
from registry.models import (
    Dataset,
    Derivation,
    ModelVersion,
    VersionAuthor,
    VersionComponent,
    VersionDataset,
)
from registry.semver import insist_semantic

if TYPE_CHECKING:
    from registry.models import RegisteredModel
    from registry.release import ReleaseInput

#: The role of a person who brought the data that a version was trained on.
DATA_UPLOADER = "data_uploader"
#: A component's components count; a longer tail than this is a mistake.
MAX_CLOSURE = 200


@dataclass(frozen=True, slots=True)
class Origins:
    """The rows that a release names."""

    datasets: Sequence[tuple[Dataset, str]] = ()
    components: Sequence[ModelVersion] = ()
    parent: ModelVersion | None = None
    derivation: str = ""


def resolve(release: ReleaseInput, model: RegisteredModel) -> tuple[ReleaseInput, Origins]:
    """The release with digests for names, and the rows behind them. Raises: Invalid, NotFound."""
    release, datasets = _datasets(release, model)
    release, components = _components(release, model)
    release, parent, derivation = _parent(release, model)
    return release, Origins(datasets, components, parent, derivation)


def write(version: ModelVersion, origins: Origins) -> None:
    """The rows that can be asked in both directions; in the transaction that makes the version."""
    VersionDataset.objects.bulk_create(
        VersionDataset(version=version, dataset=dataset, use=use)
        for dataset, use in origins.datasets
    )
    VersionComponent.objects.bulk_create(
        VersionComponent(version=version, component=it) for it in origins.components
    )


def insist_free(model: RegisteredModel, semantic_version: str) -> str:
    """The semantic version, valid and not yet taken; the model is locked.

    Raises: Invalid, AlreadyExists.
    """
    insist_semantic(semantic_version)
    if not semantic_version:
        return ""
    # A deleted version keeps it, as it keeps its number.
    other = model.versions.filter(semantic_version=semantic_version).first()
    if other is not None:
        reason = f"{semantic_version} is version {other.number} of {model.name} already."
        raise AlreadyExists(
            reason,
            code="semantic_version_taken",
            fields={"semantic_version": [reason]},
            version=other.number,
        )
    return semantic_version


def uploaders(version: ModelVersion, datasets: Iterable[tuple[Dataset, str]]) -> list[Any]:
    """Authors: who uploaded what it was trained on; for a service account, who answers for it."""
    pids = {it.created_by_pid for it, use in datasets if use == VersionDataset.Use.TRAINING}
    if not pids:
        return []
    people = list(User.objects.filter(pid__in=pids))
    accounts = ServiceAccount.objects.filter(pid__in=pids).select_related("responsible")
    people += [account.responsible for account in accounts]
    return [
        VersionAuthor(version=version, role=DATA_UPLOADER, identity=person.email, user=person)
        for person in {person.pk: person for person in people}.values()
    ]


def _datasets(
    release: ReleaseInput, model: RegisteredModel
) -> tuple[ReleaseInput, list[tuple[Dataset, str]]]:
    used = []
    for given in release.datasets:
        use = str(given.get("use") or VersionDataset.Use.TRAINING)
        if use not in VersionDataset.Use.values:
            reason = f"“{use[:50]}” is no use of a dataset: training, validation or reference."
            raise Invalid(reason, fields={"datasets": [reason]})
        name = str(given.get("name", ""))
        used.append((selectors.get_dataset(model.workspace, name, field="datasets"), use))
    named = [{"name": it.name, "use": use, "digest": it.digest} for it, use in used]
    return replace(release, datasets=named), used


def _components(
    release: ReleaseInput, model: RegisteredModel
) -> tuple[ReleaseInput, list[ModelVersion]]:
    parts = []
    for given in release.components:
        number = given.get("version")
        if isinstance(number, bool) or not isinstance(number, int):
            reason = "A component names a model and the number of its version."
            raise Invalid(reason, fields={"components": [reason]})
        parts.append(selectors.get_version(model.workspace, str(given.get("model", "")), number))
    _insist_can_be_live_at_once(parts, model)
    named = [
        {"model": part.model.name, "version": part.number, "digest": part.release_digest}
        for part in parts
    ]
    return replace(release, components=named), parts


def _insist_can_be_live_at_once(parts: Sequence[ModelVersion], model: RegisteredModel) -> None:
    """One model has one live version: two of one model could never all be live together."""
    if not parts:
        return
    needed = together.closure(parts)
    reason = ""
    if len(needed) > MAX_CLOSURE:
        reason = f"At most {MAX_CLOSURE} components, with those that they call themselves."
    by_model: dict[int, ModelVersion] = {}
    for it in needed:
        other = by_model.setdefault(it.model_id, it)
        if it.model_id == model.pk:
            reason = (
                f"{it} is a version of this very model: one model has one live version, so the two "
                "could never be live together."
            )
        elif other.pk != it.pk:
            reason = f"{other} and {it} would both have to be live, and one model has one version."
        if reason:
            break
    if reason:
        raise Invalid(reason, code="components_conflict", fields={"components": [reason]})


def _parent(
    release: ReleaseInput, model: RegisteredModel
) -> tuple[ReleaseInput, ModelVersion | None, str]:
    given = release.derived_from
    if not given:
        return replace(release, derived_from=None), None, ""
    derivation = str(given.get("derivation") or "")
    if derivation not in Derivation.values:
        known = ", ".join(Derivation.values)
        reason = f"Say how it was derived: {known}."
        raise Invalid(reason, fields={"derived_from": [reason]})
    parent = _named_version(given, model)
    named = {
        "model": parent.model.name,
        "version": parent.number,
        "digest": parent.release_digest,
        "derivation": derivation,
    }
    return replace(release, derived_from=named), parent, derivation


def _named_version(given: Mapping[str, Any], model: RegisteredModel) -> ModelVersion:
    number = given.get("version")
    if isinstance(number, bool) or not isinstance(number, int):
        reason = "A parent is named by the number of its version, and its model if that is another."
        raise Invalid(reason, fields={"derived_from": [reason]})
    name = str(given.get("model") or model.name)
    try:
        return selectors.get_version(model.workspace, name, number)
    except NotFound as error:
        raise Invalid(
            error.message, code=error.code, fields={"derived_from": [error.message]}
        ) from None
