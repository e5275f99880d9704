"""What differs between two releases, part by part, in words. Pure: reads two release documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry.models import ModelVersion


def changes(live: ModelVersion | None, version: ModelVersion) -> list[tuple[str, str]]:
    """What differs between two releases, part by part, as (part, words)."""
    if live is None:
        return []
    old, new = live.release, version.release
    rows: list[tuple[str, str]] = []
    before, after = old.get("decision_threshold"), new.get("decision_threshold")
    if before != after:
        rows.append(("Decision threshold", f"{_or_none(before)} → {_or_none(after)}"))
    rows += _features(old, new)
    rows += _training(old, new)
    for part, name in (
        ("features", "Feature code"),
        ("image", "Serving image"),
        ("consumption", "Consumption"),
        ("source", "Source"),
    ):
        if old.get(part) != new.get(part):
            rows.append((name, f"{_or_none(old.get(part))} → {_or_none(new.get(part))}"))
    rows += _parts(old, new, "artifacts", "name", "sha256", "Artifacts")
    rows += _parts(old, new, "components", "model", "version", "Components")
    code = _code(old, new)
    if code:
        rows.append(("Code, people", code))
    return rows or [("Release", "Nothing that the release records; only its artifacts' bytes.")]


def _or_none(value: Any) -> str:
    return str(value) if value not in (None, "") else "none"


def _features(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = [
        {str(item.get("name")) for item in release.get("signature", {}).get("inputs", [])}
        for release in (old, new)
    ]
    added, gone = sorted(names[1] - names[0]), sorted(names[0] - names[1])
    words = [f"+ {name}" for name in added] + [f"− {name}" for name in gone]
    return [("Features", ", ".join(words))] if words else []


def _training(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str]]:
    before, after = old.get("training") or {}, new.get("training") or {}
    if before == after:
        return []
    return [("Training data", f"{_trained(after)} (was {_trained(before)})")]


def _trained(training: Mapping[str, Any]) -> str:
    words = []
    if training.get("dataset"):
        words.append(str(training["dataset"]))
    if training.get("from") or training.get("to"):
        words.append(f"{training.get('from', '…')} – {training.get('to', '…')}")
    if training.get("rows"):
        rows = training["rows"]
        words.append(f"{rows:,} rows" if isinstance(rows, int) else f"{rows} rows")
    return ", ".join(words) or "not said"


def _parts(
    old: Mapping[str, Any], new: Mapping[str, Any], part: str, key: str, value: str, name: str
) -> list[tuple[str, str]]:
    before = {str(item.get(key)): item.get(value) for item in old.get(part, [])}
    after = {str(item.get(key)): item.get(value) for item in new.get(part, [])}
    words = [f"+ {item}" for item in sorted(after.keys() - before.keys())]
    words += [f"− {item}" for item in sorted(before.keys() - after.keys())]
    words += [
        f"{item} changed"
        for item in sorted(after.keys() & before.keys())
        if after[item] != before[item]
    ]
    return [(name, ", ".join(words[:12]))] if words else []


def _code(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    words = []
    before, after = old.get("git_commit"), new.get("git_commit")
    if before != after:
        words.append(f"commit {_or_none(before)[:12]} → {_or_none(after)[:12]}")
    if authors := new.get("git_authors"):
        words.append(f"by {', '.join(authors)}")
    return ", ".join(words)
