"""What an XGBoost model says of itself, from JSON or UBJ; XGBoost is not asked (it crashes)."""

from __future__ import annotations

import json
from typing import IO, Any

from registry.artifacts.inspection import ubj
from registry.artifacts.inspection.errors import Unreadable

MAX_BYTES = 512 * 1024 * 1024
MAX_COLUMNS = 2000
_TYPES = {"float": "double", "q": "double", "int": "long", "i": "boolean", "c": "string"}


def read(file: IO[bytes], size: int) -> dict[str, Any]:
    """Objective, booster, features, trees, of a JSON model. Raises: Unreadable."""
    _insist_size(size)
    try:
        model = json.loads(file.read(size))
    except ValueError:
        raise Unreadable("This is no JSON, or a damaged one.") from None
    return _said(model)


def read_ubj(file: IO[bytes], size: int) -> dict[str, Any]:
    """The same of a model in Universal Binary JSON. Raises: Unreadable."""
    _insist_size(size)
    try:
        model = ubj.loads(file.read(size))
    except ubj.BadUbj as error:
        raise Unreadable(f"This is no Universal Binary JSON, or a damaged one: {error}.") from None
    return _said(model)


def _insist_size(size: int) -> None:
    if size > MAX_BYTES:
        raise Unreadable("An XGBoost model of more than 512 MB is not inspected.", code="too_large")


def _said(model: Any) -> dict[str, Any]:
    learner = _dict(model, "learner")
    booster = _dict(learner, "gradient_booster")
    parameters = _dict(learner, "learner_model_param")
    name = booster.get("name")
    if name not in ("gbtree", "gblinear", "dart"):
        raise Unreadable("It names no booster that XGBoost has.")
    features = _texts(learner.get("feature_names", []))
    kinds = _texts(learner.get("feature_types", []))
    count = _number(parameters, "num_feature")
    if features and len(features) != count:
        raise Unreadable("It names another number of features than it says it has.")
    return {
        "version": ".".join(str(it) for it in _list(model.get("version", []))[:3]),
        "objective": str(_dict(learner, "objective").get("name", "")),
        "booster": name,
        "trees": _trees(booster, name),
        "classes": _number(parameters, "num_class"),
        "base_score": str(parameters.get("base_score", "")),
        "features_count": count,
        "features": features[:MAX_COLUMNS],
        "signature": {
            "inputs": [
                {
                    "name": it[:255],
                    "type": _TYPES.get(kinds[at] if at < len(kinds) else "", "double"),
                    "required": False,  # XGBoost reads a missing value as one
                }
                for at, it in enumerate(features[:MAX_COLUMNS])
            ],
            "outputs": [],
        }
        if features
        else None,
    }


def _trees(booster: dict[str, Any], name: str) -> int:
    if name == "gblinear":
        _dict(booster, "model")
        return 0
    model = _dict(_dict(booster, "gbtree") if name == "dart" else booster, "model")
    said = _number(_dict(model, "gbtree_model_param"), "num_trees")
    trees = _list(model.get("trees", []))
    if said != len(trees) or not all(isinstance(tree, dict) for tree in trees):
        raise Unreadable(f"It says it has {said} trees and holds {len(trees)}.", code="cut_short")
    return said


def _dict(here: Any, key: str) -> dict[str, Any]:
    found = here.get(key) if isinstance(here, dict) else None
    if not isinstance(found, dict):
        raise Unreadable(f"It has no {key}.")
    return found


def _list(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise Unreadable("A list is missing.")
    return given


def _texts(given: Any) -> list[str]:
    if not all(isinstance(it, str) for it in _list(given)):
        raise Unreadable("Its features are not named by text.")
    return list(given)


def _number(here: dict[str, Any], key: str) -> int:
    """XGBoost writes its numbers as text."""
    text = str(here.get(key, ""))
    if not text.isdecimal() or len(text) > 9:
        raise Unreadable(f"It does not say {key}.")
    return int(text)
