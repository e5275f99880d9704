"""Bringing another registry in, over HTTP, from a server that speaks MLflow's calls."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.models import Event
from common.errors import Unavailable
from registry.importing import content
from registry.models import Alias, ImportRun, Kind, ModelVersion, RegisteredModel
from registry.services import imports
from tests.factories.registry import AliasFactory, ModelVersionFactory, RegisteredModelFactory
from tests.registry.mlflow_registry import PROMPT, Registry, serving

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(settings: Any) -> Iterator[Registry]:
    with serving(Registry()) as registry:
        settings.OUTBOUND_ALLOW = f"127.0.0.1/32:{registry.url.rpartition(':')[2]}"
        yield registry


@pytest.fixture
def ada(person: Any) -> Any:
    return person("model_owner", email="ada@example.org")


def bring(there: Registry, ada: Any, *more: str) -> str:
    out = io.StringIO()
    call_command("import_mlflow", "--from", there.url, "--as", ada.email, *more, stdout=out)
    return out.getvalue()


def fill(there: Registry) -> None:
    there.add(
        "churn",
        {
            "run_id": "r1",
            "description": "First.",
            "tags": [{"key": "k", "value": "v"}],
            "current_stage": "Archived",
            "model_id": "m-1",
            "run_link": "https://mlflow.example.org/#/r1",
        },
        {"current_stage": "Production", "run_id": "gone"},
        {"version": 5},
        description="Who leaves.",
        tags=[{"key": "team", "value": "crm"}],
        aliases=[{"alias": "blue", "version": "2"}, {"alias": "champion", "version": "1"}],
    )
    there.add("empty")
    there.add("fraud", {"status": "FAILED_REGISTRATION"}, {})
    tags = [{"key": PROMPT, "value": "true"}]
    there.add("poem", {"tags": [*tags, {"key": "mlflow.prompt.text", "value": "Hi"}]}, tags=tags)
    there.runs["r1"] = {
        "info": {"run_id": "r1", "user_id": "root"},
        "data": {
            "metrics": [
                {"key": "auc", "value": 0.875, "timestamp": 1, "step": 0},
                {"key": "loss", "value": "NaN", "timestamp": 1, "step": 0},
            ],
            "tags": [
                {"key": "mlflow.user", "value": "grace@example.org"},
                {"key": "mlflow.source.git.commit", "value": "c" * 40},
            ],
        },
    }


def test_everything_comes_in_under_its_own_number(
    there: Registry, ada: Any, person: Any, recorded_actions: Any
) -> None:
    fill(there)
    grace = person("model_owner", email="grace@example.org")

    said = bring(there, ada)

    churn = RegisteredModel.objects.get(name="churn")
    assert (churn.owner, churn.description, churn.tags) == (ada, "Who leaves.", {"team": "crm"})
    assert list(churn.versions.order_by("number").values_list("number", flat=True)) == [1, 2, 5]
    first = churn.versions.get(number=1)
    assert (first.description, first.tags, first.stage) == ("First.", {"k": "v"}, "Archived")
    assert (first.source, first.run_id) == ("s3://bucket/churn/1", "r1")
    assert (first.logged_model_id, first.run_link) == ("m-1", "https://mlflow.example.org/#/r1")
    assert first.reported_metrics == {"auc": 0.875}
    assert first.git_commit == "c" * 40
    assert first.release["extra"]["imported"] == {
        "from": there.url,
        "created_at": "2023-11-14T22:13:20.001+00:00",
        "status": "READY",
    }
    assert set(first.authors.values_list("user", flat=True)) == {ada.pk, grace.pk}
    assert churn.versions.get(number=2).stage == "Production"
    assert churn.next_version == 6
    (alias,) = Alias.objects.filter(model=churn)
    assert (alias.name, alias.version.number) == ("blue", 2)
    assert RegisteredModel.objects.get(name="poem").kind == Kind.PROMPT

    run = ImportRun.objects.get()
    assert run.state == "done"
    assert run.counts["models"] == 4
    assert run.counts["versions"] == 5
    assert "4 models, 5 versions" in said
    report = {line["what"]: line["why"] for line in run.left_out}
    assert set(report) == {
        "alias @champion of churn",
        "version 1 of churn: figure loss",
        "version 2 of churn: its run's figures",
        "version 1 of fraud",
    }
    champion = report["alias @champion of churn"]
    assert champion.startswith("It stood on version 1 there. ")
    assert "only an approved promotion" in champion
    assert all(f"{what}: {why}" in said for what, why in report.items())
    actions = recorded_actions()
    assert actions[0] == "import.started"
    assert actions[-1] == "import.finished"
    assert actions.count("version.registered") == 5
    finished = json.loads(Event.objects.get(action="import.finished").body)
    assert finished["details"]["versions"] == 5


def test_a_second_import_brings_nothing_twice(there: Registry, ada: Any) -> None:
    fill(there)
    bring(there, ada)
    before = ModelVersion.objects.count()
    there.versions["empty"].append({**there.versions["fraud"][1], "name": "empty", "version": "1"})

    bring(there, ada)

    assert ModelVersion.objects.count() == before + 1
    second = ImportRun.objects.first()
    assert second is not None
    assert second.counts["versions"] == 1
    assert "models" not in second.counts


def test_it_goes_on_where_it_was_cut_off(there: Registry, ada: Any, caller_for: Any) -> None:
    fill(there)
    caller = caller_for(ada)
    cut = imports.begin(caller=caller, source_url=there.url)
    source = imports.Source(there.url, caller.workspace, pause=lambda seconds: None)
    register = imports._Importer._register
    calls = 0

    def second_time_unlucky(self: Any, *args: Any) -> None:
        nonlocal calls
        calls += 1
        register(self, *args)
        if calls == 2:
            raise KeyboardInterrupt

    patch = pytest.MonkeyPatch()
    patch.setattr(imports._Importer, "_register", second_time_unlucky)
    with pytest.raises(KeyboardInterrupt):
        imports.carry_on(caller=caller, run=cut, source=source, tell=print)
    patch.undo()
    assert ModelVersion.objects.count() == 1
    cut.refresh_from_db()
    assert (cut.state, cut.counts["versions"]) == ("running", 1)

    said = bring(there, ada)

    assert "going on with" in said
    run = ImportRun.objects.get()
    assert run.state == "done"
    assert run.counts["versions"] == 5
    assert run.counts["models"] == 4
    assert len(run.left_out) == run.counts["left_out"] == 4


def test_what_is_here_already_stays(there: Registry, ada: Any, workspace: Any) -> None:
    fill(there)
    mine = RegisteredModelFactory(workspace=workspace, name="churn", description="Mine.")
    version = ModelVersionFactory(model=mine, number=1)
    AliasFactory(version=version, model=mine, name="blue")

    bring(there, ada)

    mine.refresh_from_db()
    assert (mine.description, mine.tags) == ("Mine.", {})
    assert list(mine.versions.order_by("number").values_list("number", flat=True)) == [1, 2, 5]
    assert mine.versions.get(number=1).release_digest == version.release_digest
    report = {line["what"]: line["why"] for line in ImportRun.objects.get().left_out}
    assert report["version 1 of churn"] == "This number is taken here."
    assert report["alias @blue of churn"] == "It stands on version 1 here."
    assert "model churn: description, tags" in report


def test_what_our_rules_refuse_is_left_out_and_the_rest_comes(there: Registry, ada: Any) -> None:
    there.add("a/b", {})
    there.add(
        "churn",
        {"source": "s" * 2000},
        {"description": "x" * 20_000, "tags": [{"key": "k" * 300, "value": "v"}]},
        {"tags": [{"key": "n", "value": "a\x00b"}, {"key": "ok", "value": "v"}]},
        aliases=[{"alias": "v1", "version": "2"}, {"alias": "gone", "version": "9"}],
    )
    there.add("'\"", {})

    bring(there, ada)

    churn = RegisteredModel.objects.get(name="churn")
    assert list(churn.versions.order_by("number").values_list("number", flat=True)) == [2, 3]
    assert len(churn.versions.get(number=2).description) == 10_000
    assert churn.versions.get(number=3).tags == {"ok": "v"}
    what = {line["what"] for line in ImportRun.objects.get().left_out}
    assert what == {
        "model a/b",
        "model '\"",
        "version 1 of churn",
        "version 2 of churn: the end of its description",
        f"version 2 of churn: tag {'k' * 100}",
        "version 3 of churn: tag n",
        "alias @v1 of churn",
        "alias @gone of churn",
    }


def test_the_token_goes_along_and_a_wrong_one_is_said(there: Registry, ada: Any) -> None:
    there.token = "s3cret"
    there.add("churn", {})

    with pytest.raises(CommandError, match="401"):
        bring(there, ada)
    bring(there, ada, "--token", "s3cret")

    assert ModelVersion.objects.count() == 1
    assert "s3cret" not in str(ImportRun.objects.values())


def test_a_user_name_goes_as_basic(
    there: Registry, ada: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "pw")
    bring(there, ada, "--user", "ada")
    assert there.authorizations == {"Basic YWRhOnB3"}


def test_trouble_is_tried_again_and_then_the_import_waits(
    there: Registry, ada: Any, caller_for: Any
) -> None:
    there.add("churn", {})
    there.troubles = [503, 429, 500]
    caller = caller_for(ada)
    waited: list[float] = []
    source = imports.Source(there.url, caller.workspace, pause=waited.append)
    run = imports.begin(caller=caller, source_url=there.url)
    imports.carry_on(caller=caller, run=run, source=source, tell=print)
    assert ModelVersion.objects.count() == 1
    assert waited == [0.5, 2.0, 5.0]

    there.troubles = [503] * 4
    again = imports.begin(caller=caller, source_url=there.url)
    with pytest.raises(Unavailable, match="503"):
        imports.carry_on(caller=caller, run=again, source=source, tell=print)
    assert ImportRun.objects.get(pk=again.pk).state == "running"


def test_an_older_server_without_prompts_is_brought_in(there: Registry, ada: Any) -> None:
    there.knows_prompts = False
    there.add("churn", {})

    said = bring(there, ada)

    assert ModelVersion.objects.count() == 1
    assert "secret text" not in said
    assert [line["what"] for line in ImportRun.objects.get().left_out] == ["prompts"]


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"registered_models": 5}', b'{"registered_models": [{"name": 5}]}']
)
def test_an_answer_that_is_none_ends_it_with_a_sentence(
    there: Registry, ada: Any, body: bytes
) -> None:
    there.nonsense["registered-models/search"] = body
    with pytest.raises(CommandError, match="same command goes on"):
        bring(there, ada)


def test_one_models_nonsense_costs_that_model_only(there: Registry, ada: Any) -> None:
    there.add("churn", {}, {"version": "x"})
    there.add("fraud", {})

    bring(there, ada)

    assert list(ModelVersion.objects.values_list("model__name", flat=True)) == ["fraud"]
    (line,) = ImportRun.objects.get().left_out
    assert line == {"what": "model churn", "why": "“version” is no version number."}


def test_only_what_the_allow_list_opens_is_asked(there: Registry, ada: Any, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ""
    with pytest.raises(CommandError, match="no administrator has opened"):
        bring(there, ada)
    assert there.asked == []


def test_who_may_not_register_may_not_import(there: Registry, person: Any) -> None:
    with pytest.raises(CommandError, match="needs one of these roles"):
        bring(there, person("viewer"))
    assert not ImportRun.objects.exists()


@pytest.mark.parametrize("version", ["0", "-1", "x", "1.5", None, "9" * 12])
def test_a_version_without_a_number_is_no_version(version: Any) -> None:
    with pytest.raises(content.BadAnswer):
        content.version({"version": version})
