"""An approver's day in real Chromium: sign in, queue, page, signature, rollout."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from demo import data
from demo.replay import Replay
from demo.story.stage import Stage

pytestmark = [pytest.mark.serial, pytest.mark.timeout(420)]

SIZES = [(1366, "light"), (1366, "dark"), (320, "light"), (320, "dark")]


def pages(stage: Stage) -> list[str]:
    request = stage.requests["v2"]
    first = stage.requests["v1"]
    rollout = stage.ci.get(f"promotion-requests/{first['uid']}")["rollout"]
    evidence = [gate["evidence"] for gate in request["gates"] if gate["evidence"]]
    return [
        "/",
        request["links"]["page"],
        "/models/",
        "/models/flight-delay/",
        "/models/flight-delay/versions/2/",
        *[f"/evidence/{uid}/" for uid in dict.fromkeys(evidence)],
        f"/rollouts/{rollout}/",
        "/monitoring/",
        f"/monitoring/{stage.monitor['uid']}/",
        "/findings/",
        "/policies/",
        "/audit/",
    ]


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    stage: Stage, visit: Callable[..., Any], width: int, scheme: str
) -> None:
    found: dict[str, list[str]] = {}
    with visit(None, width=width, scheme=scheme) as watched:
        watched.open("/accounts/login/")
        found["sign-in"] = watched.axe()
    with visit("ada", width=width, scheme=scheme) as watched:
        for path in pages(stage):
            watched.open(path)
            found[path] = watched.axe()
            if (wider := watched.sideways()) > 0:
                found[path].append(f"{wider} px wider than the window")

    assert {path: lines for path, lines in found.items() if lines} == {}


def test_two_people_sign_and_watch_the_rollout_finish(
    stage: Stage, visit: Callable[..., Any]
) -> None:
    request = stage.requests["v2"]
    traffic = data.between(stage.flights, "2013-04-01", "2013-04-04")[data.ALL_FEATURES]

    with visit("ada") as ada:
        ada.page.get_by_role("link", name=re.compile("flight-delay 2")).first.click()
        expect(ada.page.get_by_role("heading", level=1)).to_contain_text("flight-delay 2")
        expect(ada.page.get_by_role("heading", name="Where decisions flip")).to_be_visible()
        sign(ada.page, stage, "ada", "I validated this version independently")
        expect(ada.page.get_by_text("Ada Moreau signed").first).to_be_visible()
        expect(ada.page.get_by_label("My signature means")).to_have_count(0)
    with Replay(stage.route_url, traffic, per_second=30) as replay, visit("ines") as ines:
        ines.open(request["links"]["page"])
        sign(ines.page, stage, "ines", "I accept the residual risk")
        ines.page.get_by_role("link", name="Rollout").first.click()
        expect(ines.page.get_by_text("Succeeded").first).to_be_visible(timeout=180_000)
        expect(ines.page.locator("#rollout-live")).not_to_have_attribute("hx-trigger", "every 1s")

    assert replay.tally.failed == 0
    assert stage.champion() == request["version"]


def sign(page: Page, stage: Stage, short: str, meaning: str) -> None:
    """Fill in the form, press, and confirm what the dialog names."""
    page.get_by_label("My signature means").select_option(label=meaning)
    page.get_by_label("Reason").fill("Read all of it.")
    page.get_by_label("Password", exact=True).fill(stage.house.people[short]["password"])
    page.get_by_role("button", name="Sign and approve").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Sign and approve").click()
    page.wait_for_load_state("load")
