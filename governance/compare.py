"""Two to six versions side by side: everything that was measured, said and written about them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from common.errors import Invalid, NotFound
from evaluation.models import Evidence
from governance import comparing
from governance.comparing import Row
from governance.release_changes import changes
from registry.cards import BY_KEY
from registry.models import CardRevision, Dataset, ModelVersion, VersionDataset

if TYPE_CHECKING:
    from accounts.models import Workspace

FEWEST, MOST = 2, 6
_NAMED = re.compile(r"(.+?):(\d{1,9})(?:,|$)", re.DOTALL)
_KINDS = ("evaluation", "fairness", "explanation", "benchmark", "load")
#: What of an evaluation's, a benchmark's or a load run's timings is shown, in this order.
_SPEEDS = ("p50", "p95", "p99", "per_row_mean")


@dataclass(frozen=True, slots=True)
class OnDataset:
    """Figures of one sort on one dataset, and each version's evidence where there is one."""

    dataset: str
    evidence: list[Evidence | None]
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Between:
    """A differential of ``version`` against ``baseline``; None where nobody has asked for one."""

    version: ModelVersion
    baseline: ModelVersion
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``versions[0]`` is what the others are held against."""

    versions: list[ModelVersion]
    metrics: list[OnDataset]
    fairness: list[OnDataset]
    speed: list[OnDataset]
    explanations: list[Evidence | None]
    between: list[Between]
    release: list[Row]
    parameters: list[Row]
    reported: list[Row]
    columns: list[Row]
    datasets: list[Row]
    artifacts: list[Row]
    sections: list[Row]
    cards: list[CardRevision | None] = field(default_factory=list)
    datasets_to_ask: list[Dataset] = field(default_factory=list)


def parse(texts: Sequence[str]) -> list[tuple[str, int]]:
    """``model:3`` each, or several with commas between (a name may hold commas and colons).

    Raises: Invalid when a part is no version, or there are too few or too many.
    """
    wanted: list[tuple[str, int]] = []
    for text in texts:
        at = 0
        for found in _NAMED.finditer(text):
            if found.start() != at:
                break
            at = found.end()
            wanted.append((found[1], int(found[2])))
        if at != len(text) or "\x00" in text:
            raise _refused(f"“{text[:80]}” is not model:number.".replace("\x00", "�"))
    chosen = list(dict.fromkeys(wanted))
    if not FEWEST <= len(chosen) <= MOST:
        raise _refused(f"Choose {FEWEST} to {MOST} versions; these are {len(chosen)}.")
    return chosen


def find(workspace: Workspace, wanted: Sequence[tuple[str, int]]) -> list[ModelVersion]:
    """Those versions, in that order; one query. Raises: NotFound."""
    any_of = Q(pk=None)
    for name, number in wanted:
        any_of |= Q(model__name=name, number=min(number, 2**31 - 1))
    rows = ModelVersion.objects.filter(
        any_of, workspace=workspace, deleted_at=None, model__deleted_at=None
    ).select_related("model__workspace", "model__owner", "created_by")
    by_name = {(it.model.name, it.number): it for it in rows}
    for name, number in wanted:
        if (name, number) not in by_name:
            raise NotFound(f"There is no version {name[:80]} {number} here.")
    return [by_name[it] for it in wanted]


def compare(versions: Sequence[ModelVersion]) -> Comparison:
    """Everything side by side; as many queries for six versions as for two."""
    keys = [it.pk for it in versions]
    found = _evidence(keys)
    between = _differentials(versions)
    cards = _cards(keys)
    used = VersionDataset.objects.filter(version__in=keys).select_related("dataset")
    datasets: dict[int, dict[str, str]] = {}
    for it in used:
        datasets.setdefault(it.version_id, {})[f"{it.dataset.name} ({it.use})"] = it.dataset.digest
    releases = [it.release for it in versions]
    first = versions[0]
    shown_cards = [cards.get(key) for key in keys]
    return Comparison(
        versions=list(versions),
        metrics=_metrics(keys, found, between),
        fairness=_fairness(keys, found),
        speed=_speed(keys, found),
        explanations=[found.get((key, "explanation", None)) for key in keys],
        between=between,
        release=_release(first, versions),
        parameters=comparing.parameters(releases, [it.tags for it in versions]),
        reported=comparing.metric_rows(
            [_as_triples(it.reported_metrics) for it in versions], [None] * len(keys)
        ),
        columns=comparing.columns([it.signature or {} for it in versions]),
        datasets=comparing.named([datasets.get(key, {}) for key in keys]),
        artifacts=comparing.named([_artifacts(it) for it in releases]),
        sections=comparing.sections(
            [card.sections if card else {} for card in shown_cards],
            {key: section.title for key, section in BY_KEY.items()},
        ),
        cards=shown_cards,
        datasets_to_ask=list(
            Dataset.objects.filter(
                workspace=first.workspace_id, state=Dataset.State.READY
            ).order_by("name")[:200]
        ),
    )


def _refused(sentence: str) -> Invalid:
    return Invalid(sentence, code="versions_invalid", fields={"versions": [sentence]})


_Found = dict[tuple[int, str, str | None], Evidence]


def _evidence(keys: Sequence[int]) -> _Found:
    """The newest complete evidence by version, kind and dataset, and by version and kind alone."""
    rows = (
        Evidence.objects.complete()
        .filter(version__in=keys, kind__in=_KINDS)
        .exclude(origin=Evidence.Origin.REPORTED)
        .select_related("dataset")
        .order_by("version_id", "kind", "dataset_id", "-pk")
        .distinct("version_id", "kind", "dataset_id")
    )
    found: _Found = {}
    for it in sorted(rows, key=lambda it: it.pk):
        found[it.version_id, it.kind, it.dataset.name if it.dataset else ""] = it
        found[it.version_id, it.kind, None] = it
    return found


def _differentials(versions: Sequence[ModelVersion]) -> list[Between]:
    """Each of the others against the first, the newest in whatever state; one query."""
    first, others = versions[0], versions[1:]
    rows = (
        Evidence.objects.filter(
            kind=Evidence.Kind.DIFFERENTIAL,
            baseline=first,
            version__in=[it.pk for it in others],
        )
        .select_related("version__model", "baseline__model", "dataset", "job", "endpoint")
        # A complete one is shown before one that is still being computed.
        .order_by("pk")
    )
    newest: dict[int, Evidence] = {}
    for it in rows:
        known = newest.get(it.version_id)
        complete = it.state == Evidence.State.COMPLETE
        if known is None or complete or known.state != Evidence.State.COMPLETE:
            newest[it.version_id] = it
    return [Between(it, first, newest.get(it.pk)) for it in others]


def _cards(keys: Sequence[int]) -> dict[int, CardRevision]:
    rows = (
        CardRevision.objects.filter(version__in=keys)
        .order_by("version_id", "-number")
        .distinct("version_id")
    )
    return {it.version_id: it for it in rows}


def _names(found: _Found, *kinds: str) -> list[str]:
    return sorted({name for _, kind, name in found if kind in kinds and name is not None})


def _metrics(keys: Sequence[int], found: _Found, between: Sequence[Between]) -> list[OnDataset]:
    tables = []
    for name in _names(found, "evaluation"):
        evidence = [found.get((key, "evaluation", name)) for key in keys]
        paired = [None, *(_deltas(it, name) for it in between)]
        results = [it.result.get("metrics") if it else None for it in evidence]
        tables.append(OnDataset(name, evidence, comparing.metric_rows(results, paired)))
    # Where most of them were measured comes first: there is something to compare.
    return sorted(tables, key=lambda it: (-sum(one is not None for one in it.evidence), it.dataset))


def _deltas(between: Between, dataset: str) -> Mapping[str, Any] | None:
    it = between.evidence
    if it is None or it.state != Evidence.State.COMPLETE:
        return None
    if (it.dataset.name if it.dataset else "") != dataset:
        return None
    deltas: Mapping[str, Any] | None = it.result.get("metrics_delta")
    return deltas


def _fairness(keys: Sequence[int], found: _Found) -> list[OnDataset]:
    tables = []
    for name in _names(found, "fairness"):
        evidence = [found.get((key, "fairness", name)) for key in keys]
        ratios = [it.result.get("selection_rate_ratio", {}) if it else {} for it in evidence]
        results = [
            {f"{column}: lowest selection rate to highest": it for column, it in one.items()}
            for one in ratios
        ]
        rows = comparing.metric_rows(results, [None] * len(keys))
        tables.append(OnDataset(name, evidence, rows))
    return tables


def _speed(keys: Sequence[int], found: _Found) -> list[OnDataset]:
    tables = []
    for kind in ("evaluation", "benchmark", "load"):
        for name in _names(found, kind):
            evidence = [found.get((key, kind, name)) for key in keys]
            timings = [(it.result.get("latency_ms") or {}) if it else {} for it in evidence]
            if not any(timings):
                continue
            rows = [
                comparing.Row(
                    f"{speed.replace('_', ' ')}, ms",
                    [one.get(speed) for one in timings],
                    differs=False,
                )
                for speed in _SPEEDS
                if any(speed in one for one in timings)
            ]
            tables.append(OnDataset(f"{kind} on {name}" if name else kind, evidence, rows))
    return tables


def _release(first: ModelVersion, versions: Sequence[ModelVersion]) -> list[Row]:
    """What changed from the first version to each of the others, part by part."""
    said = [dict(changes(first, it)) if it.pk != first.pk else {} for it in versions]
    parts = list(dict.fromkeys(part for one in said for part in one))
    return [
        comparing.Row(part, [one.get(part, "") for one in said], differs=True) for part in parts
    ]


def _artifacts(release: Mapping[str, Any]) -> dict[str, str]:
    return {str(it.get("name")): str(it.get("sha256", "")) for it in release.get("artifacts", [])}


def _as_triples(reported: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        str(name): {"value": float(value)}
        for name, value in reported.items()
        if isinstance(value, (int, float))
    }


def importance(found: Comparison) -> list[dict[str, Any]]:
    """Each feature's share of the score's movement by version, the largest first."""
    held = [comparing.shares(it.result if it else None) for it in found.explanations]
    features = {feature for one in held for feature in one}
    rows = [
        {
            "feature": feature,
            "shares": [one[feature][0] if feature in one else None for one in held],
        }
        for feature in features
    ]
    return sorted(rows, key=lambda row: (-max(it or 0.0 for it in row["shares"]), row["feature"]))
