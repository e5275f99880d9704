"""Version tags that say what belongs into the release, for clients that know only tags (pure).

``mlflow.register_model(tags={"countersign.git_commit": …})``: the tags stay tags, and fill the
release's own fields when the version is registered. Later they cannot be set: a release never
changes, and a tag beside it that says otherwise would be a lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from common.errors import Invalid
from registry import prompts
from registry.release import ReleaseInput

#: A model or a version with this tag, and the value ``true``, is a prompt to MLflow's clients.
PROMPT_TAG = "mlflow.prompt.is_prompt"

_COMMIT = "countersign.git_commit"
_THRESHOLD = "countersign.decision_threshold"
_CONSUMPTION = "countersign.consumption"
_AUTHORS = "countersign.git_authors"
_SEMANTIC = "countersign.semantic_version"
RELEASE_TAGS = frozenset({_COMMIT, _THRESHOLD, _CONSUMPTION, _AUTHORS, _SEMANTIC})


@dataclass(frozen=True, slots=True)
class Filled:
    """A release with what its tags say, and the semantic version, which stands beside it."""

    release: ReleaseInput
    semantic_version: str


def fill(release: ReleaseInput, tags: Mapping[str, str]) -> Filled:
    """The release with the fields that the tags name.

    Raises: Invalid when the threshold is no finite number. Everything else is checked where the
    release is.
    """
    given: dict[str, Any] = {}
    if tags.get(_COMMIT):
        given["git_commit"] = tags[_COMMIT].strip()
    if tags.get(_THRESHOLD):
        given["decision_threshold"] = _number(tags[_THRESHOLD])
    if tags.get(_CONSUMPTION):
        given["consumption"] = tags[_CONSUMPTION].strip().lower()
    if tags.get(_AUTHORS):
        addresses = tags[_AUTHORS].replace(";", ",").split(",")
        given["git_authors"] = [it.strip() for it in addresses if it.strip()]
    release = cover_prompt(release, tags)
    return Filled(replace(release, **given) if given else release, tags.get(_SEMANTIC, "").strip())


def cover_prompt(release: ReleaseInput, tags: Mapping[str, Any]) -> ReleaseInput:
    """The release with the digests of the prompt that the tags hold, if they hold one.

    Two prompts that differ in their text alone are two releases, and a signature is about one.
    """
    covered = prompts.content(tags)
    return replace(release, extra={**release.extra, **covered}) if covered else release


def insist_unchanged(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """A version's tags may change, but for those that its release was filled from.

    Raises: Invalid.
    """
    for key in [*sorted(RELEASE_TAGS), prompts.changed_content(before, after)]:
        if key and before.get(key) != after.get(key):
            reason = f"“{key}” is part of the release, which never changes: register a new version."
            raise Invalid(reason, code="part_of_release", fields={"tags": [reason]})


def insist_same_kind(tags: Mapping[str, Any], *, prompt: bool) -> None:
    """What was registered as a prompt stays one, and nothing else becomes one. Raises: Invalid."""
    if (str(tags.get(PROMPT_TAG, "")).lower() == "true") != prompt:
        reason = f"“{PROMPT_TAG}” says what a model is since it was registered: it stays as it is."
        raise Invalid(reason, code="kind_is_fixed", fields={"tags": [reason]})


def is_prompt(tags: Mapping[str, str]) -> bool:
    """Whether the tags say that this is a prompt."""
    return tags.get(PROMPT_TAG, "").lower() == "true"


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        reason = f"“{_THRESHOLD}” is a finite number, such as 0.5."
        raise Invalid(reason, fields={"tags": [reason]})
    return value
