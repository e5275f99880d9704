"""Trains the demo's models on real data and saves them as a customer would, once per VAR_DIR."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from demo import data

DONE = "done.json"


@dataclass(frozen=True)
class Recipe:
    """How one version was made.

    Attributes:
        key: folder and server name, such as ``flights-2``.
        features: what the version asks for, in order.
        start, end: the training months, ISO dates; ``end`` is not included.
        label: the column that is predicted.
        story: what its author says of it.
        refuses_missing: columns without which its *server* fails (version 4's hidden fault).
    """

    key: str
    features: list[str]
    start: str
    end: str
    story: str
    label: str = "late"
    refuses_missing: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


RECIPES: list[Recipe] = [
    Recipe(
        "flights-1",
        ["sched_hour", "weekday", "distance"],
        "2013-01-01",
        "2013-03-01",
        "The schedule alone: hour, weekday, distance.",
    ),
    Recipe(
        "flights-2",
        data.ALL_FEATURES,
        "2013-01-01",
        "2013-03-22",
        "Adds carrier, origin and the hour's weather, and three more weeks of training data.",
    ),
    Recipe(
        "flights-3",
        ["carrier", "origin", "distance", "temp"],
        "2013-01-01",
        "2013-02-01",
        "Smaller and simpler: route and temperature, trained on January.",
    ),
    Recipe(
        "flights-4",
        data.ALL_FEATURES,
        "2013-01-01",
        "2013-03-22",
        "As version 2 with a slower learning rate and more trees, on a new feature service.",
        refuses_missing=["temp"],
        options={"learning_rate": 0.05, "max_iter": 200},
    ),
    Recipe(
        "hmda-1",
        data.HMDA_FEATURES,
        "",
        "",
        "Probability that a mortgage application is approved, from ratios and credit history.",
        label="approved",
    ),
]


def prepare(folder: Path) -> None:
    """Train and save what is not there yet, each recipe in a folder of its key."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [recipe for recipe in RECIPES if not _is_done(folder / recipe.key, recipe)]
    if missing:
        flights = data.flights()
        for recipe in missing:
            _train(recipe, folder / recipe.key, flights)


def artifacts(folder: Path) -> list[dict[str, Any]]:
    """What a CI job reports of a saved model: each file's name, size in bytes and SHA-256."""
    return [
        {
            "name": str(path.relative_to(folder)),
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != DONE and "__pycache__" not in path.parts
    ]


def training_rows(recipe: Recipe, flights: pd.DataFrame) -> pd.DataFrame:
    """The rows that the recipe trains on."""
    if recipe.label == "approved":
        return data.hmda_split(data.hmda())[0]
    return data.between(flights, recipe.start, recipe.end)


def _fingerprint(recipe: Recipe) -> str:
    scoring = Path(__file__).with_name("scoring.py").read_text()
    return hashlib.sha256(f"{recipe!r}{scoring}{sys.version}".encode()).hexdigest()


def _is_done(folder: Path, recipe: Recipe) -> bool:
    mark = folder / DONE
    return mark.exists() and json.loads(mark.read_text()).get("of") == _fingerprint(recipe)


def _train(recipe: Recipe, folder: Path, flights: pd.DataFrame) -> None:
    # Heavy imports stay here: the supervisor needs none of them when everything is trained.
    import joblib
    import mlflow
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = training_rows(recipe, flights)
    inputs = pd.DataFrame(index=rows.index)
    categories: dict[str, list[str]] = {}
    for name in recipe.features:
        if rows[name].dtype == object:
            categories[name] = sorted(rows[name].unique())
            inputs[name] = pd.Categorical(rows[name], categories=categories[name])
        else:
            inputs[name] = rows[name].astype(float)
    model = HistGradientBoostingClassifier(
        random_state=0, categorical_features="from_dtype", **recipe.options
    ).fit(inputs, rows[recipe.label])
    shutil.rmtree(folder, ignore_errors=True)
    work = folder.with_suffix(".work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    joblib.dump(model, work / "model.joblib")
    spec = {
        "features": recipe.features,
        "categories": categories,
        "refuses_missing": recipe.refuses_missing,
    }
    (work / "spec.json").write_text(json.dumps(spec, indent=1))
    mlflow.pyfunc.save_model(
        folder,
        python_model=str(Path(__file__).with_name("scoring.py")),
        artifacts={"model": str(work / "model.joblib"), "spec": str(work / "spec.json")},
        pip_requirements=[],
    )
    shutil.rmtree(work)
    (folder / DONE).write_text(json.dumps({"of": _fingerprint(recipe), "rows": len(rows)}))


if __name__ == "__main__":
    prepare(Path(sys.argv[1]))
