"""Chapter 6: April to December pass; what drifted, what it did to the score, who was told."""

from __future__ import annotations

import email
import email.policy
import io
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx
import pandas as pd

from demo import data
from demo.client import wait_for
from demo.report import insist
from demo.story.stage import HOLDOUT, MODEL, Stage

TITLE = "Nine months in production"
REFERENCE = "flights-reference-v2"
MONTHS = [f"2013-{month:02d}-01" for month in range(4, 13)] + ["2014-01-01"]
BATCH = 1000
PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
AUC_LIMIT = 0.65


def monitor(stage: Stage) -> str:
    scored = data.holdout(stage.flights)[[*data.ALL_FEATURES, "late"]].copy()
    scored["score"] = _score(stage, scored)
    stage.upload(REFERENCE, scored, label_column="late")
    name = f"{MODEL} in production"
    known = {item["name"]: item for item in stage.operator.get("monitors")["results"]}
    stage.monitor = known.get(name) or stage.operator.post(
        "monitors",
        {
            "name": name,
            "model": MODEL,
            "environment": "production",
            "version": stage.requests["v2"]["version"],
            "reference": REFERENCE,
            "score_column": "score",
            "label_column": "late",
            "id_column": "flight_id",
            "time_column": "scheduled_at",
            "window": "month",
            "columns": data.ALL_FEATURES,
        },
    )
    stage.operator.post(
        "alert-rules",
        {
            "monitor": stage.monitor["uid"],
            "name": "AUC at its limit",
            "kind": "performance",
            "metric": "auc",
            "threshold": AUC_LIMIT,
            "k": 2,
            "n": 3,
            "severity": "high",
        },
    )
    columns = len(stage.monitor["columns"])
    return f"{columns} columns against {stage.monitor['reference_rows']:,} rows of {HOLDOUT}"


def months(stage: Stage) -> str:
    rows = 0
    for start, end in pairwise(MONTHS):
        month = data.between(stage.flights, start, end)
        log = month[["flight_id", "scheduled_at", *data.ALL_FEATURES]].copy()
        log["score"] = _score(stage, log)
        accepted = _post(stage, "predictions", log)
        rows += accepted["accepted"]
    return f"{rows:,} scored rows in {len(MONTHS) - 1} windows; profiles kept, no row"


def labels(stage: Stage) -> str:
    met = 0
    for start, end in pairwise(MONTHS):
        month = data.between(stage.flights, start, end)
        met += _post(stage, "labels", month[["flight_id", "late"]])["accepted"]
    return f"{met:,} labels met their prediction by id"


def drifted(stage: Stage) -> str:
    windows = _drift(stage)
    insist(len(windows) == len(MONTHS) - 1, f"{len(windows)} windows")
    worst: dict[str, tuple[float, str]] = {}
    for window in windows:
        for column in window["columns"]:
            if column["drifted"]:
                value = column["psi"]["value"]
                if value > worst.get(column["column"], (0.0, ""))[0]:
                    worst[column["column"]] = (value, window["start"][:7])
    ranked = sorted(worst.items(), key=lambda item: -item[1][0])
    told = ", ".join(f"{name} (PSI {psi:.2f} in {month})" for name, (psi, month) in ranked[:4])
    still = sorted(set(data.ALL_FEATURES) - set(worst))
    return f"{told}; {len(worst)} of {len(data.ALL_FEATURES)} columns; still: {', '.join(still)}"


def score(stage: Stage) -> str:
    found = []
    for window in _drift(stage):
        auc = window["performance"]["realised"]["auc"]
        found.append(
            f"{window['start'][5:7]}: {auc['value']:.3f} [{auc['lower95']:.3f},"
            f" {auc['upper95']:.3f}]"
        )
    return "AUC by month " + ", ".join(found)


def alarm(stage: Stage) -> str:
    open_alerts = wait_for(
        lambda: stage.operator.get("alerts", monitor=stage.monitor["uid"])["results"],
        bool,
        timeout_s=20,
    )
    return "; ".join(f"{alert['label']}: {alert['cause']}" for alert in reversed(open_alerts))


def told(stage: Stage) -> str:
    def mails() -> list[tuple[str, str]]:
        found = []
        for path in sorted((stage.house.var_dir / "mail").glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if stage.monitor["name"] in str(message.get_content()):
                found.append((str(message["To"]), str(message["Subject"])))
        return found

    sent = wait_for(mails, bool, timeout_s=30)
    return f"“{sent[0][1]}” to {sent[0][0]} ({len(sent)} in VAR_DIR/mail)"


def finding(stage: Stage) -> str:
    rows: list[dict[str, Any]] = wait_for(
        lambda: [
            row
            for row in stage.operator.get("findings", limit=500)["results"]
            if row["model"] == MODEL and row["state"] == "open"
        ],
        bool,
        timeout_s=20,
    )
    for row in rows:
        stage.operator.post(
            f"findings/{row['uid']}/close",
            {"resolution": "Seasonal weather; retrained as version 4 on a new feature service."},
        )
    first = rows[-1]
    return f"F-{first['number']}, {first['severity']}: {first['title']}; Sam Okafor answers it"


def report(stage: Stage) -> str:
    asked = stage.operator.post(
        "reports", {"monitor": stage.monitor["uid"], "window": "2013-07-01"}
    )
    ready = wait_for(
        lambda: stage.operator.get(f"reports/{asked['uid']}"),
        lambda item: item["state"] != "waiting",
        timeout_s=60,
    )
    insist(ready["state"] == "ready", f"{ready['state']}: {ready['error']}")
    return (
        f"July as Evidently draws it, from profiles: snapshot {ready['snapshot_bytes'] // 1024} kB,"
        f" page {ready['html_bytes'] // 1024} kB gzipped"
    )


def _drift(stage: Stage) -> list[dict[str, Any]]:
    windows: list[dict[str, Any]] = stage.operator.get(
        f"monitors/{stage.monitor['uid']}/drift", limit=24
    )["windows"]
    return windows


def _post(stage: Stage, what: str, frame: pd.DataFrame) -> dict[str, Any]:
    """Upload one month and wait until it is counted."""
    body = io.BytesIO()
    frame.to_parquet(body, index=False)
    base = f"monitors/{stage.monitor['uid']}"
    sent = stage.ingest.post(f"{base}/{what}", content=body.getvalue(), headers=PARQUET)
    done: dict[str, Any] = wait_for(
        lambda: stage.ingest.get(f"{base}/ingests/{sent['uid']}"),
        lambda item: item["state"] != "waiting",
        timeout_s=90,
        every_s=0.2,
    )
    insist(done["state"] == "done", f"{what}: {done}")
    return done


def _score(stage: Stage, rows: pd.DataFrame) -> list[float]:
    """Scores by version 2's own server, as the customer's log would hold them."""
    values = rows[data.ALL_FEATURES].astype(object)
    values = values.where(rows[data.ALL_FEATURES].notna(), None)
    table = values.to_numpy().tolist()
    url = stage.house.server_url("flights-2")

    with httpx.Client(timeout=30, trust_env=False) as http:

        def one(start: int) -> list[float]:
            body = {"columns": data.ALL_FEATURES, "data": table[start : start + BATCH]}
            response = http.post(url, json={"dataframe_split": body})
            response.raise_for_status()
            return list(response.json()["predictions"])

        with ThreadPoolExecutor(2) as pool:
            batches = pool.map(one, range(0, len(table), BATCH))
            return [score for batch in batches for score in batch]


STEPS = (
    ("A monitor watches version 2", monitor),
    ("April to December are scored and logged", months),
    ("Labels arrive late", labels),
    ("What drifted", drifted),
    ("What the score did", score),
    ("An alert is raised", alarm),
    ("People are told by e-mail", told),
    ("A finding is opened", finding),
    ("The detailed report, on demand", report),
)
