"""Where a person sees what was brought in and what was not."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from registry.models import ImportRun
from tests.factories.accounts import WorkspaceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(workspace: Any) -> ImportRun:
    return ImportRun.objects.create(
        workspace=workspace,
        source_url="https://mlflow.example.org",
        state="done",
        counts={"models": 2, "versions": 7, "left_out": 1},
        left_out=[{"what": "alias @champion of <b>churn</b>", "why": "Only a promotion moves it."}],
        started_by_pid="p:nobody",
        finished_at="2026-01-02T03:04:05Z",
    )


def test_imports_are_listed_and_one_tells_its_report(client_for: Any, run: ImportRun) -> None:
    client = client_for("viewer")

    listed = client.get("/imports/").content.decode()
    shown = client.get(f"/imports/{run.uid}/").content.decode()

    assert "https://mlflow.example.org" in listed
    assert "7 versions" in shown.replace("\xa0", " ").replace("&nbsp;", " ")
    assert "alias @champion of &lt;b&gt;churn&lt;/b&gt;" in shown
    assert "Only a promotion moves it." in shown


def test_without_any_the_page_says_how(client_for: Any) -> None:
    assert "import_mlflow --from URL" in client_for("viewer").get("/imports/").content.decode()


def test_they_are_read_by_rest_too(api: Any, run: ImportRun) -> None:
    client = api("viewer")

    listed = client.get("/api/v1/imports").json()
    one = client.get(f"/api/v1/imports/{run.uid}").json()

    assert [it["uid"] for it in listed["results"]] == [str(run.uid)]
    assert "left_out" not in listed["results"][0]
    assert one["left_out"] == run.left_out
    assert one["counts"] == {"models": 2, "versions": 7, "left_out": 1}


def test_another_workspaces_are_not_there(api: Any, client_for: Any) -> None:
    theirs = ImportRun.objects.create(
        workspace=WorkspaceFactory(), source_url="https://x.example.org", started_by_pid="p:x"
    )
    assert api("viewer").get(f"/api/v1/imports/{theirs.uid}").status_code == 404
    assert client_for("viewer").get(f"/imports/{theirs.uid}/").status_code == 404
    assert client_for("viewer").get(f"/imports/{uuid4()}/").status_code == 404
    assert "x.example.org" not in client_for("viewer").get("/imports/").content.decode()
