"""The demo's house with a request waiting for signatures, and a browser that notices all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from demo.house import House
from demo.story import canary, ground, promotion, watching
from demo.story.stage import Stage
from embedded import processes

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).resolve().parents[1] / "vendor" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CHAPTER = [
    *ground.STEPS,
    ("", promotion.register_1),
    ("", promotion.evidence_1),
    ("", promotion.sign_1),
    ("", promotion.live_1),
    ("", promotion.register_2),
    ("", canary.request_2),
]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Version 1 is live, version 2 waits for two signatures, a monitor has seen two months."""
    # Short, since a Unix socket's path has a limit, and open to the server's own user.
    folder = Path(tempfile.mkdtemp(prefix="cs-e2e-", dir="/tmp"))
    folder.chmod(0o711)
    house = House.at(folder / "var", processes.free_base())
    try:
        house.up()
        with closing(Stage(house)) as stage:
            for _, act in CHAPTER:
                act(stage)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(watching, "MONTHS", ["2013-04-01", "2013-05-01", "2013-06-01"])
                watching.monitor(stage)
                watching.months(stage)
                watching.labels(stage)
                # The drift of two months opens a finding, which would rightly block version 2.
                watching.finding(stage)
            yield stage
    finally:
        house.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "run `make test`: it finds or installs Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and everything about it that should not have happened."""

    page: Page
    base_url: str
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        response = self.page.goto(self.base_url + path)
        assert response is not None
        assert response.status == 200, f"{path}: {response.status}"
        # Charts are drawn and parts are loaded by scripts: wait until nothing is under way.
        self.page.wait_for_load_state("load")
        for figure in self.page.locator("figure[data-chart] .js-plotly-plot").all():
            figure.wait_for()

    def axe(self) -> list[str]:
        """Violations of WCAG 2.2 AA and of best practice, one line each."""
        self.page.evaluate(AXE.read_text())
        found: dict[str, Any] = self.page.evaluate(
            "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
        )
        return [f"{item['id']}: {item['nodes'][0]['html'][:160]}" for item in found["violations"]]

    def sideways(self) -> int:
        """How many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture
def visit(stage: Stage, chromium: Browser) -> Iterator[Callable[..., Any]]:
    """``visit("ada")`` signs in by the form and gives a watched page; nothing wrong may be left."""
    opened: list[tuple[BrowserContext, Watched]] = []

    @contextmanager
    def visitor(
        short: str | None, *, width: int = 1366, scheme: str = "light"
    ) -> Iterator[Watched]:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        watched = Watched(context.new_page(), stage.house.base_url)
        opened.append((context, watched))
        _listen(watched)
        if short is not None:
            sign_in(watched, stage, short)
        yield watched

    yield visitor
    for context, _ in opened:
        context.close()
    assert [line for _, watched in opened for line in watched.wrong] == []


def sign_in(watched: Watched, stage: Stage, short: str) -> None:
    """Through the form, as a person does."""
    person = stage.house.people[short]
    watched.open("/accounts/login/")
    watched.page.get_by_label("Email").fill(person["email"])
    watched.page.get_by_label("Password", exact=True).fill(person["password"])
    watched.page.get_by_role("button", name="Sign in").click()
    watched.page.wait_for_url(f"{stage.house.base_url}/")


def _listen(watched: Watched) -> None:
    host = urlsplit(watched.base_url).netloc

    def on_console(message: Any) -> None:
        # A policy violation is reported here too.
        if message.type in {"error", "warning"}:
            watched.wrong.append(f"console: {message.text}")

    def on_request(request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https"} and parts.netloc != host:
            watched.wrong.append(f"outside request: {request.url}")

    def on_response(response: Any) -> None:
        if response.status >= 400:
            watched.wrong.append(f"{response.status} {response.url}")

    watched.page.on("console", on_console)
    watched.page.on("pageerror", lambda error: watched.wrong.append(f"script: {error}"))
    watched.page.on("request", on_request)
    watched.page.on("response", on_response)
