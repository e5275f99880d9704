"""A training pipeline as thousands are written: MLflow's own client, and nothing of ours.

``python -m demo.mlflow_pipeline MODEL SOURCE`` registers a release, names it, asks for it by that
name, and tries to move ``@champion``. Where the registry is says ``MLFLOW_REGISTRY_URI`` alone.
It prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

MODEL, SOURCE = sys.argv[1:3]
RUN = "0f3c6f9bb1d7424f9d7a1f4f3f0a9a11"

client = MlflowClient()
try:
    client.create_registered_model(MODEL, tags={"team": "analytics"}, description="Nightly.")
except MlflowException as error:
    if error.error_code != "RESOURCE_ALREADY_EXISTS":
        raise
version = client.create_model_version(
    MODEL,
    source=SOURCE,
    run_id=RUN,
    tags={"countersign.decision_threshold": "0.25"},
    description="Registered by the nightly pipeline.",
)
client.set_registered_model_alias(MODEL, "challenger", version.version)
named = client.get_model_version_by_alias(MODEL, "challenger")
found = client.search_model_versions(f"name = '{MODEL}' AND run_id = '{RUN}'", max_results=100)

started = time.monotonic()
try:
    client.set_registered_model_alias(MODEL, "champion", version.version)
    refusal = ""
except MlflowException as error:
    refusal = f"{error.get_http_status_code()} {error.message}"

json.dump(
    {
        "version": version.version,
        "status": version.status,
        "user": named.user_id,
        "aliases": sorted({alias for item in found for alias in item.aliases}),
        "refusal": refusal,
        "refused_in_s": round(time.monotonic() - started, 2),
    },
    sys.stdout,
)
