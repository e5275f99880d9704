"""Finding models, versions and datasets: what matches, the best first, at a bounded cost.

A question like "a" matches most of a big registry, and ranking all of it would cost what it
matches. So ``LOOKED_AT`` matches of each sort are ranked, the best ``MOST`` of them can be paged
through, and an answer says when there were more: then a word more helps, not another page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Exists, F, OuterRef

from registry.fulltext import sql
from registry.fulltext.excerpts import Segment, excerpt
from registry.fulltext.words import Wanted, split, understand
from registry.models import Alias, CardRevision, Dataset, ModelVersion, RegisteredModel
from registry.narrowing import narrow_models, narrow_versions, owners_called

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import Workspace

LOOKED_AT = 2_000
MOST = 1000
SORTS = ("model", "version", "dataset")
_EXCERPTS = 3
#: Filters that say something about models or versions only, so that no dataset answers them.
_NOT_OF_DATASETS = ("kind", "tier", "owner", "live", "tag", "consumption", "needs")
_DIRECT = re.compile(r"^\s*(?P<name>.+?)(?:\s*[\s/:#]\s*v?(?P<number>\d{1,9})|@(?P<alias>\S+))\s*$")


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody looks for: words, and what narrows them."""

    text: str = ""
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def wanted(self) -> Wanted:
        return understand(self.text)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for, which nothing answers."""
        return not self.wanted and not any(self.given.values())


@dataclass(frozen=True, slots=True)
class Candidates:
    """Primary keys of one sort with their ranks, the best first, at most ``MOST`` of ``total``.

    ``capped`` says that there are more than ``total``, which nobody has looked at.
    """

    ranked: list[tuple[int, float]]
    total: int = 0
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found. ``excerpts`` is ``[(where, segments)]``."""

    sort: str
    thing: Any
    title: list[Segment]
    rank: float
    live: list[str]
    excerpts: list[tuple[str, list[Segment]]]

    @property
    def name(self) -> str:
        return str(self.thing)


def candidates(workspace: Workspace, question: Question, sort: str) -> Candidates:
    """Which of that sort answer, without loading them. At most three queries."""
    if question.is_empty:
        return Candidates([])
    if question.text.strip() and not question.wanted:
        return Candidates([])
    makers = {"model": _models, "version": _versions, "dataset": _datasets}
    return makers[sort](workspace, question, dict(question.given))


def load(
    workspace: Workspace, question: Question, sort: str, ranked: Sequence[tuple[int, float]]
) -> list[Hit]:
    """Those, in their order, with excerpts; as many queries for fifty as for one."""
    if not ranked:
        return []
    words = question.wanted.shown
    stems = sql.stems(words)
    loaders = {"model": _load_models, "version": _load_versions, "dataset": _load_datasets}
    found = loaders[sort](workspace, [pk for pk, _ in ranked])
    hits = []
    for pk, rank in ranked:
        if pk not in found:
            continue
        thing, title, texts, live = found[pk]
        pieces = [(where, excerpt(text, words, stems)) for where, text in texts if text]
        shown = [(where, segments) for where, segments in pieces if segments][:_EXCERPTS]
        marked = excerpt(title, words, stems, width=300, always=True)
        hits.append(Hit(sort, thing, marked, rank, live, shown))
    return hits


def _best(rows: QuerySet[Any], wanted: Wanted, order: Sequence[str]) -> Candidates:
    """The best by rank; without words the first in ``order``. One query."""
    if not wanted:
        keys = list(rows.order_by(*order).values_list("pk", flat=True)[: MOST + 1])
        return Candidates([(pk, 0.0) for pk in keys[:MOST]], min(len(keys), MOST), len(keys) > MOST)
    # Ranked where they are found and cut before they are sorted: what a common word costs is
    # bounded, and the planner has no order to take a longer way for.
    found = rows.filter(sql.matches(wanted)).order_by().values_list("pk", sql.rank(wanted))
    inner, params = found[: LOOKED_AT + 1].query.sql_with_params()
    statement = (
        f"SELECT pk, rank, count(*) OVER () FROM ({inner}) AS found (pk, rank)"  # noqa: S608
        f" ORDER BY rank DESC, pk DESC LIMIT {MOST}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        pairs = cursor.fetchall()
    total = pairs[0][2] if pairs else 0
    ranked = [(pk, float(rank)) for pk, rank, _ in pairs]
    return Candidates(ranked, min(total, LOOKED_AT), total > LOOKED_AT)


def _models(workspace: Workspace, question: Question, given: dict[str, str]) -> Candidates:
    wanted = question.wanted
    rows = RegisteredModel.objects.filter(workspace=workspace, deleted_at=None)
    rows = narrow_models(rows, given, workspace)
    found = _best(rows, wanted, ["name", "pk"])
    owners = owners_called(question.text) if wanted else []
    if not owners:
        return found
    scores = dict(found.ranked)
    owned = rows.filter(owner__in=owners).order_by("name").values_list("pk", flat=True)
    return _with(found, {pk: scores.get(pk, 0.0) for pk in owned[:MOST]})


def _versions(workspace: Workspace, question: Question, given: dict[str, str]) -> Candidates:
    wanted = question.wanted
    rows = ModelVersion.objects.filter(workspace=workspace, deleted_at=None)
    rows = narrow_versions(rows, given, workspace)
    found = _best(rows, wanted, ["-updated_at", "-pk"])
    if not wanted:
        return found
    later = CardRevision.objects.filter(version=OuterRef("version"), number__gt=OuterRef("number"))
    cards = CardRevision.objects.filter(
        sql.matches(wanted), ~Exists(later), version__in=rows.values("pk")
    )
    scores = dict(found.ranked)
    more = {
        pk: scores.get(pk, 0.0) + float(rank)
        for pk, rank in cards.order_by("-pk").values_list("version", sql.rank(wanted))[:MOST]
    }
    more |= dict.fromkeys(_named(question.text, rows), 2.0)
    return _with(found, more)


def _with(found: Candidates, more: dict[int, float]) -> Candidates:
    """Others beside them, or the same with another rank."""
    scores = dict(found.ranked)
    total = found.total + len(more.keys() - scores.keys())
    scores |= more
    order = sorted(scores.items(), key=lambda it: (-it[1], -it[0]))
    return Candidates(order[:MOST], total, found.capped)


def _named(text: str, versions: QuerySet[ModelVersion]) -> list[int]:
    """The version that ``name 7``, ``name/7`` or ``name@alias`` names, if there is one."""
    found = _DIRECT.match(text)
    if found is None or "\x00" in text:
        return []
    rows = versions.filter(model__name=found["name"])
    if found["number"]:
        number = int(found["number"])
        rows = rows.filter(number=number) if number < 2**31 else rows.none()
    else:
        rows = rows.filter(aliases__name=found["alias"], aliases__ended_at=None)
    return list(rows.values_list("pk", flat=True)[:1])


def _datasets(workspace: Workspace, question: Question, given: dict[str, str]) -> Candidates:
    wanted = question.wanted
    if not wanted or any(given.get(name) for name in _NOT_OF_DATASETS):
        return Candidates([])
    rows = Dataset.objects.filter(workspace=workspace)
    return _best(rows, wanted, ["-pk"])


_Loaded = dict[int, tuple[Any, str, list[tuple[str, str]], list[str]]]


def _load_models(workspace: Workspace, keys: list[int]) -> _Loaded:
    rows = RegisteredModel.objects.filter(pk__in=keys).select_related("owner")
    live: dict[int, list[str]] = {}
    for (model, _version), names in _live(workspace, model__in=keys).items():
        live.setdefault(model, []).extend(names)
    return {
        it.pk: (
            it,
            it.name,
            [
                ("Purpose", it.purpose),
                ("About", it.description),
                ("Tags", _tags(it.tags)),
                ("Owner", f"{it.owner} {it.owner.email}"),
            ],
            sorted(live.get(it.pk, [])),
        )
        for it in rows
    }


def _load_versions(workspace: Workspace, keys: list[int]) -> _Loaded:
    rows = ModelVersion.objects.filter(pk__in=keys).select_related("model", "created_by")
    live = _live(workspace, version__in=keys)
    cards = {
        it.version_id: it.sections
        for it in CardRevision.objects.filter(version__in=keys).order_by("version_id", "number")
    }
    return {
        it.pk: (
            it,
            f"{it.model.name} {it.number}",
            [
                ("Version", it.semantic_version),
                ("What changed", it.description),
                ("Tags", _tags(it.tags)),
                *((_heading(key), str(text)) for key, text in cards.get(it.pk, {}).items()),
                ("Run", it.run_id),
                ("Commit", it.git_commit),
                ("Source", it.source),
                ("Release", it.release_digest.removeprefix("sha256:")),
                *(("Artifact", f"{a['name']} {a['sha256']}") for a in _artifacts(it)),
            ],
            live.get((it.model_id, it.pk), []),
        )
        for it in rows
    }


def _load_datasets(workspace: Workspace, keys: list[int]) -> _Loaded:
    return {
        it.pk: (
            it,
            it.name,
            [
                ("About", it.description),
                ("Columns", ", ".join(str(column.get("name", "")) for column in it.columns)),
                ("Digest", it.digest.removeprefix("sha256:")),
            ],
            [],
        )
        for it in Dataset.objects.filter(pk__in=keys)
    }


def _live(workspace: Workspace, **which: Any) -> dict[tuple[int, int], list[str]]:
    """By model and version, the environments where it is live."""
    rows = (
        Alias.objects.filter(
            ended_at=None,
            model__workspace=workspace,
            model__workspace__environments__alias=F("name"),
            **which,
        )
        .order_by("model__workspace__environments__position")
        .values_list("model", "version", "model__workspace__environments__name")
    )
    live: dict[tuple[int, int], list[str]] = {}
    for model, version, environment in rows:
        live.setdefault((model, version), []).append(environment)
    return live


def _tags(tags: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in tags.items())


def _heading(key: str) -> str:
    return "Card, " + " ".join(split(key))


def _artifacts(version: ModelVersion) -> list[dict[str, Any]]:
    return [it for it in version.release.get("artifacts", []) if isinstance(it, dict)]
