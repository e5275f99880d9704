"""What a version came from, what it leans on, and what came of it: one step in each direction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from registry.models import ModelVersion, VersionComponent, VersionDataset
from registry.selectors import environments

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Of one kind, at most; a base model may have thousands of derivatives.
MOST = 200


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the graph. ``relation`` says, in words, what it is to the version."""

    id: str
    kind: str
    relation: str
    label: str
    detail: str = ""
    url: str = ""
    digest: str = ""
    model: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """From where something comes to where it goes."""

    source: str
    target: str
    relation: str


@dataclass(slots=True)
class Graph:
    """The version in the middle, what is before it and what is after it."""

    centre: Node
    before: list[Node] = field(default_factory=list)
    after: list[Node] = field(default_factory=list)
    more: int = 0

    @property
    def nodes(self) -> list[Node]:
        return [*self.before, self.centre, *self.after]

    @property
    def edges(self) -> list[Edge]:
        return [
            *(Edge(it.id, self.centre.id, it.kind) for it in self.before),
            *(Edge(self.centre.id, it.id, it.kind) for it in self.after),
        ]


def graph(version: ModelVersion) -> Graph:
    """The version's lineage; a handful of queries, however much hangs on it."""
    found = Graph(_version(version, "self", "This version"))
    found.before += _origin(version)
    found.before += _datasets(version)
    if version.derived_from_id is not None:
        parent = ModelVersion.objects.select_related("model").get(pk=version.derived_from_id)
        words = f"{version.get_derivation_display()} from"
        found.before.append(_version(parent, "parent", words))
    called = VersionComponent.objects.filter(version=version).select_related("component__model")
    found.before += [
        _version(it.component, "component", "Calls")
        for it in called.order_by("component__model__name")
    ]
    found.after += _live(version)
    children = (
        ModelVersion.objects.filter(derived_from=version, deleted_at=None)
        .select_related("model")
        .order_by("-pk")
    )
    found.after += _capped(
        found,
        (
            _version(it, "derivative", f"{it.get_derivation_display()} to")
            for it in children[: MOST + 1]
        ),
    )
    callers = (
        VersionComponent.objects.filter(component=version, version__deleted_at=None)
        .select_related("version__model")
        .order_by("-version_id")
    )
    found.after += _capped(
        found, (_version(it.version, "used_by", "Called by") for it in callers[: MOST + 1])
    )
    return found


def _capped(found: Graph, nodes: Iterable[Node]) -> list[Node]:
    listed = list(nodes)
    found.more += max(0, len(listed) - MOST)
    return listed[:MOST]


def _version(version: ModelVersion, kind: str, relation: str) -> Node:
    return Node(
        id=f"version:{version.uid}",
        kind=kind,
        relation=relation,
        label=version.title,
        detail="deleted" if version.deleted_at is not None else "",
        url=""
        if version.deleted_at is not None
        else reverse("registry:version-detail", args=[version.model.name, version.number]),
        digest=version.release_digest,
        model=version.model.name,
        number=version.number,
    )


def _origin(version: ModelVersion) -> list[Node]:
    """Run and commit: names of things elsewhere, which nobody here opens."""
    nodes = []
    if version.run_id:
        nodes.append(Node(f"run:{version.run_id}", "run", "Training run", version.run_id))
    if version.git_commit:
        nodes.append(
            Node(f"commit:{version.git_commit}", "commit", "Built from commit", version.git_commit)
        )
    return nodes


def _datasets(version: ModelVersion) -> list[Node]:
    words = {
        VersionDataset.Use.TRAINING: "Trained on",
        VersionDataset.Use.VALIDATION: "Validated on",
        VersionDataset.Use.REFERENCE: "Reference",
    }
    rows = VersionDataset.objects.filter(version=version).select_related("dataset")
    return [
        Node(
            id=f"dataset:{it.dataset.uid}:{it.use}",
            kind="dataset",
            relation=words[VersionDataset.Use(it.use)],
            label=it.dataset.name,
            detail=f"{it.dataset.rows:,} rows, {len(it.dataset.columns)} columns",
            url=reverse("registry:dataset-detail", args=[it.dataset.name]),
            digest=it.dataset.digest,
        )
        for it in rows.order_by("use", "dataset__name")
    ]


def _live(version: ModelVersion) -> list[Node]:
    standing: dict[str, Any] = dict(
        version.aliases.filter(ended_at=None).values_list("name", "started_at")
    )
    return [
        Node(
            id=f"environment:{it.name}",
            kind="environment",
            relation="Live in",
            label=it.name,
            detail=f"since {standing[it.alias]:%d %b %Y %H:%M} UTC",
        )
        for it in environments(version.model.workspace)
        if it.alias in standing
    ]
