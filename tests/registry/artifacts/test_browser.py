"""The pages in real Chromium: an upload in parts that survives a cut line; nothing stored runs."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import sync_playwright

from jobs.services.run import run_until_idle
from registry.models import Artifact, ArtifactUpload
from registry.services import artifacts
from tests.conftest import BACKEND
from tests.factories import accounts
from tests.factories.registry import ModelVersionFactory
from tests.factories.registry_artifacts import ArtifactFactory
from tests.registry.artifacts.conftest import noise, sha
from tests.registry.artifacts.files import lightgbm_text, onnx_model

pytestmark = [pytest.mark.serial, pytest.mark.django_db(transaction=True)]

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
AXE = Path(__file__).resolve().parents[2] / "vendor" / "axe-core" / "axe.min.js"
SHOTS = os.environ.get("ARTIFACT_SHOTS")
MB = 1024 * 1024


@pytest.fixture
def owner(workspace: Any) -> Any:
    return accounts.person(workspace, "model_owner")


def cookie(user: Any, url: str) -> dict[str, str]:
    client = Client()
    client.force_login(user, backend=BACKEND)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


def launched(playwright: Any) -> Any:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    return playwright.chromium.launch(executable_path=path, args=ARGUMENTS)


def watched(page: Any, wrong: list[str], host: str) -> None:
    page.on("dialog", lambda it: (wrong.append(f"dialog {it.message}"), it.dismiss()))
    page.on("pageerror", lambda it: wrong.append(f"script: {it}"))
    page.on(
        "console",
        lambda it: wrong.append(it.text) if "Content Security Policy" in it.text else None,
    )
    page.on(
        "request",
        lambda it: (
            wrong.append(f"outside: {it.url}")
            if it.url.startswith("http") and urlsplit(it.url).netloc != host
            else None
        ),
    )


def test_a_file_goes_up_in_parts_and_on_after_the_line_was_cut(owner, live_server, tmp_path):
    raw = noise(20 * MB)
    path = tmp_path / "weights <b>.bin"
    path.write_bytes(raw)
    wrong: list[str] = []
    seen: list[str] = []
    given = cookie(owner, live_server.url)
    with sync_playwright() as playwright:
        browser = launched(playwright)
        context = browser.new_context()
        context.add_cookies([given])
        page = context.new_page()
        watched(page, wrong, urlsplit(live_server.url).netloc)
        cuts = iter([False, True, True])

        def maybe_cut(route: Any) -> None:
            if route.request.method == "PATCH":
                seen.append(route.request.headers["upload-offset"])
                if next(cuts, False):
                    return route.abort()
            return route.continue_()

        page.route("**/api/v1/artifacts/uploads/*", maybe_cut)
        page.goto(f"{live_server.url}/new-artifact/")
        page.get_by_label("File").set_input_files(path)
        page.get_by_role("button", name="Upload the file").press("Enter")
        page.wait_for_url(f"**/artifacts/{sha(raw)}/", timeout=60_000)
        heading = page.locator("h1").inner_text()
        browser.close()

    assert wrong == []
    assert heading == "weights <b>.bin"
    eight = 8 * MB
    assert seen == ["0", str(eight), str(eight), str(eight), str(2 * eight)]
    assert Artifact.objects.get().size == len(raw)
    assert [it["size"] for it in ArtifactUpload.objects.get().parts] == []


def test_it_goes_on_after_the_page_was_closed_and_works_without_a_script(
    owner, live_server, tmp_path
):
    raw, small = noise(10 * MB), noise(1000)
    path, other = tmp_path / "m.bin", tmp_path / "small.bin"
    path.write_bytes(raw)
    other.write_bytes(small)
    first: list[str] = []
    given = cookie(owner, live_server.url)
    with sync_playwright() as playwright:
        browser = launched(playwright)
        context = browser.new_context()
        context.add_cookies([given])
        page = context.new_page()
        page.route(
            "**/api/v1/artifacts/uploads/*",
            lambda route: (
                route.abort()
                if route.request.headers.get("upload-offset", "0") != "0"
                else route.continue_()
            ),
        )
        page.goto(f"{live_server.url}/new-artifact/")
        page.get_by_label("File").set_input_files(path)
        page.get_by_role("button", name="Upload the file").click()
        page.get_by_text("The line was cut").wait_for()
        page.close()

        page = context.new_page()
        page.on(
            "request",
            lambda it: first.append(it.headers["upload-offset"]) if it.method == "PATCH" else None,
        )
        page.goto(f"{live_server.url}/new-artifact/")
        page.get_by_label("File").set_input_files(path)
        page.get_by_role("button", name="Upload the file").click()
        page.wait_for_url(f"**/artifacts/{sha(raw)}/", timeout=60_000)

        bare = browser.new_context(java_script_enabled=False)
        bare.add_cookies([given])
        page = bare.new_page()
        page.goto(f"{live_server.url}/new-artifact/")
        page.get_by_label("File").set_input_files(other)
        page.get_by_label("SHA-256").fill(sha(raw))
        page.get_by_role("button", name="Upload the file").click()
        said = page.locator("main").inner_text()
        page.get_by_label("File").set_input_files(other)
        page.get_by_label("SHA-256").fill("")
        page.get_by_role("button", name="Upload the file").click()
        page.wait_for_url(f"**/artifacts/{sha(small)}/")
        browser.close()

    assert first == [str(8 * MB)]
    assert f"The file has {sha(small)}" in said
    assert ArtifactUpload.objects.count() == 1


def test_pages_are_accessible_and_stored_scripts_do_not_run(
    owner, workspace, live_server, caller_for
):
    evil = b"<script>alert(document.domain); fetch('http://canary.example/')</script>"
    name = "<img src=x onerror=alert(1)>.html"
    html = ArtifactFactory(workspace=workspace, stored=evil, name=name)
    kept = {
        "onnx": onnx_model(domain="com.example"),
        "lightgbm": lightgbm_text(),
        "damaged": lightgbm_text()[:-300],
        "pickle": b"\x80\x04\x95\x00\x00\x00.",
    }
    caller = caller_for(owner)
    for name, raw in kept.items():
        artifacts.take_file(caller=caller, name=name, source=io.BytesIO(raw), size=len(raw))
    run_until_idle(30)
    version = ModelVersionFactory(
        model__workspace=workspace, model__name="credit", artifact=sha(kept["pickle"])
    )
    given = cookie(owner, live_server.url)
    paths = {
        "list": "/artifacts/",
        "form": "/new-artifact/",
        "html": f"/artifacts/{html.sha256}/",
        "version": f"/models/credit/versions/{version.number}/",
        **{name: f"/artifacts/{sha(raw)}/" for name, raw in kept.items()},
    }
    wrong: list[str] = []
    with sync_playwright() as playwright:
        browser = launched(playwright)
        for width, scheme in ((1366, "light"), (320, "dark")):
            # CSP is passed by, so that axe can run and what is shown has to hold alone.
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
            )
            context.add_cookies([given])
            page = context.new_page()
            watched(page, wrong, urlsplit(live_server.url).netloc)
            for name, path in paths.items():
                if name in ("list", "pickle", "damaged", "lightgbm") and width == 1366:
                    continue
                page.goto(live_server.url + path)
                page.wait_for_load_state("load")
                page.evaluate(AXE.read_text())
                found = page.evaluate(
                    "axe.run(document, {runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa',"
                    " 'wcag21aa', 'wcag22aa', 'best-practice']}})"
                )
                wrong += [
                    f"{name} {width}: {it['id']} {it['nodes'][0]['html'][:160]}"
                    for it in found["violations"]
                ]
                across = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                if across > 0:
                    wrong.append(f"{name} is {across} px wider than {width}")
                if SHOTS:
                    page.screenshot(path=f"{SHOTS}/{name}-{width}-{scheme}.png", full_page=True)
            for place in (
                f"/artifacts/{html.sha256}/download",
                f"/api/v1/artifacts/{html.sha256}/content",
            ):
                with page.expect_download() as download:
                    page.evaluate("place => { location.href = place }", live_server.url + place)
                assert download.value.suggested_filename.endswith(".html")
            context.close()
        browser.close()

    assert wrong == []
