"""Chapter 4: version 2 goes live by steps, under replayed traffic, and no request fails."""

from __future__ import annotations

from demo import data
from demo.replay import Replay, Tally
from demo.report import insist
from demo.story.stage import MODEL, Stage, failing, gate_line

TITLE = "A canary through Envoy"
PER_SECOND = 30.0


def request_2(stage: Stage) -> str:
    request = stage.ask(MODEL, stage.requests["v2"]["version"])
    stage.requests["v2"] = request
    insist(not failing(request), "; ".join(failing(request)))
    return gate_line(request, "live.auc")


def flips_2(stage: Stage) -> str:
    return gate_line(stage.requests["v2"], "decision_flips")


def rollout_2(stage: Stage) -> str:
    request = stage.requests["v2"]
    traffic = data.between(stage.flights, "2013-04-01", "2013-04-08")[data.ALL_FEATURES]
    with Replay(stage.route_url, traffic, per_second=PER_SECOND) as replay:
        stage.sign("ada", request)
        stage.sign("ines", request)
        rollout = stage.rollout(request, timeout_s=150)
    insist(rollout["state"] == "succeeded", f"{rollout['state']}: {rollout['reason']}")
    insist(replay.tally.failed == 0, f"{replay.tally.failed} of {replay.tally.sent} failed")
    steps = "; ".join(_step(step) for step in rollout["steps"])
    return f"{steps}. {_counted(replay.tally)}"


def _step(step: dict[str, object]) -> str:
    latest: dict[str, dict[str, int]] = step["latest"]  # type: ignore[assignment]
    new, old = latest["candidate"]["answers"], latest["stable"]["answers"]
    share = new / (new + old) if new + old else 0.0
    return f"{step['weight']} % wanted, {share:.1%} measured on {new} answers"


def _counted(tally: Tally) -> str:
    by = ", ".join(f"{count} by {name}" for name, count in sorted(tally.answers.items()))
    return f"{tally.sent} requests while weights moved, {tally.failed} failed ({by})"


def champion_2(stage: Stage) -> str:
    champion = stage.champion()
    insist(champion == stage.requests["v2"]["version"], f"@champion stands on {champion}")
    current = stage.ci.get("routes/flight-delay/current")
    insist(current["release_digest"] == stage.requests["v2"]["release_digest"], str(current))
    return f"@champion moved to version {champion}; the route serves exactly its release"


STEPS = (
    ("Version 2 against what is live", request_2),
    ("What it would change", flips_2),
    ("Signed, sealed, then step by step", rollout_2),
    ("Registry and gateway agree", champion_2),
)
