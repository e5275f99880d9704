"""Every attack of ``test_markdown`` in real Chromium: nothing runs, nothing leaves, axe is content.

The page's Content-Security-Policy would stop much of it; here it is switched off, so that the
cleaning alone has to hold.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Dialog, Page, Request, sync_playwright

from governance.services import policies, registration
from registry import cards
from tests.conftest import BACKEND
from tests.factories import accounts, governance
from tests.factories.registry_cards import WHOLE, CardRevisionFactory
from tests.registry.cards.test_markdown import ATTACKS

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
AXE = Path(__file__).resolve().parents[2] / "vendor" / "axe-core" / "axe.min.js"
#: Where others have cards, too, ours are looked at.
MINE = {"version": "#card, #registration", "model": "#gating"}
SHOTS = os.environ.get("CARD_SHOTS")


def test_no_attack_runs_and_the_pages_are_accessible(workspace, live_server):
    owner = accounts.person(workspace, "model_owner")
    source = governance.source(gates=("auc.lower95 >= 0.6", "card.complete"))
    policies.create(
        caller=governance.system(workspace), source=source.replace("tier: 2", "tier: 1")
    )
    model = governance.model(workspace, name="credit risk", tier=1, owner=owner)
    version = governance.version(model, card=False)
    texts = list(ATTACKS.values())
    keys = list(cards.BY_KEY)
    attacked = {key: "\n\n".join(texts[place :: len(keys)]) for place, key in enumerate(keys)}
    CardRevisionFactory(version=version, sections={**WHOLE, "limits": "One.\nTwo."})
    CardRevisionFactory(version=version, number=2, sections=attacked)
    governance.evaluation(version, auc=0.55)
    registration.begin(version)
    client = Client()
    client.force_login(owner, backend=BACKEND)
    names = {"name": model.name, "number": version.number}
    paths = {
        "card": reverse("registry:card", kwargs=names),
        "section": reverse("registry:card-section", kwargs={**names, "key": "limits"}),
        "revision": reverse("registry:card-revision", kwargs={**names, "revision": 2}),
        "version": reverse("registry:version-detail", kwargs=names),
        "model": reverse("registry:model-detail", kwargs={"name": model.name}),
    }
    wrong: list[str] = []
    host = urlsplit(live_server.url).netloc
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), args=ARGUMENTS
        )
        for width, scheme in ((1366, "light"), (320, "dark")):
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
            )
            context.add_cookies(
                [
                    {
                        "name": settings.SESSION_COOKIE_NAME,
                        "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
                        "url": live_server.url,
                    }
                ]
            )
            page = context.new_page()
            _listen(page, host, wrong)
            for name, path in paths.items():
                page.goto(live_server.url + path)
                page.wait_for_load_state("networkidle")
                if name == "section":
                    page.get_by_label("Limits").fill("\n\n".join(texts))
                    page.get_by_role("button", name="Look at it first").click()
                    page.locator("#preview .markdown").wait_for()
                for link in page.locator(".markdown a[href]").all():
                    link.hover(force=True)
                page.evaluate(AXE.read_text())
                found = page.evaluate(
                    "where => axe.run(where, {runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa',"
                    " 'wcag21aa', 'wcag22aa', 'best-practice']}})",
                    MINE.get(name, "html"),
                )
                wrong += [
                    f"{name} {width}: {it['id']} {it['nodes'][0]['html'][:120]}"
                    for it in found["violations"]
                ]
                sideways = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                if sideways > 0:
                    wrong.append(f"{name} is {sideways} px wider than {width}")
                if SHOTS:
                    page.screenshot(path=f"{SHOTS}/{name}-{width}-{scheme}.png", full_page=True)
            context.close()
        browser.close()

    assert not wrong, wrong


def _listen(page: Page, host: str, wrong: list[str]) -> None:
    def on_dialog(dialog: Dialog) -> None:
        wrong.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def on_request(request: Request) -> None:
        if urlsplit(request.url).netloc not in {host, ""}:
            wrong.append(f"outside: {request.url}")

    page.on("dialog", on_dialog)
    page.on("request", on_request)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
