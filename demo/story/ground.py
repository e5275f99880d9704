"""Chapter 1: what stands before any model: gateway, data, policies, names."""

from __future__ import annotations

from pathlib import Path

from demo import data
from demo.client import Refused, wait_for
from demo.report import insist
from demo.story.stage import CREDIT, GATEWAY, HOLDOUT, JUDGED, MODEL, ROUTE, Stage

TITLE = "The ground"
POLICIES = Path(__file__).resolve().parents[1] / "policies"


def gateway(stage: Stage) -> str:
    known = {item["name"]: item for item in stage.operator.get("gateways")["results"]}
    found = known.get(GATEWAY) or stage.operator.post(
        "gateways", {"name": GATEWAY, "public_url": stage.house.gateway_url}
    )
    stage.house.start_agent(found["uid"])
    served = wait_for(
        lambda: {g["name"]: g for g in stage.operator.get("gateways")["results"]}[GATEWAY],
        lambda item: item["applied_revision"] == item["revision"],
        timeout_s=30,
    )
    return f"Envoy serves revision {served['applied_revision']}, and its agent says so"


def datasets(stage: Stage) -> str:
    holdout = data.holdout(stage.flights)
    columns = [*data.ALL_FEATURES, "late", "flight_id", "scheduled_at"]
    flights = stage.upload(
        HOLDOUT,
        holdout[columns],
        label_column="late",
        id_column="flight_id",
        time_column="scheduled_at",
    )
    judged = data.hmda_split(data.hmda())[1]
    credit = stage.upload(
        JUDGED,
        judged[[*data.HMDA_FEATURES, "race", "approved", "application_id"]],
        label_column="approved",
        id_column="application_id",
    )
    insist(flights["rows"] == len(holdout), f"{flights['rows']} rows, not {len(holdout)}")
    late = holdout["late"].mean()
    return (
        f"{flights['rows']:,} flights of 22–31 March ({late:.1%} late) and"
        f" {credit['rows']:,} mortgage applications, known by digest"
    )


def policies(stage: Stage) -> str:
    known = {item["name"] for item in stage.risk_officer.get("policies")["results"]}
    for name in ("flights", "credit"):
        source = (POLICIES / f"{name}.yaml").read_text()
        if f"{name}-production" not in known:
            stage.risk_officer.post("policies", {"source": source})
    found = stage.risk_officer.get("policies")["results"]
    gates = {p["name"]: len(p["revision"]["body"]["gates"]) for p in found}
    return ", ".join(f"{name} with {count} gates" for name, count in sorted(gates.items()))


def names(stage: Stage) -> str:
    for name, tier, purpose in (
        (
            MODEL,
            2,
            "Probability that a flight from New York arrives more than 15 minutes late, from"
            " what is known when it is scheduled; for staffing and rebooking, not for dispatch.",
        ),
        (
            CREDIT,
            1,
            "Probability that a mortgage application is approved; supports an officer's decision.",
        ),
    ):
        try:
            stage.ci.post(
                "models",
                {
                    "name": name,
                    "owner": "jun@demo.example",
                    "purpose": purpose,
                    "tier": tier,
                    "kind": "binary",
                    "description": purpose,
                },
            )
        except Refused as error:
            insist(error.status == 409, str(error))
    routes = {item["name"] for item in stage.operator.get("routes")["results"]}
    if ROUTE not in routes:
        stage.operator.post(
            "routes",
            {"name": ROUTE, "gateway": GATEWAY, "model": MODEL, "environment": "production"},
        )
    return f"models {MODEL} (tier 2) and {CREDIT} (tier 1); callers use {stage.route_url}"


STEPS = (
    ("A gateway is registered", gateway),
    ("Real data is uploaded", datasets),
    ("Policies are written", policies),
    ("Models and a route get names", names),
)
