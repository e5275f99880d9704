"""Chapter 2: version 1 goes live by two signatures, version 3 is stopped by its gates."""

from __future__ import annotations

from demo.report import insist
from demo.story.stage import HOLDOUT, MODEL, Stage, failing, gate_line

TITLE = "Evidence and signatures"


def register_1(stage: Stage) -> str:
    version = stage.register(MODEL, "flights-1", HOLDOUT)
    stage.requests["v1"] = {"version": version["number"]}
    return f"version {version['number']}, release {version['digest'][:19]}…"


def evidence_1(stage: Stage) -> str:
    request = stage.ask(MODEL, stage.requests["v1"]["version"])
    stage.requests["v1"] = request
    insist(not failing(request), "; ".join(failing(request)))
    return gate_line(request, "auc")


def machine_cannot_sign(stage: Stage) -> str:
    request = stage.requests["v1"]
    response = stage.ci.http.post(
        f"promotion-requests/{request['uid']}/approve",
        json={"digest": request["digest"], "meaning": "I approve", "password": "secret"},
    )
    body = response.json()
    insist(response.status_code == 403, f"a token signed: {response.status_code} {body}")
    insist(body["code"] == "machine_cannot_sign", str(body))
    return f"403 {body['code']}"


def sign_1(stage: Stage) -> str:
    request = stage.requests["v1"]
    status, body = stage.clearance(request)
    insist(status == 409 and body["state"] == "waiting", f"{status} {body}")
    stage.sign("ada", request)
    stage.sign("ines", request)
    status, body = stage.clearance(request, wait=20)
    insist(status == 200, f"{status} {body}")
    return "clearance was 409 waiting, and is 200 cleared after Ada Moreau and Ines Duarte"


def live_1(stage: Stage) -> str:
    rollout = stage.rollout(stage.requests["v1"])
    insist(rollout["state"] == "succeeded", f"{rollout['state']}: {rollout['reason']}")
    champion = stage.champion()
    insist(champion == rollout["to_version"], f"@champion stands on {champion}")
    return (
        f"approvals sealed in checkpoint {rollout['checkpoint_size']}, then all traffic at once"
        f" (nothing was live before); @champion is version {champion}"
    )


def register_2(stage: Stage) -> str:
    version = stage.register(MODEL, "flights-2", HOLDOUT)
    stage.requests["v2"] = {"version": version["number"]}
    return f"version {version['number']}: eleven features instead of three"


def version_3(stage: Stage) -> str:
    version = stage.register(MODEL, "flights-3", HOLDOUT)
    request = stage.ask(MODEL, version["number"])
    reasons = failing(request)
    insist(bool(reasons), "every gate passes, though it is worse")
    status, body = stage.clearance(request)
    insist(status == 409 and body["state"] == "blocked", f"{status} {body}")
    page = stage.browser("ada").page(request["links"]["page"])
    insist('name="password"' not in page, "the page offers a signature while a gate fails")
    stage.ci.post(f"promotion-requests/{request['uid']}/withdraw", {"reason": "Worse than live."})
    return f"409 blocked. {reasons[0]} No signature is offered; withdrawn"


STEPS = (
    ("CI registers version 1", register_1),
    ("Workers gather its evidence at its own server", evidence_1),
    ("A machine tries to sign", machine_cannot_sign),
    ("Two people sign through the sign-in form", sign_1),
    ("The approval is sealed and carried out", live_1),
    ("CI registers version 2", register_2),
    ("Version 3, plausible but worse", version_3),
)
