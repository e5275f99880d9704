"""Some hundreds of calls of MLflow's registry API: valid, odd and wrong, in one order.

Each is ``(method, path, parameters)``; ``{"PAGES": …}`` as a path means: read all pages. The state
that they find is what the calls before them made, so both servers are asked everything in order.
"""

from __future__ import annotations

from itertools import product
from typing import Any

Call = tuple[str, str, dict[str, Any]]

MODEL, VERSION = "registered-models", "model-versions"


def state() -> list[Call]:
    """Makes nine models, two prompts and their versions; some of it is refused on purpose."""
    calls: list[Call] = []
    for name in ("churn", "Churn", "fraud", "a b", "100%", "under_score", "empty", "ünï", "q'uote"):
        tags = [{"key": "team", "value": name[0]}, {"key": "odd key.1", "value": "x"}]
        calls.append(("POST", f"{MODEL}/create", {"name": name, "tags": tags}))
    calls.append(("POST", f"{MODEL}/create", {"name": "plain", "description": "No tags."}))
    calls += [
        ("POST", f"{MODEL}/create", {"name": "churn"}),
        ("POST", f"{MODEL}/create", {"name": ""}),
        ("POST", f"{MODEL}/create", {}),
        ("POST", f"{MODEL}/create", {"name": "a/b"}),
        ("POST", f"{MODEL}/create", {"name": "a:b"}),
        ("POST", f"{MODEL}/create", {"name": 5}),
    ]
    for name in ("poem", "song"):
        tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
        calls.append(("POST", f"{MODEL}/create", {"name": name, "tags": tags}))
        calls.append(
            (
                "POST",
                f"{VERSION}/create",
                {
                    "name": name,
                    "source": "prompt-template",
                    "tags": [*tags, {"key": "mlflow.prompt.text", "value": "Hello {{ you }}"}],
                },
            )
        )
    for name, number in product(("churn", "Churn", "fraud", "a b"), range(1, 5)):
        calls.append(
            (
                "POST",
                f"{VERSION}/create",
                {
                    "name": name,
                    "source": f"s3://Bucket/{name}/{number}",
                    "run_id": f"{number:032x}" if number % 2 else "",
                    "description": f"Number {number}." if number > 2 else "",
                    "tags": [{"key": "stage", "value": "gold" if number == 1 else "lead"}],
                },
            )
        )
    calls += [
        ("POST", f"{VERSION}/create", {"name": "nobody", "source": "s3://b/k"}),
        ("POST", f"{VERSION}/create", {"name": "churn"}),
        ("POST", f"{VERSION}/create", {"source": "s3://b/k"}),
    ]
    return calls


def changes() -> list[Call]:
    """Tags, aliases, stages, names, deletions."""
    who = {"name": "churn"}
    return [
        ("POST", f"{MODEL}/set-tag", {**who, "key": "k", "value": "v"}),
        ("POST", f"{MODEL}/set-tag", {**who, "key": "k", "value": "w"}),
        ("POST", f"{MODEL}/set-tag", {**who, "key": "empty", "value": ""}),
        ("POST", f"{MODEL}/set-tag", {**who, "value": "v"}),
        ("POST", f"{MODEL}/set-tag", {"name": "nobody", "key": "k", "value": "v"}),
        ("POST", f"{MODEL}/set-tag", {**who, "key": "k" * 251, "value": "v"}),
        ("DELETE", f"{MODEL}/delete-tag", {**who, "key": "empty"}),
        ("DELETE", f"{MODEL}/delete-tag", {**who, "key": "never was"}),
        ("POST", f"{VERSION}/set-tag", {**who, "version": "1", "key": "a.b", "value": "1"}),
        ("POST", f"{VERSION}/set-tag", {**who, "version": "99", "key": "k", "value": "1"}),
        ("POST", f"{VERSION}/set-tag", {**who, "version": "x", "key": "k", "value": "1"}),
        ("DELETE", f"{VERSION}/delete-tag", {**who, "version": "1", "key": "a.b"}),
        ("DELETE", f"{VERSION}/delete-tag", {**who, "version": "1", "key": "a.b"}),
        ("POST", f"{MODEL}/alias", {**who, "alias": "blue", "version": "1"}),
        ("POST", f"{MODEL}/alias", {**who, "alias": "blue", "version": "2"}),
        ("POST", f"{MODEL}/alias", {**who, "alias": "green-1_x", "version": "2"}),
        ("POST", f"{MODEL}/alias", {**who, "alias": "latest", "version": "2"}),
        ("POST", f"{MODEL}/alias", {**who, "alias": "v2", "version": "2"}),
        ("POST", f"{MODEL}/alias", {**who, "alias": "a b", "version": "2"}),
        ("POST", f"{MODEL}/alias", {**who, "alias": "x" * 256, "version": "2"}),
        ("POST", f"{MODEL}/alias", {**who, "alias": "blue", "version": "99"}),
        ("POST", f"{MODEL}/alias", {"name": "nobody", "alias": "blue", "version": "1"}),
        ("GET", f"{MODEL}/alias", {**who, "alias": "blue"}),
        ("GET", f"{MODEL}/alias", {**who, "alias": "nobody"}),
        ("DELETE", f"{MODEL}/alias", {**who, "alias": "green-1_x"}),
        ("DELETE", f"{MODEL}/alias", {**who, "alias": "never-was"}),
        ("PATCH", f"{MODEL}/update", {**who, "description": "Who leaves."}),
        ("PATCH", f"{MODEL}/update", {"name": "nobody", "description": "x"}),
        ("PATCH", f"{VERSION}/update", {**who, "version": "2", "description": "Two."}),
        ("PATCH", f"{VERSION}/update", {**who, "version": "99", "description": "Two."}),
        *(
            ("POST", f"{VERSION}/transition-stage", {**who, "archive_existing_versions": old, **to})
            for old, to in (
                (False, {"version": "1", "stage": "Production"}),
                (False, {"version": "2", "stage": "staging"}),
                (True, {"version": "3", "stage": "Production"}),
                (True, {"version": "4", "stage": "None"}),
                (False, {"version": "4", "stage": "Live"}),
                (False, {"version": "99", "stage": "Staging"}),
            )
        ),
        ("POST", f"{MODEL}/rename", {"name": "plain", "new_name": "plainer"}),
        ("POST", f"{MODEL}/rename", {"name": "plainer", "new_name": "churn"}),
        ("POST", f"{MODEL}/rename", {"name": "nobody", "new_name": "x"}),
        ("POST", f"{MODEL}/rename", {"name": "plainer", "new_name": "a/b"}),
        ("DELETE", f"{VERSION}/delete", {"name": "a b", "version": "4"}),
        ("DELETE", f"{VERSION}/delete", {"name": "a b", "version": "4"}),
        ("DELETE", f"{MODEL}/delete", {"name": "ünï"}),
        ("DELETE", f"{MODEL}/delete", {"name": "ünï"}),
    ]


def reads() -> list[Call]:
    """One thing at a time."""
    calls: list[Call] = []
    for name in ("churn", "plainer", "plain", "a b", "poem", "ünï", "q'uote", "", "nobody"):
        calls.append(("GET", f"{MODEL}/get", {"name": name}))
        calls.append(("GET", f"{MODEL}/get-latest-versions", {"name": name}))
        calls.append(("POST", f"{MODEL}/get-latest-versions", {"name": name, "stages": ["None"]}))
    for name, version in product(
        ("churn", "a b", "nobody"), ("1", "4", "99", "x", "", "-1", "1.0")
    ):
        calls.append(("GET", f"{VERSION}/get", {"name": name, "version": version}))
        calls.append(("GET", f"{VERSION}/get-download-uri", {"name": name, "version": version}))
    for stage in ("Production", "production", "Archived", "Live"):
        calls.append(("POST", f"{MODEL}/get-latest-versions", {"name": "churn", "stages": [stage]}))
    return calls


FILTERS = [
    "",
    " ",
    "name = 'churn'",
    "name='churn'",
    'name = "churn"',
    "name != 'churn'",
    "name LIKE 'c%'",
    "name LIKE 'C%'",
    "name like '%u%'",
    "name ILIKE 'C%'",
    "name ILIKE 'under\\_score'",
    "name LIKE 'under_score'",
    "name LIKE '100%'",
    "name = '100%'",
    "name = 'a b'",
    'name = "q\'uote"',
    "name = 'q''uote'",
    "name IN ('churn', 'fraud')",
    "name IN ('churn',)",
    "name in ('churn')",
    "name NOT IN ('churn', 'fraud')",
    "name IN ()",
    "name IN ('a', 1)",
    "name IN 'churn'",
    "name IN ('a' 'b')",
    "attribute.name = 'churn'",
    "attributes.name = 'churn'",
    "`name` = 'churn'",
    "name = churn",
    "name = 5",
    "name > 'a'",
    "name == 'churn'",
    "name <> 'churn'",
    "name IS NULL",
    "name NOT LIKE 'c%'",
    "name RLIKE 'c.*'",
    "name",
    "name =",
    "= 'churn'",
    "'churn' = name",
    "name = 'churn' AND name != 'fraud'",
    "name = 'churn' and name ILIKE '%U%'",
    "name = 'churn' AND",
    "AND name = 'churn'",
    "name = 'churn' OR name = 'fraud'",
    "name = 'churn' name = 'fraud'",
    "(name = 'churn')",
    "NOT name = 'churn'",
    "name = 'churn';",
    "name = 'churn'; name = 'fraud'",
    "name = 'churn' -- x",
    "name = 'chu",
    "colour = 'red'",
    "Name = 'churn'",
    "params.x = '1'",
    "tags.team = 'c'",
    "tag.team = 'c'",
    "tags.team != 'c'",
    "tags.team LIKE 'c'",
    "tags.team ILIKE 'C'",
    "tags.`odd key.1` = 'x'",
    "tags.\"odd key.1\" = 'x'",
    "tags.odd-key = 'x'",
    "tags.k = 'w'",
    "tags.k != 'x'",
    "tags.nobody = 'x'",
    "tags.nobody != 'x'",
    "tags.stage = 'gold'",
    "tags.stage != 'gold'",
    "tags.stage = 'gold' AND tags.stage != 'lead'",
    "tags.stage = 'lead' AND name = 'churn'",
    "tags.team = 'c' AND tags.k = 'w'",
    "tags.team IN ('c')",
    "tags.team = 5",
    "tags.team > 'c'",
    "tags.team IS NULL",
    "tag.`mlflow.prompt.is_prompt` != 'true'",
    "tag.`mlflow.prompt.is_prompt` = 'true'",
    "tags.`mlflow.prompt.is_prompt` = 'false'",
    "tags.mlflow.prompt.is_prompt = 'true'",
    "name LIKE 'po%' AND tag.`mlflow.prompt.is_prompt` = 'true'",
    "run_id = '00000000000000000000000000000001'",
    "run_id != '00000000000000000000000000000001'",
    "run_id = ''",
    "run_id IN ('00000000000000000000000000000001', '00000000000000000000000000000003')",
    "run_id LIKE '%3'",
    "source_path = 's3://Bucket/churn/1'",
    "source_path LIKE 's3://bucket/%'",
    "source_path ILIKE 's3://bucket/%'",
    "source_path IN ('x')",
    "source = 'x'",
    "version_number = 2",
    "version_number = '2'",
    "version_number != 2",
    "version_number > 2",
    "version_number >= 2",
    "version_number < 2",
    "version_number <= 2",
    "version_number > -1",
    "version_number > 2.5",
    "version_number = 'x'",
    "version_number LIKE 2",
    "version_number IN (1, 2)",
    "version_number > 1 AND name = 'churn' AND tags.stage = 'lead'",
    "current_stage = 'Production'",
    "status = 'READY'",
]

MODEL_ORDERS: list[list[str]] = [
    ["name"],
    ["name DESC"],
    ["name asc"],
    ["timestamp"],
    ["timestamp DESC"],
    ["last_updated_timestamp DESC", "name"],
    ["name", "timestamp"],
    ["`name` DESC"],
    ["creation_timestamp"],
    ["name", "name DESC"],
    ["timestamp", "last_updated_timestamp"],
    ["colour"],
    ["name sideways"],
    ["name asc desc"],
    [""],
    ["name; drop"],
    ["tags.team"],
    ["attribute.name"],
]
VERSION_ORDERS: list[list[str]] = [
    ["name"],
    ["name DESC"],
    ["version_number"],
    ["version_number DESC", "name DESC"],
    ["creation_timestamp"],
    ["creation_timestamp DESC"],
    ["last_updated_timestamp"],
    ["last_updated_timestamp DESC", "name"],
    ["attribute.version_number"],
    ["`version_number` DESC"],
    ["timestamp"],
    ["run_id"],
    ["name", "name"],
    ["colour DESC"],
    ["name sideways"],
    [""],
]
SIZES: list[Any] = [1, 3, 1000, 1001, 200_000, 200_001, 0, -1, "x", 1.5]


def searches() -> list[Call]:
    """Every filter and order of both kinds; pages of several sizes."""
    calls: list[Call] = []
    for kind, orders in ((MODEL, MODEL_ORDERS), (VERSION, VERSION_ORDERS)):
        path = f"{kind}/search"
        calls += [("GET", path, {"filter": text}) for text in FILTERS]
        calls += [("GET", path, {"order_by": order}) for order in orders]
        calls += [("GET", path, {"max_results": size}) for size in SIZES]
        calls += [
            ("PAGES", path, {"max_results": size, "order_by": order, "filter": text})
            for size, order, text in product(
                (1, 4), (orders[0], orders[1]), ("", "tags.team ILIKE 'C'", "name LIKE 'c%'")
            )
        ]
        calls += [
            ("GET", path, {"page_token": token}) for token in ("x", "eyJvZmZzZXQiOiAieCJ9", "")
        ]
        calls.append(("GET", path, {"filter": "name = 'churn'", "colour": "red"}))
    return calls


def all_calls() -> list[Call]:
    return [*state(), *changes(), *reads(), *searches()]
