"""Chapter 5: another model, where fairness is a gate."""

from __future__ import annotations

from demo.cards import MORTGAGE
from demo.report import insist
from demo.story.stage import CREDIT, JUDGED, Stage, failing, gate_line

TITLE = "Fairness has a say"


def card(stage: Stage) -> str:
    version = stage.register(CREDIT, "hmda-1", JUDGED)
    stage.requests["hmda-version"] = version
    path = f"models/{CREDIT}/versions/{version['number']}/card"
    before = stage.ci.get(path)
    insist(len(before["missing"]) > 5, f"tier 1 asks for more than {before['missing']}")
    after = stage.ci.put(path, {"sections": MORTGAGE, "revision": before["revision"]})
    insist(after["is_complete"], f"the card still lacks {after['missing']}")
    return (
        f"{len(before['missing'])} sections were missing for tier 1; revision"
        f" {after['revision']} has {len(after['sections'])}, and its editor is an author"
    )


def fairness(stage: Stage) -> str:
    version = stage.requests["hmda-version"]
    request = stage.ask(CREDIT, version["number"])
    stage.requests["hmda"] = request
    gate = next(g for g in request["gates"] if "selection_rate_ratio" in g["name"])
    insist(gate["state"] in {"passes", "fails"}, f"{gate['state']}: {gate['explanation']}")
    return gate_line(request, "selection_rate_ratio")


def consequence(stage: Stage) -> str:
    request = stage.requests["hmda"]
    status, body = stage.clearance(request)
    expected = "blocked" if failing(request) else "waiting"
    insist(status == 409 and body["state"] == expected, f"{status} {body}")
    return f"clearance: 409 {body['state']}. {' '.join(r['message'] for r in body['reasons'])}"


STEPS = (
    ("A model card, as tier 1 asks for", card),
    ("Approval rates by race, measured", fairness),
    ("What follows from it", consequence),
)
