"""Chapter 3: a pipeline that knows nothing of Countersign, only of mlflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from demo.report import insist
from demo.story.stage import Stage

TITLE = "The mlflow client, unmodified"
NIGHTLY = "flight-delay-nightly"
SOURCE = "s3://models/flight-delay-nightly/2013-03-21/model"


def register(stage: Stage) -> str:
    told = _client(stage)
    stage.requests["nightly"] = told
    insist(told["status"] == "READY", f"the version is {told['status']}")
    insist(told["aliases"] == ["challenger"], f"search finds the aliases {told['aliases']}")
    version = stage.ci.get(f"models/{NIGHTLY}/versions/{told['version']}")
    insist(version["source"] == SOURCE, f"its source is {version['source']}")
    insist(version["decision_threshold"] == 0.25, f"its threshold: {version['decision_threshold']}")
    return (
        f"{NIGHTLY} {told['version']} by {told['user']}, @challenger on it;"
        f" release {version['digest'][:19]}… as from anybody else"
    )


def champion_is_refused(stage: Stage) -> str:
    told = stage.requests["nightly"]
    insist(told["refusal"].startswith("403"), f"it answered: {told['refusal'] or 'yes'}")
    insist("REQ-" in told["refusal"], f"no request is named: {told['refusal']}")
    insist(told["refused_in_s"] < 5, f"the client tried for {told['refused_in_s']} s")
    opened = [
        item
        for item in stage.ci.get("promotion-requests", limit=500)["results"]
        if item["model"] == NIGHTLY and item["status"] == "open"
    ]
    insist(len(opened) == 1, f"{len(opened)} requests are open for {NIGHTLY}")
    reason = "The pipeline only wanted to see whether it could."
    stage.ci.post(f"promotion-requests/{opened[0]['uid']}/withdraw", {"reason": reason})
    return f"in {told['refused_in_s']} s: {told['refusal'][:160]}… Withdrawn"


def _client(stage: Stage) -> dict[str, Any]:
    scheme, _, host = stage.house.base_url.partition("://")
    environment = {
        **{key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
        "MLFLOW_REGISTRY_URI": f"{scheme}://ci:{stage.house.tokens['ci']}@{host}",
        # Where runs are tracked is another server's business; here, a folder.
        "MLFLOW_TRACKING_URI": (stage.house.var_dir / "mlruns").as_uri(),
        "MLFLOW_ALLOW_FILE_STORE": "true",
    }
    done = subprocess.run(
        [sys.executable, "-m", "demo.mlflow_pipeline", NIGHTLY, SOURCE],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    insist(done.returncode == 0, f"the client failed: {done.stderr[-500:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


STEPS = (
    ("A pipeline registers through mlflow", register),
    ("It tries to move @champion", champion_is_refused),
)
