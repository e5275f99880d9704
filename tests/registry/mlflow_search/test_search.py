"""The search against the tables: what is found, in which order, page by page."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from registry.mlflow.search import SearchRefused, search_models, search_versions
from registry.mlflow.search.grammar import VERSIONS, Clause, parse_filter
from registry.models import Alias, ModelVersion, RegisteredModel
from tests.factories.accounts import WorkspaceFactory
from tests.factories.registry import AliasFactory, ModelVersionFactory, RegisteredModelFactory

pytestmark = pytest.mark.django_db
T0 = datetime(2026, 1, 1, tzinfo=UTC)
PROMPT = {"mlflow.prompt.is_prompt": "true"}


def a_model(workspace: Any, name: str, versions: int = 0, **fields: Any) -> RegisteredModel:
    model = RegisteredModelFactory(workspace=workspace, name=name, **fields)
    for _ in range(versions):
        ModelVersionFactory(model=model)
    return model


def names(page: Any) -> list[str]:
    return [row["name"] for row in page.rows]


def numbered(page: Any) -> list[tuple[str, str]]:
    return [(row["name"], row["version"]) for row in page.rows]


def test_like_minds_the_case_and_ilike_does_not(workspace: Any) -> None:
    for name in ("Churn", "churn", "100%", "100x", "a_b", "axb", "a\\b"):
        a_model(workspace, name)

    def found(text: str) -> list[str]:
        return names(search_models(workspace, filter=text))

    assert found("name LIKE 'churn'") == ["churn"]
    assert found("name ILIKE 'CHURN'") == ["Churn", "churn"]
    assert found("name LIKE 'a_b'") == ["a\\b", "a_b", "axb"]
    assert found("name LIKE 'a\\%'") == ["a\\b"]
    assert found("name LIKE '%\\'") == []
    assert found("name = '100%'") == ["100%"]
    assert found("name IN ('churn', '100x', 'nobody')") == ["100x", "churn"]
    assert found("name NOT IN ('churn', '100x')") == ["100%", "Churn", "a\\b", "a_b", "axb"]
    assert found("name != 'churn' AND name ILIKE 'churn'") == ["Churn"]


def test_a_missing_tag_holds_no_comparison_but_the_prompt_clause(workspace: Any) -> None:
    a_model(workspace, "bare")
    a_model(workspace, "gold", tags={"tier": "gold", "a.b c": "1"})
    a_model(workspace, "lead", tags={"tier": "lead"})
    a_model(workspace, "poem", tags={**PROMPT, "tier": "gold"}, kind="prompt")

    def found(text: str) -> list[str]:
        return names(search_models(workspace, filter=text))

    assert found("") == ["bare", "gold", "lead"]
    assert found("tags.tier = 'gold'") == ["gold"]
    assert found("tags.tier != 'gold'") == ["lead"]
    assert found("tags.tier LIKE '%d'") == ["gold", "lead"]
    assert found("tags.tier ILIKE 'GO%' AND tags.tier != 'lead'") == ["gold"]
    assert found("tag.`a.b c` = '1'") == ["gold"]
    assert found("tag.`mlflow.prompt.is_prompt` != 'true'") == ["bare", "gold", "lead"]
    assert found("tags.`mlflow.prompt.is_prompt` = 'false'") == ["bare", "gold", "lead"]
    assert found("tag.`mlflow.prompt.is_prompt` = 'true'") == ["poem"]
    assert found("tags.tier = 'gold' AND tag.`mlflow.prompt.is_prompt` = 'true'") == ["poem"]


def test_a_prompts_versions_are_found_only_when_asked_for(workspace: Any) -> None:
    model = a_model(workspace, "churn", versions=1)
    prompt = a_model(workspace, "poem", tags=PROMPT)
    ModelVersionFactory(model=prompt, tags=PROMPT)

    assert numbered(search_versions(workspace)) == [(model.name, "1")]
    asked = search_versions(workspace, filter="tags.`mlflow.prompt.is_prompt` = 'true'")
    assert numbered(asked) == [("poem", "1")]


def test_only_what_is_there_in_this_workspace_is_found(workspace: Any) -> None:
    other = WorkspaceFactory()
    a_model(other, "theirs", versions=1)
    gone = a_model(workspace, "gone", versions=1)
    kept = a_model(workspace, "kept", versions=2)
    RegisteredModel.objects.filter(pk=gone.pk).update(deleted_at=T0)
    ModelVersion.objects.filter(model=kept, number=1).update(deleted_at=T0)

    assert names(search_models(workspace)) == ["kept"]
    assert numbered(search_versions(workspace)) == [("kept", "2")]
    assert numbered(search_versions(other)) == [("theirs", "1")]


def test_models_come_with_their_latest_versions_and_aliases(workspace: Any) -> None:
    model = a_model(workspace, "churn", versions=4, tags={"k": "v"}, description="Who leaves.")
    versions = {it.number: it for it in model.versions.all()}
    ModelVersion.objects.filter(pk__in=[versions[1].pk, versions[2].pk]).update(stage="Production")
    AliasFactory(version=versions[2], model=model, name="champion")
    AliasFactory(version=versions[4], model=model, name="challenger")
    Alias.objects.create(
        model=model, name="old", version=versions[4], started_at=T0, ended_at=T0, moved_by_pid="x"
    )
    a_model(workspace, "empty")

    churn, empty = search_models(workspace).rows

    assert churn["aliases"] == [
        {"alias": "challenger", "version": "4"},
        {"alias": "champion", "version": "2"},
    ]
    latest = {it["current_stage"]: it for it in churn["latest_versions"]}
    assert {stage: it["version"] for stage, it in latest.items()} == {
        "None": "4",
        "Production": "2",
    }
    assert latest["Production"]["aliases"] == ["champion"]
    assert churn["tags"] == [{"key": "k", "value": "v"}]
    assert churn["user_id"] == model.owner.email
    assert churn["creation_timestamp"] == int(model.created_at.timestamp() * 1000)
    assert empty["latest_versions"] == []
    assert empty["aliases"] == []


def test_versions_are_rendered_whole(workspace: Any) -> None:
    version = ModelVersionFactory(
        model__workspace=workspace,
        source="s3://b/k",
        run_id="r1",
        logged_model_id="m-1",
        reported_metrics={"auc": 0.8},
        tags={"k": "v"},
    )
    AliasFactory(version=version, name="b")
    AliasFactory(version=version, model=version.model, name="a")

    (row,) = search_versions(workspace).rows

    assert row == {
        "name": version.model.name,
        "version": "1",
        "creation_timestamp": row["creation_timestamp"],
        "last_updated_timestamp": row["last_updated_timestamp"],
        "user_id": version.created_by.email,
        "current_stage": "None",
        "description": "",
        "source": "s3://b/k",
        "run_id": "r1",
        "run_link": "",
        "status": "READY",
        "status_message": "",
        "tags": [{"key": "k", "value": "v"}],
        "aliases": ["a", "b"],
        "model_id": "m-1",
        "model_metrics": [
            {"key": "auc", "value": 0.8, "timestamp": row["creation_timestamp"], "step": 0}
        ],
        "governance": {"digest": version.release_digest, "semantic_version": ""},
    }
    assert isinstance(row["creation_timestamp"], int)


@pytest.fixture
def many(workspace: Any) -> Any:
    """Sixty versions of twelve models whose times and tags collide."""
    chance = random.Random(7)
    for index in range(12):
        model = a_model(workspace, chance.choice("aAbB") + f"{index:02}")
        for _ in range(5):
            moment = T0 + timedelta(seconds=chance.randrange(6))
            ModelVersionFactory(
                model=model,
                created_at=moment,
                updated_at=moment,
                run_id=chance.choice(["", "r1", "r2"]),
                source=chance.choice(["s3://Bucket/x", "s3://bucket/y", "runs:/1/m"]),
                tags=chance.choice([{}, {"k": "v"}, {"k": "w", "l": "v"}]),
            )
    return workspace


ORDERS: list[list[str]] = [
    [],
    ["name"],
    ["name DESC"],
    ["version_number ASC"],
    ["last_updated_timestamp"],
    ["creation_timestamp DESC", "version_number DESC", "name DESC"],
]


@pytest.mark.parametrize("order_by", ORDERS)
@pytest.mark.parametrize("size", [1, 7, 60])
def test_the_pages_together_are_the_whole_in_order(
    many: Any, order_by: list[str], size: int
) -> None:
    whole = numbered(search_versions(many, order_by=order_by))
    together: list[tuple[str, str]] = []
    token = None
    while token != "":
        page = search_versions(many, order_by=order_by, max_results=size, page_token=token)
        together += numbered(page)
        token = page.next_page_token

    assert together == whole
    assert len(set(whole)) == 60
    rows = search_versions(many, order_by=order_by).rows
    assert rows == sorted(rows, key=lambda row: place(row, order_by))


def place(row: dict[str, Any], order_by: list[str]) -> list[Any]:
    """An independent account of the order."""
    order_by = order_by or ["last_updated_timestamp DESC", "name", "version_number DESC"]
    keys: list[tuple[str, bool]] = [
        (text.split()[0], text.upper().endswith("DESC")) for text in order_by
    ]
    for key, descending in (("name", False), ("version_number", True)):
        if key not in dict(keys):
            keys.append((key, descending))
    values = {**row, "version_number": int(row["version"])}
    return [
        (
            [-ord(char) for char in values[key]] + [0]
            if isinstance(values[key], str)
            else [-values[key]]
        )
        if descending
        else ([ord(char) for char in values[key]] if key == "name" else [values[key]])
        for key, descending in keys
    ]


def test_models_are_paged_in_order_too(many: Any) -> None:
    whole = names(search_models(many))
    assert whole == sorted(whole)
    assert len(whole) == 12
    first = search_models(many, max_results=5, order_by=["name DESC"])
    second = search_models(
        many, max_results=50, order_by=["name DESC"], page_token=first.next_page_token
    )
    assert names(first) + names(second) == whole[::-1]
    assert second.next_page_token == ""
    first = search_models(many, max_results=5, order_by=["timestamp DESC"])
    second = search_models(
        many, max_results=50, order_by=["timestamp DESC"], page_token=first.next_page_token
    )
    assert sorted(names(first) + names(second)) == whole


def test_a_row_that_goes_meanwhile_hides_no_other(many: Any) -> None:
    whole = numbered(search_versions(many, order_by=["name"]))
    page = search_versions(many, order_by=["name"], max_results=10)
    ModelVersion.objects.filter(model__name=whole[0][0]).update(deleted_at=T0)

    following = search_versions(many, order_by=["name"], page_token=page.next_page_token)

    assert numbered(following) == whole[10:]


def test_a_token_is_good_for_its_own_search_only(many: Any) -> None:
    token = search_versions(many, filter="name LIKE '%'", max_results=1).next_page_token
    flipped = ("A" if token[0] != "A" else "B") + token[1:]
    other = WorkspaceFactory()
    wrong: list[dict[str, Any]] = [
        {"workspace": many, "filter": "name LIKE 'a%'", "page_token": token},
        {"workspace": many, "filter": "name LIKE '%'", "order_by": ["name"], "page_token": token},
        {"workspace": other, "filter": "name LIKE '%'", "page_token": token},
        {"workspace": many, "filter": "name LIKE '%'", "page_token": flipped},
        {"workspace": many, "filter": "name LIKE '%'", "page_token": token[:-1]},
        {"workspace": many, "filter": "name LIKE '%'", "page_token": "eyJvZmZzZXQiOiAxfQ=="},
        {"workspace": many, "filter": "name LIKE '%'", "page_token": "\ud800"},
    ]
    for call in wrong:
        with pytest.raises(SearchRefused, match="Invalid page token"):
            search_versions(call.pop("workspace"), **call)
    with pytest.raises(SearchRefused, match="Invalid page token"):
        search_models(many, filter="name LIKE '%'", page_token=token)
    assert search_versions(many, filter="name LIKE '%'", page_token=token).rows


@pytest.mark.parametrize(("asked", "said"), [(0, "positive integer"), (-1, "positive integer")])
def test_a_page_holds_one_at_least(workspace: Any, asked: int, said: str) -> None:
    for search in (search_models, search_versions):
        with pytest.raises(SearchRefused, match=said):
            search(workspace, max_results=asked)


def test_a_page_holds_no_more_than_mlflows(workspace: Any) -> None:
    with pytest.raises(SearchRefused, match="at most 1000, but got value 1001"):
        search_models(workspace, max_results=1001)
    with pytest.raises(SearchRefused, match="at most 200000"):
        search_versions(workspace, max_results=200_001)
    assert search_versions(workspace, max_results=200_000).rows == []


def test_a_page_costs_the_same_queries_with_more_rows(many: Any) -> None:
    def queries(search: Any, size: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert len(search(many, max_results=size).rows) == size
        return len(captured)

    assert queries(search_versions, 2) == queries(search_versions, 60) == 2
    assert queries(search_models, 2) == queries(search_models, 12) == 4


def holds(clause: Clause, version: ModelVersion) -> bool:
    """What a clause means, once more and without SQL."""
    if clause.is_tag:
        left: Any = version.tags.get(clause.key)
        if left is None:
            return False
    else:
        left = {
            "name": version.model.name,
            "run_id": version.run_id,
            "source_path": version.source,
            "version_number": version.number,
        }[clause.key]
    right: Any = clause.value
    if clause.comparator in ("LIKE", "ILIKE"):
        pattern = re.escape(right).replace("%", ".*").replace("_", ".")
        flags = re.DOTALL | (re.IGNORECASE if clause.comparator == "ILIKE" else 0)
        return re.fullmatch(pattern, left, flags) is not None
    return {
        "=": left == right,
        "!=": left != right,
        "IN": isinstance(right, tuple) and left in right,
        "NOT IN": isinstance(right, tuple) and left not in right,
        "<": isinstance(right, int) and left < right,
        "<=": isinstance(right, int) and left <= right,
        ">": isinstance(right, int) and left > right,
        ">=": isinstance(right, int) and left >= right,
    }[clause.comparator]


def test_two_hundred_filters_mean_what_python_says_they_mean(many: Any) -> None:
    chance = random.Random(11)
    versions = list(ModelVersion.objects.select_related("model"))
    seen = set()
    for _ in range(200):
        text = " AND ".join(a_clause(chance) for _ in range(chance.randint(1, 3)))
        clauses = parse_filter(text, VERSIONS)
        expected = {
            (it.model.name, str(it.number))
            for it in versions
            if all(holds(clause, it) for clause in clauses)
        }
        assert set(numbered(search_versions(many, filter=text))) == expected, text
        seen.add(len(expected))
    assert len(seen) > 15


def a_clause(chance: random.Random) -> str:
    words = [
        "a00",
        "A01",
        "b02",
        "r1",
        "r2",
        "",
        "v",
        "w",
        "s3://bucket/y",
        "%",
        "a%",
        "_0_",
        "S3%",
    ]
    key = chance.choice(["name", "run_id", "source_path", "version_number", "tags.k", "tag.`l`"])
    if key == "version_number":
        return f"{key} {chance.choice(['=', '!=', '<', '<=', '>', '>='])} {chance.randint(0, 6)}"
    if key in ("name", "run_id") and chance.random() < 0.3:
        values = ", ".join(f"'{chance.choice(words)}'" for _ in range(3))
        return f"{key} {chance.choice(['IN', 'NOT IN'])} ({values})"
    return f"{key} {chance.choice(['=', '!=', 'LIKE', 'ILIKE'])} '{chance.choice(words)}'"


def test_among_many_rows_indexes_are_used(workspace: Any) -> None:
    version = ModelVersionFactory(model__workspace=workspace, tags={"k": "rare"})
    with connection.cursor() as cursor:
        columns = [it.column for it in ModelVersion._meta.concrete_fields if it.column != "id"]
        changed = {
            "uid": "gen_random_uuid()",
            "number": "number + n",
            "tags": """'{"k": "often"}'""",
            "updated_at": "updated_at - n * interval '1 second'",
        }
        chosen = ", ".join(changed.get(column, column) for column in columns)
        cursor.execute(
            f"INSERT INTO registry_modelversion ({', '.join(columns)}) "
            f"SELECT {chosen} FROM registry_modelversion, generate_series(1, 3000) n WHERE id = %s",
            [version.pk],
        )
        cursor.execute("ANALYZE registry_modelversion, registry_registeredmodel")

    assert "version_tags" in plan(workspace, filter="tags.k = 'rare'")
    assert "version_last_updated" in plan(workspace, max_results=100)


def plan(workspace: Any, **call: Any) -> str:
    with CaptureQueriesContext(connection) as captured:
        search_versions(workspace, **call)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + captured[0]["sql"])
        return "\n".join(row[0] for row in cursor.fetchall())
