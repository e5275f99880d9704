"""The customer's scoring code, loaded by a stock MLflow server ("models from code").

It belongs to the demo's imagined customer, not to Countersign: it may unpickle its own model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException


class Probabilities(mlflow.pyfunc.PythonModel):
    """Answers the probability of the positive class, one number a row."""

    def load_context(self, context: Any) -> None:
        self.spec = json.loads(Path(context.artifacts["spec"]).read_text())
        self.model = joblib.load(context.artifacts["model"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> np.ndarray:
        rows = pd.DataFrame(index=model_input.index)
        for name in self.spec["features"]:
            if name in self.spec["categories"]:
                rows[name] = pd.Categorical(
                    model_input[name], categories=self.spec["categories"][name]
                )
            else:
                rows[name] = pd.to_numeric(model_input[name], errors="raise").astype(float)
        required = self.spec["refuses_missing"]
        if required and rows[required].isna().any().any():
            # Version 4's fault: its feature step was never tried without the weather.
            raise MlflowException("feature step failed: the weather is missing")
        return self.model.predict_proba(rows)[:, 1]


mlflow.models.set_model(Probabilities())
