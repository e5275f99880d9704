"""Chapter 7: version 4 is signed, but its server fails without weather: it goes back by itself."""

from __future__ import annotations

from demo import data
from demo.replay import Replay
from demo.report import insist
from demo.story.stage import HOLDOUT, MODEL, Stage, failing

TITLE = "A bad release goes back by itself"
PER_SECOND = 30.0


def request_4(stage: Stage) -> str:
    version = stage.register(MODEL, "flights-4", HOLDOUT)
    request = stage.ask(MODEL, version["number"])
    stage.requests["v4"] = request
    insist(not failing(request), "; ".join(failing(request)))
    gate = next(g for g in request["gates"] if g["name"].startswith("auc.lower95"))
    return f"every gate passes on the holdout, where no weather is missing: {gate['explanation']}"


def rollout_4(stage: Stage) -> str:
    request = stage.requests["v4"]
    before = stage.champion()
    traffic = data.between(stage.flights, "2013-12-01", "2014-01-01")[data.ALL_FEATURES]
    traffic = traffic.sample(frac=1.0, random_state=7)
    with Replay(stage.route_url, traffic, per_second=PER_SECOND) as replay:
        stage.sign("ada", request)
        stage.sign("ines", request)
        rollout = stage.rollout(request, timeout_s=150)
    insist(rollout["state"] == "rolled_back", f"{rollout['state']}: {rollout['reason']}")
    insist(stage.champion() == before, f"@champion moved to {stage.champion()}")
    seen = replay.tally
    failed = ", ".join(f"{count} by {name}" for name, count in sorted(seen.failures.items()))
    return f"{rollout['reason']} Callers saw {seen.failed} of {seen.sent} fail ({failed})"


def finding_4(stage: Stage) -> str:
    rows = stage.operator.get("findings", limit=500)["results"]
    number = stage.requests["v4"]["version"]
    about = [row for row in rows if row["version"] == number and row["state"] == "open"]
    insist(bool(about), f"no finding about version {number} among {len(rows)}")
    return f"F-{about[0]['number']}, {about[0]['severity']}: {about[0]['title']}"


STEPS = (
    ("Version 4 gathers its evidence", request_4),
    ("Signed, then canary under December's weather", rollout_4),
    ("A finding says what happened", finding_4),
)
