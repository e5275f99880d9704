"""What a release is, as canonical content, and the one digest over it (pure: no database).

A release is everything that shapes an answer or says where it came from. Two ways of writing the
same content (key order, order of artifacts, ``1`` or ``1.0``, upper-case hexadecimal digits) give
the same digest; any change of content gives another. What may change later without being another
release (description, tags) and figures that somebody only reported are not part of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from common.canonical import canonical_json, canonical_number, sha256_hex
from common.errors import Invalid

RELEASE_VERSION = 1
_SHA256 = re.compile(r"^(?:sha256:)?([0-9a-fA-F]{64})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseInput:
    """What somebody says a release is made of; every part may be empty.

    Attributes:
        artifacts: ``[{"name", "sha256", "size"}]``, size in bytes; names are unique.
        source, run_id, git_commit: inert text that says where it came from; never opened.
        decision_threshold: on the score, or None where the model decides nothing by itself.
        signature: ``{"inputs": [{"name", "type", "required"}], "outputs": [...]}``, order counts.
        consumption: a ``registry.models.Consumption`` value.
        image, features: serving image and feature code, by digest or reference.
        training: ``{"dataset", "from", "to", "rows"}``.
        datasets: ``[{"name", "use", "digest"}]``.
        components: ``[{"model", "version", "digest"}]``, the versions that this one calls.
        git_authors: e-mail addresses as git has them.
        derived_from: ``{"model", "version", "digest", "derivation"}``, the version that this one
            was pruned, quantised … from. Only when given is it part of the content, so that
            releases without it keep the digest they always had.
        extra: further content by key, such as calibration or preprocessing.
    """

    artifacts: Sequence[Mapping[str, Any]] = ()
    source: str = ""
    run_id: str = ""
    git_commit: str = ""
    git_authors: Sequence[str] = ()
    decision_threshold: float | None = None
    signature: Mapping[str, Any] = field(default_factory=dict)
    consumption: str = "online"
    image: str = ""
    features: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    datasets: Sequence[Mapping[str, Any]] = ()
    components: Sequence[Mapping[str, Any]] = ()
    derived_from: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def canonical(given: ReleaseInput) -> dict[str, Any]:
    """The release as JSON without floats: what is stored, shown and hashed.

    Raises: Invalid when an artifact's digest is none, or a name stands twice in one list.
    """
    content = {
        "release_version": RELEASE_VERSION,
        "artifacts": _sorted_once("artifacts", [_artifact(it) for it in given.artifacts], "name"),
        "source": given.source,
        "run_id": given.run_id,
        "git_commit": given.git_commit.lower(),
        "git_authors": sorted({author.strip().lower() for author in given.git_authors}),
        "decision_threshold": (
            None if given.decision_threshold is None else number(given.decision_threshold)
        ),
        "signature": {
            "inputs": [plain(it) for it in given.signature.get("inputs", ())],
            "outputs": [plain(it) for it in given.signature.get("outputs", ())],
        },
        "consumption": given.consumption,
        "image": given.image,
        "features": given.features,
        "training": plain(given.training),
        "datasets": _sorted_once("datasets", [plain(it) for it in given.datasets], "name", "use"),
        "components": _sorted_once(
            "components", [plain(it) for it in given.components], "model", "version"
        ),
        "extra": plain(given.extra),
    }
    if given.derived_from:
        content["derived_from"] = plain(given.derived_from)
    return content


def digest(release: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of what :func:`canonical` gave."""
    return sha256_hex(canonical_json(release))


def number(value: float) -> str:
    """The text of a number: ``1`` and ``1.0``, ``0`` and ``-0.0`` have the same."""
    return canonical_number(float(value) + 0.0)


def plain(value: Any) -> Any:
    """A copy that canonical JSON can hold: floats and times become text, keys are text."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Invalid("A release holds finite numbers only.", code="invalid_release")
        return int(value) if value.is_integer() else canonical_number(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    raise Invalid(f"A release cannot hold a {type(value).__name__}.", code="invalid_release")


def _artifact(given: Mapping[str, Any]) -> dict[str, Any]:
    found = _SHA256.match(str(given.get("sha256", "")))
    name = str(given.get("name", ""))
    if found is None:
        raise Invalid(
            f"The artifact “{name[:100]}” needs a SHA-256 of 64 hexadecimal digits.",
            fields={"artifacts": ["Each needs a SHA-256 of 64 hexadecimal digits."]},
        )
    return {"name": name, "sha256": found[1].lower(), "size": int(given.get("size") or 0)}


def _sorted_once(label: str, items: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    named = sorted(items, key=lambda it: [str(it.get(key, "")) for key in keys])
    names = [tuple(str(it.get(key, "")) for key in keys) for it in named]
    if len(set(names)) != len(names):
        raise Invalid(
            f"The same name stands twice in {label}.",
            fields={label: ["The same name stands twice."]},
        )
    return named
